/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This host's own part: its VNIs as the kernel has them, and the members that
 * its configuration declares on them, with their checks.
 *
 * A member is up while its VNI's device is there and up and its check says
 * so. What changes goes into the kernel and to the coordinator at once. A
 * member goes into the kernel once the coordinator took it, and out again when
 * it takes it no more; its silence changes neither.
 */
#ifndef VNIMESHD_LOCAL_H
#define VNIMESHD_LOCAL_H

#include "check.h"
#include "durable.h"
#include "mesh.h"
#include "share.h"

#define REFUSAL_MAX	255

struct own {
	struct service_conf conf;	/* first: the key is tag and vni */
	struct local *l;
	struct ip_addr address4, address6; /* the last ones known */
	bool device;		/* the VNI's device is there and up */
	bool runtime;		/* registered, not of a file */
	uint64_t checked_us;	/* the last result, 0: none yet */
	uint32_t rival;		/* VNI that is the primary, too; 0: none */
	uint32_t told_rival;	/* as the others know */
	bool up;		/* as those that follow it were told */
	enum check_role role;
	bool waits;		/* for its VNI to be made, and the log has it */
	struct check *check;
	struct health health;
	char output[OUTPUT_MAX + 1];
	/* the fact as told last */
	uint64_t seq;		/* 0: nothing to tell yet */
	uint64_t reported;	/* seq that the coordinator has */
	uint64_t sent;		/* seq in the report that is in flight */
	int place;		/* in that report, -1: not in it */
	int svc_place;		/* ... of its tag's definition; if it is in it */
	uint64_t again_us;	/* refused: when it is asked again, else 0 */
	bool granted;		/* it took this member, and did not revoke it */
	bool decided;		/* by it or by the cache, not by a kernel's row */
	char refusal[REFUSAL_MAX + 1]; /* the last one, "" since it was taken */
};

/* A member that is configured no more, until the coordinator knows. */
struct gone {
	char tag[TAG_MAX + 1];
	uint32_t vni;
	bool sent;
};

/* What an earlier run told about a member, from the cache. */
struct past {
	char tag[TAG_MAX + 1];
	uint32_t vni;
	bool up;
	uint32_t health;
	uint32_t latency_us;
	struct ip_addr address4, address6;
	bool granted;
};

/* A VNI of this host, as the kernel has it. */
struct local_vni {
	uint32_t vni;
	bool up;
	struct vni_device dev;
	struct ip_addr address4, address6;
	char name[JNAME_MAX + 1];
};

struct local {
	struct mesh *m;
	struct check_env env;
	struct sorted own;
	struct gone *gone;
	size_t n_gone;
	struct past *past;	/* owned; until members are made from it */
	size_t n_past;
	struct local_vni *vnis;	/* as of the last complete dump */
	size_t n_vnis;
	bool known;		/* there was one */
	bool retry;		/* the last one failed */
	uint64_t read_us;	/* when */
	struct durable durable;
	struct shares shares;
	uint64_t forgotten;	/* intents that went without being ended */
};

/* @helper: of inside_spawn(), taken over. */
struct local *local_new(struct mesh *m, int helper);
void local_free(struct local *l);

/* Declare these members and no others; takes *s over. */
void local_configure(struct local *l, struct services_conf *s);

/* Read the local VNIs from the kernel anew. If that fails, what was known
 * stays, and local_retry() tries again.
 */
void local_refresh(struct local *l);
void local_retry(struct local *l);
bool local_has_vni(const struct local *l, uint32_t vni);

/* Every member can be told about: of none is the first result under way. */
bool local_settled(const struct local *l);

/* What was told to an earlier run, before the first configuration: 0, or -ENOMEM
 * rather than to serve though it was drained.
 */
int local_load(struct local *l);

/* For the control socket: NULL, or why not. What is refused changes nothing,
 * what is done is durable. local_register() takes *conf over if it succeeds, else
 * *field is what is wrong of @def, or NULL.
 */
const char *local_register(struct local *l, struct service_conf *conf,
			   uid_t uid, json_t *def, const char **field);
const char *local_deregister(struct local *l, const char *tag, uint32_t vni,
			     uid_t uid);
const char *local_intent(struct local *l, const struct intent *intent);

/* What others are told: the worst of intent, health and reachability. */
uint8_t local_state(const struct local *l, const struct own *o);

/* The mesh device is gone for good: no member can be reached. */
void local_lost(struct local *l);

/* The kernel's row of an own member, from an earlier run: go on with it, not
 * with the cache, until this run has a result or told something.
 */
void local_resume(struct local *l, const char *tag, uint32_t vni, bool up,
		  uint32_t health, uint32_t latency_us);

/* NULL: not a member that is declared here. */
const struct own *local_find(const struct local *l, const char *tag,
			     uint32_t vni);

/* The coordinator asks for a check now; @vni 0: all members of @tag. */
void local_check_now(struct local *l, const char *tag, uint32_t vni);
/* All that is on that VNI. */
void local_check_vni(struct local *l, uint32_t vni);

/* Fill the fact about an own member; borrows the ports. False: nothing is
 * known about it yet.
 */
bool local_fact(const struct local *l, const struct own *o, struct member *ret);

/* How many members of @tag there are, and the first one's place in l->own. */
size_t local_of_tag(const struct local *l, const char *tag, size_t *first);

/* The report in flight was accepted: what it had is known there. */
void local_reported(struct local *l);

/* The coordinator refused what the report in flight said of @o. */
void local_refused(struct local *l, struct own *o, const char *why);

/* What was refused may be granted by now: say all of it again. */
void local_ask_again(struct local *l);

#endif
