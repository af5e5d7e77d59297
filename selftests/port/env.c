// SPDX-License-Identifier: GPL-2.0
/* What is around the guests; see env.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "env.h"
#include "guest.h"

static int ifreq_call(unsigned long cmd, struct ifreq *ifr)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = ioctl(s, cmd, ifr) ? -errno : 0;

	close(s);
	return err;
}

int env_updown(const char *dev, bool up)
{
	struct ifreq ifr = {};
	int err;

	strncpy(ifr.ifr_name, dev, IFNAMSIZ - 1);
	err = ifreq_call(SIOCGIFFLAGS, &ifr);
	if (err)
		return err;
	if (up)
		ifr.ifr_flags |= IFF_UP;
	else
		ifr.ifr_flags &= ~IFF_UP;
	return ifreq_call(SIOCSIFFLAGS, &ifr);
}

int env_mtu(const char *dev, int mtu)
{
	struct ifreq ifr = { .ifr_mtu = mtu };

	strncpy(ifr.ifr_name, dev, IFNAMSIZ - 1);
	return ifreq_call(SIOCSIFMTU, &ifr);
}

int env_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int env_trace_take(const char *instance, char *text, size_t size)
{
	char path[128];
	size_t n = 0;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%s/trace", instance);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (n < size - 1 && (got = read(fd, text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	text[n] = '\0';
	/* Opened to be written to, it is emptied. */
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

long env_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long value = -EINVAL;

	if (!f)
		return -errno;
	if (fscanf(f, "%ld", &value) != 1)
		value = -EINVAL;
	fclose(f);
	return value;
}

/* What such a file says is @word. */
static bool env_is(const char *path, const char *word)
{
	char text[32] = "";
	FILE *f = fopen(path, "r");

	if (!f)
		return false;
	if (!fgets(text, sizeof(text), f))
		*text = '\0';
	fclose(f);
	text[strcspn(text, "\n")] = '\0';
	return !strcmp(text, word);
}

int env_forwarding(const char *tap)
{
	__u64 end = now_ms() + 5000;
	char state[100], bridge[100];

	snprintf(state, sizeof(state), "/sys/class/net/%s/brport/state", tap);
	snprintf(bridge, sizeof(bridge), "/sys/class/net/%s/master/operstate", tap);
	while (env_number(state) != BR_STATE_FORWARDING || !env_is(bridge, "up")) {
		if (now_ms() >= end)
			return -ETIMEDOUT;
		usleep(10000);
	}
	return 0;
}

bool env_debug(void)
{
	return !access("/proc/lockdep", F_OK);
}

int env_bridge(const char *name)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = ioctl(s, SIOCBRADDBR, name) ? -errno : 0;
	char path[100];

	close(s);
	if (err)
		return err;
	/* A bridge that snoops talks: each word of it may change a verdict. */
	snprintf(path, sizeof(path), "/sys/class/net/%s/bridge/multicast_snooping", name);
	env_write(path, "0");
	return env_updown(name, true);
}

