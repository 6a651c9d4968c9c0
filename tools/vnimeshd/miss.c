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

/* Negative answers remembered, so that a registration ends them; as many as
 * fit in their time at a rate that nobody keeps up by accident.
 */
#define NEGATIVE_MAX	1024

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
	uint64_t index;		/* of the watch when it was asked */
	bool silent;		/* the kernel does not wait for it */
	char tag[TAG_MAX + 1];	/* the service in question, once known */
};

struct negative {
	struct key key;
	uint64_t until_us;
};

struct miss {
	struct mesh *m;
	struct ask *first;
	unsigned int n;
	struct negative *negative;	/* a ring */
	unsigned int n_negative;
	bool told;
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
	a->q->n--;
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
	n->until_us = now + MISS_NEGATIVE_MS * LOOP_USEC_PER_MSEC;
}

static void no_service(struct miss *q, const struct key *key, bool silent)
{
	if (!silent)
		answer(q, key, VNIMESH_VERDICT_NO_SERVICE, MISS_NEGATIVE_MS);
	remember(q, key);
}

/* Into the kernel now, which lets the held packets go. */
static void install(struct miss *q, struct service *s)
{
	struct row_key key = { .object = VNIMESH_OBJECT_SERVICE };

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
		install(q, s);
	else if (!a->silent)
		answer(q, &a->key, VNIMESH_VERDICT_COORDINATOR_AWAY, 0);
	ask_free(a);
}

static bool take(struct ask *a, json_t *json)
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
		return false;
	/* The watch lists anew with another coordinator. */
	if (facts_incarnation(&m->facts, incarnation))
		a->index = 0;
	facts_set_service(&m->facts, tag, &def, index);
	ports_free(&def.ports);
	s = facts_service(&m->facts, tag);
	if (!s)
		return false;
	list = wire_members(json_object_get(json, "members"), tag);
	facts_set_members(s, &list, index);
	install(a->q, s);
	state_changed(m->state, true);
	/* What changed between this answer and the watch's next one is asked
	 * for from where the watch was before.
	 */
	if (!s->live)
		watch_restart(m->watch, a->index);
	return true;
}

static void on_service(void *data, const struct http_reply *reply)
{
	struct ask *a = data;
	struct miss *q = a->q;
	struct service *s;
	json_t *json;
	bool ok;

	a->req = NULL;
	if (reply->status == 404) {
		s = facts_service(&q->m->facts, a->tag);
		if (s && !s->served)
			table_dirty(q->m->table, a->tag);
		no_service(q, &a->key, a->silent);
		ask_free(a);
		return;
	}
	json = reply->status == 200 ?
	       json_loadb(reply->body, reply->len, 0, NULL) : NULL;
	ok = json && take(a, json);
	json_decref(json);
	if (!ok) {
		away(a, reply);
		return;
	}
	q->told = false;
	ask_free(a);
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
		no_service(a->q, &a->key, a->silent);
		ask_free(a);
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
		a->silent &= silent;
		return;
	}
	a = q->n < MISS_MAX ? calloc(1, sizeof(*a)) : NULL;
	if (!a) {
		if (!silent)
			answer(q, key, VNIMESH_VERDICT_COORDINATOR_AWAY, 0);
		return;
	}
	a->q = q;
	a->key = *key;
	a->silent = silent;
	a->started_us = loop_now();
	a->index = q->m->facts.index;
	a->next = q->first;
	q->first = a;
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
	if (s && s->known && (s->live || q->m->away))
		install(q, s);
	else
		ask(q, &key, s, false);
}

void miss_defined(struct miss *q)
{
	uint64_t now = loop_now();
	struct negative *n;
	struct service *s;
	unsigned int i = 0;
	struct key key;

	while (i < q->n_negative) {
		n = &q->negative[i];
		key = n->key;
		s = key.tag[0] ? facts_service(&q->m->facts, key.tag) :
				 facts_by_address(&q->m->facts, &key.addr);
		if (n->until_us > now && !(s && s->defined)) {
			i++;
			continue;
		}
		*n = q->negative[--q->n_negative];
		/* Asked for in vain a moment ago: it will be used. */
		if (key.tag[0] ? s && s->defined : s != NULL)
			ask(q, &key, s, true);
	}
}

struct miss *miss_new(struct mesh *m)
{
	struct miss *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->m = m;
	q->negative = calloc(NEGATIVE_MAX, sizeof(*q->negative));
	if (!q->negative) {
		free(q);
		return NULL;
	}
	return q;
}

void miss_free(struct miss *q)
{
	if (!q)
		return;
	while (q->first)
		ask_free(q->first);
	free(q->negative);
	free(q);
}
