/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Capture: network devices that show, to tcpdump for instance, the frames that go
 * from guest to guest and so past every other device.
 *
 *   ip link add link vnet0 name watch0 type ivshmmon	those of one port
 *   ip link add name watch type ivshmmon		those of all ports
 *
 * While such a device is up each direct frame takes a kernel buffer, so that what
 * is shown is what was delivered, whatever the guests do to their memory.
 */
#ifndef _IVSHM_CAPTURE_H
#define _IVSHM_CAPTURE_H

#include <linux/jump_label.h>
#include <linux/skbuff.h>

#include "qp.h"

#define IVSHM_CAPTURE_KIND	"ivshmmon"

DECLARE_STATIC_KEY_FALSE(ivshm_capture_key);

/* Somebody watches. Any context. */
static __always_inline bool ivshm_capture_on(void)
{
	return static_branch_unlikely(&ivshm_capture_key);
}

/* Somebody watches, and @f is not in a kernel buffer yet. */
static __always_inline bool ivshm_capture_lacks(const struct ivshm_frame *f)
{
	return ivshm_capture_on() && !f->buf && list_empty(&f->bufs);
}

/*
 * Copies of what @f is about to become at its receivers, which is in kernel
 * buffers, at the end of @skbs; to be shown, and then given up.  If there is no
 * memory for one it is missing, and will be counted as dropped.  Does not sleep.
 */
void ivshm_capture_take(const struct ivshm_frame *f, struct sk_buff_head *skbs);
/*
 * They were sent by @src, or given to @dst, or both; NULL for neither.  Under RCU,
 * without a lock of ours, not in a read section.
 */
void ivshm_capture_show(const struct ivshm_port *src, const struct ivshm_port *dst,
			struct sk_buff_head *skbs);

int ivshm_capture_init(void);
void ivshm_capture_exit(void);

#endif /* _IVSHM_CAPTURE_H */
