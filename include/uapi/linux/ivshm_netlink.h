/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Generic netlink interface of ivshm, the coupling of virtual machines
 * through shared memory.
 *
 * Family "ivshm", version 1, multicast group "events".
 *
 * Every request and every reply describes exactly one object.  Its
 * attributes sit in one nest that names the kind of object:
 *
 *   IVSHM_A_PORT      a port, one tap or macvtap interface of a VM
 *   IVSHM_A_COUPLING  a coupling, a named set of ports
 *   IVSHM_A_ADDR      an address that belongs to a port
 *   IVSHM_A_REGION    a region, memory behind /dev/ivshmN
 *   IVSHM_A_SWAP      a range of a region that has pages of another
 *   IVSHM_A_PEER      who may send messages from one region to another
 *
 * Requests work on the network namespace of the requesting socket: ports
 * live in the namespace of their interface and a coupling joins ports of one
 * namespace.  Reading needs no privilege, every change needs CAP_NET_ADMIN in
 * the user namespace that owns the network namespace.  A refused request
 * carries an extended acknowledgment: a text, and the attribute at fault.
 *
 * IVSHM_CMD_PORT_GET (do and dump)
 *   in:  IVSHM_A_PORT { IVSHM_A_PORT_NAME }; nothing for a dump
 *   out: IVSHM_A_PORT
 *   -ENODEV  no such port
 *
 * IVSHM_CMD_COUPLING_NEW
 *   in:  IVSHM_A_COUPLING { NAME, TYPE, MEMBERS or RULES or both,
 *                           [THRESHOLD], [IDLE], [PARK_US], [BYPASS], [STRICT], [MATCH],
 *                           [DISABLED], [FULL], [RATE_BYTES], [RATE_FRAMES], [DENY] }
 *   Ports named as members need not exist: the coupling engages as soon as
 *   the VMs start.  A rule is a MEMBER with exactly one of GLOB, MAC, IPV4, IPV6
 *   and UPPER: whatever port fits one of them is a member as long as it does, and
 *   while there is a place.  A port belongs to one coupling at most: to the one
 *   that names it, or else to the oldest whose rule it fits.
 *   DENY has PAIRs of SRC and DST, each the name of a member or a pattern for such
 *   names: what the one sends to the other does not go direct.  In a static
 *   coupling it is dropped.
 *   -EEXIST  a coupling of that name exists
 *   -EBUSY   a member is named by another coupling
 *   -EINVAL  a member is named twice, there are fewer than two members and no
 *            rule, a value is out of range, or an option does not fit the type
 *   -E2BIG   more than IVSHM_MEMBERS_MAX members, or IVSHM_DENIES_MAX in DENY
 *
 * IVSHM_CMD_COUPLING_SET
 *   in:  IVSHM_A_COUPLING { NAME, [THRESHOLD], [IDLE], [PARK_US], [DISABLED],
 *                           [FULL], [RATE_BYTES], [RATE_FRAMES], [ALLOW], [DENY] }
 *   Changes what is given, while frames flow.  A coupling that is disabled
 *   keeps its name, its members' names and its options, but has no members.
 *   ALLOW takes PAIRs away from those that are denied, then DENY adds others; all of
 *   them or none.  When it returns, nothing more is sent direct that is denied.
 *   -ENOENT  no such coupling, or a PAIR to be allowed is not denied
 *   -EINVAL  a value is out of range, or an option does not fit the type
 *   -E2BIG   more than IVSHM_DENIES_MAX would be denied
 *
 * IVSHM_CMD_COUPLING_DEL
 *   in:  IVSHM_A_COUPLING { NAME }
 *   -ENOENT  no such coupling
 *
 * IVSHM_CMD_COUPLING_GET (do and dump)
 *   in:  IVSHM_A_COUPLING { NAME }; nothing for a dump
 *   out: IVSHM_A_COUPLING
 *   -ENOENT  no such coupling
 *
 * IVSHM_CMD_ADDR_GET (dump)
 *   out: IVSHM_A_ADDR
 *   MAC addresses are learned from the frames that a port sends, IPv4 and IPv6
 *   addresses from its ARP and neighbour discovery messages; or they are
 *   configured.  A configured address is shown also while its port does not
 *   run.  No port learns an address that is configured for another one.
 *
 * IVSHM_CMD_ADDR_NEW
 *   in:  IVSHM_A_ADDR { one of MAC, IPV4, IPV6; PORT; [LLADDR] }
 *   The port need not exist.
 *   -EEXIST  the address is configured already
 *   -EINVAL  none or several addresses, one that cannot be a host's, a port
 *            that is no valid interface name, or LLADDR with a MAC address
 *   -ENOSPC  IVSHM_ADDR_CONFIG_MAX are configured in the namespace
 *
 * IVSHM_CMD_ADDR_DEL
 *   in:  IVSHM_A_ADDR { one of MAC, IPV4, IPV6 }
 *   It may be learned again.
 *   -ENOENT  the address is not configured
 *
 * Regions belong to the host: all requests about them are for the initial
 * network namespace (elsewhere -EPERM, and a dump is empty), and every change
 * needs CAP_SYS_ADMIN in the initial user namespace.
 *
 * IVSHM_CMD_REGION_NEW
 *   in:  IVSHM_A_REGION { NAME, SIZE, [PAGE_SIZE], [MODE], [UID], [GID],
 *                         [NODE] }
 *   -EEXIST  a region of that name exists
 *   -EINVAL  the name or a value is out of range
 *   -EDQUOT  the owner's regions would be larger than region_user_max_mib
 *   -ENOSPC  all regions would be larger than region_max_mib, or there are
 *            IVSHM_REGIONS_MAX of them
 *   -ENOMEM  the memory is not there, of that node if one is named
 *   -EINTR   the sender was killed meanwhile
 *
 * IVSHM_CMD_REGION_SET
 *   in:  IVSHM_A_REGION { NAME, [MODE], [UID], [GID] }
 *   For later opens: udev changes the device node.  Open files stay.
 *   -ENOENT  no such region
 *   -EINVAL  a value is out of range
 *   -EDQUOT  as for REGION_NEW, of the new owner
 *
 * IVSHM_CMD_REGION_DEL
 *   in:  IVSHM_A_REGION { NAME, [FORCE] }
 *   -ENOENT  no such region
 *   -EBUSY   the region is open or mapped, or pages of it are in place in others, and
 *            FORCE is not there.  With FORCE accesses to its mappings end in SIGBUS
 *            from then on; others have their own pages again, as with SWAP_DEL and
 *            FORCE.
 *
 * IVSHM_CMD_REGION_GET (do and dump)
 *   in:  IVSHM_A_REGION { NAME }; nothing for a dump
 *   out: IVSHM_A_REGION, all but FORCE
 *   -ENOENT  no such region
 *
 * IVSHM_CMD_SWAP_NEW
 *   in:  IVSHM_A_SWAP { REGION, OFFSET, POOL, [POOL_OFFSET], SIZE, [KEEP_POOL] }
 *   Puts pages of the region POOL in place of those of a range of REGION, which may
 *   be the memory of a VM that runs: it loses no write.  The pages get what was in
 *   the range before, or keep what is in them with KEEP_POOL.  Several regions may
 *   have the same pages in place; those share them.
 *   -ENOENT  no such region
 *   -EINVAL  a range is not of whole pages or not within its region, both regions
 *            are the same, or their pages are not of the same size
 *   -EBUSY   the range is in use for something else, or overlaps one that has other
 *            pages in place; pages of POOL are in place elsewhere, or under a
 *            program's own memory, or in a dma-buf, and KEEP_POOL is not there; or
 *            someone has references to pages of the range: VFIO, I/O under way
 *   -EHWPOISON  a page has broken memory
 *   -ENOMEM, -EINTR (the sender was killed meanwhile)
 *
 * IVSHM_CMD_SWAP_DEL
 *   in:  IVSHM_A_SWAP { REGION, OFFSET, [FORCE] }
 *   The range that begins there gets its own pages again, with what is in those in
 *   place at that moment; nobody who shares them loses a write.
 *   -ENOENT  no such region, or no such range begins there
 *   -EBUSY   someone has references to the pages in place, and FORCE is not there.
 *            With FORCE, what I/O that was begun before writes to them later does not
 *            come to the range.
 *   -EHWPOISON  a page has broken memory, and FORCE is not there.  With FORCE the
 *            range keeps that page.
 *   -ENOMEM, -EINTR
 *
 * IVSHM_CMD_SWAP_GET (dump)
 *   out: IVSHM_A_SWAP { REGION, OFFSET, POOL, POOL_OFFSET, SIZE }
 *
 * A peer is one direction between two regions, by their names; neither needs to
 * exist.  Without one no message is sent (<linux/ivshm_msgq.h>).  Peers are the
 * host's, as regions are, and every change needs CAP_NET_ADMIN in the initial user
 * namespace.
 *
 * IVSHM_CMD_PEER_SET
 *   in:  IVSHM_A_PEER { FROM, TO, [MESSAGES], [PAGES], [BYTES] }
 *   Allows it, or changes what may wait; what is not given stays.  What waits
 *   already is not taken away.
 *   -EINVAL  a name or a value is out of range, or both names are the same
 *   -ENOSPC  there are IVSHM_PEERS_MAX of them
 *
 * IVSHM_CMD_PEER_DEL
 *   in:  IVSHM_A_PEER { FROM, TO }
 *   Denies it.  What was sent before is still received.
 *   -ENOENT  it was not allowed
 *
 * IVSHM_CMD_PEER_GET (do and dump)
 *   in:  IVSHM_A_PEER { FROM, TO }; nothing for a dump
 *   out: IVSHM_A_PEER
 *   -ENOENT  it is not allowed
 *
 * Events, to the multicast group of the namespace concerned:
 *   IVSHM_CMD_PORT_NTF      a port came, changed its state or went
 *   IVSHM_CMD_COUPLING_NTF  a coupling was made, changed its state or went
 *   IVSHM_CMD_PAIR_NTF      a pair of ports changed its path: a coupling with
 *                           NAME and exactly one PAIR
 *   IVSHM_CMD_REGION_NTF    a region was made, changed (both states are READY;
 *                           what is in place in it, too) or went
 *   IVSHM_CMD_PEER_NTF      a peer was allowed, changed (both states are ALLOWED) or
 *                           denied
 * Each carries IVSHM_A_EVENT_OLD_STATE, IVSHM_A_EVENT_NEW_STATE (a value of
 * the state enum of the object) and IVSHM_A_EVENT_REASON (enum ivshm_reason)
 * beside the object.
 */
