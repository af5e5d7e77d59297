/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Message queues of ivshm: pages that go from one virtual machine to another.
 *
 * A region of <linux/ivshm.h> is the window of the virtual machine that owns it.
 * One of the region's open files may attach its message queue:
 *
 *	receiver                                sender
 *	fd = open("/dev/ivshm/b", O_RDWR);      fd = open("/dev/ivshm/a", O_RDWR);
 *	ioctl(fd, IVSHM_MSGQ_ATTACH, ...);      ioctl(fd, IVSHM_MSGQ_ATTACH, ...);
 *	ioctl(fd, IVSHM_MSGQ_POST, slots);
 *	                                        ioctl(fd, IVSHM_MSGQ_SEND, messages);
 *	poll(fd, POLLIN);
 *	ioctl(fd, IVSHM_MSGQ_RECV, messages);
 *
 * The receiver posts landing slots, ranges of its own region.  A message is up to
 * 64 bytes of its own, and a range of the sender's region that comes to a landing
 * slot: its bytes are copied, or its pages move there, or they are shown there
 * until the receiver gives them back.  Every message has the sender's region and
 * credentials with it, which the kernel has put there.
 *
 * Who may send to whom is an administrator's list, empty at first ("ivmctl peer",
 * <linux/ivshm_netlink.h>).
 *
 * Whatever waits is bounded: messages of a queue, messages, pages and bytes of
 * each sender with each receiver.  What does not fit is EAGAIN, and poll() tells
 * when to try again: POLLIN for messages, POLLPRI for completions, POLLOUT when
 * something has changed since the last EAGAIN of IVSHM_MSGQ_SEND, POLLHUP when the
 * region was deleted.
 *
 * A guest can do without its VMM: see "Rings" below.
 *
 * All ioctls but ATTACH, BIND and RINGS take struct ivshm_msgq_batch, an array of things
 * to do in one call.  Each is done completely or not at all, in the order of the
 * array, up to the first that fails; the call fails if that is the first one.
 *
 * Structures begin with, or come with, the size that the caller knows them by.
 * The kernel takes shorter ones, of an older caller, and longer ones whose unknown
 * bytes are all zero (otherwise E2BIG); in what it returns unknown bytes are zero.
 */
#ifndef _UAPI_LINUX_IVSHM_MSGQ_H
#define _UAPI_LINUX_IVSHM_MSGQ_H

#include <linux/ivshm.h>
#include <linux/types.h>

/* Bytes that a message can have in itself. */
#define IVSHM_MSGQ_INLINE_MAX	64
/* Most messages that wait in a queue. */
#define IVSHM_MSGQ_DEPTH_MAX	4096
#define IVSHM_MSGQ_DEPTH	256	/* if not given */
/* Most landing slots that wait for messages. */
#define IVSHM_MSGQ_SLOTS_MAX	1024
#define IVSHM_MSGQ_SLOTS	256	/* if not given */
/* Most entries of a batch. */
#define IVSHM_MSGQ_BATCH_MAX	1024
/* Longest time, in microseconds, that a message may wait to be told of. */
#define IVSHM_MSGQ_DEFER_US_MAX	1000000

/**
 * struct ivshm_msgq_attach - the message queue of a region
 * @argsz:	in: size of this structure, 16 at least
 * @flags:	in: 0
 * @depth:	in: most messages that wait in the queue, up to
 *		IVSHM_MSGQ_DEPTH_MAX, and most messages sent whose completion was
 *		asked for and not taken; 0 for IVSHM_MSGQ_DEPTH
 * @slots:	in: most landing slots that wait, up to IVSHM_MSGQ_SLOTS_MAX; 0 for
 *		IVSHM_MSGQ_SLOTS
 */
struct ivshm_msgq_attach {
	__u32 argsz;
	__u32 flags;
	__u32 depth;
	__u32 slots;
};

/**
 * IVSHM_MSGQ_ATTACH - have the message queue of the region
 *
 * Takes struct ivshm_msgq_attach.  The queue is this open file's until the last
 * descriptor of it is closed; messages that nobody took are gone then, and pages
 * that were shared go back.
 *
 * Errors: EINVAL, E2BIG, EFAULT, EACCES (the file is not open for reading and
 * writing), EBUSY (another file has the queue), EALREADY (this file has it),
 * ENOMEM, ENODEV (the region was deleted).
 */
