/* SPDX-License-Identifier: GPL-2.0 */
/* Signals that end a command, taken when it suits. */
#ifndef _IVMCTL_SIGNALS_H
#define _IVMCTL_SIGNALS_H

/*
 * A descriptor from which SIGHUP, SIGINT and SIGTERM can be read, which do
 * nothing else until signals_close(). -1 with errno set.
 */
int signals_open(void);
/* Forget those that came, and let them end the program again. */
void signals_close(int fd);

#endif /* _IVMCTL_SIGNALS_H */
