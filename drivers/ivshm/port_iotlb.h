/* SPDX-License-Identifier: GPL-2.0 */
/* The messages of the device IOTLB: read(), write() and poll() of /dev/ivshm-net. */
#ifndef _IVSHM_PORT_IOTLB_H
#define _IVSHM_PORT_IOTLB_H

#include <linux/poll.h>
#include <linux/types.h>

struct ivshm_iotlb_map;
struct ivshm_qp;
struct iov_iter;
struct kiocb;

/*
 * Have an empty table in @pool from now on, or none with NULL: guest addresses are
 * guest-physical again.  ivshm_qp.mutex held; to begin or end having one, the queue
 * pair is held, too.
 */
void ivshm_qp_set_iotlb(struct ivshm_qp *qp, struct ivshm_iotlb_map *pool);
/* Whether there is a table. ivshm_qp.mutex held. */
bool ivshm_qp_has_iotlb(const struct ivshm_qp *qp);

ssize_t ivshm_net_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t ivshm_net_write_iter(struct kiocb *iocb, struct iov_iter *from);
__poll_t ivshm_net_poll(struct file *file, poll_table *wait);

#endif /* _IVSHM_PORT_IOTLB_H */