int env_setup(void)
{
	/* The harness may be killed for taking too long. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL))
		return -errno;
	env_write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	env_write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	return env_bridge("br0");
}

int env_sniffer(void)
{
	struct timeval tv = { .tv_usec = 1000 };
	int size = 8 << 20, fd;

	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

int env_sniffed(int fd)
{
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	__u8 frame[64];
	int n = 0;

	while (recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &size) > 0) {
		if (from.sll_pkttype != PACKET_OUTGOING && frame[12] == FRAME_TYPE >> 8 &&
		    frame[13] == (FRAME_TYPE & 0xff))
			n++;
		size = sizeof(from);
	}
	return n;
}

int env_inject(const char *dev, const __u8 *frame, __u32 len)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(FRAME_TYPE),
		.sll_ifindex = if_nametoindex(dev),
		.sll_halen = 6,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), err = 0;

	if (sendto(fd, frame, len, 0, (struct sockaddr *)&to, sizeof(to)) != (ssize_t)len)
		err = -errno;
	close(fd);
	return err;
}

/*
 * Generic netlink
 */

struct talk {
	int done;
	int err;
	void (*reply)(struct nlattr **attr, void *arg);
	void *arg;
};

static int talk_valid(struct nl_msg *msg, void *arg)
{
	struct nlattr *attr[IVSHM_A_MAX + 1];
	struct talk *t = arg;

	if (!genlmsg_parse(nlmsg_hdr(msg), 0, attr, IVSHM_A_MAX, NULL) && t->reply)
		t->reply(attr, t->arg);
	return NL_OK;
}

static int talk_error(struct sockaddr_nl *who, struct nlmsgerr *e, void *arg)
{
	struct talk *t = arg;

	(void)who;
	t->err = e->error;
	t->done = 1;
	return NL_STOP;
}

static int talk_ack(struct nl_msg *msg, void *arg)
{
	struct talk *t = arg;

	(void)msg;
	t->done = 1;
	return NL_STOP;
}

/* The socket is of the namespace of the process that asks first. */
static struct nl_sock *talk_socket(int *family)
{
	static struct nl_sock *sk;
	static int id;
	static pid_t pid;

	if (!sk || pid != getpid()) {
		sk = nl_socket_alloc();
		if (genl_connect(sk))
			return NULL;
		id = genl_ctrl_resolve(sk, IVSHM_GENL_NAME);
		pid = getpid();
	}
	*family = id;
	return id < 0 ? NULL : sk;
}

static struct nl_msg *talk_begin(__u8 cmd, struct nl_sock **sk)
{
	struct nl_msg *msg;
	int family;

	*sk = talk_socket(&family);
	if (!*sk)
		return NULL;
	msg = nlmsg_alloc();
	genlmsg_put(msg, 0, 0, family, 0, NLM_F_REQUEST | NLM_F_ACK, cmd, IVSHM_GENL_VERSION);
	return msg;
}

static int talk(struct nl_sock *sk, struct nl_msg *msg,
		void (*reply)(struct nlattr **, void *), void *arg)
{
	struct talk t = { .reply = reply, .arg = arg };
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int err;

	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, talk_valid, &t);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, talk_ack, &t);
	nl_cb_err(cb, NL_CB_CUSTOM, talk_error, &t);
	err = nl_send_auto(sk, msg);
	nlmsg_free(msg);
	while (err >= 0 && !t.done)
		err = nl_recvmsgs(sk, cb);
	nl_cb_put(cb);
	return t.err ?: err < 0 && !t.done ? -EIO : 0;
}

static void put_option(struct nl_msg *msg, int which, __s64 value)
{
	if (value >= 0)
		nla_put_u32(msg, which, value);
}

int ctl_couple(const char *name, int type, const struct ctl_options *o, ...)
{
	struct nlattr *nest, *members, *member;
	struct nl_sock *sk;
	struct nl_msg *msg;
	const char *port;
	va_list ap;

	msg = talk_begin(IVSHM_CMD_COUPLING_NEW, &sk);
	if (!msg)
		return -ENOPKG;
	nest = nla_nest_start(msg, IVSHM_A_COUPLING | NLA_F_NESTED);
	nla_put_string(msg, IVSHM_A_COUPLING_NAME, name);
	nla_put_u32(msg, IVSHM_A_COUPLING_TYPE, type);
	members = nla_nest_start(msg, IVSHM_A_COUPLING_MEMBERS | NLA_F_NESTED);
	va_start(ap, o);
	while ((port = va_arg(ap, const char *))) {
		member = nla_nest_start(msg, IVSHM_A_COUPLING_MEMBER | NLA_F_NESTED);
		nla_put_string(msg, IVSHM_A_MEMBER_NAME, port);
		nla_nest_end(msg, member);
	}
	va_end(ap);
	nla_nest_end(msg, members);
	if (o) {
		put_option(msg, IVSHM_A_COUPLING_THRESHOLD, o->threshold);
		put_option(msg, IVSHM_A_COUPLING_IDLE, o->idle);
		put_option(msg, IVSHM_A_COUPLING_PARK_US, o->park_us);
		if (o->bypass >= 0)
			nla_put_u8(msg, IVSHM_A_COUPLING_BYPASS, o->bypass);
	}
	nla_nest_end(msg, nest);
	return talk(sk, msg, NULL, NULL);
}

static struct nl_msg *talk_about(__u8 cmd, int object, int attr, const char *name,
				 struct nl_sock **sk)
{
	struct nl_msg *msg = talk_begin(cmd, sk);
	struct nlattr *nest;

