// SPDX-License-Identifier: GPL-2.0
/*
 * Virtio-net headers between two guests, virtio 1.2 section 5.1.6.
 *
 * What a sender says of a frame is checked and the header is built anew.  What
 * the receiver did not negotiate is done in software, by the kernel's own
 * segmentation and checksum code.
 */
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/virtio_net.h>
#include <net/gso.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>

#include "qp.h"
#include "tx.h"

/* Network protocol of the frame in @f->copy, behind one VLAN tag. */
static __be16 ivshm_vnet_protocol(const struct ivshm_frame *f)
{
	const struct vlan_ethhdr *eth = (const void *)f->copy;

	if (f->copy_len < ETH_HLEN)
		return 0;
	if (!eth_type_vlan(eth->h_vlan_proto))
		return eth->h_vlan_proto;
	return f->copy_len < VLAN_ETH_HLEN ? 0 : eth->h_vlan_encapsulated_proto;
}

/* UDP that is to be fragmented: all but the last have @f->raw.gso_size bytes of it. */
static void ivshm_vnet_check_udp(struct ivshm_frame *f, bool le)
{
	u32 start = __virtio16_to_cpu(le, f->raw.csum_start);
	u32 size = __virtio16_to_cpu(le, f->raw.gso_size);
	__be16 protocol = ivshm_vnet_protocol(f);
	u32 headers = start;

	/* Offsets of fragments count in eights. */
	if (!size || size % 8 || !f->hdr.flags || start + sizeof(struct udphdr) > f->len ||
	    __virtio16_to_cpu(le, f->raw.csum_offset) != offsetof(struct udphdr, check))
		return;
	if (protocol == htons(ETH_P_IPV6))
		headers += sizeof(struct frag_hdr);
	else if (protocol != htons(ETH_P_IP))
		return;
	if (f->len - start > size)
		f->gso_len = headers + size;
	f->hdr.gso_type = f->raw.gso_type;
	f->hdr.gso_size = f->raw.gso_size;
	f->hdr.hdr_len = __cpu_to_virtio16(le, start + sizeof(struct udphdr));
	f->plain = true;
}

u32 ivshm_vnet_check(struct ivshm_frame *f, bool le)
{
	u32 start = __virtio16_to_cpu(le, f->raw.csum_start);
	u32 offset = __virtio16_to_cpu(le, f->raw.csum_offset);
	u8 gso = f->raw.gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
	__be16 protocol;

	memset(&f->hdr, 0, sizeof(f->hdr));
	f->gso_len = f->len;
	f->plain = false;

	if (f->raw.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (start < ETH_HLEN || start + offset + sizeof(__sum16) > f->len)
			return 0;
		f->hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		f->hdr.csum_start = f->raw.csum_start;
		f->hdr.csum_offset = f->raw.csum_offset;
	}
	if (!f->raw.gso_type) {
		f->plain = true;
		return 0;
	}

	if (f->raw.gso_type == VIRTIO_NET_HDR_GSO_UDP)
		ivshm_vnet_check_udp(f, le);
	/* A device is asked to segment only what it also checksums. */
	if (gso != VIRTIO_NET_HDR_GSO_TCPV4 && gso != VIRTIO_NET_HDR_GSO_TCPV6)
		return 0;
	protocol = ivshm_vnet_protocol(f);
	if (protocol != (gso == VIRTIO_NET_HDR_GSO_TCPV4 ? htons(ETH_P_IP) :
							   htons(ETH_P_IPV6)))
		return 0;
	if (!f->hdr.flags || offset != offsetof(struct tcphdr, check) ||
	    !f->raw.gso_size || start + sizeof(struct tcphdr) > f->len)
		return 0;
	return start + offsetof(struct tcphdr, ack_seq) + sizeof(__be32);
}

void ivshm_vnet_check_tcp(struct ivshm_frame *f, bool le, u8 doff)
{
	u32 headers = __virtio16_to_cpu(le, f->raw.csum_start) + (doff >> 4) * 4;

	if (doff >> 4 < sizeof(struct tcphdr) / 4 || headers > f->len)
		return;
	f->hdr.gso_type = f->raw.gso_type;
	f->hdr.gso_size = f->raw.gso_size;
	f->hdr.hdr_len = __cpu_to_virtio16(le, headers);
	f->gso_len = min(f->len, headers + __virtio16_to_cpu(le, f->raw.gso_size));
	f->plain = true;
}