#ifndef _UAPI_LINUX_IVSHM_NETLINK_H
#define _UAPI_LINUX_IVSHM_NETLINK_H

#define IVSHM_GENL_NAME		"ivshm"
#define IVSHM_GENL_VERSION	1
#define IVSHM_GENL_MCGRP_EVENTS	"events"

/* Longest name of a coupling or a region, with its terminating zero byte. */
#define IVSHM_NAME_MAX		32
/* Most members of one coupling. */
#define IVSHM_MEMBERS_MAX	64
/* Most regions of a host. */
#define IVSHM_REGIONS_MAX	256

/* Defaults and ranges of a coupling's options. */
#define IVSHM_THRESHOLD_DEFAULT	1	/* frames within a second */
#define IVSHM_THRESHOLD_MAX	1000000
#define IVSHM_IDLE_DEFAULT	30	/* seconds */
#define IVSHM_IDLE_MAX		86400
#define IVSHM_PARK_US_DEFAULT	1000	/* microseconds */
#define IVSHM_PARK_US_MAX	1000000
#define IVSHM_RATE_BYTES_MAX	100000000000	/* bytes a second */
#define IVSHM_RATE_FRAMES_MAX	1000000000	/* frames a second */
/*
 * What may be sent at once after a pause: the rate for so many milliseconds, or so
 * much, whichever is more.  It is exceeded by less than a frame.
 */