#define IVSHM_MSGQ_ATTACH	_IO(IVSHM_IOC_TYPE, 0x10)

/**
 * enum ivshm_msgq_event - what an eventfd can tell
 * @IVSHM_MSGQ_EVENT_RECV: messages are there; once, until IVSHM_MSGQ_RECV has taken
 *			   the last one
 * @IVSHM_MSGQ_EVENT_DONE: completions are there; likewise, IVSHM_MSGQ_DONE
 * @IVSHM_MSGQ_EVENT_ROOM: something has changed since the last EAGAIN
 */
enum ivshm_msgq_event {
	IVSHM_MSGQ_EVENT_RECV,
	IVSHM_MSGQ_EVENT_DONE,
	IVSHM_MSGQ_EVENT_ROOM,
	IVSHM_MSGQ_EVENTS,
};

/**
 * struct ivshm_msgq_bind - what an event of this queue signals
 * @argsz:	in: size of this structure, 16 at least
 * @flags:	in: 0
 * @event:	in: enum ivshm_msgq_event
 * @fd:		in: an eventfd, or -1 for none
 */
struct ivshm_msgq_bind {
	__u32 argsz;
	__u32 flags;
	__u32 event;
	__s32 fd;
};

/**
 * IVSHM_MSGQ_BIND - give an event an eventfd, or take it away
 *
 * Takes struct ivshm_msgq_bind.  An irqfd of KVM's makes it an interrupt of a
 * guest.  What there is already is told at once.
 *
 * Errors: EINVAL (also: no eventfd), E2BIG, EFAULT, EBADF, ENOTCONN (the file has
 * no queue), ENODEV.
 */
#define IVSHM_MSGQ_BIND		_IO(IVSHM_IOC_TYPE, 0x11)

/**
 * struct ivshm_msgq_batch - several of a kind in one call
 * @argsz:	in: size of this structure, 32 at least
 * @flags:	in: 0
 * @addr:	in: address of the array
 * @count:	in: number of entries, 1 to IVSHM_MSGQ_BATCH_MAX
 * @entry_size:	in: bytes of an entry, a multiple of 8
 * @done:	out: number of entries that were done
 * @reserved:	in: 0
 */
struct ivshm_msgq_batch {
	__u32 argsz;
	__u32 flags;
	__u64 addr;
	__u32 count;
	__u32 entry_size;
	__u32 done;
	__u32 reserved;
};

/**
 * struct ivshm_msgq_slot - a landing slot
 * @offset:	in: where it begins in the own region, in bytes; whole pages of 4096
 * @len:	in: its length, likewise
 * @cookie:	in: comes with the message that lands there
 *
 * Messages whose pages move or are shared need slots of whole pages of the region.
 */
struct ivshm_msgq_slot {
	__u64 offset;
	__u64 len;
	__u64 cookie;
};

/**
 * IVSHM_MSGQ_POST - offer landing slots
 *
 * Takes struct ivshm_msgq_batch of struct ivshm_msgq_slot.  A message takes the
 * first slot posted that is large enough, all of it.  Until the message was
 * received the range cannot be posted again, nor can pages of it move.
 *
 * Errors: EINVAL, E2BIG, EFAULT, ENOTCONN, EBUSY (a part of it is in use, or shared
 * with others), EAGAIN (as many slots wait as may), ENOMEM, ENODEV.
 */
#define IVSHM_MSGQ_POST		_IO(IVSHM_IOC_TYPE, 0x12)

/**
 * enum ivshm_msgq_how - how a range comes to the receiver
 * @IVSHM_MSGQ_AUTO:	what takes the least time of copy and move, and of share if
 *			the sender allows that with IVSHM_MSGQ_MAY_SHARE: short
 *			ranges and those that are not whole pages are copied, as
 *			are pages that cannot move or be shared just now.  What the
 *			sender then has in the range is not said
 * @IVSHM_MSGQ_COPY:	its bytes are copied
 * @IVSHM_MSGQ_MOVE:	its pages become the receiver's; the sender finds zeroed
 *			pages in their place.  Whole pages of both regions, which are
 *			of the same page size
 * @IVSHM_MSGQ_SHARE:	its pages are in both regions until IVSHM_MSGQ_RELEASE.
 *			Whole pages, likewise
 */
