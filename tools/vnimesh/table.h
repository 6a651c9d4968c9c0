/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that all tables share: add, replace, set, del, show. */
#ifndef TABLE_H
#define TABLE_H

#include "tool.h"

/* Every record of a table has its mesh device as attribute 1, and its key in
 * the attributes up to @key_end.
 */
struct table {
	const struct vnm_type	*type;
	uint8_t			get;
	uint8_t			set;
	uint8_t			del;
	unsigned int		key_end;
	const char		*key_name;	/* of the first, in errors */
};

extern const struct table node_table, vni_table, service_table, member_table;

/* @flags: NLM_F_CREATE and so on */
int table_change(struct tool *t, struct args *a, const struct table *table,
		 int flags);
int table_del(struct tool *t, struct args *a, const struct table *table);
int table_show(struct tool *t, struct args *a, const struct table *table);

/* One request about a record, filled in with the only mesh if it has none. */
int table_send(struct tool *t, const struct table *table, uint8_t cmd,
	       int flags, void *rec);

#endif /* TABLE_H */
