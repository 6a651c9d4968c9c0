/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that is always there. A coordinator without memory ends: whatever it
 * acknowledged is in the store, and half an answer would be worse.
 */
#ifndef COORDINATOR_MEM_H
#define COORDINATOR_MEM_H

#include <stdio.h>
#include <stdlib.h>

static inline void *mem_checked(void *p)
{
	if (!p) {
		fputs("<2>out of memory\n", stderr);
		abort();
	}
	return p;
}

static inline void *mem_zero(size_t n, size_t size)
{
	return mem_checked(calloc(n ? n : 1, size));
}

static inline void *mem_resize(void *p, size_t n, size_t size)
{
	return mem_checked(reallocarray(p, n ? n : 1, size));
}

#endif