enum ivshm_msgq_how {
	IVSHM_MSGQ_AUTO,
	IVSHM_MSGQ_COPY,
	IVSHM_MSGQ_MOVE,
	IVSHM_MSGQ_SHARE,
};

/* The sender wants to know when the receiver has done with it. */
#define IVSHM_MSGQ_TELL		0x00000001U
/*
 * With IVSHM_MSGQ_AUTO: the sender leaves the range alone until the receiver has done
 * with it, so it can be shared if that takes the least time.  Until then the receiver
 * may write there, and would see what the sender writes.
 */
#define IVSHM_MSGQ_MAY_SHARE	0x00000002U

/**
 * struct ivshm_msgq_send - a message to be sent
 * @to:		in: N of the receiver's /dev/ivshmN
 * @flags:	in: IVSHM_MSGQ_TELL, IVSHM_MSGQ_MAY_SHARE
 * @offset:	in: where the range begins in the own region, in bytes; 0 without one
 * @len:	in: its length in bytes, 0 for none
 * @cookie:	in: comes with the completion
 * @how:	in: enum ivshm_msgq_how; out: what was done, COPY without a range
 * @defer_us:	in: 0 to tell the receiver at once; otherwise not before it comes to
 *		the kernel by itself, for whatever it asks of this interface, by its
 *		doorbell, too, or for IVSHM_REGION_RING, or this many microseconds
 *		have passed
 * @inline_len:	in: bytes of @data, up to IVSHM_MSGQ_INLINE_MAX
 * @reserved:	in: 0
 * @data:	in: bytes that go with the message
 */
struct ivshm_msgq_send {
	__u32 to;
	__u32 flags;
	__u64 offset;
	__u64 len;
	__u64 cookie;
	__u32 how;
	__u32 defer_us;
	__u32 inline_len;
	__u32 reserved;
	__u8 data[IVSHM_MSGQ_INLINE_MAX];
};

/**
 * IVSHM_MSGQ_SEND - send messages
 *
 * Takes struct ivshm_msgq_batch of struct ivshm_msgq_send, whole ones.  When it
 * returns the messages are in the queues of their receivers.
 *
 * Errors: EINVAL (also: to oneself, not whole pages, page sizes that differ, MAY_SHARE
 * with a way that is given), E2BIG, EFAULT, ENOTCONN, ENXIO (the receiver has no queue,
 * or its region was deleted, before or meanwhile), EACCES (not permitted),
 * EMSGSIZE (more than this sender may ever have waiting there), EAGAIN (too much waits
 * there, or no landing slot is large enough), ENOBUFS (completions are to be taken
 * first), EBUSY (pages to be moved or shared are shared with others, or someone uses
 * them: direct I/O, VFIO, a DMA mapping), EHWPOISON, EINTR, ENOMEM, ENODEV.
 */
#define IVSHM_MSGQ_SEND		_IO(IVSHM_IOC_TYPE, 0x13)

/**
 * struct ivshm_msgq_recv - a message received
 * @id:		out: of the message in this queue
 * @offset:	out: where its range is in the own region, in bytes; 0 without one
 * @len:	out: length of the range in bytes, 0 for none
 * @cookie:	out: of the landing slot
 * @from:	out: N of the sender's /dev/ivshmN
 * @pid:	out: process that sent it, 0 if it is not seen from here
 * @uid:	out: its effective user
 * @how:	out: enum ivshm_msgq_how; never AUTO
 * @name:	out: of the sender's region, with a terminating zero byte
 * @inline_len:	out: bytes of @data
 * @reserved:	out: 0
 * @data:	out: bytes that came with the message
 */
struct ivshm_msgq_recv {
	__u64 id;
	__u64 offset;
	__u64 len;
	__u64 cookie;
	__u32 from;
	__u32 pid;
	__u32 uid;
	__u32 how;
	__u8 name[32];
	__u32 inline_len;
	__u32 reserved;
	__u8 data[IVSHM_MSGQ_INLINE_MAX];
};

/**
 * IVSHM_MSGQ_RECV - take messages
 *
 * Takes struct ivshm_msgq_batch of struct ivshm_msgq_recv, all of it out.  Does not
 * wait.  The landing slot of a message is the receiver's again, that of a shared
 * one after IVSHM_MSGQ_RELEASE.
 *
 * Errors: EINVAL, EFAULT, ENOTCONN, EAGAIN (there are none), ENODEV.
 */
