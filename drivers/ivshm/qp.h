/* SPDX-License-Identifier: GPL-2.0 */
/* Queue pairs: what an open file of /dev/ivshm-net stands for. */
#ifndef _IVSHM_QP_H
#define _IVSHM_QP_H

#include <linux/file.h>
#include <linux/if_ether.h>
#include <linux/ipv6.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netdev_features.h>
#include <linux/poll.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>
#include <linux/uio.h>
#include <linux/vhost.h>
#include <linux/virtio_net.h>

#include "guest_mem.h"
#include "iotlb.h"
#include "queue.h"
#include "vring.h"
#include "worker.h"

struct eventfd_ctx;
struct ivshm_bucket;
struct ivshm_port;
struct ivshm_qp;
struct socket;

enum {
	IVSHM_VQ_RX,		/* what the guest receives */
	IVSHM_VQ_TX,		/* what the guest sends */
	IVSHM_VQ_MAX,
};

/* After so many misses of the receiver's memory a frame takes a kernel buffer. */
#define IVSHM_MISSES		3
/* Receive buffers whose memory is brought in ahead, once some was missing. */
#define IVSHM_PREFAULT		256
/* The same of those that are to be translated: a guest may unmap them any moment. */
#define IVSHM_PRETRANSLATE	16
/* How long a flow waits for its frames in the receiver's taps. Nanoseconds. */
#define IVSHM_HOLD_NS		(100 * NSEC_PER_MSEC)
/* The same if it cannot stay where it was. */
#define IVSHM_MOVE_NS		NSEC_PER_SEC
/*
 * Frames that wait for the rate are tried so often at most, in nanoseconds: what may
 * be sent meanwhile is there for them then.
 */
#define IVSHM_RATE_WAIT_NS	(250 * NSEC_PER_USEC)
/* How long frames wait for a receiver that its VMM's ioctl holds. Nanoseconds. */
#define IVSHM_HELD_NS		NSEC_PER_SEC
/* Frames taken from a transmit ring, or delivered to one receiver, at once. */
#define IVSHM_BATCH		64
/* Descriptors looked at in one read section, a chain more or less. */
#define IVSHM_BATCH_DESCS	4096
/* Bytes copied in one read section of guest memory, a frame more or less. */
#define IVSHM_BATCH_BYTES	SZ_128K
/* Frames and bytes after which a worker looks at its other work. */
#define IVSHM_TX_WEIGHT		256
#define IVSHM_TX_WEIGHT_BYTES	SZ_512K
/*
 * Frames of one queue pair that may wait for their receivers.  At most half a
 * transmit ring of them waits for the same one: the others get through.
 */
#define IVSHM_PARK_MAX		256
/* Frames and bytes that may wait for one receiver in kernel buffers. */
#define IVSHM_BOUNCE_MAX	256
#define IVSHM_BOUNCE_BYTES	SZ_1M
/* Segments kept with a frame; a longer chain is copied to a kernel buffer. */
#define IVSHM_FRAME_SEGS	20
/* Largest frame: 64 KiB of IP behind an Ethernet header with two VLAN tags. */
#define IVSHM_FRAME_MAX		(ETH_HLEN + 8 + 65535)
/* The same with the vnet header in front. */
#define IVSHM_LINE_MAX		(sizeof(struct virtio_net_hdr_mrg_rxbuf) + IVSHM_FRAME_MAX)
/* Descriptor chains that one frame may be spread over at the receiver. */
#define IVSHM_RX_CHAINS		1024
/*
 * Private copy of a frame's first bytes: Ethernet header and one VLAN tag,
 * what the detector decides by.  No byte of the payload is among them.
 */
#define IVSHM_FRAME_COPY	(ETH_HLEN + 4)
/* The same where it decides by IP addresses. */
#define IVSHM_FRAME_COPY_IP	(ETH_HLEN + sizeof(struct ipv6hdr))

