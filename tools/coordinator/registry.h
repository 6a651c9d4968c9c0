/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the coordinator knows, in memory: nodes, services, members, and when
 * each last changed. The store has the durable part; every change goes there
 * first.
 *
 * Revisions: one counter, raised by each change and never by time. An object
 * remembers the revision of its last change and sits in a list ordered by it,
 * so "what changed after N" is a walk from the list's end. A watcher is shown
 * a change only once it is published: at once for what decides routing
 * (publish soon), gathered for scores (see watch.h).
 *
 * Ownership: the registry owns all objects; a node lives until it is
 * forgotten, a service until it is deleted, a member until its agent removes
 * it. Who waits keeps ids and not pointers.
 */
#ifndef COORDINATOR_REGISTRY_H
#define COORDINATOR_REGISTRY_H

#include <sys/queue.h>

#include "pool.h"
#include "record.h"
#include "store.h"

struct member {
	struct member_def def;
	struct member_soft soft;
	struct node *node;
	struct service *svc;
	bool confirmed;			/* by the agent since our start or its */
	bool kept;			/* mark of the full report at hand */
	uint64_t asked_us;		/* when it was to be checked, of evidence */
	uint64_t passed_us;		/* when another coordinator was told */
	TAILQ_ENTRY(member) on_node;
	TAILQ_ENTRY(member) on_svc;	/* by VNI */
};
TAILQ_HEAD(member_list, member);

/* A request to check a member now, or to look at a node, until the watcher of
 * who is asked has taken it.
 */
struct check {
	int64_t id;
	uint32_t look;			/* at this node; 0: check a member */
	uint64_t rev;
	uint64_t at_us;
	char tag[TAG_MAX + 1];
	uint32_t vni;
	TAILQ_ENTRY(check) list;
};
TAILQ_HEAD(check_list, check);

struct node {
	struct node_def def;
	struct member_list members;
	unsigned int nr_members;
	struct check_list checks;
	unsigned int nr_checks;
	uint64_t checks_rev;
	uint64_t rev;
	uint64_t heard_us;		/* the last accepted report or join */
	uint64_t lease_us;		/* when the lease lapses */
	int64_t seq;			/* of its report, -1: a full one is due */
	bool stale;			/* neither here nor elsewhere */
	bool here;			/* its agent talks to us, in a lease */
	bool elsewhere;			/* another coordinator hears it */
	bool held;			/* its lease did not lapse */
	bool lapsed;			/* it did, under our eyes */
	bool lost_time;			/* the log says that its certificate is later */
	uint64_t lapsed_us;		/* ... then, 0: long ago */
	int64_t epochs[EPOCHS_KEPT];	/* that were replaced, 0: none */
	unsigned int next_epoch;
	struct {			/* as several hosts see it */
		int64_t id;		/* rises, 0: none */
		uint8_t sight;		/* enum peer_sight */
		unsigned int down, asked;
		uint64_t at_us;
	} verdict;
	unsigned int nr_swaps;		/* returns of such, of late */
	uint64_t swap_us;		/* the last one */
	TAILQ_ENTRY(node) changed;
};
TAILQ_HEAD(node_list, node);

struct service {
	struct service_def def;
	struct member_list members;
	unsigned int nr_members;
	uint64_t rev;			/* of the definition */
	uint64_t members_rev;
	uint64_t check_us;		/* when it is checked next, 0: not set */
	uint64_t noted_us;		/* the last entry of the log about that */
	unsigned int unnoted;		/* requests since */
	TAILQ_ENTRY(service) changed;
	TAILQ_ENTRY(service) members_changed;
};
TAILQ_HEAD(service_list, service);

/* A service or node that is gone, for watchers that saw it. */
struct tombstone {
	char tag[TAG_MAX + 1];		/* "": a node */
	uint32_t node;
	uint64_t rev;
	TAILQ_ENTRY(tombstone) list;
};
TAILQ_HEAD(tombstone_list, tombstone);

struct token {
	struct token_def def;
	TAILQ_ENTRY(token) list;
};
TAILQ_HEAD(token_list, token);

/* An id that is given to nobody for a while: rows and caches may name it. */
struct forgotten {
	uint32_t id;
	uint64_t until_us;
	TAILQ_ENTRY(forgotten) list;	/* by until_us */
};
TAILQ_HEAD(forgotten_list, forgotten);

TAILQ_HEAD(waiter_list, waiter);
struct notes;

