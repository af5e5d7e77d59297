/* SPDX-License-Identifier: GPL-2.0 */
/* /dev/ivshm-net: the vhost-net ioctl ABI. */
#ifndef _IVSHM_PORT_VHOST_H
#define _IVSHM_PORT_VHOST_H

int ivshm_net_init(void);
void ivshm_net_exit(void);

#endif /* _IVSHM_PORT_VHOST_H */
