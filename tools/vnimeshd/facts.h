/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the coordinator told about the mesh: its parameters, the nodes, the
 * services by tag, and the members of the services that this host uses.
 *
 * No input or output. Everything pointed at is owned by struct facts; the
 * find functions lend. An older fact never replaces a newer one: definitions
 * are ordered by the coordinator's index, members by epoch and seq.
 */
#ifndef VNIMESHD_FACTS_H
#define VNIMESHD_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vnimesh.h>

#include "ip.h"
#include "json.h"
#include "reach.h"
#include "sorted.h"

/* The coordinator's run; longer ones are refused. */
#define INCARNATION_MAX	63
#define UUID_MAX	63
/* What the kernel takes: a day. */
#define DRAIN_TIME_MAX	86400000
#define OUTPUT_MAX	200	/* bytes of a check's answer that are kept */

struct ports {
	unsigned int n;
	struct jport *v;	/* owned */
};

struct mesh_params {
	uint32_t id;
	char uuid[UUID_MAX + 1];
	uint16_t port;
	struct ip_prefix prefix4, prefix6;
	struct ip_prefix service_prefix4, service_prefix6;
};

struct node {
	uint32_t id;		/* the key, first */
	char name[JNAME_MAX + 1];
	char zone[JNAME_MAX + 1];
	struct ip_addr underlay;
	uint16_t port;
	struct ip_prefix prefixes[VNIMESH_PREFIXES_MAX];
	unsigned int n_prefixes;
	uint32_t vni, vni_first, vni_count;
	struct ip_addr address4, address6;
	bool stale;
	char key[JKEY_MAX + 1];	/* its public key, "": it has none */
	uint16_t peer_port;	/* where it hears other agents */
	uint64_t verdict_id;	/* of the coordinator's, 0: it has none */
	uint8_t verdict;	/* enum peer_sight */
	uint64_t version;	/* index at which it was told */
	bool seen;		/* in the running full answer */
	bool routed;		/* a service in use has members there */
	bool answers;		/* its agent does, to ours */
	bool cached;		/* nobody told this run of it yet */
	bool missing;		/* see struct member */
	struct reach reach;	/* ours, survives updates */
};

struct member {
	uint32_t vni;		/* the key, first */
	uint32_t node;
	struct ip_addr address4, address6;
	struct ports ports;
	uint32_t weight;
	uint8_t state;		/* enum vnimesh_state */
	uint8_t health;
	uint32_t latency_us;
	uint8_t latency_kind;	/* enum vnimesh_latency */
	uint8_t priority;
	bool stale;
	uint64_t epoch, seq;
	bool peer;		/* its owner answers us, and these are its figures */
	bool asked;		/* we asked it for them */
	bool gone;		/* its owner serves it no more, as it says itself */
	bool told;		/* by this incarnation */
	bool missing;		/* from its list, and kept all the same */
	uint64_t missing_us;	/* since when, 0: as of now */
	uint32_t rival;		/* see struct own; of our own ones */
	bool cached;		/* nobody told this run of it yet */
	char output[OUTPUT_MAX + 1];
	bool unread;		/* told, but not understood: see facts_set_members() */
};

struct definition {
	struct ip_addr address4, address6;
	uint8_t policy;
	uint8_t on_down;	/* enum vnimesh_on_down */
	uint8_t load;		/* enum vnimesh_load */
	uint32_t drain_time_ms;
	struct ports ports;
};

struct service {
	char tag[TAG_MAX + 1];	/* the key, first */
	bool defined;		/* the coordinator has it */
	bool seen;		/* in the running full answer */
	struct definition def;
	uint64_t version;
	/* members, of other nodes and our own as the coordinator saw them */
	struct sorted members;
	bool known;		/* a complete list, of whatever age */
	bool live;		/* told by the watch, which keeps it up to date */
	bool whole;		/* it was, by who was asked before facts.older */
	bool missing;		/* see struct member */
	bool asked;		/* in the question that is under way */
	bool unwatched;		/* in use, but did not fit into it */
	uint64_t members_version;
	bool withheld;		/* of a run that is not the one its owner is in */
	/* use by this host */
	bool used;
	bool served;		/* a member of it is configured here */
	uint64_t used_us;	/* last seen in use */
	bool dirty;		/* to be written into the kernel */
	bool loaded;		/* the kernel knows that its members are complete */
	bool moved;		/* its address there is a former one: to be deleted */
	bool stuck;		/* ... and cannot be: it stays as it is there */
};

struct facts {
	bool joined;		/* mesh and self are known */
	struct mesh_params mesh;
	uint32_t self;		/* node id */
	struct sorted nodes;
	struct sorted services;
	char incarnation[INCARNATION_MAX + 1];
	uint64_t index;		/* of the watch */
	uint64_t stamp;		/* incarnation as a number, for the kernel */
	uint64_t as_of_us;	/* that what is known was the registry's, 0: never */
	bool aged;		/* who tells has no quorum */
	bool mixed;		/* another incarnation told some of what is known */
	bool older;		/* who is aged had no quorum before as_of_us already */
};