/**
 * struct ivshm_way - how a worker's frames go to one member of its coupling
 * @epoch:	ivshm_pair.epoch when what the worker had sent by its uplink before
 *		was consumed, 0 for never
 * @map:	by which it chose queues of the receiver
 * @left:	frames left there in kernel buffers
 */
struct ivshm_way {
	u64 epoch;
	struct ivshm_map map;
	atomic_t left;
};

/* By the index of the receiver; frames left behind hold a reference each. */
struct ivshm_ways {
	struct kref ref;
	struct ivshm_way way[IVSHM_MEMBERS_MAX];
};

/**
 * struct ivshm_buf - a frame in a kernel buffer
 * @list:	with its receiver, ivshm_qp.bounce, or of a frame
 * @ways:	of the worker that left it with its receiver, a reference, and
 * @index:	which of them
 * @at:		ktime when it was left, ns
 * @hdr:	vnet header
 * @len:	bytes of @data
 * @data:	the frame
 */
struct ivshm_buf {
	struct list_head list;
	struct ivshm_ways *ways;
	u32 index;
	u64 at;
	struct virtio_net_hdr hdr;
	u32 len;
	u8 data[];
};

/* What has to happen to a frame before it can be decided again; may sleep. */
enum ivshm_frame_want {
	IVSHM_WANT_NOTHING,
	IVSHM_WANT_HASH,	/* to know which of the receiver's queues */
	IVSHM_WANT_FAULT,	/* the sender's memory was not there */
	IVSHM_WANT_LINEAR,	/* a copy in a kernel buffer */
	IVSHM_WANT_CONVERT,	/* a form that the receiver can take */
	IVSHM_WANT_TRANSLATION,	/* of the sender's addresses, by its VMM */
};

/**
 * struct ivshm_frame - a frame of the guest's transmit ring
 * @list:	in the batch, in a park or in the free list
 * @head:	descriptor chain to complete
 * @path:	enum ivshm_path, as decided
 * @want:	enum ivshm_frame_want
 * @misses:	times the receiver's memory was not there
 * @nr_segs:	segments in @seg
 * @copy_len:	bytes in @copy
 * @plain:	@hdr describes the frame; else it goes by the uplink only
 * @by_ip:	decided by IP addresses
 * @routed:	@copy and @buf have other MAC addresses than the guest gave it:
 * @macs:	those
 * @flushed:	frames parked for the same address were let out before it
 * @hashed:	@hash is there
 * @held:	it waits, or waited, for what went another way before it
 * @paused:	it waits, or waited, for a receiver that is held
 * @drops:	it does not wait for a full receiver, nor for @bucket
 * @paid:	@bucket let it go
 * @index:	of the receiver in its coupling
 * @len:	bytes of the frame, without the vnet header
 * @gso_len:	largest frame on the wire that it stands for
 * @hash:	of its flow
 * @dst_id:	id of the receiving port
 * @park_us:	microseconds it may wait for the receiver
 * @deadline:	ktime, ns, until which it waits; 0 if it did not wait yet
 * @features:	netdev features of the receiver, for IVSHM_WANT_CONVERT
 * @awaited:	queue pairs of the receiver with smaller ids have nothing in their
 *		taps that the frame must come behind; of that one,
 * @target:	position in its tap to wait for, 0 for none
 * @raw:	the guest's vnet header, for the uplink, which checks it itself
 * @hdr:	the header rebuilt from what was checked
 * @copy:	private copy of the first bytes, this is what is delivered
 * @buf:	the whole frame in a kernel buffer; then @seg is not used
 * @bufs:	the frame in the form its receiver can take
 * @dst, @pair, @bucket: the decision, valid in the RCU section it was made in
 * @seg:	the frame in guest memory, from the vnet header on
 * @page:	all of @seg at once, for a frame within one page, or NULL;
 * @page_gen:	valid in read sections of that generation of the guest's mirror
 */
