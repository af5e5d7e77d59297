// SPDX-License-Identifier: GPL-2.0
/*
 * Sending by the uplink, in the worker.
 *
 *   small frames   copied into page fragments, many handed to the tap at once
 *   large frames   the tap reads them from the VMM's memory, as with vhost-net
 *   all others     from a kernel buffer
 */
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/skbuff.h>
#include <linux/socket.h>
#include <linux/uio.h>
#include <net/sock.h>
#include <net/xdp.h>

#include "qp.h"
#include "tx.h"

/* Pieces that a frame in the VMM's memory may be in. */
#define IVSHM_UPLINK_VECS	(2 * IVSHM_FRAME_SEGS)

/*
 * Frames on their way to the tap. @has_mm: the worker has the VMM's mappings, as
 * ivshm_gmem_borrow() said in @entered, until ivshm_uplink_end().
 */
struct ivshm_uplink_batch {
	bool has_mm;
	int entered;
	struct page_frag frag;
	u32 nr;
	u64 bytes;
	struct xdp_buff xdp[IVSHM_BATCH];
	struct iovec vec[IVSHM_UPLINK_VECS];
};

struct ivshm_uplink_batch *ivshm_uplink_batch_alloc(void)
{
	return kvzalloc(sizeof(struct ivshm_uplink_batch), GFP_KERNEL_ACCOUNT);
}

void ivshm_uplink_batch_free(struct ivshm_uplink_batch *b)
{
	if (b && b->frag.page)
		put_page(b->frag.page);
	kvfree(b);
}

static void ivshm_uplink_sent(struct ivshm_qp *qp, u32 n, u64 bytes)
{
	ivshm_qp_count_n(qp, IVSHM_A_STAT_TX_UPLINK_FRAMES, n);
	ivshm_qp_count_n(qp, IVSHM_A_STAT_TX_UPLINK_BYTES, bytes);
}

void ivshm_uplink_flush(struct ivshm_qp *qp)
{
	struct socket *sock = qp->vq[IVSHM_VQ_TX].sock;
	struct ivshm_uplink_batch *b = qp->uplink;
	struct tun_msg_ctl ctl = {
		.type = TUN_MSG_PTR,
		.num = b->nr,
		.ptr = b->xdp,
	};
	struct msghdr msg = {
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl),
		.msg_flags = MSG_DONTWAIT,
	};
	u32 i;

	if (!b->nr)
		return;
	if (sock->ops->sendmsg(sock, &msg, 0) < 0) {
		/* Without an interface any more. */
		for (i = 0; i < b->nr; i++)
			put_page(virt_to_head_page(b->xdp[i].data));
		ivshm_qp_drop(qp, IVSHM_A_STAT_DROP_UPLINK, b->nr);
	} else {
		ivshm_uplink_sent(qp, b->nr, b->bytes);
	}
	b->nr = 0;
	b->bytes = 0;
}

void ivshm_uplink_end(struct ivshm_qp *qp)
{
	struct ivshm_uplink_batch *b = qp->uplink;

	ivshm_uplink_flush(qp);
	if (b->has_mm)
		ivshm_gmem_give_back(qp->gm, b->entered);
	b->has_mm = false;
}

/* A tap whose send buffer is limited has to be asked frame by frame. */
static bool ivshm_uplink_batches(const struct ivshm_qp *qp)
{
	const struct socket *sock = qp->vq[IVSHM_VQ_TX].sock;

	return qp->tx_batched && READ_ONCE(sock->sk->sk_sndbuf) == INT_MAX;
}

/* What the tap wants to have in front of a frame. */
static u32 ivshm_uplink_pad(const struct ivshm_qp *qp)
{
	struct sock *sk = qp->vq[IVSHM_VQ_TX].sock->sk;

	return SKB_DATA_ALIGN(IVSHM_TUN_XDP_HDR_LEN + NET_SKB_PAD + NET_IP_ALIGN +
			      (sock_flag(sk, SOCK_XDP) ? XDP_PACKET_HEADROOM : 0));
}

/* What a frame takes of a page fragment. */
static u32 ivshm_uplink_size(u32 pad, u32 len)
{
	return SKB_DATA_ALIGN(pad + len) + SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
}

/* The frame of @len bytes is there, behind @pad bytes at @buf. */
static void ivshm_uplink_put(struct ivshm_uplink_batch *b, void *buf, u32 pad, u32 len, u32 size)
{
	struct xdp_buff *xdp = &b->xdp[b->nr++];

	ivshm_tun_xdp_set_size(buf, size);
	xdp_init_buff(xdp, size, NULL);
	xdp_prepare_buff(xdp, buf, pad, len, true);
	b->frag.offset += size;
	b->bytes += len;
}

