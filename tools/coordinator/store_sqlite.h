/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the SQLite store share; nobody else includes this. */
#ifndef COORDINATOR_STORE_SQLITE_H
#define COORDINATOR_STORE_SQLITE_H

#include <sqlite3.h>

#include "store.h"

enum {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_PUT_NODE,
	SQL_PUT_SERVICE,
	SQL_DEL_SERVICE,
	SQL_PUT_MEMBER,
	SQL_DEL_MEMBER,
	SQL_PUT_RESTING,
	SQL_DEL_RESTING,
	SQL_PUT_MESH,
	SQL_GET_MESH,
	SQL_ALL_NODES,
	SQL_ALL_SERVICES,
	SQL_ALL_MEMBERS,
	SQL_ALL_RESTING,
	NR_SQL,
};

struct sqlite_store {
	struct store base;
	sqlite3 *db;
	sqlite3_stmt *stmt[NR_SQL];
	int lock;			/* held as long as the store is open */
	bool failed;			/* the transaction at hand */
};

static inline struct sqlite_store *to_sqlite(struct store *store)
{
	return (struct sqlite_store *)store;
}

extern const char *const sqlite_text[NR_SQL];

/* Keeps the first error of a transaction: later ones only follow from it. */
void sqlite_note(struct sqlite_store *st, const char *what);

/* Runs a statement that gives no rows, its parameters by position as @fmt
 * says: i int64_t, s string. Does nothing after an error.
 */
void sqlite_run(struct sqlite_store *st, int which, const char *fmt, ...);

void sqlite_begin(struct store *store);
int sqlite_commit(struct store *store);

/* In store_read.c */
int sqlite_load(struct store *store, const struct store_visitor *visitor,
		void *data);
int sqlite_mesh(struct store *store, const struct mesh *mesh,
		struct mesh *stored);

#endif