#define IVSHM_MSGQ_RECV		_IO(IVSHM_IOC_TYPE, 0x14)

/**
 * IVSHM_MSGQ_RELEASE - give shared pages back
 *
 * Takes struct ivshm_msgq_batch of __u64, each the id of a message received whose
 * pages are shared.  The landing slot has the pages again that it had before.
 *
 * Errors: EINVAL, EFAULT, ENOTCONN, ENOENT (no such message), ENODEV.
 */
#define IVSHM_MSGQ_RELEASE	_IO(IVSHM_IOC_TYPE, 0x15)

/**
 * enum ivshm_msgq_status - what became of a message
 * @IVSHM_MSGQ_TAKEN:	it was received, and released if it was shared
 * @IVSHM_MSGQ_LOST:	the receiver's queue ended before
 */
enum ivshm_msgq_status {
	IVSHM_MSGQ_TAKEN,
	IVSHM_MSGQ_LOST,
};

/**
 * struct ivshm_msgq_done - a completion
 * @cookie:	out: of the message sent
 * @to:		out: where it was sent to
 * @status:	out: enum ivshm_msgq_status
 */
struct ivshm_msgq_done {
	__u64 cookie;
	__u32 to;
	__u32 status;
};

/**
 * IVSHM_MSGQ_DONE - take completions
 *
 * Takes struct ivshm_msgq_batch of struct ivshm_msgq_done, all of it out.  Does not
 * wait.
 *
 * Errors: EINVAL, EFAULT, ENOTCONN, EAGAIN (there are none), ENODEV.
 */
#define IVSHM_MSGQ_DONE		_IO(IVSHM_IOC_TYPE, 0x16)

/*
 * Rings
 *
 * Whoever has the queue can give it rings in the region.  A guest that has the region
 * as memory then asks for itself, with a doorbell (an ioeventfd of KVM's) and an
 * interrupt (an irqfd):
 *
 *	offset
 *	| struct ivshm_ring_head | requests 0 to N-1 | results 0 to N-1 |
 *	    128 bytes                128 bytes each      192 bytes each
 *
 *	guest                                   kernel
 *	request[tail % N] = what it wants
 *	head.tail = ++tail          (release)
 *	doorbell                                head.tail             (acquire)
 *	                                        copies a request, checks it, does it
 *	                                        result[done % N] = what came of it
 *	                                        head.done = ++done    (release)
 *	                                        interrupt
 *	until taken == head.done:   (acquire)
 *	    takes result[taken % N]
 *	    head.taken = ++taken    (release)
 *
 * A request is what an entry of a batch is, and means the same: nothing is checked less.
 * Requests are done in their order, whether others fail or not, and each has one result,
 * at its own place.  No more than N may be without a result that was taken: tail - taken
 * is N at most.  Each time tail has changed the doorbell is rung, and results may be
 * there before the interrupt, which one or more of them have.
 *
 * Nothing waits for others: what has no room is EAGAIN, and there is a result that says
 * so.  A request may take its time, though, to copy many bytes, or up to 20 ms to move
 * pages that somebody is about to let go; then those behind it in the same rings wait,
 * and nobody else.  No request waits for a page: regions have all of theirs.
 *
 * Who is told of messages, completions and room is told by the events of
 * IVSHM_MSGQ_BIND, as without rings; one eventfd may be several of these and the
 * interrupt, too.  To ring the doorbell is to come to the kernel: messages that are
 * deferred (defer_us) and were not taken by the requests are told of then, whatever
 * these were, and if there are none.
 *
 * tail, taken and done are 0 at first, and 0 comes after 2^32 - 1.  All is
 * little-endian.  Bytes that are not named are 0.
 *
 * The kernel copies a request before it looks at it, and reads nothing that it has
 * written.  If tail and taken cannot be it sets error, interrupts, and looks at the
 * rings no more.
 */

/* Most requests that a ring has. */
#define IVSHM_MSGQ_RINGS_MAX	1024