bool ivshm_vnet_fits(const struct virtio_net_hdr *hdr, netdev_features_t features)
{
	netdev_features_t need = 0;

	if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		need |= NETIF_F_HW_CSUM;
	switch (hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		need |= NETIF_F_TSO;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		need |= NETIF_F_TSO6;
		break;
	case VIRTIO_NET_HDR_GSO_UDP:
		need |= NETIF_F_GSO_UDP;
		break;
	default:
		break;
	}
	if (hdr->gso_type & VIRTIO_NET_HDR_GSO_ECN)
		need |= NETIF_F_TSO_ECN;
	return !(need & ~features);
}

/* An skb of the frame, as a driver would have received it. */
static struct sk_buff *ivshm_vnet_skb(const struct ivshm_buf *buf, bool le)
{
	struct sk_buff *skb;
	int err;

	skb = alloc_skb_with_frags(VLAN_ETH_HLEN, buf->len > VLAN_ETH_HLEN ?
				   buf->len - VLAN_ETH_HLEN : 0,
				   PAGE_ALLOC_COSTLY_ORDER, &err, GFP_KERNEL);
	if (!skb)
		return ERR_PTR(-ENOMEM);
	if (buf->len > VLAN_ETH_HLEN) {
		skb_put(skb, VLAN_ETH_HLEN);
		skb->data_len = buf->len - VLAN_ETH_HLEN;
		skb->len += skb->data_len;
	} else {
		skb_put(skb, buf->len);
	}
	err = skb_store_bits(skb, 0, buf->data, buf->len);
	if (err)
		goto free;

	skb_reset_mac_header(skb);
	skb->protocol = eth_hdr(skb)->h_proto;
	skb_set_network_header(skb, eth_type_vlan(skb->protocol) ? VLAN_ETH_HLEN : ETH_HLEN);
	skb_reset_mac_len(skb);
	/* Fragments of IPv6 get an identification, for which it has to be of some namespace. */
	skb->dev = init_net.loopback_dev;
	err = virtio_net_hdr_to_skb(skb, &buf->hdr, le);
	if (err)
		goto free;
	return skb;
free:
	kfree_skb(skb);
	return ERR_PTR(-EINVAL);
}

/* @skb, which is consumed, as a buffer at the end of @out. */
static int ivshm_vnet_emit(struct sk_buff *skb, netdev_features_t features, bool le,
			   struct list_head *out)
{
	struct ivshm_buf *buf;
	int err = 0;

	if (skb->ip_summed == CHECKSUM_PARTIAL && !(features & NETIF_F_HW_CSUM))
		err = skb_checksum_help(skb);
	if (err)
		goto free;
	err = -ENOMEM;
	buf = ivshm_buf_alloc(skb->len);
	if (!buf)
		goto free;
	err = virtio_net_hdr_from_skb(skb, &buf->hdr, le, false, 0);
	if (!err)
		err = skb_copy_bits(skb, 0, buf->data, skb->len);
	if (err)
		kvfree(buf);
	else
		list_add_tail(&buf->list, out);
free:
	consume_skb(skb);
	return err;
}

int ivshm_vnet_convert(struct ivshm_qp *qp, const struct ivshm_buf *buf,
		       netdev_features_t features, struct list_head *out)
{
	bool le = qp->vq[IVSHM_VQ_TX].ring.le;
	struct sk_buff *skb, *segs, *next;
	struct ivshm_buf *copy;
	LIST_HEAD(bufs);
	int err = 0;

	if (ivshm_vnet_fits(&buf->hdr, features)) {
		copy = ivshm_buf_alloc(buf->len);
		if (!copy)
			return -ENOMEM;
		memcpy(copy->data, buf->data, buf->len);
		copy->hdr = buf->hdr;
		list_add_tail(&copy->list, out);
		return 0;
	}

	skb = ivshm_vnet_skb(buf, le);
	if (IS_ERR(skb))
		return PTR_ERR(skb);
	ivshm_qp_count(qp, IVSHM_A_STAT_SEGMENTED);
	ivshm_qp_count(qp, IVSHM_A_STAT_SKBS);

	/* No feature of a real device: fragments and partial GSO mean nothing here. */
	features &= NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN;
	if (skb_is_gso(skb)) {
		segs = __skb_gso_segment(skb, features | NETIF_F_SG, true);
		if (IS_ERR(segs)) {
			kfree_skb(skb);
			return -EINVAL;
		}
		if (segs) {
			consume_skb(skb);
			skb = segs;
		}
	}
	for (; skb; skb = next) {
		next = skb->next;
		skb_mark_not_on_list(skb);
		if (err)
			kfree_skb(skb);
		else
			err = ivshm_vnet_emit(skb, features, le, &bufs);
	}
	if (err)
		ivshm_bufs_free(&bufs);
	list_splice_tail(&bufs, out);
	return err;
}