void facts_init(struct facts *f);
void facts_free(struct facts *f);

/* A new incarnation: its indices say nothing about ours, what is known stays
 * until it is told anew. True if it is another one.
 */
bool facts_incarnation(struct facts *f, const char *incarnation);

struct node *facts_node(const struct facts *f, uint32_t id);
struct service *facts_service(const struct facts *f, const char *tag);
struct service *facts_by_address(const struct facts *f,
				 const struct ip_addr *addr);
/* As facts_service(), made if missing; NULL without memory. */
struct service *facts_service_make(struct facts *f, const char *tag);

/* Take over what *new says if it is not older; @new is left empty. False
 * without memory.
 */
bool facts_set_node(struct facts *f, struct node *new, uint64_t version);
bool facts_set_service(struct facts *f, const char *tag,
		       struct definition *new, uint64_t version);
void facts_del_node(struct facts *f, uint32_t id);
/* The definition goes and the members with it; the struct stays in use. */
void facts_undefine(struct service *s, uint64_t version);

/*
 * Whoever tells all there is takes away what he has not, but only if it is
 * his to take. What this incarnation told before, and does not any more, goes
 * at once. What another one told, this one may not have heard of yet: it runs
 * on a backup, or has lost its quorum and did not notice. Such a member stays
 * for mesh_patience_ms() if its owner's agent says that it serves, and with it
 * the node and the service. What another one told when this one had lost its
 * quorum already (older) counts more than all that it tells, until it has one
 * again: of what we know it changes no more than figures. What it told itself
 * cannot be newer than it is.
 */

/* Before an answer is taken: it is of @age_us ago (0: of now) and was asked
 * for at @asked_us. True: all is to be asked for anew, as it has a quorum again
 * and did not count until then.
 */
bool facts_as_of(struct facts *f, bool full, uint64_t age_us,
		 uint64_t asked_us, uint64_t now_us);

/* A complete list of members told at index @version, elements owned by
 * @list; it is left empty. Ignored if an older one. True if taken. Without
 * memory nothing changes but that the service is live no more.
 *
 * What was told but not understood does not change what is known: for an
 * element that is @unread ours stays; one with VNI 0 may be any.
 */
bool facts_set_members(const struct facts *f, struct service *s,
		       struct sorted *list, uint64_t version);

size_t facts_count_missing(const struct facts *f);
/* Each second: what was missing for @patience_us goes; with @away, nobody could
 * have registered it. Calls @changed for each service of which something went.
 * True: nodes went, too.
 */
bool facts_missing(struct facts *f, bool away, uint64_t patience_us,
		   uint64_t now_us,
		   void (*changed)(void *data, const char *tag), void *data);

/* The owner itself tells its member's figures, in its run @epoch. */
enum facts_fate {
	FACTS_TAKEN,
	FACTS_SAME,		/* not newer */
	FACTS_UNKNOWN,		/* the coordinator told of no such member */
	FACTS_FOREIGN,		/* another node's */
	FACTS_WRONG,		/* figures that there are none of */
};

struct figures {
	uint8_t state;		/* 0: it is no member any more */
	uint8_t health;
	uint32_t weight;
	uint32_t latency_us;
	uint8_t latency_kind;
	uint8_t priority;
	uint64_t epoch, seq;
};

enum facts_fate facts_set_figures(struct facts *f, uint32_t node,
				  const char *tag, uint32_t vni,
				  const struct figures *figures);

/* What an earlier run left in the kernel's row is later than what is @cached:
 * that is written now and then, and may have been put back from another time.
 */
void facts_resume_member(struct member *m, uint32_t node,
			 const struct figures *figures);
void facts_resume_node(struct node *n, const struct ip_addr *underlay,
		       uint16_t port, bool down, uint32_t rtt_us);

/* The owner is silent, or another run: its figures are as good as the
 * coordinator's, from which all is to be had again; stale with @away, when
 * nobody vouches for them. @node 0: all that do not answer. Calls @changed for
 * each service with such members. True: something is to be asked for anew.
 */
bool facts_silent(struct facts *f, uint32_t node, bool away,
		  void (*changed)(void *data, const char *tag), void *data);

/* Sets each node's routed. */
void facts_route(struct facts *f);

/* A full answer: begin, set what it has, end removes what it has not, as
 * above.
 */
void facts_full_begin(struct facts *f);
void facts_full_end(struct facts *f, uint64_t version);

/* Forget all that was told, as it is of another mesh; what is used stays. */
void facts_forget(struct facts *f);

/* Forget services without definition, use or members, once the kernel has none
 * of them.
 */
void facts_prune(struct facts *f);

/* By the block that the coordinator gave it; @n may be NULL. */
bool node_has_vni(const struct node *n, uint32_t vni);
struct member *member_new(void);
void member_free(void *member);
struct sorted member_list(void);
void ports_free(struct ports *p);
bool ports_copy(struct ports *dst, const struct jport *v, unsigned int n);

#endif