/* Put @f into the batch. -ENOSPC if it is too large, or as ivshm_frame_read(). */
static int ivshm_uplink_add(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	u32 pad = ivshm_uplink_pad(qp), size = ivshm_uplink_size(pad, f->len);
	struct ivshm_uplink_batch *b = qp->uplink;
	struct virtio_net_hdr *hdr;
	void *buf;
	int err;

	if (size > PAGE_SIZE)
		return -ENOSPC;
	if (!skb_page_frag_refill(size, &b->frag, GFP_KERNEL))
		return -ENOMEM;
	buf = page_address(b->frag.page) + b->frag.offset;
	err = ivshm_frame_read(qp, f, buf + pad);
	if (err)
		return err;
	get_page(b->frag.page);

	hdr = ivshm_tun_xdp_hdr(buf);
	if (qp->sock_hdr)
		*hdr = f->raw;
	else
		memset(hdr, 0, sizeof(*hdr));
	ivshm_uplink_put(b, buf, pad, f->len, size);
	if (b->nr == IVSHM_BATCH)
		ivshm_uplink_flush(qp);
	return 0;
}

/* Copy a chain, from its first @skip bytes on. Read section; false: not there, or too far. */
static __always_inline bool ivshm_uplink_copy_few(struct ivshm_gmem *gm,
						  struct ivshm_gmem_window *win,
						  const struct ivshm_vring_few *few,
						  const struct ivshm_gmem_span *first,
						  u32 skip, void *to)
{
	struct ivshm_gmem_span span = *first;
	u32 i, n;

	for (i = 0; ; skip = 0) {
		n = span.len - skip;
		memcpy(to, span.addr + skip, n);
		to += n;
		if (unlikely(span.len < few->seg[i].len)) {
			n = few->seg[i].len - span.len;
			memcpy(to, span.next, n);
			to += n;
		}
		if (likely(++i == few->nr))
			return true;
		if (!ivshm_gmem_peek_near(gm, win, few->seg[i].addr, few->seg[i].len, false,
					  &span))
			return false;
	}
}

/*
 * Frames into the rest of the page fragment, as many as fit and are for this.  Read
 * section. Returns how many.
 */
static noinline u32 ivshm_uplink_fill(struct ivshm_qp *qp, const struct ivshm_vring_few *few,
				      u32 n, u32 pad, const struct ethhdr *eth)
{
	const struct ivshm_tx_key run = ivshm_tx_key(eth);
	u32 hdr_len = qp->hdr_len, head = hdr_len + ETH_HLEN, len, size, i;
	struct ivshm_uplink_batch *b = qp->uplink;
	struct ivshm_gmem_window win = {};
	struct ivshm_gmem_span span;
	struct virtio_net_hdr *hdr;
	struct ivshm_tx_key key;
	void *buf;

	for (i = 0; i < n && b->bytes < IVSHM_BATCH_BYTES; i++, few++) {
		len = few->len - hdr_len;
		size = ivshm_uplink_size(pad, len);
		if (unlikely(size > PAGE_SIZE || b->frag.offset + size > b->frag.size ||
			     !ivshm_gmem_peek_near(qp->gm, &win, few->seg[0].addr,
						   few->seg[0].len, false, &span) ||
			     span.len < head))
			break;
		/* Once compared it is not looked at again. */
		key = ivshm_tx_key(span.addr + hdr_len);
		if (key.lo != run.lo || key.hi != run.hi)
			break;
		buf = page_address(b->frag.page) + b->frag.offset;
		hdr = ivshm_tun_xdp_hdr(buf);
		if (likely(qp->sock_hdr))
			memcpy(hdr, span.addr, sizeof(*hdr));
		else
			memset(hdr, 0, sizeof(*hdr));
		memcpy(buf + pad, eth, ETH_HLEN);
		if (!ivshm_uplink_copy_few(qp->gm, &win, few, &span, head, buf + pad + ETH_HLEN))
			break;
		ivshm_uplink_put(b, buf, pad, len, size);
	}
	/* One reference for each frame. */
	if (i)
		page_ref_add(b->frag.page, i);
	return i;
}

