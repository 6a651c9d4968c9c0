/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Row changes collected in order, sent to the kernel in as few system calls
 * as they fit, and the results given back to rows.h.
 */
#ifndef VNIMESHD_BATCH_H
#define VNIMESHD_BATCH_H

#include "mesh.h"
#include "rows.h"
#include "table_row.h"

struct batch_item {
	struct row *row;	/* NULL: nothing to give back */
	enum row_op op;
	bool *done;		/* set when accepted; may be NULL */
};

struct batch {
	struct mesh *m;
	struct rows *rows;
	struct nl_msg *hard, *soft;	/* scratch */
	struct nl_msg **msgs;
	struct batch_item *items;
	size_t n, room;
	uint64_t gen;
	size_t failed;
	bool newer[VNIMESH_OBJECT_MEMBER + 1]; /* the kernel has a newer row */
};

bool batch_init(struct batch *b, struct mesh *m, struct rows *rows);
void batch_free(struct batch *b);

void batch_begin(struct batch *b, uint64_t gen);

/* The row should be so: queues a message if it is not. True if the row is a
 * new one in the kernel; a new service is announced as loading.
 */
bool batch_want(struct batch *b, const struct row_key *key,
		const struct row_parts *parts);
void batch_del(struct batch *b, struct row *row);
/* A service whose address is a former one goes, and its members with it: both or
 * neither, as the kernel decides. It says so in struct service.
 */
void batch_move(struct batch *b, struct row *row);
/* All members of the service are queued before this: packets may go. *done is
 * set when the kernel took it.
 */
void batch_loaded(struct batch *b, const struct row_key *key,
		  const struct row_parts *parts, bool *done);

/* Send all, then, with @sweep and no refusal, delete what other runs left.
 * False: something must be tried again.
 */
bool batch_send(struct batch *b, bool sweep);

#endif
