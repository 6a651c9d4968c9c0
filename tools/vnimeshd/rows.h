/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this agent last wrote into the kernel's table, and the difference to
 * what should be there.
 *
 * Pure: a row is a key and two opaque pieces, @hard (what the object is) and
 * @soft (figures that change all the time); this file only compares bytes.
 * Who calls turns the changes into messages and tells what became of them.
 */
#ifndef VNIMESHD_ROWS_H
#define VNIMESHD_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/vnimesh.h>

#include "sorted.h"

struct row_key {
	uint8_t object;		/* enum vnimesh_object */
	uint32_t id;		/* node or VNI; 0 for a service */
	char tag[VNIMESH_TAG_MAX + 1]; /* service and member */
};

struct row_data {
	const void *hard;
	size_t hard_len;
	const void *soft;
	size_t soft_len;
};

enum row_op {
	ROW_ADD,		/* not there, or not known how it looks */
	ROW_CHANGE,		/* @hard differs: write everything */
	ROW_FIGURES,		/* only @soft differs: write that */
	ROW_DEL,
	ROW_MOVE,		/* delete, to be added as another one */
};

enum row_fate {
	ROW_DONE,
	ROW_RETRY,		/* refused for now: differs at the next sync */
	ROW_FOREIGN,		/* somebody stronger owns it: let it be */
};

struct row {
	struct row_key key;
	uint8_t *data;		/* hard, then soft; NULL: unknown */
	size_t hard_len;
	size_t soft_len;
	bool exists;		/* in the kernel, as far as we know */
	bool wanted;		/* seen in the running sync */
	bool foreign;
	bool told;		/* for who calls: its refusal is in the log */
};

struct rows {
	struct sorted set;
};

void rows_init(struct rows *r);
void rows_free(struct rows *r);

/* A row found in the kernel, content unknown. False without memory. */
bool rows_found(struct rows *r, const struct row_key *key);

/* A row is not in the kernel any more. True if it should be. */
bool rows_lost(struct rows *r, const struct row_key *key);

/* As rows_lost(), all of @object and @tag. */
void rows_lost_all(struct rows *r, uint8_t object, const char *tag);

/* Forget how rows look, so that the next sync writes them all. */
void rows_forget(struct rows *r);

/* A sync of one scope: all rows of @object and, if not NULL, of @tag.
 * begin(), want() for each row that should be there, end(). The callback of
 * end() gets each row that is there and was not wanted; it calls
 * rows_result() for it like for the others.
 *
 * want() returns the row if there is something to do, and what; NULL if not,
 * or without memory.
 */
void rows_begin(struct rows *r, uint8_t object, const char *tag);
struct row *rows_want(struct rows *r, const struct row_key *key,
		      const struct row_data *data, enum row_op *op);
void rows_end(struct rows *r, uint8_t object, const char *tag,
	      void (*surplus)(struct row *row, void *data), void *data);

/* What became of a row that want() or end() handed out; a deleted row is
 * gone after, one that could not be moved is there as it was.
 */
void rows_result(struct rows *r, struct row *row, enum row_op op,
		 enum row_fate fate);

struct row *rows_find(const struct rows *r, const struct row_key *key);
bool rows_has(const struct rows *r, const struct row_key *key);
int row_key_cmp(const void *a, const void *b);

#endif