struct registry {
	struct mesh mesh;
	uint64_t lease_us_len;
	struct store *store;
	char incarnation[17];
	uint64_t start_us;

	uint64_t rev;
	uint64_t published;		/* what watchers may see, <= rev */
	bool urgent;			/* publish soon, not with the scores */
	uint64_t nodes_rev;
	uint64_t services_rev;		/* removals included */
	uint64_t floor;			/* who is behind this relists */

	struct node **nodes;		/* by id, NULL: not handed out */
	uint32_t nodes_end;		/* one above the largest id in use */
	unsigned int nr_nodes;
	unsigned int nr_services;
	unsigned int nr_members;
	void *by_name;			/* tsearch() trees */
	void *by_tag;
	void *by_address6;
	struct node_list nodes_changed;
	struct service_list services_changed;
	struct service_list members_changed;
	struct tombstone_list tombstones;
	unsigned int nr_tombstones;
	struct pool pool;		/* IPv4 service addresses */
	int64_t check_id;
	int64_t verdict_id;
	uint64_t probes;		/* looks that were asked for */
	uint64_t checks;		/* ... and checks */
	uint64_t checks_dropped;	/* too many for a node, or for the store */
	uint64_t checks_passed;		/* to other coordinators */
	uint64_t audit_seq;		/* of the last entry of the log */
	unsigned int audit_new;		/* entries of the change at hand */
	struct token_list tokens;
	unsigned int nr_tokens;
	struct forgotten_list forgotten;
	struct grant nothing;		/* for who has none */

	/* change.c's */
	struct change *change;		/* that is under way */
	struct waiter_list turns;	/* who waits for its end */
	bool stopping;
	struct waiter_list late;	/* ... and for others' changes */
	struct notes *notes;		/* note.c's */

	/* Called when rev has moved on; publishes, in its own time. */
	void (*on_change)(void *data);
	void *on_change_data;
};

/* Loads the store. False with a message in @err: naming the field when the
 * mesh parameters differ from the store's.
 */
bool registry_init(struct registry *reg, const struct config *cfg,
		   struct store *store, char *err, size_t len);
void registry_free(struct registry *reg);

struct node *registry_node(struct registry *reg, uint32_t id);
struct node *registry_node_named(struct registry *reg, const char *name);
struct service *registry_service(struct registry *reg, const char *tag);
struct service *registry_service_at6(struct registry *reg,
				     const struct ip_addr *address6);
/* Among the node's, at most NODE_MEMBERS_MAX. */
struct member *registry_member(struct node *node, const char *tag,
			       uint32_t vni);

/* Memory only: the store has been told. The objects are copied from @def. */
struct node *registry_add_node(struct registry *reg,
			       const struct node_def *def);
/* With its members; its id rests. */
void registry_drop_node(struct registry *reg, struct node *node);
void registry_rest_id(struct registry *reg, uint32_t id, uint64_t now_us);
/* Another life of its agent: what the last one said stands, stale, until the
 * new one has said all it has to say.
 */
void registry_new_epoch(struct registry *reg, struct node *node);
/* What its agent was refused may be granted now, or the other way round: it is
 * to say all that it has to say.
 */
void registry_ask_again(struct node *node);
/* What another coordinator stored; false: it does not fit. */
bool registry_apply(struct registry *reg, const char *key, const char *value);
struct forgotten *registry_forgotten(struct registry *reg, uint32_t id);
struct token *registry_token(struct registry *reg, const char *id);
void registry_add_token(struct registry *reg, const struct token_def *def);
void registry_drop_token(struct registry *reg, struct token *token);
struct service *registry_add_service(struct registry *reg,
				     const struct service_def *def);
void registry_drop_service(struct registry *reg, struct service *svc);
struct member *registry_add_member(struct registry *reg, struct service *svc,
				   struct node *node,
				   const struct member_def *def);
void registry_drop_member(struct registry *reg, struct member *m);

/* Notes a change; @urgent: it decides routing. */
void registry_touch_node(struct registry *reg, struct node *node, bool urgent);
void registry_touch_service(struct registry *reg, struct service *svc);
void registry_touch_members(struct registry *reg, struct service *svc,
			    bool urgent);
/* The node and the services of all its members. */
void registry_touch_all_of(struct registry *reg, struct node *node);
void registry_touch_checks(struct registry *reg, struct node *node);

bool member_stale(const struct member *m);

/* Calls @fn for each service, by tag. */
void registry_each_service(const struct registry *reg,
			   void (*fn)(void *data, const struct service *svc),
			   void *data);

#endif
