/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What vring.c needs of the kernel, for building it in userspace.
 */
#ifndef _IVSHM_VRING_USER_H
#define _IVSHM_VRING_USER_H

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <linux/types.h>
#include <linux/virtio_ring.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define U32_MAX		((u32)~0U)

#define __must_check	__attribute__((warn_unused_result))
#define noinline
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, val)	__atomic_store_n(&(x), val, __ATOMIC_RELAXED)

/* These order atomic accesses only, which all of those to the ring are. */
#define smp_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
/* Pairs with smp_wmb() */
#define smp_rmb()	__atomic_thread_fence(__ATOMIC_ACQUIRE)
/* Pairs with smp_rmb() */
#define smp_wmb()	__atomic_thread_fence(__ATOMIC_RELEASE)

#define PAGE_SHIFT	12
#define PAGE_SIZE	4096UL
#define offset_in_page(addr)	((unsigned long)(addr) & (PAGE_SIZE - 1))

#define IS_ALIGNED(x, a)	(((x) & ((__typeof__(x))(a) - 1)) == 0)
#define DIV_ROUND_UP(n, d)	({ __typeof__(d) _d = (d); ((n) + _d - 1) / _d; })
#define min_t(type, a, b)	({ type _a = (a); type _b = (b); _a < _b ? _a : _b; })

#define GFP_KERNEL		0
#define GFP_KERNEL_ACCOUNT	0

static inline bool is_power_of_2(unsigned long n)
{
	return n && !(n & (n - 1));
}

static inline void *kcalloc(size_t n, size_t size, int gfp)
{
	(void)gfp;
	return calloc(n, size);
}

static inline void kfree(const void *p)
{
	free((void *)p);
}

/* As in the kernel, what is not little-endian is big-endian. */
static inline bool virtio_legacy_is_little_endian(void)
{
	return __BYTE_ORDER == __LITTLE_ENDIAN;
}

static inline u16 __virtio16_to_cpu(bool le, __virtio16 val)
{
	return le ? le16toh(val) : be16toh(val);
}

static inline __virtio16 __cpu_to_virtio16(bool le, u16 val)
{
	return le ? htole16(val) : htobe16(val);
}

static inline u32 __virtio32_to_cpu(bool le, __virtio32 val)
{
	return le ? le32toh(val) : be32toh(val);
}

static inline __virtio32 __cpu_to_virtio32(bool le, u32 val)
{
	return le ? htole32(val) : htobe32(val);
}

static inline u64 __virtio64_to_cpu(bool le, __virtio64 val)
{
	return le ? le64toh(val) : be64toh(val);
}

static inline __virtio64 __cpu_to_virtio64(bool le, u64 val)
{
	return le ? htole64(val) : htobe64(val);
}

#endif /* _IVSHM_VRING_USER_H */