u32 ivshm_uplink_send_few(struct ivshm_qp *qp, const struct ivshm_vring_few *few, u32 n,
			  const struct ethhdr *eth)
{
	struct ivshm_uplink_batch *b = qp->uplink;
	u32 pad, size, done = 0, got;

	if (!ivshm_uplink_batches(qp))
		return 0;
	pad = ivshm_uplink_pad(qp);
	while (done < n && few[done].len > qp->hdr_len) {
		/* In a read section nothing is allocated: room for one at least. */
		size = ivshm_uplink_size(pad, few[done].len - qp->hdr_len);
		if (size > PAGE_SIZE || !skb_page_frag_refill(size, &b->frag, GFP_KERNEL))
			break;
		ivshm_gmem_read_lock(qp->gm);
		got = ivshm_uplink_fill(qp, few + done, n - done, pad, eth);
		ivshm_gmem_read_unlock(qp->gm);
		if (!got)
			break;
		done += got;
	}
	qp->linger.bytes += b->bytes;
	ivshm_uplink_flush(qp);
	return done;
}

static int ivshm_uplink_result(struct ivshm_qp *qp, const struct ivshm_frame *f, int err)
{
	if (err == -EAGAIN || err == -ENOBUFS) {
		/* Arms the wake-up; room may have come up before it was armed. */
		if (vfs_poll(qp->vq[IVSHM_VQ_TX].tap, NULL) & EPOLLOUT)
			ivshm_worker_wake(&qp->worker, IVSHM_WORK_TAP_OUT);
		return -EAGAIN;
	}
	if (err < 0)
		return -EIO;
	ivshm_uplink_sent(qp, 1, f->len);
	return 0;
}

/* The tap reads the frame itself. -ENOSPC if it is in too many pieces. */
static int ivshm_uplink_send_user(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	struct socket *sock = qp->vq[IVSHM_VQ_TX].sock;
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
	struct ivshm_uplink_batch *b = qp->uplink;
	struct iovec *vec = b->vec;
	int n = 0, got = 0, err;
	u32 i;

	ivshm_gmem_read_lock(qp->gm);
	for (i = 0; i < f->nr_segs && got >= 0; i++) {
		got = ivshm_gmem_user_vec(qp->gm, f->seg[i].addr, f->seg[i].len, vec + n,
					  IVSHM_UPLINK_VECS - n);
		n += got;
	}
	ivshm_gmem_read_unlock(qp->gm);
	if (got < 0)
		return got;

	/* Once for all of them: mappings are dear to change. */
	if (!b->has_mm) {
		b->entered = ivshm_gmem_borrow(qp->gm);
		if (b->entered < 0)
			return b->entered;
		b->has_mm = true;
	}
	iov_iter_init(&msg.msg_iter, ITER_SOURCE, vec, n, qp->hdr_len + f->len);
	if (!qp->sock_hdr)
		iov_iter_advance(&msg.msg_iter, qp->hdr_len);
	err = sock->ops->sendmsg(sock, &msg, iov_iter_count(&msg.msg_iter));
	if (err == -EFAULT)
		return fatal_signal_pending(current) ? -EINTR : -EFAULT;
	return ivshm_uplink_result(qp, f, err);
}

static int ivshm_uplink_send_line(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	struct socket *sock = qp->vq[IVSHM_VQ_TX].sock;
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
	struct kvec vec;
	int err;

	memset(qp->line, 0, qp->sock_hdr);
	memcpy(qp->line, &f->raw, min_t(u32, qp->sock_hdr, sizeof(f->raw)));
	err = ivshm_frame_read(qp, f, qp->line + qp->sock_hdr);
	if (err)
		return err;

	vec.iov_base = qp->line;
	vec.iov_len = qp->sock_hdr + f->len;
	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &vec, 1, vec.iov_len);
	err = sock->ops->sendmsg(sock, &msg, vec.iov_len);
	return ivshm_uplink_result(qp, f, err);
}

int ivshm_uplink_send(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	struct socket *sock = qp->vq[IVSHM_VQ_TX].sock;
	int err = -ENOSPC;

	if (!sock)
		return -EIO;
	if (ivshm_uplink_batches(qp))
		err = ivshm_uplink_add(qp, f);
	if (err != -ENOSPC)
		return err;
	ivshm_uplink_flush(qp);
	if (!f->buf && f->nr_segs && (!qp->sock_hdr || qp->sock_hdr == qp->hdr_len))
		err = ivshm_uplink_send_user(qp, f);
	if (err == -ENOSPC)
		err = ivshm_uplink_send_line(qp, f);
	return err;
}
