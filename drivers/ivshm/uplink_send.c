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

/* Frames on their way to the tap. */
struct ivshm_uplink_batch {
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

/* Put @f into the batch. -ENOSPC if it is too large, or as ivshm_frame_read(). */
static int ivshm_uplink_add(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	struct sock *sk = qp->vq[IVSHM_VQ_TX].sock->sk;
	struct ivshm_uplink_batch *b = qp->uplink;
	struct tun_xdp_hdr *hdr;
	u32 pad, size;
	void *buf;
	int err;

	pad = SKB_DATA_ALIGN(sizeof(*hdr) + NET_SKB_PAD + NET_IP_ALIGN +
			     (sock_flag(sk, SOCK_XDP) ? XDP_PACKET_HEADROOM : 0));
	size = SKB_DATA_ALIGN(pad + f->len) +
	       SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	if (size > PAGE_SIZE)
		return -ENOSPC;
	if (!skb_page_frag_refill(size, &b->frag, GFP_KERNEL))
		return -ENOMEM;
	buf = page_address(b->frag.page) + b->frag.offset;
	err = ivshm_frame_read(qp, f, buf + pad);
	if (err)
		return err;
	get_page(b->frag.page);
	b->frag.offset += size;

	hdr = buf;
	hdr->buflen = size;
	if (qp->sock_hdr)
		hdr->gso = f->raw;
	else
		memset(&hdr->gso, 0, sizeof(hdr->gso));
	xdp_init_buff(&b->xdp[b->nr], size, NULL);
	xdp_prepare_buff(&b->xdp[b->nr], buf, pad, f->len, true);
	b->bytes += f->len;
	if (++b->nr == IVSHM_BATCH)
		ivshm_uplink_flush(qp);
	return 0;
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
	struct iovec *vec = qp->uplink->vec;
	int entered, n = 0, got = 0, err;
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

	entered = ivshm_gmem_borrow(qp->gm);
	if (entered < 0)
		return entered;
	iov_iter_init(&msg.msg_iter, ITER_SOURCE, vec, n, qp->hdr_len + f->len);
	if (!qp->sock_hdr)
		iov_iter_advance(&msg.msg_iter, qp->hdr_len);
	err = sock->ops->sendmsg(sock, &msg, iov_iter_count(&msg.msg_iter));
	ivshm_gmem_give_back(qp->gm, entered);

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
	/* A tap whose send buffer is limited has to be asked frame by frame. */
	if (qp->tx_batched && READ_ONCE(sock->sk->sk_sndbuf) == INT_MAX)
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
