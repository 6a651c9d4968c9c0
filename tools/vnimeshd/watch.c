// SPDX-License-Identifier: GPL-2.0-or-later
/* The watch at the coordinator. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "join.h"
#include "local.h"
#include "log.h"
#include "miss.h"
#include "peer.h"
#include "problem.h"
#include "sequence.h"
#include "state.h"
#include "table.h"
#include "vantage.h"
#include "watch.h"
#include "wire.h"

/* A coordinator that answers at once with nothing must not make us spin. */
#define IDLE_PAUSE_MS	100

struct watch {
	struct mesh *m;
	struct http_req *req;
	struct source *timer;
	uint64_t from;		/* ask from this index at the latest */
	uint64_t last_check;	/* ids rise within an incarnation */
	char checks_of[INCARNATION_MAX + 1];
	bool listing;		/* the question under way has no index */
	uint32_t failures;
	uint64_t asked_us;	/* the question under way */
	bool too_many;		/* tags; the log has it */
};

struct text {
	char *p;
	size_t len, room;
};

static bool put(struct text *t, const char *s)
{
	size_t n = strlen(s);
	char *p;

	if (t->len + n + 1 > t->room) {
		p = realloc(t->p, (t->len + n + 1) * 2);
		if (!p)
			return false;
		t->p = p;
		t->room = (t->len + n + 1) * 2;
	}
	memcpy(t->p + t->len, s, n + 1);
	t->len += n;
	return true;
}

/* The coordinator's own word, back in a query. */
static bool put_escaped(struct text *t, const char *s)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	char hex[4];
	bool ok = true;

	for (; *s && ok; s++) {
		if (strchr(plain, *s))
			snprintf(hex, sizeof(hex), "%c", *s);
		else
			snprintf(hex, sizeof(hex), "%%%02X", (uint8_t)*s);
		ok = put(t, hex);
	}
	return ok;
}

/* Whom a missed change would hurt first. */
static int by_use(const void *a, const void *b)
{
	const struct service *x = *(struct service *const *)a;
	const struct service *y = *(struct service *const *)b;

	if (x->served != y->served)
		return x->served ? -1 : 1;
	if (x->used_us != y->used_us)
		return x->used_us > y->used_us ? -1 : 1;
	return strcmp(x->tag, y->tag);
}

/* The services in use, sorted; NULL without memory. */
static struct service **in_use(const struct facts *f, size_t *n)
{
	struct service **v = calloc(f->services.n + 1, sizeof(*v));
	struct service *s;
	size_t i;

	*n = 0;
	for (i = 0; v && i < f->services.n; i++) {
		s = f->services.v[i];
		s->asked = false;
		s->unwatched = false;
		if (s->used)
			v[(*n)++] = s;
	}
	if (v)
		qsort(v, *n, sizeof(*v), by_use);
	return v;
}

/* The tags in use; marks those that are asked for. */
static bool put_tags(struct watch *w, struct text *t, struct service **v,
		     size_t n)
{
	size_t start = t->len;
	bool ok = true;
	size_t i;

	for (i = 0; i < n; i++) {
		if (i >= WATCH_TAGS_MAX || t->len - start + strlen(v[i]->tag) >
					   WATCH_TAGS_BYTES) {
			v[i]->unwatched = true;
			continue;
		}
		ok = ok && put(t, i ? "," : "&tags=") && put(t, v[i]->tag);
		v[i]->asked = true;
	}
	if (n && v[n - 1]->unwatched && !w->too_many)
		log_warn("too many services in use to watch all: %s and others are not",
			 v[n - 1]->tag);
	w->too_many = n && v[n - 1]->unwatched;
	return ok;
}

/* Of those, the ones that were not kept up to date until now: what changed
 * before the index counts too.
 */
static bool put_fresh(struct text *t, struct service **v, size_t n)
{
	const char *sep = "&fresh=";
	bool ok = true;
	size_t i;

	for (i = 0; i < n && ok; i++) {
		if (!v[i]->asked || v[i]->live)
			continue;
		ok = put(t, sep) && put(t, v[i]->tag);
		sep = ",";
	}
	return ok;
}

