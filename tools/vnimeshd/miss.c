// SPDX-License-Identifier: GPL-2.0-or-later
/* Answering the kernel's misses. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "log.h"
#include "miss.h"
#include "problem.h"
#include "state.h"
#include "table.h"
#include "watch.h"
#include "wire.h"

/* Negative answers remembered, so that a registration ends them: as many as
 * the kernel remembers.
 */
#define NEGATIVE_MAX	4096

/* What was asked: by tag, or by address. */
struct key {
	char tag[TAG_MAX + 1];
	struct ip_addr addr;
};

struct ask {
	struct miss *q;
	struct ask *next;
	struct key key;
	struct http_req *req;
	uint64_t started_us;
	bool silent;		/* the kernel does not wait for it */
	bool held;		/* until the watch knows this coordinator */
	bool again;		/* asked a second time */
	char tag[TAG_MAX + 1];	/* the service in question, once known */
};

struct negative {
	struct key key;
	uint64_t until_us;
	bool due;		/* it is defined now */
};

struct miss {
	struct mesh *m;
	struct ask *first;
	unsigned int n, n_silent;
	struct negative *negative;
	unsigned int n_negative;
	struct source *limit;		/* of those that are held */
	struct source *pump;		/* asks for negatives that are due */
	bool told;
	bool listing;			/* the watch was told to list anew */
};

static void on_service(void *data, const struct http_reply *reply);
static void on_address(void *data, const struct http_reply *reply);

static const char *key_text(const struct key *key, char buf[IP_TEXT_MAX])
{
	return key->tag[0] ? key->tag : ip_text(&key->addr, buf);
}

static bool same_key(const struct key *a, const struct key *b)
{
	return !strcmp(a->tag, b->tag) && ip_equal(&a->addr, &b->addr);
}

static void ask_free(struct ask *a)
{
	struct ask **p = &a->q->first;

	while (*p != a)
		p = &(*p)->next;
	*p = a->next;
	if (a->silent)
		a->q->n_silent--;
	else
		a->q->n--;
	if (a->q->pump)
		source_defer(a->q->pump);
	http_cancel(&a->req);
	free(a);
}

static void answer(struct miss *q, const struct key *key, uint8_t verdict,
		   uint32_t ttl_ms)
{
	char text[IP_TEXT_MAX];

	log_debug("miss %s: %s", key_text(key, text),
		  verdict == VNIMESH_VERDICT_NO_SERVICE ?
		  "no such service" : "coordinator away");
	kernel_miss_answer(q->m->kernel, key->tag[0] ? key->tag : NULL,
			   &key->addr, verdict, ttl_ms);
}

static void remember(struct miss *q, const struct key *key)
{
	uint64_t now = loop_now();
	struct negative *n = NULL;
	unsigned int i;

	for (i = 0; i < q->n_negative; i++) {
		/* The same again, or else the first to end. */
		if (same_key(&q->negative[i].key, key)) {
			n = &q->negative[i];
			break;
		}
		if (!n || q->negative[i].until_us < n->until_us)
			n = &q->negative[i];
	}
	if (i == q->n_negative && i < NEGATIVE_MAX && (!n || n->until_us > now))
		n = &q->negative[q->n_negative++];
	n->key = *key;
	n->due = false;
	n->until_us = now + MISS_NEGATIVE_MS * LOOP_USEC_PER_MSEC;
}

static void no_service(struct miss *q, const struct key *key, bool silent)
{
	if (!silent)
		answer(q, key, VNIMESH_VERDICT_NO_SERVICE, MISS_NEGATIVE_MS);
	remember(q, key);
}

