// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usage: drift N SECONDS COST_US
 *
 * N checks with an interval of a second, on a virtual clock: the scheduling of
 * the agent over an event loop of this program, attempts that are only times.
 * Each callback takes COST_US of the one processor that there is; attempts take
 * 1 to 400 ms, one in ten all of its 500. Whatever else this machine does, the
 * result is the same. Prints
 *
 *	DRIFT_PERMILLE GAP_MS
 *
 * by how much the attempts differ from N a second, and the longest time that
 * any check was not started.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "check_probe.h"

/* ---- an event loop that only has timers ---- */

struct source {
	loop_timer_fn fn;
	void *data;
	uint64_t at_us;		/* UINT64_MAX: not armed */
	size_t place;		/* in the heap */
};

static struct source **heap;
static size_t heap_n, heap_room;
static uint64_t now_us = 1000 * LOOP_USEC_PER_SEC;
static uint64_t cost_us;
static unsigned int seed = 1;

static uint32_t any(void)
{
	return (uint32_t)rand_r(&seed) << 16 ^ (uint32_t)rand_r(&seed);
}

static void put(size_t i, struct source *s)
{
	heap[i] = s;
	s->place = i;
}

static void settle(struct source *s)
{
	size_t i = s->place, child;

	for (; i && heap[(i - 1) / 2]->at_us > s->at_us; i = (i - 1) / 2)
		put(i, heap[(i - 1) / 2]);
	for (; (child = 2 * i + 1) < heap_n; i = child) {
		if (child + 1 < heap_n &&
		    heap[child + 1]->at_us < heap[child]->at_us)
			child++;
		if (heap[child]->at_us >= s->at_us)
			break;
		put(i, heap[child]);
	}
	put(i, s);
}

int loop_timer(struct loop *loop, struct source **ret, loop_timer_fn fn,
	       void *data)
{
	struct source *s = calloc(1, sizeof(*s));

	(void)loop;
	*s = (struct source) { .fn = fn, .data = data, .at_us = UINT64_MAX };
	if (heap_n == heap_room) {
		heap_room = heap_room * 2 + 64;
		heap = realloc(heap, heap_room * sizeof(*heap));
	}
	put(heap_n++, s);
	settle(s);
	*ret = s;
	return 0;
}

int source_timer_set(struct source *s, uint64_t at_us)
{
	s->at_us = at_us;
	settle(s);
	return 0;
}

int source_timer_stop(struct source *s)
{
	return source_timer_set(s, UINT64_MAX);
}

void source_free(struct source **source)
{
	struct source *s = *source, *last;

	if (!s)
		return;
	last = heap[--heap_n];
	if (last != s) {
		put(s->place, last);
		settle(last);
	}
	free(s);
	*source = NULL;
}

uint64_t loop_now(void)
{
	return now_us;
}

static void run_until(uint64_t end_us)
{
	struct source *s;

	while (heap[0]->at_us < end_us) {
		s = heap[0];
		if (s->at_us > now_us)
			now_us = s->at_us;
		source_timer_stop(s);
		now_us += cost_us;
		s->fn(s->data, now_us);
	}
}

/* ---- attempts that are only times ---- */

struct probe_time {
	struct source *timer;
	probe_fn fn;
	void *data;
};

static uint64_t *last_us;	/* by check: its last attempt */
static uint64_t gap_us;

static void on_end(void *data, uint64_t now)
{
	struct probe_time *p = data;
	struct probe_result r = { .result = HEALTH_PASS, .text = "" };
	probe_fn fn = p->fn;
	void *of = p->data;

	(void)now;
	source_free(&p->timer);
	free(p);
	fn(of, &r);
}

int probe_start(struct probe **ret, const struct probe_want *want, probe_fn fn,
		void *data)
{
	struct probe_time *p = calloc(1, sizeof(*p));
	uint64_t *last = &last_us[want->vni];
	uint32_t ms = any() % 10 ? 1 + any() % 400 : want->timeout_ms;

	if (*last && now_us - *last > gap_us)
		gap_us = now_us - *last;
	*last = now_us;
	p->fn = fn;
	p->data = data;
	loop_timer(NULL, &p->timer, on_end, p);
	source_timer_set(p->timer, now_us + ms * LOOP_USEC_PER_MSEC);
	*ret = (struct probe *)p;
	return 0;
}

void probe_cancel(struct probe **p)
{
	*p = NULL;
}

int tls_creds_get(struct tls_trust *t, const struct check_conf *conf,
		  struct tls_creds **c, bool doubt, char *error, size_t len)
{
	(void)t, (void)conf, (void)c, (void)doubt, (void)error, (void)len;
	return -EINVAL;
}

void tls_creds_put(struct tls_creds **c)
{
	*c = NULL;
}

void tls_trust_free(struct tls_trust *t)
{
	(void)t;
}

const struct talk_proto *talk_proto(enum check_type type)
{
	(void)type;
	return NULL;
}

int inside_ask(struct inside *in, struct inside_ask **ret, uint32_t vni,
	       int family, int type, inside_fn fn, void *data)
{
	(void)in, (void)ret, (void)vni, (void)family, (void)type, (void)fn;
	(void)data;
	return -EPERM;
}

void inside_cancel(struct inside_ask **a)
{
	*a = NULL;
}

bool inside_fault(int err, char *buf, size_t len)
{
	(void)err, (void)buf, (void)len;
	return true;
}

static void on_check(void *data, const char *output)
{
	(void)data;
	(void)output;
}

int main(int argc, char **argv)
{
	unsigned int n = argc > 1 ? atoi(argv[1]) : 2000, i;
	unsigned int s = argc > 2 ? atoi(argv[2]) : 60;
	struct check_conf conf = {
		.type = CHECK_TCP,
		.health = { .interval_ms = 1000, .timeout_ms = 500,
			    .rise = 1, .fall = 100, .no_damping = true },
	};
	struct health *health = calloc(n, sizeof(*health));
	struct check_env env = { .probes_max = 8192 };
	struct ip_addr addr = { 0 };
	uint64_t begin;
	int64_t drift;

	cost_us = argc > 3 ? atoi(argv[3]) : 0;
	last_us = calloc(n, sizeof(*last_us));
	if (check_env_init(&env, NULL, any))
		return 1;
	for (i = 0; i < n; i++) {
		health_init(&health[i]);
		check_start(check_new(&env, &conf, "t", i, &health[i],
				      on_check, NULL), &addr, NULL);
	}
	/* All are up and spread over their interval. */
	run_until(now_us + 10 * LOOP_USEC_PER_SEC);
	begin = env.started;
	gap_us = 0;
	run_until(now_us + s * LOOP_USEC_PER_SEC);
	drift = 1000 - (int64_t)(env.started - begin) * 1000 / ((int64_t)n * s);
	printf("%d %u\n", (int)llabs(drift),
	       (unsigned int)(gap_us / LOOP_USEC_PER_MSEC));
	return 0;
}
