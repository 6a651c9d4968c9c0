/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sorted array of pointers, the set that all tables here are made of: found
 * by bisection, walked in order.
 *
 * It owns the array, never what the pointers point at. Elements must not
 * change their order while they are in it.
 */
#ifndef VNIMESHD_SORTED_H
#define VNIMESHD_SORTED_H

#include <stdbool.h>
#include <stddef.h>

typedef int (*sorted_cmp)(const void *a, const void *b);

struct sorted {
	void **v;
	size_t n;
	size_t room;
	sorted_cmp cmp;
};

#define SORTED_INIT(fn)	{ .cmp = (fn) }

/* An element for which cmp(key, element) is 0, or NULL. */
void *sorted_find(const struct sorted *s, const void *key);

/* False without memory; nothing equal may be in it. */
bool sorted_add(struct sorted *s, void *elem);

/* The next @n additions have memory; false without. */
bool sorted_reserve(struct sorted *s, size_t n);

/* Takes the element equal to @key out and returns it, or NULL. */
void *sorted_take(struct sorted *s, const void *key);

/* Keeps those for which keep() is true, gives the others to drop(). */
void sorted_filter(struct sorted *s, bool (*keep)(void *elem, void *data),
		   void (*drop)(void *elem), void *data);

/* Gives all elements to drop() and frees the array; usable again after. */
void sorted_clear(struct sorted *s, void (*drop)(void *elem));

#endif