/* Into the kernel now, which lets the held packets go. */
static void install(struct miss *q, const struct key *asked, struct service *s)
{
	struct row_key key = { .object = VNIMESH_OBJECT_SERVICE };

	/* It cannot have that address here for now; once it can, that ends this. */
	if (s->stuck && asked->addr.family) {
		answer(q, asked, VNIMESH_VERDICT_NO_SERVICE, MISS_NEGATIVE_MS);
		return;
	}

	/* We thought that it was there; the kernel knows better. */
	snprintf(key.tag, sizeof(key.tag), "%s", s->tag);
	if (s->used && s->loaded) {
		table_lost(q->m->table, &key);
		s->loaded = false;
	}
	s->used = true;
	s->used_us = loop_now();
	table_dirty(q->m->table, s->tag);
	table_dirty_vnis(q->m->table);
	table_sync(q->m->table);
	/* What changed since this was told, and from now on. */
	if (!s->live && q->m->joined && !q->m->away && !q->m->foreign)
		watch_restart(q->m->watch, UINT64_MAX);
}

static uint32_t time_left_ms(const struct ask *a)
{
	uint64_t spent = (loop_now() - a->started_us) / LOOP_USEC_PER_MSEC;

	/* At least one, as 0 would be for ever. */
	return spent < MISS_TIMEOUT_MS ? MISS_TIMEOUT_MS - spent : 1;
}

static bool get(struct ask *a, const char *path, http_done_fn fn)
{
	struct mesh *m = a->q->m;
	char url[CONFIG_TEXT_MAX + 128];
	struct http_want want = {
		.url = url,
		.timeout_ms = time_left_ms(a),
	};

	snprintf(url, sizeof(url), "%s%s", m->conf.coordinator, path);
	return !http_start(m->http, &a->req, &want, fn, a);
}

static bool get_service(struct ask *a, const char *tag)
{
	char path[TAG_MAX + 32];

	snprintf(a->tag, sizeof(a->tag), "%s", tag);
	snprintf(path, sizeof(path), "/v1/services/%s", tag);
	return get(a, path, on_service);
}

static bool get_address(struct ask *a)
{
	char text[IP_TEXT_MAX];
	char path[128];

	snprintf(path, sizeof(path), "/v1/services?address=%s",
		 ip_text(&a->key.addr, text));
	return get(a, path, on_address);
}

/* No answer, or none that helps: what we remember is better than nothing. */
static void away(struct ask *a, const struct http_reply *reply)
{
	struct miss *q = a->q;
	struct facts *f = &q->m->facts;
	struct service *s;
	char why[512], text[IP_TEXT_MAX];

	s = a->tag[0] ? facts_service(f, a->tag) :
			facts_by_address(f, &a->key.addr);
	log_line(q->told ? LOG_DEBUG : LOG_WARNING,
		 "miss %s: cannot ask the coordinator: %s",
		 key_text(&a->key, text),
		 reply ? problem_text(reply, why, sizeof(why)) : "no resources");
	q->told = true;
	if (s && s->defined && s->known)
		install(q, &a->key, s);
	else if (!a->silent)
		answer(q, &a->key, VNIMESH_VERDICT_COORDINATOR_AWAY, 0);
	ask_free(a);
}

/* What the coordinator says counts while the watch knows it to be that of our
 * registry.
 */
static bool trusted(const struct mesh *m)
{
	return m->synced && !m->foreign;
}

static uint64_t limit_us(const struct ask *a)
{
	return a->started_us + MISS_TIMEOUT_MS * LOOP_USEC_PER_MSEC;
}

static void arm(struct miss *q)
{
	uint64_t at = UINT64_MAX;
	struct ask *a;

	for (a = q->first; a; a = a->next)
		if (a->held && limit_us(a) < at)
			at = limit_us(a);
	if (at == UINT64_MAX)
		source_timer_stop(q->limit);
	else
		source_timer_set(q->limit, at);
}

/* Wait for the watch to find out who this coordinator is. */
static void hold(struct ask *a)
{
	struct miss *q = a->q;

	if (q->m->foreign) {
		away(a, NULL);
		return;
	}
	a->held = true;
	/* Once, as each time ends the question that is under way. */
	if (q->m->synced && !q->listing)
		watch_restart(q->m->watch, UINT64_MAX);
	q->listing = true;
	arm(q);
}

