/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocking queries: requests that wait for a change after their index.
 *
 * Changes become visible to watchers when they are published: HARD_GAP_MS
 * after the last time at the earliest for what decides routing, SOFT_GAP_MS
 * for scores. So a watcher that asks again at once is not answered for each
 * single score, and an answer costs what changed since the last.
 */
#ifndef COORDINATOR_WATCH_H
#define COORDINATOR_WATCH_H

#include "http.h"
#include "registry.h"

/* What a request waits for. */
struct interest {
	bool nodes;
	bool services;			/* all definitions, and removals */
	bool definitions;		/* of the services in @tags */
	uint32_t checks;		/* requests to this node, 0: none */
	unsigned int nr_tags;		/* sorted */
	char (*tags)[TAG_MAX + 1];	/* members of these; owned by the caller */
	bool lent;			/* @tags, to who waits, for as long */
};

/* The index of a blocking query, from its arguments. */
struct since {
	bool given;
	uint64_t index;
	uint32_t wait_ms;
};

struct watches;

int watches_new(struct watches **ret, struct loop *loop, struct registry *reg);

/* Wakes all that wait and lets nobody wait any more. */
void watches_close(struct watches *w);
void watches_free(struct watches *w);
unsigned int watches_count(const struct watches *w);
/* Requests that were not let wait: there were too many, of all or of theirs. */
uint64_t watches_refused(const struct watches *w);

/* Reads incarnation, index and wait_ms. 0, or the status of a problem. */
int watch_since(struct request *rq, struct since *since);

/* Whether an index that a client names is still good: 0, or the status of a
 * problem about @field, or the argument at fault.
 */
int watch_known(struct request *rq, const char *field, const char *incarnation,
		uint64_t index);

/* Waits, for what comes after @index or until @until_us. Nobody waits any more
 * at the end (false).
 */
bool watch_sleep(struct watches *w, struct request *rq,
		 const struct interest *interest, uint64_t index,
		 uint64_t until_us);

/* It waits no longer, if it does. */
void watch_wake(struct request *rq);

/* Adds a tag to @interest. 0, or the status of a problem about @field. */
int watch_add_tag(struct request *rq, const char *field,
		  struct interest *interest, const char *text, size_t len);

/* The same for a comma separated list in an argument. */
int watch_read_tags(struct request *rq, const char *name,
		    struct interest *interest);

/* Waits when nothing of @interest changed after @since and there is time:
 * 0 (takes over interest->tags), to be returned by the handler; 1 when the
 * answer is due now; else the status of a problem.
 */
int watch_wait(struct watches *w, struct request *rq,
	       struct interest *interest, const struct since *since);

/* Sorts @tags and drops doubles; returns how many are left. */
unsigned int watch_sort_tags(char (*tags)[TAG_MAX + 1], unsigned int n);

/* Of sorted ones. */
bool watch_has_tag(const struct interest *in, const char *tag);

/* Adds "incarnation" and "index" to an answer. */
void watch_stamp(struct registry *reg, json_t *obj);

#endif