static char *make_url(struct watch *w)
{
	struct mesh *m = w->m;
	struct facts *f = &m->facts;
	struct service **used;
	struct text t = { 0 };
	char text[96];
	size_t n;
	bool ok;

	if (w->from < f->index)
		f->index = w->from;
	w->from = UINT64_MAX;
	snprintf(text, sizeof(text), "/v1/watch?node=%u&wait_ms=%u", f->self,
		 WATCH_WAIT_MS);
	ok = put(&t, m->conf.coordinator) && put(&t, text);
	w->listing = !(f->index && f->incarnation[0]);
	if (!w->listing) {
		snprintf(text, sizeof(text), "&index=%llu&incarnation=",
			 (unsigned long long)f->index);
		ok = ok && put(&t, text) && put_escaped(&t, f->incarnation);
	}
	used = in_use(f, &n);
	ok = ok && used && put_tags(w, &t, used, n) &&
	     (w->listing || put_fresh(&t, used, n));
	free(used);
	if (ok)
		return t.p;
	free(t.p);
	return NULL;
}

/* Named, but not understood: it is not gone. Without a name, none is. */
static void keep_node(struct facts *f, json_t *item)
{
	uint64_t id = wire_u64(item, "node", 0);
	struct node *n;
	size_t i;

	for (i = 0; i < f->nodes.n; i++) {
		n = f->nodes.v[i];
		if (!id || n->id == id)
			n->seen = true;
	}
}

static void keep_service(struct facts *f, json_t *item)
{
	const char *tag = wire_str(item, "tag", "");
	struct service *s;
	size_t i;

	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		if (!*tag || !strcmp(s->tag, tag))
			s->seen = true;
	}
}

static uint64_t verdict_of(const struct facts *f, uint32_t id)
{
	const struct node *n = facts_node(f, id);

	return n ? n->verdict_id : 0;
}

static bool take_nodes(struct mesh *m, json_t *json, uint64_t index)
{
	json_t *set = json_object_get(json, "nodes");
	json_t *removed = json_object_get(json, "nodes_removed");
	struct node node;
	uint64_t before;
	json_t *item;
	size_t i;

	json_array_foreach(set, i, item) {
		if (!wire_node(item, &node)) {
			keep_node(&m->facts, item);
			continue;
		}
		before = verdict_of(&m->facts, node.id);
		if (!facts_set_node(&m->facts, &node, index))
			keep_node(&m->facts, item);
		else if (node.verdict_id && node.verdict_id != before)
			vantage_told(m->vantage, node.id, node.verdict);
	}
	json_array_foreach(removed, i, item) {
		if (!json_is_integer(item) || json_integer_value(item) < 1 ||
		    json_integer_value(item) > UINT32_MAX ||
		    json_integer_value(item) == m->facts.self)
			continue;
		facts_del_node(&m->facts, json_integer_value(item));
	}
	return json_array_size(set) || json_array_size(removed);
}

static bool take_services(struct mesh *m, json_t *json, uint64_t index)
{
	json_t *set = json_object_get(json, "services");
	json_t *removed = json_object_get(json, "services_removed");
	struct definition def;
	char tag[TAG_MAX + 1];
	struct service *s;
	json_t *item;
	size_t i;

	json_array_foreach(set, i, item) {
		if (!wire_service(item, tag, &def)) {
			keep_service(&m->facts, item);
			continue;
		}
		if (!facts_set_service(&m->facts, tag, &def, index))
			keep_service(&m->facts, item);
		ports_free(&def.ports);
		table_dirty(m->table, tag);
		miss_defined(m->miss, facts_service(&m->facts, tag));
	}
	json_array_foreach(removed, i, item) {
		if (!json_is_string(item))
			continue;
		s = facts_service(&m->facts, json_string_value(item));
		if (!s)
			continue;
		facts_undefine(s, index);
		table_dirty(m->table, s->tag);
		table_dirty_vnis(m->table);
	}
	return json_array_size(set) || json_array_size(removed);
}

/* Whether it is other members than before, not only other figures. */
static bool members_differ(const struct service *s, const struct sorted *list)
{
	const struct member *a, *b;
	size_t i;

	if (s->members.n != list->n || !s->known)
		return true;
	for (i = 0; i < list->n; i++) {
		a = s->members.v[i];
		b = list->v[i];
		if (a->vni != b->vni || a->node != b->node ||
		    a->state != b->state ||
		    !ip_equal(&a->address4, &b->address4) ||
		    !ip_equal(&a->address6, &b->address6))
			return true;
	}
	return false;
}