struct ivshm_frame {
	struct list_head list;
	u16 head;
	u8 path;
	u8 want;
	u8 misses;
	u8 nr_segs;
	u8 copy_len;
	bool plain;
	bool flushed;
	bool hashed;
	bool held;
	bool paused;
	bool drops;
	bool paid;
	u8 index;
	bool by_ip;
	bool routed;
	u8 macs[2 * ETH_ALEN];
	u32 len;
	u32 gso_len;
	u32 hash;
	u32 dst_id;
	u32 park_us;
	u64 deadline;
	u64 awaited;
	u64 target;
	netdev_features_t features;
	struct virtio_net_hdr raw;
	struct virtio_net_hdr hdr;
	u8 copy[IVSHM_FRAME_COPY_IP];
	struct ivshm_buf *buf;
	struct list_head bufs;
	struct ivshm_port *dst;
	struct ivshm_pair *pair;
	struct ivshm_bucket *bucket;
	const void *page;
	u64 page_gen;
	struct ivshm_vring_seg seg[IVSHM_FRAME_SEGS];
};

/**
 * struct ivshm_poll - watches a kick eventfd or a tap
 * @pt:		to find the wait queue with
 * @wqh:	wait queue that @wait is in, NULL for none
 * @wait:	called with each wake-up, in any context
 * @wake:	what to do; @events are poll events, never 0
 * @qp:		whom it is for
 */
struct ivshm_poll {
	poll_table pt;
	wait_queue_head_t *wqh;
	wait_queue_entry_t wait;
	void (*wake)(struct ivshm_qp *qp, __poll_t events);
	struct ivshm_qp *qp;
};

/**
 * struct ivshm_vq - a virtqueue of a queue pair
 * @ring:	the ring. The transmit ring belongs to the worker, the receive
 *		ring is under ivshm_qp.rx_lock
 * @kick:	eventfd of the guest's notifications, held
 * @poll:	watches @kick while the queue runs
 * @call, @err:	eventfds towards the guest and the VMM; swapped under
 *		ivshm_qp.rx_lock with the worker paused
 * @num, @base, @addr, @addr_set: as set by ioctl, under ivshm_qp.mutex; @addr
 *		changes while the worker is paused or no read section is under way
 * @busyloop:	microseconds of busy polling asked for
 * @qp:		whose it is
 * @tap:	file of the backend, held; the queue runs while it is set
 * @sock:	its socket
 * @started:	the worker took up the ring
 * @reported:	that the ring is broken
 */
struct ivshm_vq {
	struct ivshm_vring ring;
	struct file *kick;
	struct ivshm_poll poll;
	struct eventfd_ctx *call;
	struct eventfd_ctx *err;
	u32 num;
	u16 base;
	bool addr_set;
	struct vhost_vring_addr addr;
	u32 busyloop;
	struct ivshm_qp *qp;
	struct file *tap;
	struct socket *sock;
	bool started;
	bool reported;
};

/**
 * struct ivshm_park - frames of a sender that wait for one receiver, in order
 * @dst_id:	whom they wait for; 0: free
 * @frames:	struct ivshm_frame
 * @nr:		in @frames
 * @wait:	in @on's waiters, under its wait_lock
 * @on:		a queue pair of the receiver, a reference; NULL when not registered
 * @self:	the sender
 */
struct ivshm_park {
	u32 dst_id;
	u32 nr;
	struct list_head frames;
	struct list_head wait;
	struct ivshm_qp *on;
	struct ivshm_qp *self;
};

/* One for each other member, and the two that follow. */
#define IVSHM_PARKS		(IVSHM_MEMBERS_MAX + 1)
/* Not a port: waits for room in the sender's own tap. */
#define IVSHM_PARK_UPLINK	U32_MAX
/* Nor this: frames for all members that wait for the rate of their sender, in order. */
#define IVSHM_PARK_RATE		(U32_MAX - 1)

