/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One mesh of this host: everything the agent has about it. The parts are
 * made and freed by mesh.c; each knows the others through this struct only.
 *
 * Order of life: configuration and cache, join (identity from the coordinator
 * or the cache), device, kernel, then everything that runs.
 */
#ifndef VNIMESHD_MESH_H
#define VNIMESHD_MESH_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "facts.h"
#include "http.h"
#include "loop.h"

struct mesh {
	struct loop *loop;
	struct http *http;
	struct config conf;
	const char *config_file;
	uint64_t epoch;		/* of this run, random, below 2^53 */
	uint64_t fact_seq;	/* of the last change of a fact of ours */
	uint32_t lease_ms;
	bool synced;		/* a full answer of the watch came */
	bool away;		/* the coordinator did not answer last time */
	bool switched;		/* ... and another one is asked since */
	uint64_t switched_us;
	bool foreign;		/* ... or is one of another mesh */
	bool joined;		/* the coordinator gave (or confirmed) the identity */
	bool contradicted;	/* the device does not fit the cached identity */
	bool running;		/* device and kernel are ready */
	bool failing;		/* they are not, and the log says why */
	bool echoing;		/* echoes go out */
	uint64_t running_us;	/* since when, or until when, they are ready */
	bool ready;		/* the service manager was told */
	uint64_t ticks;
	int exit_code;
	struct facts facts;

	struct join *join;
	struct kernel *kernel;
	struct table *table;
	struct local *local;
	struct echo *echo;
	struct report *report;
	struct watch *watch;
	struct miss *miss;
	struct peer *peer;
	struct vantage *vantage;
	struct observe *observe;
	struct state *state;
	struct renew *renew;
	struct control *control;
	struct source *tick;
};

/* Takes *conf, *services and @helper, of inside_spawn(), over. NULL: it said
 * why.
 */
struct mesh *mesh_new(struct loop *loop, const char *config_file,
		      struct config *conf, struct services_conf *services,
		      int helper);
/* Leaves the kernel as it is. */
void mesh_free(struct mesh *m);

/* Read configuration and services anew; on an error all stays as it is. */
void mesh_reload(struct mesh *m);

/* The identity is there (@fresh: from the coordinator, not from the cache):
 * set up the device and start, unless that is done.
 */
void mesh_joined(struct mesh *m, bool fresh);

/* As long a member stays that another coordinator does not know: a lease, and the
 * longest pause of an agent that found no coordinator for a while.
 */
uint64_t mesh_patience_ms(const struct mesh *m);

/* This host's part may be known now: report from then on. */
void mesh_report(struct mesh *m);

/* Something is wrong that only a person can mend: say so before, end. */
void mesh_fatal(struct mesh *m);

/* An answer or none of the coordinator. */
void mesh_reached(struct mesh *m, bool reached);

uint32_t mesh_random(void);

#endif
