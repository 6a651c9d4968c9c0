/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the pure code of the choice (score.c, aggregate.c, select.c, maglev.c)
 * needs of its surroundings, in the kernel and outside: the simulation, the
 * unit tests and the tool's replay compile the same files.
 */
#ifndef _VNIMESH_PURE_H
#define _VNIMESH_PURE_H

#ifdef __KERNEL__
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/types.h>
#else
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef __u64 u64;
typedef __u32 u32;
typedef __u16 u16;
typedef __u8 u8;

#define U32_MAX			((u32)~0U)
#define min_t(type, a, b) \
	({ type _a = (a), _b = (b); _a < _b ? _a : _b; })
#define max_t(type, a, b) \
	({ type _a = (a), _b = (b); _a > _b ? _a : _b; })
#define div64_u64(a, b)		((a) / (b))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

static inline int fls(u32 x)
{
	return x ? 32 - __builtin_clz(x) : 0;
}
#endif

/* splitmix64 (Steele, Lea, Flood 2014): tiny, fixed for ever, so that a choice
 * can be replayed anywhere from its seed.
 */
static inline u64 vnimesh_mix(u64 z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static inline u64 vnimesh_draw(u64 *seed)
{
	return vnimesh_mix(*seed += 0x9e3779b97f4a7c15ULL);
}

/* 0 for @n 0. */
static inline u32 vnimesh_draw_below(u64 *seed, u32 n)
{
	return ((vnimesh_draw(seed) >> 32) * n) >> 32;
}

#endif /* _VNIMESH_PURE_H */
