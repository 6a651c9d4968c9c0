/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What survives the coordinator: mesh parameters, nodes, services, members,
 * and released service addresses. Scores and ages never come here.
 *
 * A change is one transaction: store_begin(), any number of puts and dels,
 * store_commit(). An error in between sticks, and the commit then changes
 * nothing and fails. When the commit returns 0 the change is on disk. Callers
 * commit first and change their memory after.
 *
 * Records are JSON objects under keys, so that any key-value store can serve:
 *
 *	mesh, node/ID, service/TAG, member/TAG/VNI, resting/TAG, token/ID,
 *	forgotten/ID, audit/NUMBER, live/ID while an agent is heard, and
 *	trigger/COORDINATOR, what it asked of others last
 *
 * A backend is a struct store_ops and knows nothing of what is in a record.
 */
#ifndef COORDINATOR_STORE_H
#define COORDINATOR_STORE_H

#include "loop.h"
#include "record.h"

#define STORE_KEY_MAX	255

struct store;

enum store_heard {
	STORE_HEARD_NOWHERE,
	STORE_HEARD_HERE,
	STORE_HEARD_ELSEWHERE,
};

/* Called for each record at the start, in this order of kinds. Members are
 * only of services and nodes that were announced before. Returning false ends
 * the load with an error.
 */
struct store_visitor {
	bool (*node)(void *data, const struct node_def *def);
	bool (*service)(void *data, const struct service_def *def);
	bool (*member)(void *data, const struct member_def *def);
	bool (*resting)(void *data, const char *tag,
			const struct ip_addr *address4);
	bool (*token)(void *data, const struct token_def *def);
	bool (*forgotten)(void *data, uint32_t id);
	/* Of store_change() only: to whom its agent talks, by the last word. */
	bool (*heard)(void *data, uint32_t node, enum store_heard where);
	/* Of store_change() only: @kind with its "/", and what is behind. */
	bool (*gone)(void *data, const char *kind, const char *name);
};

/* Of a store that others change, too. */
struct store_follower {
	/* @value NULL: deleted; "": of presence, our own. False: it does not
	 * fit.
	 */
	bool (*change)(void *data, const char *key, const char *value);
	/* Caught up, or away: who waited may try again. */
	void (*ready)(void *data);
	/* Tell the presence of every node that is here. */
	void (*again)(void *data);
	/* Changes were missed: only a new start helps. */
	void (*lost)(void *data);
};

/* @err: 0 or a negative errno, with words in the store's error. */
typedef void (*store_done_fn)(void *data, int err);

struct store_ops {
	/* All records whose keys begin with @prefix and lie behind @after (a
	 * key, or ""), in their order; false from @fn ends it. -EIO after an
	 * error of the store's own.
	 */
	int (*range)(struct store *store, const char *prefix, const char *after,
		     bool (*fn)(void *data, const char *key, const char *value),
		     void *data);
	void (*begin)(struct store *store);
	/* @value: NULL deletes. */
	void (*put)(struct store *store, const char *key, const char *value);
	/* -EAGAIN: others changed something that we did not see yet. */
	int (*commit)(struct store *store);
	/* The same, not waited for, of one transaction at a time; what others
	 * change is not told until @done has returned. NULL: commit() does not
	 * wait for others.
	 */
	void (*submit)(struct store *store, store_done_fn done, void *data);
	/* Ends that, nobody knows whether it was done, and each read(). */
	void (*give_up)(struct store *store);
	/* range() of what is asked for later, not waited for. NULL: range()
	 * does not wait for others.
	 */
	void (*read)(struct store *store, const char *prefix, const char *after,
		     bool (*fn)(void *data, const char *key, const char *value),
		     store_done_fn done, void *data);
	/* NULL: nobody else changes it. */
	int (*follow)(struct store *store, struct loop *loop,
		      const struct store_follower *follower, void *data);
	/* Tells others that @node's agent talks to us now, or not any more;
	 * not waited for. Ends with us. NULL: there are no others.
	 */
	void (*presence)(struct store *store, uint32_t node, bool here);
	/* Asks whom @node's agent talks to for a check of its member, once,
	 * not waited for. False: too many wait. NULL: there are no others.
	 */
	bool (*trigger)(struct store *store, uint32_t node, const char *tag,
			uint32_t vni);
	void (*close)(struct store *store);
};

struct store {
	const struct store_ops *ops;
	char error[256];		/* of the last failure, for a person */
	bool away;			/* only read, from what was last known */
	bool behind;			/* until the follower's ready() */
	bool too_large;			/* what was refused last, for ever */
	uint64_t fresh_us;		/* nobody knew better then, 0: ever */
	uint64_t nr_writes;		/* transactions */
	uint64_t nr_conflicts;		/* ... that came too late */
};

/* @name: a file, or "etcd://...", which @access is about. NULL with a message
 * in @err.
 */
struct store *store_open(const char *name, const struct etcd_access *access,
			 char *err, size_t len);
/* NULL is fine. */
void store_close(struct store *store);

/* The parameters of the store's mesh; an empty store takes @mesh. */
int store_mesh(struct store *store, const struct mesh *mesh,
	       struct mesh *stored);
int store_load(struct store *store, const struct store_visitor *visitor,
	       void *data);

/* Once all is loaded. */
int store_follow(struct store *store, struct loop *loop,
		 const struct store_follower *follower, void *data);

/* What a follower was told, to the visitor; keys of no kind are ignored. */
bool store_change(struct store *store, const struct store_visitor *visitor,
		  void *data, const char *key, const char *value);

void store_begin(struct store *store);
void store_put_node(struct store *store, const struct node_def *def);
void store_del_node(struct store *store, uint32_t id);
void store_put_service(struct store *store, const struct service_def *def);
void store_del_service(struct store *store, const char *tag);
void store_put_member(struct store *store, const struct member_def *def);
void store_del_member(struct store *store, const char *tag, uint32_t vni);
void store_put_resting(struct store *store, const char *tag,
		       const struct ip_addr *address4);
void store_del_resting(struct store *store, const char *tag);
void store_put_token(struct store *store, const struct token_def *def);
void store_del_token(struct store *store, const char *id);
void store_put_forgotten(struct store *store, uint32_t id);
void store_del_forgotten(struct store *store, uint32_t id);
/* @value is consumed. */
void store_put_audit(struct store *store, uint64_t seq, json_t *value);
void store_del_audit(struct store *store, uint64_t seq);
/* @done is called once, perhaps before this returns. */
void store_read_audit(struct store *store, uint64_t after,
		      bool (*fn)(void *data, const char *key,
				 const char *value),
		      store_done_fn done, void *data);
/* The last one's number, if any is behind @seq. */
int store_last_audit(struct store *store, uint64_t *seq);
/* At the start and at the end, when nothing else depends on us. -EAGAIN: others
 * were faster; before store_follow() and after store_give_up() it may be tried
 * again.
 */
int store_commit(struct store *store);
/* @done is called once, perhaps before this returns. */
void store_submit(struct store *store, store_done_fn done, void *data);
/* A transaction that was submitted, and what is read, end now; so do later ones
 * at once.
 */
void store_give_up(struct store *store);
void store_presence(struct store *store, uint32_t node, bool here);
/* False: nobody is asked. */
bool store_trigger(struct store *store, uint32_t node, const char *tag,
		   uint32_t vni);

#endif