/* What was asked for and is in the answer is complete now; what is not in it
 * did not change.
 */
static bool take_members(struct mesh *m, json_t *json, uint64_t index,
			 bool *news)
{
	json_t *members = json_object_get(json, "members");
	struct sorted list;
	struct service *s;
	bool ok = true;
	const char *tag;
	json_t *item;

	json_object_foreach(members, tag, item) {
		s = facts_service(&m->facts, tag);
		if (!s)
			continue;
		if (!wire_members(item, tag, &list)) {
			s->live = false;
			ok = false;
			continue;
		}
		*news |= members_differ(s, &list);
		if (facts_set_members(&m->facts, s, &list, index))
			s->live = s->asked;
		table_dirty(m->table, tag);
		table_dirty_vnis(m->table);
	}
	return ok;
}

/* Nobody keeps up to date what was not asked for. */
static void end_live(struct facts *f)
{
	struct service *s;
	size_t i;

	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		s->live &= s->asked;
	}
}

static void take_checks(struct watch *w, json_t *list)
{
	const char *incarnation = w->m->facts.incarnation;
	json_t *item;
	uint64_t id;
	size_t i;

	if (strcmp(w->checks_of, incarnation))
		w->last_check = 0;
	snprintf(w->checks_of, sizeof(w->checks_of), "%s", incarnation);

	json_array_foreach(list, i, item) {
		id = wire_u64(item, "id", 0);
		if (id <= w->last_check)
			continue;
		w->last_check = id;
		local_check_now(w->m->local, wire_str(item, "tag", ""),
				wire_u64(item, "vni", 0));
	}
}

/* The coordinator would know of some nodes whether we reach them. */
static void take_looks(struct watch *w, json_t *list)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		vantage_asked(w->m->vantage, wire_u64(item, "node", 0),
			      wire_u64(item, "id", 0));
}

static void take_full(struct mesh *m, uint64_t index)
{
	struct node *self = facts_node(&m->facts, m->facts.self);

	if (self && !self->seen) {
		log_warn("the coordinator does not know this node any more");
		self->seen = true;
		join_start(m->join);
	}
	facts_full_end(&m->facts, index);
	if (facts_count_missing(&m->facts) && !m->facts.older)
		log_warn("the coordinator does not know %zu members whose hosts are there; they stay for %u s",
			 facts_count_missing(&m->facts),
			 (unsigned int)(mesh_patience_ms(m) / 1000));
	m->synced = true;
	table_dirty_all(m->table);
}

/* Another registry than the one that this node is from, under the same URL:
 * what it does not know is not gone.
 */
static bool other_mesh(const struct mesh *m, json_t *mesh)
{
	return wire_u64(mesh, "id", m->facts.mesh.id) != m->facts.mesh.id ||
	       strcmp(wire_str(mesh, "uuid", ""), m->facts.mesh.uuid);
}

static bool absent_or(json_t *v, bool fits, bool full)
{
	return fits || (!v && !full);
}

/* What is missing from a full answer counts as gone: it must be an answer. */
static bool well_formed(json_t *json, bool full)
{
	json_t *members = json_object_get(json, "members");
	json_t *services = json_object_get(json, "services");
	json_t *nodes = json_object_get(json, "nodes");
	const char *tag;
	json_t *item;

	if (!*wire_str(json_object_get(json, "mesh"), "uuid", "") ||
	    !absent_or(nodes, json_is_array(nodes), full) ||
	    !absent_or(services, json_is_array(services), full) ||
	    !absent_or(members, json_is_object(members), full))
		return false;
	json_object_foreach(members, tag, item)
		if (!json_is_array(item))
			return false;
	return true;
}

/* Of what time the registry is that this one tells of. True: ask anew. */
static bool take_age(struct watch *w, json_t *json, bool full)
{
	bool aged = json_object_get(json, "store_age_ms");
	struct facts *f = &w->m->facts;
	uint64_t ms = wire_u64(json, "store_age_ms", 0);
	bool older = f->older, again;

	again = facts_as_of(f, full, aged ? (ms + 1) * LOOP_USEC_PER_MSEC : 0,
			    w->asked_us, loop_now());
	if (f->older && !older)
		log_warn("the coordinator at %s had lost its quorum before what is known here: it only adds",
			 w->m->conf.coordinator);
	else if (older && !f->older)
		log_info("the coordinator has a quorum again, or is another one");
	return again;
}