/**
 * struct ivshm_linger - a transmit ring that is looked at by time; see tx_linger.c
 * @until:	ktime, ns, of the next look; U64_MAX if the guest notifies us
 * @since:	ktime, ns, when the ring was found empty last, and
 * @idx:	ivshm_vring.last_avail then
 * @on:		it is being looked at by time
 * @pays:	it was worth it once
 * @owes:	a signal was held back
 * @misses:	looks in a row that found too few frames
 * @skip:	times the guest is to notify us before it is tried, and
 * @back:	the last such number
 * @looks:	in all, since it is @on
 * @pace:	ns from frame to frame that they have to keep to meanwhile
 * @pace_ns:	time in which, while the guest notified us,
 * @pace_frames: so many frames came; see ivshm_tx_linger_begin()
 * @bytes:	of the frames taken since
 */
struct ivshm_linger {
	u64 until;
	u64 since;
	u16 idx;
	bool on;
	bool pays;
	bool owes;
	u8 misses;
	u16 skip;
	u16 back;
	u16 looks;
	u32 pace;
	u32 pace_ns;
	u32 pace_frames;
	u32 bytes;
};

/* Scratch space of a worker for one delivery; see deliver.c. */
struct ivshm_scratch;
struct ivshm_tx_fast;
struct ivshm_uplink_batch;
struct ivshm_pull;

/**
 * struct ivshm_qp - a queue pair
 * @ref:	of the memory; the file and waiters hold one
 * @mutex:	serialises ioctls
 * @id:		given with the owner, so that those of one VMM are in the order
 *		in which it took up its queues; unique, never 0
 * @owner:	the VMM's address space, identity only; NULL without owner
 * @gm:		mirror of it
 * @has_table:	the VMM told where the guest's memory is; under @mutex
 * @features:	acknowledged by the guest
 * @hdr_len:	bytes of the vnet header in front of each frame
 * @sock_hdr:	the tap speaks vnet headers of that size too
 * @port:	the port it serves, NULL for none; a reference
 * @port_list:	in ivshm_port.qps
 * @index:	place in there; written under ivshm_mutex
 * @leaving:	about to stop; under ivshm_mutex
 * @rx_ready:	the guest has put receive buffers there since it was started;
 *		written by the worker
 * @vq:		the queues
 * @own_stats:	counters while it serves no port; else @stats is the port's
 * @log_ctx:	to be told when something was logged, or NULL; read anywhere,
 *		swapped and signalled with the worker paused, or by the worker
 * @log_base:	of the dirty log, 0 for none; under @mutex
 * @log_need:	bytes of the log that the memory table makes necessary
 * @iotlb:	device IOTLB, has a table while VIRTIO_F_ACCESS_PLATFORM is on; that
 *		is changed under @mutex and the mirror's lock, if there is a mirror
 * @backend_features: acknowledged by the VMM; under @mutex, read by read()
 * @rx_lock:	the receive ring, see above, and:
 * @rx_open:	others may deliver
 * @rx_kick_on:	the guest was asked to notify of receive buffers
 * @rx_stalled:	a frame waited in vain and none was delivered since; then
 *		nothing waits any more.  A hint, written without a lock
 * @rx_want:	our own worker waits for receive buffers
 * @rx_gpa:	guest-physical address of the receive ring, U64_MAX if unknown;
 *		to be shown.  Written with the worker paused
 * @tx_uplink:	frames in the worker's hands may go to the uplink
 * @tap_seq:	odd while frames are being taken from the tap; for:
 * @tap_in:	frames taken from the tap since the file was opened, and
 * @tap_done:	those of them delivered or dropped; written by the worker
 * @tap_mark:	how many had come when a static coupling of the port ended, see
 *		ivshm_uplink_mark(); under ivshm_mutex, read by the worker
 * @wait_lock:	taken with interrupts off:
 * @waiters:	ivshm_park.wait of senders that wait for us
 * @bounce_lock: a leaf:
 * @bounce:	frames left by others
 * @bounce_nr, @bounce_bytes: of @bounce and of the frame being delivered
 * The rest belongs to the worker:
 * @tap_poll:	watches the tap
 * @tap_ring:	the tap's queue, NULL if it has none that we know
 * @tap:	frames taken from the tap, of which @tap_at were dealt with and
 *		@tap_nr are there
 * @tap_frame:	the first of those, in a kernel buffer
 * @tap_copied:	@tap_frame is not empty
 * @tap_since:	ktime, ns, since when frames in hand wait for what senders left
 *		with other queue pairs of the port, 0 for not; read by others
 * @tap_past:	what was left there before is not waited for any more
 * @tap_clear:	frames in hand need not wait so
 * @pull:	what is asked of ivshm_deliver_pull()
 * @cut_off:	of a member of a static coupling, which serves no port yet, or no more:
 *		nothing comes from the tap or goes there.  Changed with the worker held
 * @tap_held:	frames from the tap wait for receive buffers; read by others
 * @isolating:	id of a static coupling that the port is in, or 0; frames from the tap
 *		still come until the other members are ready, or @isolate_at
 * @isolated:	the same of the one that frames from the tap are dropped for, or 0; but
 *		for those below the number @tap_keep, counted as @tap_done counts
 * @tap_stale:	frames from this number on, below @tap_fresh, came while there was such a
 *		coupling that is over, and are dropped
 * @frames:	memory of all frames
 * @free:	frames not in use
 * @parks, @nr_parks: parks, and how many are open
 * @nr_parked:	frames in all parks
 * @rate_at:	ktime, ns, when frames that wait for the rate are to be tried again;
 *		U64_MAX if there are none
 * @linger:	when the transmit ring is looked at without being asked
 * @ways:	how frames go to the other members of the coupling
 * @hashing:	queues are being chosen by hashes: make them early
 * @redo:	frames that a signal kept from being sent, or a translation that is
 *		not there
 * @tx_used:	completed, to be published; nothing is taken while a translation
 *		keeps them from being so
 * @segs:	a chain too long for a frame
 * @line:	a frame for the uplink
 * @fast:	see tx_fast.c
 * @uplink:	frames being sent by it
 * @tx_batched:	the backend takes several at once
 * @stopping:	nothing may wait any more
 */