#define IVSHM_RATE_BURST_MS	10
#define IVSHM_RATE_BURST_BYTES	65536
#define IVSHM_RATE_BURST_FRAMES	64
/* Most pairs of names that one coupling denies. */
#define IVSHM_DENIES_MAX	64

/* Most addresses that can be configured in one network namespace. */
#define IVSHM_ADDR_CONFIG_MAX	4096

/* Most peers, and what may wait of one: messages, and pages of 4096 bytes. */
#define IVSHM_PEERS_MAX		4096
#define IVSHM_PEER_MESSAGES_MAX	4096
#define IVSHM_PEER_MESSAGES_DEFAULT	256
#define IVSHM_PEER_PAGES_DEFAULT	32768

/* Of the device node of a region. */
#define IVSHM_REGION_MODE_DEFAULT	0600

enum ivshm_cmd {
	IVSHM_CMD_UNSPEC,
	IVSHM_CMD_PORT_GET,
	IVSHM_CMD_PORT_NTF,
	IVSHM_CMD_COUPLING_NEW,
	IVSHM_CMD_COUPLING_DEL,
	IVSHM_CMD_COUPLING_GET,
	IVSHM_CMD_COUPLING_NTF,
	IVSHM_CMD_PAIR_NTF,
	IVSHM_CMD_ADDR_GET,
	IVSHM_CMD_REGION_NEW,
	IVSHM_CMD_REGION_SET,
	IVSHM_CMD_REGION_DEL,
	IVSHM_CMD_REGION_GET,
	IVSHM_CMD_REGION_NTF,
	IVSHM_CMD_PEER_SET,
	IVSHM_CMD_PEER_DEL,
	IVSHM_CMD_PEER_GET,
	IVSHM_CMD_PEER_NTF,
	IVSHM_CMD_ADDR_NEW,
	IVSHM_CMD_ADDR_DEL,
	IVSHM_CMD_COUPLING_SET,
	IVSHM_CMD_SWAP_NEW,
	IVSHM_CMD_SWAP_DEL,
	IVSHM_CMD_SWAP_GET,

