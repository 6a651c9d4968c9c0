/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rows of the kernel's table consist of: facts to records.
 *
 * A row is written in two parts, each a record of its object's type. @hard is
 * what the object is. @soft is its figures and the version; it goes into
 * every message, as the kernel takes the version from there.
 */
#ifndef VNIMESHD_TABLE_ROW_H
#define VNIMESHD_TABLE_ROW_H

#include "facts.h"
#include "kernel.h"
#include "record.h"
#include "rows.h"

union row_record {
	uint64_t present;	/* first in all of them */
	struct vnm_node node;
	struct vnm_vni vni;
	struct vnm_service service;
	struct vnm_member member;
};

struct row_parts {
	union row_record hard;
	union row_record soft;
};

void row_of_node(const struct facts *f, const struct node *n,
		 struct row_key *key, struct row_parts *parts);
void row_of_vni(const struct member *m, struct row_key *key,
		struct row_parts *parts);
void row_of_service(const struct facts *f, const struct service *s,
		    struct row_key *key, struct row_parts *parts);
void row_of_member(const struct service *s, const struct member *m,
		   struct row_key *key, struct row_parts *parts);

const struct vnm_type *row_type(uint8_t object);

/* Key, origin and run of a message about @key; without the run for deletion. */
void row_head(const struct row_key *key, uint32_t ifindex, uint64_t gen,
	      union row_record *ret);

/* A row of a dump or notification: its record and key; true if it is of
 * origin agent, and no VNI of this host.
 */
bool row_found(uint8_t object, const struct vnm_genl_msg *msg,
	       union row_record *rec, struct row_key *key);

uint32_t row_ifindex(uint8_t object, const union row_record *rec);

/* A request to dump all rows of the object; NULL without memory. */
struct nl_msg *row_dump_msg(struct kernel *k, uint8_t object);

#endif