struct ivshm_qp {
	struct kref ref;
	struct rcu_head rcu;
	struct mutex mutex;		/* ioctls */
	u64 id;
	struct mm_struct *owner;
	struct ivshm_gmem *gm;
	bool has_table;
	u64 features;
	u32 hdr_len;
	u32 sock_hdr;
	struct ivshm_port *port;
	struct list_head port_list;
	u32 index;
	bool leaving;
	bool rx_ready;
	struct ivshm_stats __percpu *stats;
	struct ivshm_stats __percpu *own_stats;
	struct ivshm_worker worker;
	struct ivshm_vq vq[IVSHM_VQ_MAX];
	struct eventfd_ctx *log_ctx;
	u64 log_base;
	u64 log_need;
	struct ivshm_iotlb iotlb;
	u64 backend_features;

	spinlock_t rx_lock;		/* receive ring */
	bool rx_open;
	bool rx_kick_on;
	bool rx_stalled;
	bool rx_want;
	u64 rx_gpa;
	bool tx_uplink;
	seqcount_t tap_seq;
	u64 tap_in;
	u64 tap_done;
	u64 tap_mark;

	spinlock_t wait_lock;		/* waiters */
	struct list_head waiters;

	spinlock_t bounce_lock;		/* bounce* */
	struct list_head bounce;
	u32 bounce_nr;
	u32 bounce_bytes;

	struct ivshm_poll tap_poll;
	struct ptr_ring *tap_ring;
	void *tap[IVSHM_BATCH];
	u32 tap_nr;
	u32 tap_at;
	struct ivshm_pull *pull;
	struct ivshm_frame tap_frame;
	bool tap_copied;
	bool cut_off;
	bool tap_held;
	bool tap_clear;
	u64 tap_since;
	u64 tap_past;
	bool stopping;
	u64 tap_keep;
	u64 tap_stale;
	u64 tap_fresh;
	u64 isolating;
	u64 isolate_at;
	u64 isolated;
	struct ivshm_frame *frames;
	struct list_head free;
	struct ivshm_park *parks;
	u32 nr_parks;
	u32 nr_parked;
	u64 rate_at;
	struct ivshm_linger linger;
	struct ivshm_ways *ways;
	bool hashing;
	struct list_head redo;
	struct ivshm_vring_used *tx_used;
	u32 nr_tx_used;
	struct ivshm_vring_seg *segs;
	struct ivshm_scratch *scratch;
	u8 *line;
	struct ivshm_tx_fast *fast;
	struct ivshm_uplink_batch *uplink;
	bool tx_batched;
};