	__IVSHM_CMD_MAX,
	IVSHM_CMD_MAX = __IVSHM_CMD_MAX - 1
};

/* Attributes of a message. */
enum ivshm_attr {
	IVSHM_A_UNSPEC,
	IVSHM_A_PORT,			/* nest of enum ivshm_attr_port */
	IVSHM_A_COUPLING,		/* nest of enum ivshm_attr_coupling */
	IVSHM_A_ADDR,			/* nest of enum ivshm_attr_addr */
	IVSHM_A_EVENT_OLD_STATE,	/* u32 */
	IVSHM_A_EVENT_NEW_STATE,	/* u32 */
	IVSHM_A_EVENT_REASON,		/* u32, enum ivshm_reason */
	IVSHM_A_REGION,			/* nest of enum ivshm_attr_region */
	IVSHM_A_PEER,			/* nest of enum ivshm_attr_peer */
	IVSHM_A_SWAP,			/* nest of enum ivshm_attr_swap */

	__IVSHM_A_MAX,
	IVSHM_A_MAX = __IVSHM_A_MAX - 1
};

enum ivshm_attr_port {
	IVSHM_A_PORT_UNSPEC,
	IVSHM_A_PORT_PAD,
	IVSHM_A_PORT_NAME,		/* string, the interface */
	IVSHM_A_PORT_IFINDEX,		/* u32 */
	IVSHM_A_PORT_STATE,		/* u32, enum ivshm_port_state */
	/* u32, interface index of the bridge or lower device, absent if none */
	IVSHM_A_PORT_UPPER,
	IVSHM_A_PORT_COUPLING,		/* string, the coupling it belongs to, absent if none */
	IVSHM_A_PORT_QUEUES,		/* u32, queue pairs attached */
	IVSHM_A_PORT_PID,		/* u32, process that owns the first queue pair */
	IVSHM_A_PORT_FEATURES,		/* u64, virtio features negotiated */
	IVSHM_A_PORT_STATS,		/* nest of enum ivshm_attr_stat */
	/* u32, those of the queue pairs that frames of others are spread over */
	IVSHM_A_PORT_QUEUES_USED,

	__IVSHM_A_PORT_MAX,
	IVSHM_A_PORT_MAX = __IVSHM_A_PORT_MAX - 1
};

enum ivshm_port_state {
	IVSHM_PORT_STOPPED,		/* known, the VM's driver is not running */
	IVSHM_PORT_RUNNING,		/* rings are served */
	/* a ring of some queue is in error, the guest must reset it; others are served */
	IVSHM_PORT_BROKEN,
	IVSHM_PORT_GONE,		/* only in events */
};

