/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An agent's report, parsed: values only, nothing of the registry. The arrays
 * are allocated; report_free() is due in any case.
 */
#ifndef COORDINATOR_REPORT_H
#define COORDINATOR_REPORT_H

#include "json.h"
#include "record.h"

struct report_member {
	struct member_def def;
	struct member_soft soft;
};

struct report_removed {
	char tag[TAG_MAX + 1];
	uint32_t vni;
};

struct report {
	int64_t epoch;
	int64_t seq;
	bool full;
	struct report_member *members;
	unsigned int nr_members;
	struct report_removed *removed;
	unsigned int nr_removed;
	struct service_def *services;
	unsigned int nr_services;
};

/* Reads and checks the form; false with the error in @rd. */
bool report_read(struct report *rep, struct jread *rd);

/* Checks that everything lies within the node's own VNIs and prefixes. False
 * with a message in @text and the path of the field in @field.
 */
bool report_owned(const struct report *rep, const struct node_def *node,
		  char field[64], char text[128]);

void report_free(struct report *rep);

#endif