	if (!msg)
		return NULL;
	nest = nla_nest_start(msg, object | NLA_F_NESTED);
	nla_put_string(msg, attr, name);
	nla_nest_end(msg, nest);
	return msg;
}

int ctl_uncouple(const char *name)
{
	struct nl_sock *sk;
	struct nl_msg *msg;

	msg = talk_about(IVSHM_CMD_COUPLING_DEL, IVSHM_A_COUPLING, IVSHM_A_COUPLING_NAME,
			 name, &sk);
	return msg ? talk(sk, msg, NULL, NULL) : -ENOPKG;
}

static void port_reply(struct nlattr **attr, void *arg)
{
	struct nlattr *p[IVSHM_A_PORT_MAX + 1], *s[IVSHM_A_STAT_MAX + 1];
	struct ctl_port *port = arg;
	int i;

	if (!attr[IVSHM_A_PORT] || nla_parse_nested(p, IVSHM_A_PORT_MAX, attr[IVSHM_A_PORT], NULL))
		return;
	if (p[IVSHM_A_PORT_STATE])
		port->state = nla_get_u32(p[IVSHM_A_PORT_STATE]);
	if (p[IVSHM_A_PORT_QUEUES])
		port->queues = nla_get_u32(p[IVSHM_A_PORT_QUEUES]);
	if (p[IVSHM_A_PORT_QUEUES_USED])
		port->queues_used = nla_get_u32(p[IVSHM_A_PORT_QUEUES_USED]);
	if (p[IVSHM_A_PORT_COUPLING])
		snprintf(port->coupling, sizeof(port->coupling), "%s",
			 nla_get_string(p[IVSHM_A_PORT_COUPLING]));
	if (!p[IVSHM_A_PORT_STATS] ||
	    nla_parse_nested(s, IVSHM_A_STAT_MAX, p[IVSHM_A_PORT_STATS], NULL))
		return;
	for (i = 0; i <= IVSHM_A_STAT_MAX; i++)
		if (s[i] && i != IVSHM_A_STAT_PAD)
			port->stat[i] = nla_get_u64(s[i]);
}

int ctl_port(const char *name, struct ctl_port *port)
{
	struct nl_sock *sk;
	struct nl_msg *msg;

	memset(port, 0, sizeof(*port));
	msg = talk_about(IVSHM_CMD_PORT_GET, IVSHM_A_PORT, IVSHM_A_PORT_NAME, name, &sk);
	return msg ? talk(sk, msg, port_reply, port) : -ENOPKG;
}

__u64 ctl_stat(const char *name, enum ivshm_attr_stat which)
{
	struct ctl_port port;
	int err = ctl_port(name, &port);

	if (err) {
		fprintf(stderr, "# port %s: %s\n", name, strerror(-err));
		abort();
	}
	return port.stat[which];
}

struct nl_sock *ctl_listen(void)
{
	struct nl_sock *sk = nl_socket_alloc();
	int group;

	nl_socket_disable_seq_check(sk);
	if (genl_connect(sk))
		return NULL;
	group = genl_ctrl_resolve_grp(sk, IVSHM_GENL_NAME, IVSHM_GENL_MCGRP_EVENTS);
	if (group < 0 || nl_socket_add_membership(sk, group) || nl_socket_set_nonblocking(sk))
		return NULL;
	return sk;
}

/* An event of a port, or of the pair from it to @dst. */
struct event_wanted {
	const char *port, *dst;
	__u32 state, reason;
	bool heard;
};

static bool event_is_of_pair(struct nlattr *coupling, const struct event_wanted *w)
{
	struct nlattr *c[IVSHM_A_COUPLING_MAX + 1], *p[IVSHM_A_PAIR_MAX + 1];

	return !nla_parse_nested(c, IVSHM_A_COUPLING_MAX, coupling, NULL) &&
	       c[IVSHM_A_COUPLING_PAIR] &&
	       !nla_parse_nested(p, IVSHM_A_PAIR_MAX, c[IVSHM_A_COUPLING_PAIR], NULL) &&
	       p[IVSHM_A_PAIR_SRC] && !strcmp(nla_get_string(p[IVSHM_A_PAIR_SRC]), w->port) &&
	       p[IVSHM_A_PAIR_DST] && !strcmp(nla_get_string(p[IVSHM_A_PAIR_DST]), w->dst);
}