enum ivshm_attr_coupling {
	IVSHM_A_COUPLING_UNSPEC,
	IVSHM_A_COUPLING_PAD,
	IVSHM_A_COUPLING_NAME,		/* string, below IVSHM_NAME_MAX bytes */
	IVSHM_A_COUPLING_TYPE,		/* u32, enum ivshm_coupling_type */
	IVSHM_A_COUPLING_STATE,		/* u32, enum ivshm_coupling_state */
	IVSHM_A_COUPLING_MEMBERS,	/* nest of IVSHM_A_COUPLING_MEMBER */
	IVSHM_A_COUPLING_MEMBER,	/* nest of enum ivshm_attr_member */
	IVSHM_A_COUPLING_THRESHOLD,	/* u32, frames within a second, dynamic only */
	IVSHM_A_COUPLING_IDLE,		/* u32, seconds, 0 for never, dynamic only */
	IVSHM_A_COUPLING_PARK_US,	/* u32, microseconds a frame waits for a full receiver */
	IVSHM_A_COUPLING_BYPASS,	/* u8, 1: do not ask the bridge's rules, dynamic only */
	IVSHM_A_COUPLING_PAIRS,		/* nest of IVSHM_A_COUPLING_PAIR */
	IVSHM_A_COUPLING_PAIR,		/* nest of enum ivshm_attr_pair */
	/* u8, 1: what is not from an address configured for its port is dropped */
	IVSHM_A_COUPLING_STRICT,
	IVSHM_A_COUPLING_MATCH,		/* u32, enum ivshm_match, dynamic only */
	IVSHM_A_COUPLING_RULES,		/* nest of IVSHM_A_COUPLING_MEMBER */
	IVSHM_A_COUPLING_DISABLED,	/* u8, 1: as if it were not there */
	IVSHM_A_COUPLING_FULL,		/* u32, enum ivshm_full */
	/* u64, bytes a second that each member may send direct, 0 for any number */
	IVSHM_A_COUPLING_RATE_BYTES,
	IVSHM_A_COUPLING_RATE_FRAMES,	/* u32, frames, likewise */
	IVSHM_A_COUPLING_DENY,		/* nest of IVSHM_A_COUPLING_PAIR: SRC and DST */
	IVSHM_A_COUPLING_ALLOW,		/* nest of IVSHM_A_COUPLING_PAIR, to be set only */

	__IVSHM_A_COUPLING_MAX,
	IVSHM_A_COUPLING_MAX = __IVSHM_A_COUPLING_MAX - 1
};

enum ivshm_coupling_type {
	IVSHM_COUPLING_STATIC,		/* joined while the members exist, no uplink */
	IVSHM_COUPLING_DYNAMIC,		/* by destination of each frame, uplink for the rest */
};

/* What of a frame says which member it is for. */
enum ivshm_match {
	IVSHM_MATCH_MAC,		/* its destination MAC address */
	/*
	 * Its destination IP address alone, if that is configured with its
	 * LLADDR: what is for a gateway goes direct to the member behind it,
	 * with the addresses in the Ethernet header that it would have then
	 */
	IVSHM_MATCH_IP,
};

/* What becomes of a frame that cannot be delivered just now. */
enum ivshm_full {
	IVSHM_FULL_PARK,		/* it waits, PARK_US at most */
	IVSHM_FULL_DROP,		/* it is dropped */
};

enum ivshm_coupling_state {
	IVSHM_COUPLING_WAITING,		/* fewer than two members are running */
	IVSHM_COUPLING_READY,		/* two or more are running, no pair goes direct */
	IVSHM_COUPLING_COUPLED,		/* at least one pair goes direct */
	IVSHM_COUPLING_GONE,		/* only in events */
	IVSHM_COUPLING_DISABLED,	/* switched off by the administrator */
};

enum ivshm_attr_member {
	IVSHM_A_MEMBER_UNSPEC,
	IVSHM_A_MEMBER_NAME,		/* string, the interface */
	IVSHM_A_MEMBER_PRESENT,		/* flag, the port exists and runs */
	IVSHM_A_MEMBER_GLOB,		/* string, interfaces whose names match: * ? [a-z] */
	/* binary, 6 bytes, configured for the interface, or the address of a macvtap */
	IVSHM_A_MEMBER_MAC,
	IVSHM_A_MEMBER_IPV4,		/* binary, 4 bytes, configured for the interface */
	IVSHM_A_MEMBER_IPV6,		/* binary, 16 bytes, likewise */
	/* string, a Linux bridge, or the lower device of macvtaps in bridge mode */
	IVSHM_A_MEMBER_UPPER,
	IVSHM_A_MEMBER_IMPLICIT,	/* flag, not named: it fits a rule */

	__IVSHM_A_MEMBER_MAX,
	IVSHM_A_MEMBER_MAX = __IVSHM_A_MEMBER_MAX - 1
};