static void on_limit(void *data, uint64_t now_us)
{
	struct miss *q = data;
	struct ask *a, *next;

	for (a = q->first; a; a = next) {
		next = a->next;
		if (a->held && limit_us(a) <= now_us)
			away(a, NULL);
	}
	arm(q);
}

enum taken {
	TAKEN,
	TAKEN_NOT,		/* no answer that helps */
	TAKEN_HOLD,		/* of whom, the watch must tell */
};

static enum taken take(struct ask *a, json_t *json)
{
	char incarnation[INCARNATION_MAX + 1];
	struct mesh *m = a->q->m;
	struct definition def;
	char tag[TAG_MAX + 1];
	struct sorted list;
	struct service *s;
	uint64_t index;

	if (!wire_version(json, incarnation, &index) ||
	    !wire_service(json_object_get(json, "service"), tag, &def))
		return TAKEN_NOT;
	if (!trusted(m) || strcmp(incarnation, m->facts.incarnation)) {
		ports_free(&def.ports);
		return TAKEN_HOLD;
	}
	facts_set_service(&m->facts, tag, &def, index);
	ports_free(&def.ports);
	s = facts_service(&m->facts, tag);
	if (!s || !wire_members(json_object_get(json, "members"), tag, &list))
		return TAKEN_NOT;
	facts_set_members(&m->facts, s, &list, index);
	install(a->q, &a->key, s);
	state_changed(m->state, true);
	return TAKEN;
}

static bool repeat(struct ask *a)
{
	char tag[TAG_MAX + 1];

	strcpy(tag, a->tag);
	return tag[0] ? get_service(a, tag) : get_address(a);
}

/* The coordinator says that there is nobody. */
static void nobody(struct ask *a, const struct http_reply *reply)
{
	const struct facts *f = &a->q->m->facts;
	const struct service *s;

	s = a->tag[0] ? facts_service(f, a->tag) :
			facts_by_address(f, &a->key.addr);
	if (!trusted(a->q->m)) {
		hold(a);
	} else if (!s || !s->defined) {
		no_service(a->q, &a->key, a->silent);
		ask_free(a);
	} else if (a->again || !repeat(a)) {
		away(a, reply);
	} else {
		/* The watch was faster, or will be. */
		a->again = true;
	}
}

static void on_service(void *data, const struct http_reply *reply)
{
	enum taken taken = TAKEN_NOT;
	struct ask *a = data;
	json_t *json;

	a->req = NULL;
	if (reply->status == 404) {
		nobody(a, reply);
		return;
	}
	json = reply->status == 200 ?
	       json_loadb(reply->body, reply->len, 0, NULL) : NULL;
	if (json)
		taken = take(a, json);
	json_decref(json);
	if (taken == TAKEN_HOLD) {
		hold(a);
	} else if (taken == TAKEN_NOT) {
		away(a, reply);
	} else {
		a->q->told = false;
		ask_free(a);
	}
}

static void on_address(void *data, const struct http_reply *reply)
{
	struct ask *a = data;
	const char *tag = "";
	json_t *json, *list;

	a->req = NULL;
	json = reply->status == 200 ?
	       json_loadb(reply->body, reply->len, 0, NULL) : NULL;
	list = json_object_get(json, "services");
	if (reply->status == 404 || (json_is_array(list) &&
				     !json_array_size(list))) {
		nobody(a, reply);
	} else {
		tag = wire_str(json_array_get(list, 0), "tag", "");
		if (!tag_valid(tag) || !get_service(a, tag))
			away(a, reply);
	}
	json_decref(json);
}

