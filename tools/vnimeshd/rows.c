// SPDX-License-Identifier: GPL-2.0-or-later
/* The difference between what is in the kernel and what should be. */

#include <stdlib.h>
#include <string.h>

#include "rows.h"

int row_key_cmp(const void *a, const void *b)
{
	const struct row_key *x = a, *y = b;
	int c;

	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	c = strcmp(x->tag, y->tag);
	if (c)
		return c;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return 0;
}

static void row_free(void *elem)
{
	struct row *row = elem;

	free(row->data);
	free(row);
}

void rows_init(struct rows *r)
{
	memset(r, 0, sizeof(*r));
	/* The key is the first member. */
	r->set.cmp = row_key_cmp;
}

void rows_free(struct rows *r)
{
	sorted_clear(&r->set, row_free);
}

static struct row *row_new(struct rows *r, const struct row_key *key)
{
	struct row *row = calloc(1, sizeof(*row));

	if (!row)
		return NULL;
	row->key = *key;
	if (!sorted_add(&r->set, row)) {
		free(row);
		return NULL;
	}
	return row;
}

bool rows_found(struct rows *r, const struct row_key *key)
{
	struct row *row = sorted_find(&r->set, key);

	if (!row)
		row = row_new(r, key);
	if (row)
		row->exists = true;
	return row;
}

struct row *rows_find(const struct rows *r, const struct row_key *key)
{
	return sorted_find(&r->set, key);
}

bool rows_has(const struct rows *r, const struct row_key *key)
{
	return rows_find(r, key);
}

static void forget(struct row *row)
{
	free(row->data);
	row->data = NULL;
	row->hard_len = 0;
	row->soft_len = 0;
	row->foreign = false;
}

void rows_forget(struct rows *r)
{
	size_t i;

	for (i = 0; i < r->set.n; i++)
		forget(r->set.v[i]);
}

static void lose(struct row *row)
{
	forget(row);
	row->exists = false;
}

bool rows_lost(struct rows *r, const struct row_key *key)
{
	struct row *row = sorted_find(&r->set, key);

	if (!row || !row->exists)
		return false;
	lose(row);
	return true;
}

static bool in_scope(const struct row *row, uint8_t object, const char *tag)
{
	return row->key.object == object &&
	       (!tag || !strcmp(row->key.tag, tag));
}

/* First row of the scope; the rows of one object, and of one tag in it, lie
 * side by side.
 */
static size_t scope_start(const struct rows *r, uint8_t object,
			  const char *tag)
{
	struct row_key key = { .object = object };
	size_t lo = 0, hi = r->set.n;
	size_t mid;

	if (tag)
		strncpy(key.tag, tag, sizeof(key.tag) - 1);
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (row_key_cmp(&key, r->set.v[mid]) > 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void each_in_scope(struct rows *r, uint8_t object, const char *tag,
			  void (*fn)(struct row *row))
{
	size_t i = scope_start(r, object, tag);

	for (; i < r->set.n && in_scope(r->set.v[i], object, tag); i++)
		fn(r->set.v[i]);
}

void rows_lost_all(struct rows *r, uint8_t object, const char *tag)
{
	each_in_scope(r, object, tag, lose);
}

static void unwant(struct row *row)
{
	row->wanted = false;
}

void rows_begin(struct rows *r, uint8_t object, const char *tag)
{
	each_in_scope(r, object, tag, unwant);
}

static bool same(const void *a, size_t a_len, const void *b, size_t b_len)
{
	return a_len == b_len && (!a_len || !memcmp(a, b, a_len));
}

struct row *rows_want(struct rows *r, const struct row_key *key,
		      const struct row_data *data, enum row_op *op)
{
	struct row *row = sorted_find(&r->set, key);
	bool hard = false, soft = false;
	uint8_t *copy;

	if (!row)
		row = row_new(r, key);
	if (!row)
		return NULL;
	row->wanted = true;
	if (row->data) {
		hard = same(row->data, row->hard_len, data->hard,
			    data->hard_len);
		soft = same(row->data + row->hard_len, row->soft_len,
			    data->soft, data->soft_len);
	}
	/* Whoever took it over is asked again when the object changed. */
	if (hard && (soft || row->foreign))
		return NULL;
	*op = !row->data ? ROW_ADD : hard ? ROW_FIGURES : ROW_CHANGE;

	copy = malloc(data->hard_len + data->soft_len + 1);
	if (!copy)
		return NULL;
	if (data->hard_len)
		memcpy(copy, data->hard, data->hard_len);
	if (data->soft_len)
		memcpy(copy + data->hard_len, data->soft, data->soft_len);
	forget(row);
	row->data = copy;
	row->hard_len = data->hard_len;
	row->soft_len = data->soft_len;
	return row;
}

void rows_end(struct rows *r, uint8_t object, const char *tag,
	      void (*surplus)(struct row *row, void *data), void *data)
{
	size_t i = scope_start(r, object, tag);
	struct row *row;

	while (i < r->set.n) {
		row = r->set.v[i];
		if (!in_scope(row, object, tag))
			break;
		if (!row->wanted)
			surplus(row, data);
		/* The callback may have ended the row by rows_result(). */
		if (i < r->set.n && r->set.v[i] == row)
			i++;
	}
}

void rows_result(struct rows *r, struct row *row, enum row_op op,
		 enum row_fate fate)
{
	if ((op == ROW_DEL && fate != ROW_RETRY) ||
	    (op == ROW_MOVE && fate == ROW_DONE)) {
		sorted_take(&r->set, &row->key);
		row_free(row);
		return;
	}
	if (fate == ROW_RETRY) {
		forget(row);
		row->exists = false;
		return;
	}
	row->exists = true;
	row->told = false;
	row->foreign = fate == ROW_FOREIGN && op != ROW_MOVE;
}