/* One direction between two members. */
enum ivshm_attr_pair {
	IVSHM_A_PAIR_UNSPEC,
	IVSHM_A_PAIR_PAD,
	IVSHM_A_PAIR_SRC,		/* string, sending port */
	IVSHM_A_PAIR_DST,		/* string, receiving port */
	IVSHM_A_PAIR_STATE,		/* u32, enum ivshm_pair_state */
	IVSHM_A_PAIR_REASON,		/* u32, enum ivshm_reason, why it is in that state */
	IVSHM_A_PAIR_FRAMES,		/* u64, delivered direct */
	IVSHM_A_PAIR_BYTES,		/* u64, delivered direct */

	__IVSHM_A_PAIR_MAX,
	IVSHM_A_PAIR_MAX = __IVSHM_A_PAIR_MAX - 1
};

enum ivshm_pair_state {
	IVSHM_PAIR_UPLINK,		/* frames take the uplink */
	IVSHM_PAIR_JOINING,		/* frames wait for those still in the uplink */
	IVSHM_PAIR_COUPLED,		/* frames go direct */
};

/* Why a pair, a port or a coupling is in its state. */
enum ivshm_reason {
	IVSHM_REASON_NONE,
	IVSHM_REASON_TRAFFIC,		/* the detector saw traffic between the two */
	IVSHM_REASON_STATIC,		/* joined by declaration */
	IVSHM_REASON_NO_TRAFFIC,	/* below the threshold so far */
	IVSHM_REASON_IDLE,		/* no frame for the idle time */
	IVSHM_REASON_NOT_RUNNING,	/* an end is not running */
	IVSHM_REASON_NO_UPPER,		/* an end is not on a bridge or lower device */
	IVSHM_REASON_OTHER_UPPER,	/* the ends are on different upper devices */
	IVSHM_REASON_FDB,		/* the bridge does not know the address at that port */
	IVSHM_REASON_STP,		/* an end is not forwarding */
	IVSHM_REASON_ISOLATED,		/* both ends are isolated bridge ports */
	IVSHM_REASON_LOCKED,		/* the sending bridge port is locked */
	IVSHM_REASON_VLAN,		/* the bridge filters VLANs */
	IVSHM_REASON_FILTER,		/* netfilter, tc, XDP or a rate limit is in the way */
	IVSHM_REASON_MTU,		/* frame above the receiver's MTU */
	IVSHM_REASON_OFFLOAD,		/* the receiver cannot take the sender's offloads */
	IVSHM_REASON_DOWN,		/* an interface or the bridge is down */
	IVSHM_REASON_MODE,		/* macvtap not in bridge mode, or what cannot be judged */
	IVSHM_REASON_CHECKING,		/* rules changed, the verdict is being made anew */
	IVSHM_REASON_CONFIG,		/* the administrator asked for it */
	IVSHM_REASON_RING,		/* the guest broke its ring */
	IVSHM_REASON_EXIT,		/* the VMM closed the device or the interface went */
	IVSHM_REASON_DENIED,		/* the coupling denies it */

	__IVSHM_REASON_MAX,
	IVSHM_REASON_MAX = __IVSHM_REASON_MAX - 1
};

enum ivshm_attr_addr {
	IVSHM_A_ADDR_UNSPEC,
	IVSHM_A_ADDR_MAC,		/* binary, 6 bytes */
	IVSHM_A_ADDR_PORT,		/* string */
	/* u32, seconds since last seen as a source, absent if the port does not run */
	IVSHM_A_ADDR_AGE,
	IVSHM_A_ADDR_PAD,
	IVSHM_A_ADDR_IPV4,		/* binary, 4 bytes */
	IVSHM_A_ADDR_IPV6,		/* binary, 16 bytes */
	IVSHM_A_ADDR_CONFIGURED,	/* flag, not learned */
	IVSHM_A_ADDR_LLADDR,		/* binary, 6 bytes, where an IP address is */
	/* u64, guest-physical address of the port's receive ring, absent if it does not run */
	IVSHM_A_ADDR_RING,

	__IVSHM_A_ADDR_MAX,
	IVSHM_A_ADDR_MAX = __IVSHM_A_ADDR_MAX - 1
};