static inline void ivshm_qp_count(struct ivshm_qp *qp, enum ivshm_attr_stat which)
{
	ivshm_stats_inc(qp->stats, which);
}

static inline void ivshm_qp_count_n(struct ivshm_qp *qp, enum ivshm_attr_stat which, u64 n)
{
	ivshm_stats_add(qp->stats, which, n);
}

/* Count and trace dropped frames. @why: IVSHM_A_STAT_DROP_x. Any context. */
void ivshm_qp_drop(struct ivshm_qp *qp, enum ivshm_attr_stat why, u32 frames);
/* May sleep. ERR_PTR(-ENOMEM). */
struct ivshm_qp *ivshm_qp_alloc(void);
/* Called under RCU: false if the queue pair is on its way out. */
bool __must_check ivshm_qp_tryget(struct ivshm_qp *qp);
void ivshm_qp_put(struct ivshm_qp *qp);

/*
 * If the ring of queue @index broke: count, trace, signal the error eventfd,
 * once.  In no read section; rx_lock not held. Any worker.
 */
void ivshm_qp_report(struct ivshm_qp *qp, u32 index);
/* The guest made a mistake that the ring itself does not see. As above. */
void ivshm_qp_ring_error(struct ivshm_qp *qp, u32 index);
/*
 * Bring in what is missing of the worker's own guest.  The ring of queue @index
 * breaks if it has no memory any more, so that asking again comes to an end.
 * May sleep. 0, -EFAULT if that ring is broken, -EINPROGRESS if it waits for the VMM
 * to say where it is, or as ivshm_gmem_fault().
 */
int ivshm_qp_fault(struct ivshm_qp *qp, u32 index);
/* Notify the guest of used entries in queue @index; rx_lock held for RX. */
void ivshm_qp_interrupt(struct ivshm_qp *qp, u32 index);
/* Bytes of the used ring of @vq, with the event field if there is one. */
u32 ivshm_vq_used_size(const struct ivshm_vq *vq);
/* Where the dirty log has the used ring of @vq, in the guest's addresses. */
u64 ivshm_vq_log_addr(const struct ivshm_vq *vq);
/* Something was logged: the VMM will be told if it wants to be. Any context. */
void ivshm_qp_logged(struct ivshm_qp *qp);
/* Tell it. The worker, or with the worker paused. */
void ivshm_qp_tell_logged(struct ivshm_qp *qp);
/* Wake the senders that wait for @qp. Any context. */
void ivshm_qp_wake_waiters(struct ivshm_qp *qp);
/*
 * There are, or were, new receive buffers: wake those senders, and @qp's worker
 * if it waits. Any context, while the queue is watched or @qp is open under RCU.
 */
void ivshm_qp_tell_buffers(struct ivshm_qp *qp);
/*
 * The worker has dealt with frames from its tap or with some that were left
 * with it: wake all that wait for the port.
 */
void ivshm_qp_wake_port(struct ivshm_qp *qp);

/*
 * No delivery into @qp and no work of its worker is under way, or begins,
 * until ivshm_qp_go(). ivshm_qp.mutex held; may sleep.
 */
void ivshm_qp_hold(struct ivshm_qp *qp);
void ivshm_qp_go(struct ivshm_qp *qp);

/* The accessors of both rings, with struct ivshm_vq as private pointer. */
extern const struct ivshm_vring_ops ivshm_qp_ring_ops;
/* What the worker does; see ivshm_worker.run. */
unsigned long ivshm_qp_run(void *priv, unsigned long bits, u64 *deadline);

#endif /* _IVSHM_QP_H */
