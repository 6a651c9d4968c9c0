/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the store in etcd: transactions (store_etcd.c), what others
 * change (store_etcd_follow.c), what the watch cannot tell any more
 * (store_etcd_gap.c), who is heard where (store_etcd_live.c), and how it was
 * before (store_etcd_history.c).
 * All of it belongs to the event loop.
 */
#ifndef COORDINATOR_STORE_ETCD_PRIV_H
#define COORDINATOR_STORE_ETCD_PRIV_H

#include <sys/queue.h>

#include "etcd.h"
#include "store_etcd.h"

#define PREFIX_MAX	64
#define HEAD_NAME	16
/* "NAME NAME" */
#define HEAD_MAX	(2 * HEAD_NAME + 1)

/* Who is heard here, for the others. */
struct etcd_live {
	char id[HEAD_NAME + 1];		/* ours, the value of our keys */
	int64_t lease;			/* of those keys, 0: none yet */
	struct etcd_call *leasing;	/* its grant or renewal */
	struct etcd_call *telling;
	json_t *known;			/* live/ID: its value */
	json_t *untold;			/* node's id: whether it is here */
	json_t *under_way;
	json_t *asked;			/* checks for the others, by member */
	json_t *asking;			/* ... under way */
	uint64_t asked_us;		/* since when */
	struct source *later;		/* tells at the turn's end */
	unsigned int ticks;
};

/* What is over is taken out of etcd. */
struct etcd_history {
	uint64_t keep_us;		/* 0: etcd's administrator does it */
	uint64_t due_us;
	int64_t revision;		/* that was the last one, that time ago */
	int64_t wanted, gone;		/* all before it */
	struct etcd_call *call;
	unsigned int failed;		/* in a row */
};

/* What a watch that begins anew would pass over: nothing. */
struct etcd_gap {
	int64_t upto;			/* no change that we do not know of */
	char head[HEAD_NAME + 1];	/* the last one until then */
	struct etcd_call *call;
	bool now;			/* it reads what is there now */
	unsigned int failed;		/* in a row */
};

struct etcd_store {
	struct store base;
	struct etcd *etcd;
	char prefix[PREFIX_MAX + 2];
	json_t *ops;			/* of the transaction at hand, by key */
	char head[HEAD_MAX + 1];	/* as far as we know, "": there is none */
	int64_t head_rev;
	char next[HEAD_MAX + 1];	/* what the transaction makes of it */
	size_t nr_ops;			/* in the transaction */

	/* one commit at a time */
	struct etcd_call *commit;
	store_done_fn done;
	void *done_data;
	bool given_up;			/* ... and no further one */
	TAILQ_HEAD(, reading) readings;	/* of who waits for the answer */

	/* The watch has told us all up to here, in a chain up to @seen_head. */
	int64_t seen;
	char seen_head[HEAD_NAME + 1];
	int64_t wanted;			/* to be caught up with, 0: nothing */
	int64_t *own;			/* that we made and it did not tell yet */
	size_t nr_own;
	json_t *held;			/* its answers, during a commit */
	bool ended;			/* by a history that does not fit */

	int64_t pinned;			/* revision of the load, 0: it is over */
	const struct store_follower *follower;
	void *data;
	struct etcd_call *watch;
	struct etcd_call *probe;
	struct source *timer;
	uint64_t heard_us;		/* by the watch */
	bool canceled;			/* by etcd */
	int64_t probe_seen, probe_head;	/* what was known when it began */
	struct etcd_gap gap;
	struct etcd_live live;
	struct etcd_history history;
};

static inline struct etcd_store *to_etcd(struct store *store)
{
	return (struct etcd_store *)store;
}

json_t *store_etcd_key(const struct etcd_store *st, const char *key);
/* The end of the range of keys that begin with @key. */
json_t *store_etcd_end(const struct etcd_store *st, const char *key);
int64_t store_etcd_head(const json_t *range, char head[HEAD_MAX + 1]);
/* All of an answer until @fn returns false; false then, and when a record is no
 * text.
 */
bool store_etcd_visit_all(struct etcd_store *st, const json_t *answer,
			  bool (*fn)(void *data, const char *key,
				     const char *value), void *data);
void store_etcd_away(struct etcd_store *st);

int store_etcd_follow(struct store *store, struct loop *loop,
		      const struct store_follower *follower, void *data);
void store_etcd_unfollow(struct etcd_store *st);
/* The commit is over: what the watch told meanwhile. */
void store_etcd_replay(struct etcd_store *st);
/* What we made is told by the watch, too. */
void store_etcd_own(struct etcd_store *st, int64_t revision);
/* This is not what we have seen so far. */
void store_etcd_misfit(struct etcd_store *st, const char *why);

/* A probe's answer: head is as we know it. */
void store_etcd_gap_probe(struct etcd_store *st, int64_t revision);
/* What lies behind @st->seen and before @compacted is gone: the watch goes on
 * behind it, or this run ends.
 */
void store_etcd_gap_close(struct etcd_store *st, int64_t compacted);

void store_etcd_live_begin(struct etcd_store *st);
int store_etcd_live_follow(struct etcd_store *st, struct loop *loop);
void store_etcd_live(struct store *store, uint32_t node, bool here);
bool store_etcd_trigger(struct store *store, uint32_t node, const char *tag,
			uint32_t vni);
/* A key that another coordinator or we ourselves wrote; NULL: deleted. */
void store_etcd_live_take(struct etcd_store *st, const char *name,
			  const char *value);
/* All of these keys that there are now, with their values. */
void store_etcd_live_anew(struct etcd_store *st, json_t *now);
/* What another one asks for; our own agents were asked at once. */
void store_etcd_trigger_take(struct etcd_store *st, const char *name,
			     const char *value);
void store_etcd_live_tick(struct etcd_store *st);
void store_etcd_live_end(struct etcd_store *st);

void store_etcd_history_tick(struct etcd_store *st, uint64_t now_us);

#endif
