/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checks of one member, one after the other: when, with what, and what
 * came of it. The state machine behind is health.h, an attempt is
 * check_probe.h. A check of several (all-of, any-of) has checks below it.
 */
#ifndef VNIMESHD_CHECK_H
#define VNIMESHD_CHECK_H

#include "check_conf.h"
#include "check_talk.h"
#include "check_trust.h"
#include "health.h"
#include "http.h"
#include "inside.h"
#include "ip.h"
#include "late.h"
#include "loop.h"

struct check;

/* How another member of this host is, for those that follow it. */
struct check_other {
	bool known;		/* it was checked since the process started */
	bool up;
	bool role_told;
	enum check_role role;
	uint32_t latency_us;
	const char *text;
};

/* What all checks of a process share; made with check_env_init(). */
struct check_env {
	struct loop *loop;
	struct http *http;
	struct inside *inside;	/* NULL: no check looks from inside */
	uint32_t (*random)(void);
	/* False: there is no such member here. */
	bool (*other)(void *data, const char *tag, uint32_t vni,
		      struct check_other *ret);
	/* @tag on @vni says that it is the primary, or does no more: may it be
	 * said to be? NULL, or why not.
	 */
	const char *(*rival)(void *data, const char *tag, uint32_t vni,
			     bool claims, char *buf, size_t len);
	void *data;
	unsigned int probes;	/* under way, each with a descriptor */
	unsigned int probes_max;
	struct source *beat;
	struct late late;
	struct tls_trust trust;
	/* counters */
	uint64_t started;	/* attempts */
	uint64_t excused;	/* failures that were our own being late */
	uint64_t put_off;	/* no descriptor left */
	uint64_t overrun;	/* came after the next one was due */
};

int check_env_init(struct check_env *env, struct loop *loop,
		   uint32_t (*random)(void));
void check_env_free(struct check_env *env);

/* A result was fed into the health: @output says it in words. */
typedef void (*check_fn)(void *data, const char *output);

/* @conf and @health stay the caller's and outlive the check; stopped until
 * check_start(). NULL without memory.
 */
struct check *check_new(struct check_env *env, const struct check_conf *conf,
			const char *tag, uint32_t vni, struct health *health,
			check_fn fn, void *data);
void check_free(struct check *c);

/* Check @addr from now on, through @device unless NULL; a probe to another
 * address that is under way is forgotten.
 */
void check_start(struct check *c, const struct ip_addr *addr,
		 const char *device);
void check_stop(struct check *c);

/* What its times are of, enum vnimesh_latency. */
uint8_t check_latency_kind(const struct check_conf *conf);

/* Run one now unless one is under way. */
void check_now(struct check *c);

/* The application says how it is; for ttl checks, also within others. False:
 * there is none.
 */
bool check_push(struct check *c, enum health_result result, const char *text);

/* It has no result yet, but one is under way: within its own time, not when
 * somebody else says something.
 */
bool check_awaited(const struct check *c);

/* Look at @tag on @vni now if that is what it follows. */
void check_follow(struct check *c, const char *tag, uint32_t vni);

/* As the last result said that had one; none once it is down. */
enum check_role check_role(const struct check *c);
/* False: since it began no result said anything of it. */
bool check_role_told(const struct check *c);
/* As the last result said. */
const char *check_output(const struct check *c);

#endif