static bool event_is_of_port(struct nlattr *port, const struct event_wanted *w)
{
	struct nlattr *p[IVSHM_A_PORT_MAX + 1];

	return !nla_parse_nested(p, IVSHM_A_PORT_MAX, port, NULL) && p[IVSHM_A_PORT_NAME] &&
	       !strcmp(nla_get_string(p[IVSHM_A_PORT_NAME]), w->port);
}

static void event_told(struct nlattr **attr, void *arg)
{
	int object = ((struct event_wanted *)arg)->dst ? IVSHM_A_COUPLING : IVSHM_A_PORT;
	struct event_wanted *w = arg;

	if (attr[object] && attr[IVSHM_A_EVENT_NEW_STATE] && attr[IVSHM_A_EVENT_REASON] &&
	    nla_get_u32(attr[IVSHM_A_EVENT_NEW_STATE]) == w->state &&
	    (w->reason == CTL_ANY || nla_get_u32(attr[IVSHM_A_EVENT_REASON]) == w->reason) &&
	    (w->dst ? event_is_of_pair(attr[object], w) : event_is_of_port(attr[object], w)))
		w->heard = true;
}

static int event_wait(struct nl_sock *sk, struct event_wanted *w, int ms)
{
	struct pollfd pfd = { .fd = nl_socket_get_fd(sk), .events = POLLIN };
	struct talk t = { .reply = event_told, .arg = w };

	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, talk_valid, &t);
	while (!w->heard) {
		if (poll(&pfd, 1, ms) <= 0)
			return -ETIMEDOUT;
		nl_recvmsgs_default(sk);
	}
	return 0;
}

int ctl_heard(struct nl_sock *sk, const char *port, __u32 state, __u32 reason, int ms)
{
	struct event_wanted w = { .port = port, .state = state, .reason = reason };

	return event_wait(sk, &w, ms);
}

int ctl_heard_pair(struct nl_sock *sk, const char *src, const char *dst, __u32 state,
		   __u32 reason, int ms)
{
	struct event_wanted w = { .port = src, .dst = dst, .state = state, .reason = reason };

	return event_wait(sk, &w, ms);
}

struct pair_wanted {
	const char *src, *dst;
	__u32 *state, *reason;
	bool found;
};

static void pair_reply(struct nlattr **attr, void *arg)
{
	struct nlattr *c[IVSHM_A_COUPLING_MAX + 1], *p[IVSHM_A_PAIR_MAX + 1], *pair;
	struct pair_wanted *w = arg;
	int rem;

	if (!attr[IVSHM_A_COUPLING] ||
	    nla_parse_nested(c, IVSHM_A_COUPLING_MAX, attr[IVSHM_A_COUPLING], NULL) ||
	    !c[IVSHM_A_COUPLING_PAIRS])
		return;
	nla_for_each_nested(pair, c[IVSHM_A_COUPLING_PAIRS], rem) {
		if (nla_parse_nested(p, IVSHM_A_PAIR_MAX, pair, NULL) ||
		    !p[IVSHM_A_PAIR_SRC] || !p[IVSHM_A_PAIR_DST] ||
		    strcmp(nla_get_string(p[IVSHM_A_PAIR_SRC]), w->src) ||
		    strcmp(nla_get_string(p[IVSHM_A_PAIR_DST]), w->dst))
			continue;
		w->found = true;
		*w->state = nla_get_u32(p[IVSHM_A_PAIR_STATE]);
		*w->reason = nla_get_u32(p[IVSHM_A_PAIR_REASON]);
	}
}

int ctl_pair(const char *coupling, const char *src, const char *dst,
	     __u32 *state, __u32 *reason)
{
	struct pair_wanted w = { src, dst, state, reason, false };
	struct nl_sock *sk;
	struct nl_msg *msg;
	int err;

	msg = talk_about(IVSHM_CMD_COUPLING_GET, IVSHM_A_COUPLING, IVSHM_A_COUPLING_NAME,
			 coupling, &sk);
	err = msg ? talk(sk, msg, pair_reply, &w) : -ENOPKG;
	return err ?: w.found ? 0 : -ENOENT;
}
