/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What stands at the beginning of the buffer of a frame that is given to a tap with
 * others: the size of the buffer and a virtio-net header; since 6.17 only that, which
 * is one with the fields of tunnels if the tap was told so, and says zero of them.
 */
#ifndef _IVSHM_COMPAT_LINUX_IF_TUN_H
#define _IVSHM_COMPAT_LINUX_IF_TUN_H

#include <linux/string.h>
#include <linux/version.h>

#include_next <linux/if_tun.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
#define IVSHM_TUN_XDP_HDR_LEN	sizeof(struct virtio_net_hdr_v1_hash_tunnel)

static inline struct virtio_net_hdr *ivshm_tun_xdp_hdr(void *buf)
{
	memset(buf, 0, IVSHM_TUN_XDP_HDR_LEN);
	return buf;
}

static inline void ivshm_tun_xdp_set_size(void *buf, int size)
{
}
#else
#define IVSHM_TUN_XDP_HDR_LEN	sizeof(struct tun_xdp_hdr)

static inline struct virtio_net_hdr *ivshm_tun_xdp_hdr(void *buf)
{
	struct tun_xdp_hdr *hdr = buf;

	return &hdr->gso;
}

static inline void ivshm_tun_xdp_set_size(void *buf, int size)
{
	struct tun_xdp_hdr *hdr = buf;

	hdr->buflen = size;
}
#endif

#endif /* _IVSHM_COMPAT_LINUX_IF_TUN_H */