/* False: not an answer that can be used. */
static bool take(struct watch *w, json_t *json, bool *news)
{
	char incarnation[INCARNATION_MAX + 1];
	struct mesh *m = w->m;
	uint64_t index;
	bool full, ok;

	full = json_is_true(json_object_get(json, "full"));
	if (!wire_version(json, incarnation, &index) ||
	    !well_formed(json, full))
		return false;
	if (other_mesh(m, json_object_get(json, "mesh"))) {
		m->foreign = true;
		join_start(m->join);
		return false;
	}
	/* Only all of it says anything about another coordinator. */
	if (facts_incarnation(&m->facts, incarnation) && !full)
		return true;
	if (take_age(w, json, full)) {
		m->facts.index = 0;
		return true;
	}
	if (full)
		facts_full_begin(&m->facts);
	if (take_nodes(m, json, index)) {
		table_dirty_nodes(m->table);
		*news = true;
	}
	*news |= take_services(m, json, index);
	ok = take_members(m, json, index, news);
	end_live(&m->facts);
	if (full && ok)
		take_full(m, index);
	if (ok)
		m->facts.index = index;
	if (*news || full)
		state_changed(m->state, true);
	if (*news)
		peer_refresh(m->peer);
	take_checks(w, json_object_get(json, "checks"));
	take_looks(w, json_object_get(json, "looks"));
	miss_watched(m->miss);
	return ok;
}

static void again(struct watch *w, uint32_t ms)
{
	source_timer_set(w->timer, loop_now() + ms * LOOP_USEC_PER_MSEC);
}

static void back_off(struct watch *w)
{
	w->failures++;
	again(w, sequence_backoff_ms(w->failures, WATCH_BACKOFF_MS,
				     WATCH_BACKOFF_MAX_MS, mesh_random()));
}

static void on_answer(void *data, const struct http_reply *reply)
{
	struct watch *w = data;
	uint64_t before = w->m->facts.index;
	char text[512];
	bool news = false;
	json_t *json;
	bool idle, ok;

	w->req = NULL;
	mesh_reached(w->m, reply->status);
	if (reply->status == 410 && !w->listing) {
		w->m->facts.index = 0;
		again(w, 0);
		return;
	}
	if (reply->status != 200) {
		log_debug("watch: %s", problem_text(reply, text, sizeof(text)));
		if (reply->status == 404)
			join_start(w->m->join);
		back_off(w);
		return;
	}
	json = json_loadb(reply->body, reply->len, 0, NULL);
	ok = json && take(w, json, &news);
	json_decref(json);
	if (!ok) {
		log_line(w->failures ? LOG_DEBUG : LOG_WARNING,
			 "watch: the coordinator's answer is wrong, or of another mesh");
		back_off(w);
		return;
	}
	w->failures = 0;
	idle = before == w->m->facts.index &&
	       reply->took_us < IDLE_PAUSE_MS * LOOP_USEC_PER_MSEC;
	again(w, idle ? IDLE_PAUSE_MS : 0);
}

static void on_timer(void *data, uint64_t now_us)
{
	struct watch *w = data;
	struct http_want want = {
		.timeout_ms = WATCH_WAIT_MS + WATCH_GRACE_MS,
	};
	char *url;

	http_cancel(&w->req);
	url = make_url(w);
	want.url = url;
	w->asked_us = now_us;
	if (!url || http_start(w->m->http, &w->req, &want, on_answer, w))
		back_off(w);
	free(url);
}

void watch_restart(struct watch *w, uint64_t from)
{
	if (from < w->from)
		w->from = from;
	again(w, 0);
}

struct watch *watch_new(struct mesh *m)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->m = m;
	w->from = UINT64_MAX;
	if (loop_timer(m->loop, &w->timer, on_timer, w)) {
		free(w);
		return NULL;
	}
	return w;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	http_cancel(&w->req);
	source_free(&w->timer);
	free(w);
}
