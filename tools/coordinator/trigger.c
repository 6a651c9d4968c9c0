// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "mem.h"
#include "note.h"
#include "trigger.h"

struct triggers {
	struct registry *reg;
	struct source *timer;
	uint64_t asked;			/* by requests */
	uint64_t periodic;
	uint64_t evidence;
	uint64_t coalesced;		/* evidence of a member just asked */
};

/* Many requests for one service make one entry now and then. */
static void log_it(struct triggers *t, const struct request *rq,
		   struct service *svc, const char *why)
{
	uint64_t now_us = loop_now();
	char object[TAG_MAX + 16];

	if (svc->noted_us && now_us - svc->noted_us <
			     TRIGGER_NOTE_MS * LOOP_USEC_PER_MSEC) {
		svc->unnoted++;
		return;
	}
	snprintf(object, sizeof(object), "service %s", svc->def.tag);
	note(t->reg, rq, object, "check", "%s; %u requests since the last entry",
	     why, svc->unnoted);
	svc->noted_us = now_us;
	svc->unnoted = 0;
}

int64_t trigger_service(struct triggers *t, const struct request *rq,
			struct service *svc, unsigned int *asked)
{
	struct member *m;

	t->asked++;
	log_it(t, rq, svc, "asked for");
	*asked = 0;
	TAILQ_FOREACH(m, &svc->members, on_svc)
		if (checks_pass_member(t->reg, m))
			(*asked)++;
	return t->reg->check_id;
}

void trigger_evidence(struct triggers *t, const struct request *rq,
		      struct member *m, const char *kind, uint32_t count)
{
	uint64_t now_us = loop_now();
	char why[128];

	t->evidence++;
	if (m->asked_us &&
	    now_us - m->asked_us < EVIDENCE_GAP_MS * LOOP_USEC_PER_MSEC) {
		t->coalesced++;
		return;
	}
	m->asked_us = now_us;
	snprintf(why, sizeof(why), "evidence of VNI %u, %u times %s",
		 m->def.vni, count, kind);
	log_it(t, rq, m->svc, why);
	checks_pass_member(t->reg, m);
}

/* Every coordinator does, each those whose agents talk to it. */
static void ask_all(struct triggers *t, struct service *svc)
{
	struct member *m;

	t->periodic++;
	TAILQ_FOREACH(m, &svc->members, on_svc)
		if (!m->node->elsewhere)
			checks_ask_member(t->reg, m);
}

static void on_timer(void *data, uint64_t now_us)
{
	struct triggers *t = data;
	struct service *svc;

	TAILQ_FOREACH(svc, &t->reg->services_changed, changed) {
		uint64_t gap = svc->def.check_ms * LOOP_USEC_PER_MSEC;

		/* A gap that was made shorter counts from now on. */
		if (!gap || svc->check_us > now_us + gap)
			svc->check_us = 0;
		if (!gap || svc->check_us > now_us)
			continue;
		if (svc->check_us)
			ask_all(t, svc);
		svc->check_us = now_us + gap;
	}
	source_timer_set(t->timer,
			 now_us + TRIGGER_TICK_MS * LOOP_USEC_PER_MSEC);
}

void triggers_counters(const struct triggers *t, json_t *obj)
{
	json_t *list = mem_checked(json_object());

	record_set(list, "asked", json_integer(t->asked));
	record_set(list, "periodic", json_integer(t->periodic));
	record_set(list, "evidence", json_integer(t->evidence));
	record_set(list, "coalesced", json_integer(t->coalesced));
	record_set(list, "members", json_integer(t->reg->checks));
	record_set(list, "passed", json_integer(t->reg->checks_passed));
	record_set(list, "dropped", json_integer(t->reg->checks_dropped));
	record_set(obj, "checks", list);
}

int triggers_new(struct triggers **ret, struct loop *loop,
		 struct registry *reg)
{
	struct triggers *t = mem_zero(1, sizeof(*t));
	int err;

	t->reg = reg;
	err = loop_timer(loop, &t->timer, on_timer, t);
	if (!err)
		err = source_timer_set(t->timer, loop_now());
	if (err) {
		triggers_free(t);
		return err;
	}
	*ret = t;
	return 0;
}

void triggers_free(struct triggers *t)
{
	if (!t)
		return;
	source_free(&t->timer);
	free(t);
}
