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
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <linux/virtio_ring.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define U16_MAX		UINT16_MAX
#define U32_MAX		UINT32_MAX

#define __must_check	__attribute__((warn_unused_result))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, val)	(*(volatile __typeof__(x) *)&(x) = (val))

#define smp_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb()	__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb()	__atomic_thread_fence(__ATOMIC_RELEASE)

#define PAGE_SHIFT	12
#define PAGE_SIZE	(1UL << PAGE_SHIFT)
#define offset_in_page(addr)	((unsigned long)(addr) & (PAGE_SIZE - 1))

#define IS_ALIGNED(x, a)	(((x) & ((__typeof__(x))(a) - 1)) == 0)
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define min_t(type, a, b)	((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define is_power_of_2(n)	((n) && !((n) & ((n) - 1)))

#define GFP_KERNEL		0
#define GFP_KERNEL_ACCOUNT	0

static inline void *kcalloc(size_t n, size_t size, int gfp)
{
	(void)gfp;
	return calloc(n, size);
}

static inline void kfree(const void *p)
{
	free((void *)p);
}

static inline u16 __virtio16_to_cpu(bool le, __virtio16 val)
{
	return le ? le16toh(val) : val;
}

static inline u32 __virtio32_to_cpu(bool le, __virtio32 val)
{
	return le ? le32toh(val) : val;
}

static inline u64 __virtio64_to_cpu(bool le, __virtio64 val)
{
	return le ? le64toh(val) : val;
}

static inline __virtio16 __cpu_to_virtio16(bool le, u16 val)
{
	return le ? htole16(val) : val;
}

static inline __virtio32 __cpu_to_virtio32(bool le, u32 val)
{
	return le ? htole32(val) : val;
}

static inline __virtio64 __cpu_to_virtio64(bool le, u64 val)
{
	return le ? htole64(val) : val;
}

#endif /* _IVSHM_VRING_USER_H */
