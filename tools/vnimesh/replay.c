// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vnimesh route replay: computes again, from what route get printed as JSON, what
 * the kernel chose. The selection is the kernel's, compiled here.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "record.h"
#include "replay.h"
#include "rows.h"
#include "../../kmod/select.h"

#define MEMBERS_MAX	65536	/* far above what a service can have */

struct replay {
	struct vnimesh_select	select;
	struct vnimesh_aggregate agg;
	struct vnimesh_candidate *c;
	uint32_t		*vni;
	uint32_t		*by_table;	/* member of the table: index */
	uint16_t		*order;
	struct vnimesh_maglev_table *table;
	uint64_t		seed;
};

static uint32_t number(const json_t *o, const char *key, uint32_t unset)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? (uint32_t)json_integer_value(v) : unset;
}

static uint8_t word(const json_t *o, const char *key, enum vnm_words words)
{
	const char *text = json_string_value(json_object_get(o, key));
	int value = text ? vnm_word_value(words, text) : -1;

	return value < 0 ? 0 : (uint8_t)value;
}

/* Above 63 bits it is a string. */
static bool get_seed(const json_t *o, uint64_t *seed)
{
	const json_t *v = json_object_get(o, "seed");
	char *end = NULL;

	if (json_is_integer(v))
		*seed = (uint64_t)json_integer_value(v);
	else if (json_is_string(v))
		*seed = strtoull(json_string_value(v), &end, 10);
	return json_is_integer(v) || (end && !*end);
}

static void get(void *ctx, u32 i, struct vnimesh_candidate *c)
{
	const struct replay *r = ctx;

	*c = r->c[i < r->select.all.n ? i : r->by_table[i - r->select.all.n]];
}

static void get_candidate(const json_t *o, struct vnimesh_candidate *c)
{
	c->path = number(o, "path_us", 0);
	c->lp = number(o, "latency_us", 0);
	c->lp_kind = word(o, "latency_kind", VNM_WORDS_LATENCY);
	c->lk = number(o, "kernel_latency_us", 0);
	c->lk_age = number(o, "kernel_latency_age_ms", 0);
	c->lr = number(o, "response_us", 0);
	c->lr_age = number(o, "response_age_ms", 0);
	c->inflight = number(o, "inflight", 0);
	c->weight = number(o, "weight", 0);
	c->ramp = number(o, "ramp_ms", VNIMESH_RAMP_NONE);
	c->health = (uint8_t)number(o, "health", 0);
	c->locality = (uint8_t)number(o, "tier", 0);
	c->priority = (uint8_t)number(o, "priority", 0);
	c->stale = json_is_true(json_object_get(o, "stale"));
	c->excluded = word(o, "excluded", VNM_WORDS_EXCLUDE);
	/* These two are what the choice made of it. */
	if (c->excluded == VNIMESH_EXCLUDE_TIER ||
	    c->excluded == VNIMESH_EXCLUDE_PRIORITY)
		c->excluded = VNIMESH_EXCLUDE_NONE;
}

static bool get_candidates(struct replay *r, const json_t *list)
{
	size_t n = json_array_size(list), i;
	const json_t *o;
	uint32_t slot;

	if (!json_is_array(list) || n > MEMBERS_MAX)
		return false;
	r->c = calloc(n + 1, sizeof(*r->c));
	r->vni = calloc(n + 1, sizeof(*r->vni));
	r->by_table = calloc(n + 1, sizeof(*r->by_table));
	r->order = calloc(n + 1, sizeof(*r->order));
	if (!r->c || !r->vni || !r->by_table || !r->order)
		return false;
	r->select.all.n = (uint32_t)n;
	json_array_foreach(list, i, o) {
		get_candidate(o, &r->c[i]);
		r->vni[i] = number(o, "vni", 0);
		slot = number(o, "slot", UINT32_MAX);
		if (slot >= n)
			continue;
		r->order[slot] = (uint16_t)i;
		r->select.order = r->order;
	}
	return true;
}

static bool get_tiers(struct replay *r, const json_t *o)
{
	const json_t *list = json_object_get(o, "tiers"), *t;
	struct vnimesh_aggregate *agg = &r->agg;
	size_t i;

	if (json_array_size(list) != VNIMESH_TIERS)
		return false;
	json_array_foreach(list, i, t) {
		agg->view.median[i] = number(t, "median_us", 0);
		agg->tier[i].share = number(t, "share", 0);
		agg->tier[i].first = number(t, "first", 0);
		agg->tier[i].n = number(t, "n", 0);
		/* Nothing outside the order is looked at. */
		if ((uint64_t)agg->tier[i].first + agg->tier[i].n >
		    r->select.all.n)
			return false;
	}
	agg->view.kind = word(o, "latency_kind", VNM_WORDS_LATENCY);
	agg->policy = r->select.all.policy;
	agg->panic = json_is_true(json_object_get(o, "panic"));
	return true;
}