enum ivshm_attr_region {
	IVSHM_A_REGION_UNSPEC,
	IVSHM_A_REGION_PAD,
	/* string, below IVSHM_NAME_MAX bytes; letters, digits, +-.:=@_; no sign first */
	IVSHM_A_REGION_NAME,
	IVSHM_A_REGION_SIZE,		/* u64, bytes, a power of two */
	IVSHM_A_REGION_PAGE_SIZE,	/* u32, bytes, 4096 (default) or 2097152 */
	IVSHM_A_REGION_MODE,		/* u32, permission bits of the device node */
	IVSHM_A_REGION_UID,		/* u32, owner, 0 if not given */
	IVSHM_A_REGION_GID,		/* u32, group, 0 if not given */
	IVSHM_A_REGION_NODE,		/* u32, NUMA node, absent for any */
	IVSHM_A_REGION_FORCE,		/* flag, only in IVSHM_CMD_REGION_DEL */
	IVSHM_A_REGION_STATE,		/* u32, enum ivshm_region_state */
	IVSHM_A_REGION_NUMBER,		/* u32, N of /dev/ivshmN */
	IVSHM_A_REGION_USERS,		/* u32, open files, those that are only mapped too */
	IVSHM_A_REGION_SWAPS,		/* u32, ranges that have pages of another region */

	__IVSHM_A_REGION_MAX,
	IVSHM_A_REGION_MAX = __IVSHM_A_REGION_MAX - 1
};

enum ivshm_region_state {
	IVSHM_REGION_READY,
	IVSHM_REGION_GONE,		/* only in events */
};

enum ivshm_attr_swap {
	IVSHM_A_SWAP_UNSPEC,
	IVSHM_A_SWAP_PAD,
	IVSHM_A_SWAP_REGION,		/* string, the region whose range it is */
	IVSHM_A_SWAP_OFFSET,		/* u64, bytes, where the range begins */
	IVSHM_A_SWAP_POOL,		/* string, the region that the pages are from */
	IVSHM_A_SWAP_POOL_OFFSET,	/* u64, bytes, where they begin there, 0 if not given */
	IVSHM_A_SWAP_SIZE,		/* u64, bytes */
	IVSHM_A_SWAP_KEEP_POOL,		/* flag, only in IVSHM_CMD_SWAP_NEW */
	IVSHM_A_SWAP_FORCE,		/* flag, only in IVSHM_CMD_SWAP_DEL */

	__IVSHM_A_SWAP_MAX,
	IVSHM_A_SWAP_MAX = __IVSHM_A_SWAP_MAX - 1
};

enum ivshm_attr_peer {
	IVSHM_A_PEER_UNSPEC,
	IVSHM_A_PEER_PAD,
	IVSHM_A_PEER_FROM,		/* string, the region that may send */
	IVSHM_A_PEER_TO,		/* string, the region that it may send to */
	IVSHM_A_PEER_MESSAGES,		/* u32, most messages that wait there */
	IVSHM_A_PEER_PAGES,		/* u64, most pages of 4096 bytes in them, 0 for no limit */
	IVSHM_A_PEER_BYTES,		/* u64, most bytes in them, 0 (default) for no limit */
	IVSHM_A_PEER_NOW_MESSAGES,	/* u32, messages that wait there */
	IVSHM_A_PEER_NOW_PAGES,		/* u64, pages of 4096 bytes in them */
	IVSHM_A_PEER_NOW_BYTES,		/* u64, bytes in them */
	IVSHM_A_PEER_STATS,		/* nest of enum ivshm_attr_peer_stat */

	__IVSHM_A_PEER_MAX,
	IVSHM_A_PEER_MAX = __IVSHM_A_PEER_MAX - 1
};

enum ivshm_peer_state {
	IVSHM_PEER_DENIED,
	IVSHM_PEER_ALLOWED,
};

/* Counters of a peer since it was allowed. */
enum ivshm_attr_peer_stat {
	IVSHM_A_PEER_STAT_UNSPEC,
	IVSHM_A_PEER_STAT_PAD,
	IVSHM_A_PEER_STAT_MESSAGES,	/* u64, sent */
	IVSHM_A_PEER_STAT_BYTES,	/* u64, in them and in their ranges */
	IVSHM_A_PEER_STAT_COPIED,	/* u64, messages whose range was copied */
	IVSHM_A_PEER_STAT_MOVED,	/* u64, messages whose pages moved */
	IVSHM_A_PEER_STAT_SHARED,	/* u64, messages whose pages were shared */
	IVSHM_A_PEER_STAT_SIGNALS,	/* u64, times the receiver was told at once */
	IVSHM_A_PEER_STAT_DEFERRED_OWN,	/* u64, deferred, received as the receiver came by itself */
	IVSHM_A_PEER_STAT_DEFERRED_TIMED,	/* u64, deferred, and the time was over before */
	IVSHM_A_PEER_STAT_LOST,		/* u64, messages that nobody received */
	IVSHM_A_PEER_STAT_REFUSED_FULL,	/* u64, EAGAIN: too much waits */
	IVSHM_A_PEER_STAT_REFUSED_SLOT,	/* u64, EAGAIN: no landing slot is large enough */
	IVSHM_A_PEER_STAT_REFUSED_BUSY,	/* u64, EBUSY: pages are in use */