static void ask(struct miss *q, const struct key *key, const struct service *s,
		bool silent)
{
	struct ask *a;
	bool ok;

	for (a = q->first; a; a = a->next) {
		if (!same_key(&a->key, key))
			continue;
		if (a->silent && !silent) {
			a->silent = false;
			q->n_silent--;
			q->n++;
		}
		return;
	}
	a = silent || q->n < MISS_MAX ? calloc(1, sizeof(*a)) : NULL;
	if (!a) {
		if (!silent)
			answer(q, key, VNIMESH_VERDICT_COORDINATOR_AWAY, 0);
		return;
	}
	a->q = q;
	a->key = *key;
	a->silent = silent;
	a->started_us = loop_now();
	a->next = q->first;
	q->first = a;
	if (silent)
		q->n_silent++;
	else
		q->n++;
	if (s)
		ok = get_service(a, s->tag);
	else if (key->tag[0])
		ok = get_service(a, key->tag);
	else
		ok = get_address(a);
	if (!ok)
		away(a, NULL);
}

void miss_asked(struct miss *q, const char *tag, const struct ip_addr *addr)
{
	struct key key = { 0 };
	struct service *s;

	if (tag && tag_valid(tag))
		snprintf(key.tag, sizeof(key.tag), "%s", tag);
	else if (addr && addr->family)
		key.addr = *addr;
	else
		return;
	s = key.tag[0] ? facts_service(&q->m->facts, key.tag) :
			 facts_by_address(&q->m->facts, &key.addr);
	if (s && !s->defined)
		s = NULL;
	/* The watch keeps it; or nobody can be asked, and we remember. */
	if (s && s->known && (s->live || q->m->away || q->m->foreign))
		install(q, &key, s);
	else if (q->m->foreign)
		answer(q, &key, VNIMESH_VERDICT_COORDINATOR_AWAY, 0);
	else
		ask(q, &key, s, false);
}

void miss_defined(struct miss *q, const struct service *s)
{
	const struct key *key;
	unsigned int i;

	if (!s || !s->defined)
		return;
	for (i = 0; i < q->n_negative; i++) {
		key = &q->negative[i].key;
		if (key->tag[0] ? strcmp(key->tag, s->tag) :
		    !ip_equal(&key->addr, &s->def.address4) &&
		    !ip_equal(&key->addr, &s->def.address6))
			continue;
		q->negative[i].due = true;
		source_defer(q->pump);
	}
}

static void on_pump(void *data)
{
	struct miss *q = data;
	const struct service *s;
	unsigned int i = 0;
	struct key key;

	while (i < q->n_negative && q->n_silent < MISS_SILENT_MAX) {
		if (!q->negative[i].due) {
			i++;
			continue;
		}
		key = q->negative[i].key;
		q->negative[i] = q->negative[--q->n_negative];
		s = key.tag[0] ? facts_service(&q->m->facts, key.tag) :
				 facts_by_address(&q->m->facts, &key.addr);
		/* Asked for in vain a moment ago: it will be used. */
		if (s && s->defined)
			ask(q, &key, s, true);
	}
}

void miss_watched(struct miss *q)
{
	struct ask *a, *next;

	q->listing = false;
	for (a = q->first; a; a = next) {
		next = a->next;
		if (!a->held)
			continue;
		a->held = false;
		if (!repeat(a))
			away(a, NULL);
	}
	arm(q);
}

struct miss *miss_new(struct mesh *m)
{
	struct miss *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->m = m;
	q->negative = calloc(NEGATIVE_MAX, sizeof(*q->negative));
	if (!q->negative || loop_timer(m->loop, &q->limit, on_limit, q) ||
	    loop_defer(m->loop, &q->pump, on_pump, q)) {
		miss_free(q);
		return NULL;
	}
	return q;
}

void miss_free(struct miss *q)
{
	if (!q)
		return;
	source_free(&q->pump);
	source_free(&q->limit);
	while (q->first)
		ask_free(q->first);
	free(q->negative);
	free(q);
}