/**
 * struct ivshm_msgq_rings - rings of a queue
 * @argsz:	in: size of this structure, 32 at least
 * @flags:	in: 0
 * @offset:	in: where they begin in the own region, in bytes; whole pages of 4096
 * @entries:	in: requests, and results: a power of two, up to IVSHM_MSGQ_RINGS_MAX;
 *		0 to have no rings any more: @offset is 0 then, @kick and @call are -1
 * @kick:	in: the doorbell: an eventfd
 * @call:	in: the interrupt: an eventfd, or -1 for none
 * @reserved:	in: 0
 */
struct ivshm_msgq_rings {
	__u32 argsz;
	__u32 flags;
	__u64 offset;
	__u32 entries;
	__s32 kick;
	__s32 call;
	__u32 reserved;
};

/**
 * IVSHM_MSGQ_RINGS - have rings, or have them no more
 *
 * Takes struct ivshm_msgq_rings.  Messages that are sent by rings are those of the
 * process and the user that ask for the rings.  They are empty when this returns, and
 * as long as they are there their pages neither move nor are shared, nor can they be
 * posted.  They end with the queue at the latest.  When the call that ends them returns
 * nothing is done any more; a request that was under way is done, or is EINTR.
 *
 * Errors: EINVAL (also: no eventfd), E2BIG, EFAULT, EBADF, ENOTCONN (the file has no
 * queue), EALREADY (it has rings), EBUSY (a part of the range is in use, or shared with
 * others), EHWPOISON, EINTR, ENOMEM, ENODEV (the region was deleted).
 */
#define IVSHM_MSGQ_RINGS	_IO(IVSHM_IOC_TYPE, 0x17)

/**
 * enum ivshm_ring_op - what a guest asks for
 * @IVSHM_RING_POST:	IVSHM_MSGQ_POST
 * @IVSHM_RING_SEND:	IVSHM_MSGQ_SEND
 * @IVSHM_RING_RECV:	IVSHM_MSGQ_RECV
 * @IVSHM_RING_RELEASE:	IVSHM_MSGQ_RELEASE
 * @IVSHM_RING_DONE:	IVSHM_MSGQ_DONE
 */
enum ivshm_ring_op {
	IVSHM_RING_POST,
	IVSHM_RING_SEND,
	IVSHM_RING_RECV,
	IVSHM_RING_RELEASE,
	IVSHM_RING_DONE,
	IVSHM_RING_OPS,
};

/**
 * struct ivshm_ring_head - what rings begin with
 * @tail:	requests that there were; the guest's
 * @taken:	results that were taken; likewise
 * @guest:	the rest of these 64 bytes
 * @done:	requests that have a result; the kernel's
 * @error:	likewise: 0, EINVAL (@tail or @taken cannot be), ENODEV (the region was
 *		deleted), or EHWPOISON
 * @kernel:	the rest
 */
struct ivshm_ring_head {
	__u32 tail;
	__u32 taken;
	__u32 guest[14];
	__u32 done;
	__u32 error;
	__u32 kernel[14];
};

/**
 * struct ivshm_ring_request - what is to be done
 * @token:	comes with the result
 * @op:		enum ivshm_ring_op
 * @flags:	0
 * @post:	of IVSHM_RING_POST
 * @send:	of IVSHM_RING_SEND
 * @release:	of IVSHM_RING_RELEASE
 * @bytes:	all of them; those that the request does not have are 0
 */
struct ivshm_ring_request {
	__u64 token;
	__u32 op;
	__u32 flags;
	union {
		struct ivshm_msgq_slot post;
		struct ivshm_msgq_send send;
		__u64 release;
		__u8 bytes[112];
	};
};

/**
 * struct ivshm_ring_result - what came of it
 * @token:	of the request
 * @op:		likewise
 * @status:	0, or a negative error as the ioctl has it; -EOPNOTSUPP if there is no
 *		such @op
 * @how:	of IVSHM_RING_SEND: what was done, if @status is 0
 * @recv:	of IVSHM_RING_RECV, likewise
 * @done:	of IVSHM_RING_DONE, likewise
 * @bytes:	all of them; others are 0
 */
struct ivshm_ring_result {
	__u64 token;
	__u32 op;
	__s32 status;
	union {
		__u32 how;
		struct ivshm_msgq_recv recv;
		struct ivshm_msgq_done done;
		__u8 bytes[176];
	};
};

#endif /* _UAPI_LINUX_IVSHM_MSGQ_H */
