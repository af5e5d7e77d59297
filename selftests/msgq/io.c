// SPDX-License-Identifier: GPL-2.0
/* Input and output that holds pages for as long as a test likes. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/if_tun.h>
#include <linux/if_xdp.h>
#include <linux/io_uring.h>
#include <linux/loop.h>
#include <linux/userfaultfd.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io.h"
#include "region.h"

/*
 * Direct reads
 */

/* A page that nobody gets before io_end(). Its userfaultfd, or a negative error. */
static int withhold(char **page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range.len = PAGE, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	*page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range.start = (uintptr_t)*page;
	if (*page == MAP_FAILED || ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &reg)) {
		close(fd);
		return -EIO;
	}
	return fd;
}

/* A block device of two pages of that byte. A descriptor, or a negative error. */
static int block_device(int byte)
{
	char content[2 * PAGE], path[32];
	int memory, control, loop, nr;

	if (access("/dev/loop-control", F_OK) && system("modprobe -q loop"))
		return -ENODEV;
	memset(content, byte, sizeof(content));
	memory = memfd_create("loop", MFD_CLOEXEC);
	if (write(memory, content, sizeof(content)) != (ssize_t)sizeof(content))
		return -ENOMEM;
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	nr = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(path, sizeof(path), "/dev/loop%d", nr);
	loop = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (loop >= 0 && ioctl(loop, LOOP_SET_FD, memory)) {
		close(loop);
		loop = -1;
	}
	close(memory);
	return loop < 0 ? -ENODEV : loop;
}

static void *read_on(void *arg)
{
	struct io *io = arg;
	struct iovec iov[] = {
		{ .iov_base = io->to, .iov_len = PAGE },
		{ .iov_base = io->withheld, .iov_len = PAGE },
	};

	io->got = preadv(io->device, iov, 2, 0);
	return NULL;
}

int io_begin(struct io *io, char *to, int byte)
{
	struct pollfd p;

	io->to = to;
	io->device = block_device(byte);
	if (io->device < 0)
		return io->device;
	io->uffd = withhold(&io->withheld);
	if (io->uffd < 0) {
		close(io->device);
		return io->uffd;
	}
	if (pthread_create(&io->thread, NULL, read_on, io))
		return -EAGAIN;
	/* It has the first page when it waits for the second one. */
	p = (struct pollfd){ .fd = io->uffd, .events = POLLIN };
	return poll(&p, 1, 10000) == 1 ? 0 : -ETIMEDOUT;
}

int io_end(struct io *io)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)io->withheld, .len = PAGE },
	};
	int err = ioctl(io->uffd, UFFDIO_ZEROPAGE, &zero) ? -errno : 0;

	pthread_join(io->thread, NULL);
	munmap(io->withheld, PAGE);
	close(io->uffd);
	ioctl(io->device, LOOP_CLR_FD);
	close(io->device);
	return err ?: io->got == 2 * PAGE ? 0 : -EIO;
}

/*
 * Pins for long
 */

int pin_for_packets(void *at, size_t len)
{
	struct xdp_umem_reg reg = {
		.addr = (uintptr_t)at, .len = len, .chunk_size = PAGE,
	};
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int pin_as_buffer(void *at, size_t len)
{
	struct iovec iov = { .iov_base = at, .iov_len = len };
	struct io_uring_params params = { 0 };
	int fd = syscall(SYS_io_uring_setup, 4, &params), err;

	if (fd < 0)
		return -errno;
	if (!syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &iov, 1))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/*
 * Packets
 */

#define SOMEBODY	0x0afe0701	/* 10.254.7.1 */

static struct sockaddr_in address(uint32_t ip)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(9),
	};
}

/* Give an interface an address, and set it up. */
static int interface_up(struct ifreq *ifr, int fd)
{
	struct sockaddr_in own = address(SOMEBODY), mask = address(0xffffff00);

	memcpy(&ifr->ifr_addr, &own, sizeof(own));
	if (ioctl(fd, SIOCSIFADDR, ifr))
		return -errno;
	memcpy(&ifr->ifr_netmask, &mask, sizeof(mask));
	if (ioctl(fd, SIOCSIFNETMASK, ifr))
		return -errno;
	ifr->ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, ifr) ? -errno : 0;
}

int send_begin(struct sending *s, const void *at, size_t len)
{
	struct sockaddr_in nobody = address(SOMEBODY + 1);
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int one = 1;

	s->socket = -1;
	if (access("/dev/net/tun", F_OK) && system("modprobe -q tun"))
		return -ENODEV;
	s->tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	/* With checksums done elsewhere: only then are pages sent as they are. */
	if (s->tap < 0 || ioctl(s->tap, TUNSETIFF, &ifr) ||
	    ioctl(s->tap, TUNSETOFFLOAD, TUN_F_CSUM))
		return -errno;
	s->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s->socket < 0 || interface_up(&ifr, s->socket) ||
	    setsockopt(s->socket, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		return -errno;
	/* It waits for whose address it is, and nobody says. */
	return sendto(s->socket, at, len, MSG_ZEROCOPY, (void *)&nobody, sizeof(nobody)) ==
	       (ssize_t)len ? 0 : -errno;
}

int send_end(struct sending *s)
{
	char control[256];
	struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct sock_extended_err *said;
	struct pollfd p = { .fd = s->socket };
	int rc = -ETIMEDOUT;

	/* The packet goes with the interface. */
	close(s->tap);
	if (poll(&p, 1, 10000) == 1 && recvmsg(s->socket, &msg, MSG_ERRQUEUE) >= 0) {
		said = (void *)CMSG_DATA(CMSG_FIRSTHDR(&msg));
		rc = said->ee_origin == SO_EE_ORIGIN_ZEROCOPY ?
		     !(said->ee_code & SO_EE_CODE_ZEROCOPY_COPIED) : -EPROTO;
	}
	close(s->socket);
	return rc;
}
