// SPDX-License-Identifier: GPL-2.0-or-later
/* A sorted array of pointers. */

#include <stdlib.h>
#include <string.h>

#include "sorted.h"

/* Index of the first element not below @key. */
static size_t place(const struct sorted *s, const void *key, bool *found)
{
	size_t lo = 0, hi = s->n;
	size_t mid;
	int c;

	*found = false;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		c = s->cmp(key, s->v[mid]);
		if (c > 0) {
			lo = mid + 1;
		} else {
			hi = mid;
			if (!c)
				*found = true;
		}
	}
	return lo;
}

void *sorted_find(const struct sorted *s, const void *key)
{
	bool found;
	size_t i = place(s, key, &found);

	return found ? s->v[i] : NULL;
}

bool sorted_reserve(struct sorted *s, size_t n)
{
	size_t room = s->room ? s->room * 2 : 8;
	void **v;

	if (s->n + n <= s->room)
		return true;
	if (room < s->n + n)
		room = s->n + n;
	v = realloc(s->v, room * sizeof(*v));
	if (!v)
		return false;
	s->v = v;
	s->room = room;
	return true;
}

bool sorted_add(struct sorted *s, void *elem)
{
	bool found;
	size_t i;

	if (!sorted_reserve(s, 1))
		return false;
	i = place(s, elem, &found);
	memmove(&s->v[i + 1], &s->v[i], (s->n - i) * sizeof(*s->v));
	s->v[i] = elem;
	s->n++;
	return true;
}

void *sorted_take(struct sorted *s, const void *key)
{
	bool found;
	size_t i = place(s, key, &found);
	void *elem;

	if (!found)
		return NULL;
	elem = s->v[i];
	s->n--;
	memmove(&s->v[i], &s->v[i + 1], (s->n - i) * sizeof(*s->v));
	return elem;
}

void sorted_filter(struct sorted *s, bool (*keep)(void *elem, void *data),
		   void (*drop)(void *elem), void *data)
{
	size_t i, n = 0;

	for (i = 0; i < s->n; i++) {
		if (keep(s->v[i], data))
			s->v[n++] = s->v[i];
		else if (drop)
			drop(s->v[i]);
	}
	s->n = n;
}

void sorted_clear(struct sorted *s, void (*drop)(void *elem))
{
	size_t i;

	for (i = 0; drop && i < s->n; i++)
		drop(s->v[i]);
	free(s->v);
	s->v = NULL;
	s->n = 0;
	s->room = 0;
}