static int by_id(const void *a, const void *b)
{
	const struct vnimesh_maglev_member *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* As the kernel builds it: all members, by id. */
static bool build_table(struct replay *r)
{
	uint32_t n = r->select.all.n, size = vnimesh_maglev_size(n), i, k;
	struct vnimesh_maglev_member *m = calloc(n + 1, sizeof(*m));

	r->table = calloc(1, sizeof(*r->table) + size * sizeof(uint16_t));
	if (!m || !r->table) {
		free(m);
		return false;
	}
	for (i = 0; i < n; i++) {
		m[i].id = r->vni[i];
		m[i].weight = r->c[i].weight;
	}
	qsort(m, n, sizeof(*m), by_id);
	for (i = 0; i < n; i++)
		for (k = 0; k < n; k++)
			if (r->vni[k] == m[i].id)
				r->by_table[i] = k;
	r->table->size = size;
	vnimesh_maglev_build(r->table, m, n);
	r->select.maglev = r->table;
	free(m);
	return true;
}

static bool take(struct replay *r, const json_t *o)
{
	const char *proto = json_string_value(json_object_get(o, "proto"));
	struct vnimesh_select *s = &r->select;

	s->all.get = get;
	s->all.ctx = r;
	s->all.policy = word(o, "policy", VNM_WORDS_POLICY);
	s->all.load = word(o, "load", VNM_WORDS_LOAD);
	s->all.udp = proto && !strcmp(proto, "udp");
	s->agg = &r->agg;
	s->view = &r->agg.view;
	s->hash = number(o, "hash", 0);
	if (!s->all.policy || !get_seed(o, &r->seed) ||
	    !get_candidates(r, json_object_get(o, "candidates")) ||
	    !get_tiers(r, o))
		return false;
	return s->all.policy != VNIMESH_POLICY_MAGLEV || build_table(r);
}

static void put(struct replay *r)
{
	free(r->c);
	free(r->vni);
	free(r->by_table);
	free(r->order);
	free(r->table);
}

/* One answer of route get: what comes out here, or NULL if it is none. */
static json_t *replay(const json_t *o)
{
	struct replay r = { 0 };
	json_t *out = NULL;
	const char *how_text;
	bool same;
	char buf[16];
	uint8_t how;
	int i;

	if (!take(&r, o))
		goto end;
	i = vnimesh_select(&r.select, r.seed, &how);
	if (i >= (int)r.select.all.n)
		i = (int)r.by_table[i - (int)r.select.all.n];
	same = i < 0 ? !json_object_get(o, "vni") :
	       json_object_get(o, "vni") && r.vni[i] == number(o, "vni", 0) &&
	       how == word(o, "how", VNM_WORDS_HOW);
	out = json_pack("{s:O, s:b}", "seed", json_object_get(o, "seed"),
			"same", same);
	if (out && i >= 0) {
		how_text = vnm_word_text(VNM_WORDS_HOW, how, buf, sizeof(buf));
		json_object_set_new(out, "vni", json_integer(r.vni[i]));
		json_object_set_new(out, "how", json_string(how_text));
	}
end:
	put(&r);
	return out;
}

static void print_text(const json_t *list)
{
	const json_t *o, *vni;
	size_t i;

	json_array_foreach(list, i, o) {
		vni = json_object_get(o, "vni");
		if (json_is_string(json_object_get(o, "seed")))
			printf("seed %s", json_string_value(json_object_get(o, "seed")));
		else
			printf("seed %lld", (long long)
			       json_integer_value(json_object_get(o, "seed")));
		if (vni)
			printf(" vni %lld by %s",
			       (long long)json_integer_value(vni),
			       json_string_value(json_object_get(o, "how")));
		puts(json_is_true(json_object_get(o, "same")) ? " same" :
		     " different");
	}
}

int route_replay(struct tool *t, struct args *a)
{
	const char *name = args_need(a, "FILE");
	json_t *in, *out = json_array(), *o, *one;
	bool same = true;
	json_error_t e;
	size_t i;
	int ret;

	if (!name || !args_end(a)) {
		json_decref(out);
		return EXIT_LOCAL;
	}
	in = !strcmp(name, "-") ? json_loadf(stdin, 0, &e) :
	     json_load_file(name, 0, &e);
	if (!in) {
		fprintf(stderr, "Error: %s: line %d: %s\n", name, e.line, e.text);
		json_decref(out);
		return EXIT_LOCAL;
	}
	json_array_foreach(in, i, o) {
		one = replay(o);
		if (!one || json_array_append_new(out, one))
			break;
		same = same && json_is_true(json_object_get(one, "same"));
	}
	if (!json_is_array(in) || i < json_array_size(in)) {
		fprintf(stderr, "Error: %s: not the JSON of route get.\n", name);
		json_decref(out);
		json_decref(in);
		return EXIT_LOCAL;
	}
	json_decref(in);
	if (t->json) {
		ret = json_out(t, out);
	} else {
		print_text(out);
		json_decref(out);
		ret = EXIT_OK;
	}
	return ret ? ret : same ? EXIT_OK : EXIT_LOCAL;
}
