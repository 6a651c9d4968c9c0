/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of one of the kernel's tables: fetch, sort, print. */
#ifndef ROWS_H
#define ROWS_H

#include "tool.h"

struct rows {
	const struct vnm_type	*type;
	char			*v;
	size_t			n;
	size_t			cap;
};

/* Rows that match @filter, a record of @type with at least the index of the
 * mesh device; the one row of that key with @one. Sorted by key. Prints the
 * error and returns an exit code; rows_free() is due in any case.
 */
int rows_fetch(struct tool *t, struct rows *rows, const struct vnm_type *type,
	       uint8_t cmd, const void *filter, bool one);
/* The same, but silent: 0, or a negative errno and *e. */
int rows_query(struct tool *t, struct rows *rows, const struct vnm_type *type,
	       uint8_t cmd, const void *filter, bool one, struct vnm_error *e);
void rows_free(struct rows *rows);
void *rows_at(const struct rows *rows, size_t i);

/* On stdout, in the form that was asked for. Returns an exit code. */
int rows_print(struct tool *t, const struct rows *rows);

/* rows_fetch() and rows_print() */
int rows_show(struct tool *t, const struct vnm_type *type, uint8_t cmd,
	      const void *filter, bool one);

/* A record as JSON with the name of its mesh device before all else. NULL: no
 * memory.
 */
json_t *row_json(const struct tool *t, const struct vnm_type *type,
		 const void *rec);

/* Print the array and free it; NULL: no memory. Returns an exit code. */
int json_out(const struct tool *t, json_t *array);

/* Append to an array; on failure frees it and returns NULL. */
json_t *json_add(json_t *array, json_t *item);

/* The mesh device of a command that names none: the only one of this
 * namespace. Unless @own is NULL, a VNI of a mesh elsewhere will do too, and *own
 * then is set. Returns an exit code and says what is wrong.
 */
int mesh_find(struct tool *t, bool *own, uint32_t *ifindex);

/* The name of a device; "?" if it has just gone. */
const char *dev_name(uint32_t ifindex, char buf[16]);

#endif /* ROWS_H */