	__IVSHM_A_PEER_STAT_MAX,
	IVSHM_A_PEER_STAT_MAX = __IVSHM_A_PEER_STAT_MAX - 1
};

/*
 * Counters of a port, all u64.  "tx" is what the guest sends, "rx" what it
 * receives.  Frames are counted at the moment they are handed over.
 */
enum ivshm_attr_stat {
	IVSHM_A_STAT_UNSPEC,
	IVSHM_A_STAT_PAD,
	IVSHM_A_STAT_TX_DIRECT_FRAMES,
	IVSHM_A_STAT_TX_DIRECT_BYTES,
	IVSHM_A_STAT_TX_UPLINK_FRAMES,
	IVSHM_A_STAT_TX_UPLINK_BYTES,
	IVSHM_A_STAT_RX_DIRECT_FRAMES,
	IVSHM_A_STAT_RX_DIRECT_BYTES,
	IVSHM_A_STAT_RX_UPLINK_FRAMES,
	IVSHM_A_STAT_RX_UPLINK_BYTES,
	IVSHM_A_STAT_TX_FLOODED,	/* copies made for flooding, beyond the first */
	/* receiver had no buffers for park_us, or none and the coupling drops */
	IVSHM_A_STAT_DROP_FULL,
	IVSHM_A_STAT_DROP_PARK_LIMIT,	/* too many frames waiting for one receiver */
	IVSHM_A_STAT_DROP_NO_PEER,	/* static coupling, no member to give it to */
	IVSHM_A_STAT_DROP_MALFORMED,	/* bad vnet header or frame length */
	IVSHM_A_STAT_DROP_TOO_BIG,	/* no buffer of the receiver is large enough */
	IVSHM_A_STAT_DROP_OFFLOAD,	/* receiver cannot take it and it cannot be converted */
	IVSHM_A_STAT_DROP_UPLINK,	/* the uplink refused it */
	IVSHM_A_STAT_DROP_ISOLATED,	/* from the tap of a static member */
	IVSHM_A_STAT_DROP_MEMORY,	/* no kernel memory, or guest memory is gone */
	IVSHM_A_STAT_RING_ERRORS,	/* rings stopped for a guest's mistake */
	IVSHM_A_STAT_KICKS_TX,		/* notifications from the guest */
	IVSHM_A_STAT_KICKS_RX,
	IVSHM_A_STAT_INTERRUPTS_TX,	/* notifications to the guest */
	IVSHM_A_STAT_INTERRUPTS_RX,
	IVSHM_A_STAT_WAKEUPS,		/* times the worker thread was woken from sleep */
	IVSHM_A_STAT_PARKED,		/* frames that had to wait for a receiver */
	IVSHM_A_STAT_MISSES,		/* look-ups that had to ask for a page */
	IVSHM_A_STAT_FAULTS,		/* pages brought into the mirror */
	IVSHM_A_STAT_INVALIDATIONS,	/* mirror invalidations that hit a mirrored page */
	IVSHM_A_STAT_BOUNCED,		/* frames that took a kernel buffer on the direct path */
	IVSHM_A_STAT_SEGMENTED,		/* frames segmented or checksummed in software */
	IVSHM_A_STAT_COPIED_BYTES,	/* payload bytes copied on the direct path */
	IVSHM_A_STAT_SKBS,		/* socket buffers allocated on the direct path */
	IVSHM_A_STAT_DROP_SPOOFED,	/* strict coupling, not from an address of the port */
	IVSHM_A_STAT_DROP_RATE,		/* above the coupling's rate, longer than it may wait */
	IVSHM_A_STAT_DROP_DENIED,	/* static coupling, denied to that member */

	__IVSHM_A_STAT_MAX,
	IVSHM_A_STAT_MAX = __IVSHM_A_STAT_MAX - 1
};

#endif /* _UAPI_LINUX_IVSHM_NETLINK_H */
