/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a node or VNI is down, or only out of somebody's reach. A host that
 * does not reach it any more acts on that by itself and at once; what is
 * shared is the verdict of several vantage points.
 *
 * Who suspects tells one judge, the same for all: the coordinator or, without
 * one, the first of the node list in an order that depends on the suspect. The
 * judge asks at most three vantage points to look, itself among them if it can
 * (a coordinator, @self 0, cannot), and tells those who asked. One
 * trial of a VNI runs at a time, and its verdict stands for a while: a
 * thousand observers of one death make a thousand questions, three looks and
 * one verdict.
 *
 * Pure: time is an argument, effects are struct verdict_ops.
 */
#ifndef VNIMESH_VERDICT_H
#define VNIMESH_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "peer_case.h"

#define VERDICT_VANTAGE		3
/* Reporters that come within this have a place among the vantage points. */
#define VERDICT_GATHER_US	50000
/* A look takes three echoes and one. */
#define VERDICT_LOOK_US		1300000
/* The verdict is not asked for anew so soon, nor is the suspicion told. */
#define VERDICT_STANDS_US	5000000
/* A judge that does not answer is asked again, then the next one. */
#define VERDICT_ASK_US		2000000
#define VERDICT_ASK_TRIES	2
#define VERDICT_JUDGES		4
/* At one time; what does not fit is counted, and local verdicts hold. */
#define VERDICT_SUSPECTS_MAX	256
#define VERDICT_TRIALS_MAX	64
#define VERDICT_LOOKS_MAX	64
/* Those that are told; who asks after it gets the verdict as the answer. */
#define VERDICT_TELL_MAX	64

/* The judge that is the coordinator, to whom all have a way of their own. */
#define VERDICT_COORDINATOR	UINT32_MAX

struct trial;

struct verdict_ops {
	/* False: there is no way to it. */
	bool (*send)(void *data, uint32_t to, uint8_t type,
		     const struct peer_case *kase);
	/* Look now; verdict_seen() says what was seen. */
	void (*look)(void *data, uint32_t node, uint32_t vni);
	/* It stands, for us who suspected. */
	void (*verdict)(void *data, const struct peer_case *kase);
	/* The judge of this rank, from 0; 0: there is none. May be us. */
	uint32_t (*judge)(void *data, uint32_t node, uint32_t vni,
			  unsigned int rank);
	uint64_t (*random)(void *data);
	/* Of a judge that cannot look: a node of this rank that can, not the
	 * suspect; 0: there is none.
	 */
	uint32_t (*vantage)(void *data, uint32_t node, uint32_t vni,
			    unsigned int rank);
	/* Of a judge, or NULL: it has judged. */
	void (*judged)(void *data, const struct trial *t);
};

struct verdict_stats {
	uint64_t suspected, coalesced, trials, looks, verdicts, unjudged;
	uint64_t overflow;	/* a table is full */
	uint64_t stray;		/* an answer that nobody asked for */
};

/* What we suspect. */
struct suspect {
	uint32_t node, vni;	/* node 0: free */
	uint64_t id;
	uint32_t judge;
	unsigned int rank, tries;
	bool judged;
	uint64_t due_us;	/* ask again, or forget */
};

/* What we judge. */
struct trial {
	uint32_t node, vni;	/* node 0: free */
	uint64_t id;
	enum { TRIAL_GATHERS, TRIAL_LOOKS, TRIAL_STANDS } phase;
	struct {
		uint32_t node;
		uint64_t id;
	} tell[VERDICT_TELL_MAX];
	unsigned int n_tell;
	struct {
		uint32_t node;
		uint8_t sight;
		bool told;
	} vantage[VERDICT_VANTAGE];
	unsigned int n_vantage;
	uint8_t sight;
	uint64_t due_us;
};

/* What we look at, and for whom. */
struct look {
	uint32_t node, vni;	/* node 0: free */
	struct {
		uint32_t node;
		uint64_t id;
	} by[VERDICT_JUDGES];
	unsigned int n_by;
	uint64_t due_us;
};

struct verdicts {
	const struct verdict_ops *ops;
	void *data;
	uint32_t self;
	struct suspect suspects[VERDICT_SUSPECTS_MAX];
	struct trial trials[VERDICT_TRIALS_MAX];
	struct look looks[VERDICT_LOOKS_MAX];
	struct verdict_stats stats;
};

void verdict_init(struct verdicts *v, const struct verdict_ops *ops,
		  void *data, uint32_t self);

/* We do not reach it: have it judged, unless that is done or under way. */
void verdict_suspect(struct verdicts *v, uint32_t node, uint32_t vni,
		     uint64_t now_us);
/* What we saw, when asked by ops->look(). */
void verdict_seen(struct verdicts *v, uint32_t node, uint32_t vni,
		  enum peer_sight sight, uint64_t now_us);
/* Of another agent: PEER_SUSPECT to PEER_VERDICT. */
void verdict_rx(struct verdicts *v, uint32_t from, uint8_t type,
		const struct peer_case *kase, uint64_t now_us);
/* The coordinator's verdict, which it tells all; false: we wait for none. */
bool verdict_told(struct verdicts *v, uint32_t node, uint32_t vni,
		  enum peer_sight sight, uint64_t now_us);
/* What stands is over: it would be judged otherwise now. */
void verdict_lift(struct verdicts *v, uint32_t node, uint32_t vni);
/* Does what is due; when the next is, UINT64_MAX: nothing. */
uint64_t verdict_tick(struct verdicts *v, uint64_t now_us);

/* The order of judges: each candidate's place, the lowest is the first. */
uint64_t verdict_place(uint32_t node, uint32_t vni, uint32_t candidate);

#endif
