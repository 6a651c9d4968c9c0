// SPDX-License-Identifier: GPL-2.0-or-later
/* Bringing the kernel's table in line with the facts. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "kernel.h"
#include "local.h"
#include "log.h"
#include "table.h"

/* Ticks between two tries of what the kernel refuses. */
#define RETRY_PAUSE_MAX	15

struct table {
	struct mesh *m;
	struct rows rows;
	struct batch batch;
	struct source *defer;
	bool nodes, vnis;	/* dirty */
	bool full;		/* a full answer came */
	bool reload;		/* rows may have gone without our notice */
	bool retry;		/* the kernel refused something for now */
	unsigned int pause;	/* retries to leave out, doubled each time */
	unsigned int paused;
	uint64_t gen;
};

static void on_defer(void *data)
{
	table_sync(data);
}

void table_dirty(struct table *t, const char *tag)
{
	struct service *s = facts_service(&t->m->facts, tag);

	if (!s)
		return;
	s->dirty = true;
	source_defer(t->defer);
}

void table_dirty_nodes(struct table *t)
{
	t->nodes = true;
	source_defer(t->defer);
}

void table_dirty_vnis(struct table *t)
{
	t->vnis = true;
	source_defer(t->defer);
}

static void all_dirty(struct table *t)
{
	struct facts *f = &t->m->facts;
	size_t i;

	t->nodes = true;
	t->vnis = true;
	for (i = 0; i < f->services.n; i++)
		((struct service *)f->services.v[i])->dirty = true;
	source_defer(t->defer);
}

void table_dirty_all(struct table *t)
{
	t->full = true;
	all_dirty(t);
}

/* Members of a service may be written: nothing is left out of the kernel that
 * the coordinator would tell in the next moment.
 */
static bool complete(const struct service *s)
{
	return s->known || s->served;
}

static bool wanted(const struct service *s)
{
	return s->used && s->defined && complete(s);
}

/* With the address that it has now. */
static bool in_kernel(const struct service *s)
{
	return wanted(s) && !s->moved;
}

/* Its row there is to end first, as an address is fixed for life. */
static bool moves(const struct service *s)
{
	return wanted(s) && s->moved;
}

static void surplus(struct row *row, void *data)
{
	struct table *t = data;

	batch_del(&t->batch, row);
}

static void sync_nodes(struct table *t)
{
	struct facts *f = &t->m->facts;
	struct row_parts parts;
	struct row_key key;
	size_t i;

	rows_begin(&t->rows, VNIMESH_OBJECT_NODE, NULL);
	for (i = 0; i < f->nodes.n; i++) {
		row_of_node(f, f->nodes.v[i], &key, &parts);
		batch_want(&t->batch, &key, &parts);
	}
}

struct vni_row {
	const struct member *m;
	uint64_t seq;
};

static int vni_row_cmp(const void *a, const void *b)
{
	const struct vni_row *x = a, *y = b;

	if (x->m->vni != y->m->vni)
		return x->m->vni < y->m->vni ? -1 : 1;
	/* The newest fact first. */
	return (x->m->seq < y->m->seq) - (x->m->seq > y->m->seq);
}

static size_t used_members(const struct facts *f, struct vni_row *ret)
{
	const struct service *s;
	const struct member *m;
	size_t i, j, n = 0;

	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		if (!wanted(s))
			continue;
		for (j = 0; j < s->members.n; j++) {
			m = s->members.v[j];
			if (m->node == f->self)
				continue;
			if (ret)
				ret[n].m = m;
			n++;
		}
	}
	return n;
}

/* The VNIs of other hosts that any service in use has. Several members may
 * share one; the row then has the newest fact's version, as the kernel takes
 * no older one.
 */
static void sync_vnis(struct table *t)
{
	struct facts *f = &t->m->facts;
	size_t n = used_members(f, NULL);
	struct row_parts parts;
	struct row_key key;
	struct vni_row *v;
	size_t i;

	v = calloc(n + 1, sizeof(*v));
	if (!v) {
		t->retry = true;
		return;
	}
	used_members(f, v);
	qsort(v, n, sizeof(*v), vni_row_cmp);
	rows_begin(&t->rows, VNIMESH_OBJECT_VNI, NULL);
	for (i = 0; i < n; i++) {
		if (i && v[i].m->vni == v[i - 1].m->vni)
			continue;
		row_of_vni(v[i].m, &key, &parts);
		batch_want(&t->batch, &key, &parts);
	}
	free(v);
}

static void sync_members(struct table *t, const struct service *s)
{
	const struct local *l = t->m->local;
	struct row_parts parts;
	const struct member *m;
	struct row_key key;
	struct member own;
	size_t i, n;

	for (i = 0; i < s->members.n; i++) {
		m = s->members.v[i];
		if (m->node == t->m->facts.self)
			continue;
		row_of_member(s, m, &key, &parts);
		batch_want(&t->batch, &key, &parts);
	}
	/* Our own: what we know, not what the coordinator heard of it; but
	 * that it is one is the coordinator's word.
	 */
	for (n = local_of_tag(l, s->tag, &i); n; n--, i++) {
		if (!((const struct own *)l->own.v[i])->granted ||
		    !local_fact(l, l->own.v[i], &own) ||
		    !local_has_vni(l, own.vni))
			continue;
		row_of_member(s, &own, &key, &parts);
		batch_want(&t->batch, &key, &parts);
	}
}

/* One whose row cannot be moved keeps the address that it has there; all else of it
 * is written.
 */
static void service_row(const struct table *t, const struct service *s,
			struct row_key *key, struct row_parts *parts)
{
	row_of_service(&t->m->facts, s, key, parts);
	if (s->stuck)
		parts->hard.service.present &=
			~(VNM_BIT(VNIMESH_A_SERVICE_ADDR4) |
			  VNM_BIT(VNIMESH_A_SERVICE_ADDR6));
}

/* Its members are not touched before: somebody else's among them keep it. */
static void move_service(struct table *t, struct service *s)
{
	struct row_key key = { .object = VNIMESH_OBJECT_SERVICE };
	struct row *row;

	snprintf(key.tag, sizeof(key.tag), "%s", s->tag);
	row = rows_find(&t->rows, &key);
	s->loaded = false;
	if (row)
		batch_move(&t->batch, row);
	else
		s->stuck = false;
}

/* The rows of one service that came new are announced as loading, so that
 * held packets wait for its members.
 */
static void sync_service(struct table *t, struct service *s)
{
	struct row_parts parts;
	struct row_key key;

	rows_begin(&t->rows, VNIMESH_OBJECT_SERVICE, s->tag);
	if (!in_kernel(s)) {
		s->loaded = false;
		s->stuck = false;
	} else {
		service_row(t, s, &key, &parts);
		if (batch_want(&t->batch, &key, &parts))
			s->loaded = false;
	}
	rows_begin(&t->rows, VNIMESH_OBJECT_MEMBER, s->tag);
}

/* To be written now; not one whose members are still to come, nor one that
 * only the coordinator can say the end of, and did not.
 */
static bool touched(const struct table *t, const struct service *s)
{
	return s->dirty && (in_kernel(s) || !s->used || s->moved ||
			    (!s->defined && t->m->synced));
}

struct scope {
	struct table *t;
	const struct service *s;
};

static bool is_ours(const struct facts *f, uint32_t vni)
{
	const struct node *self = facts_node(f, f->self);

	return self && vni >= self->vni_first &&
	       vni - self->vni_first < self->vni_count;
}

/* A member's row that was not wanted. It goes if its service does. Else, if
 * it is ours, only when we know that it is no more, or was revoked; if it is another host's,
 * only by a list that is kept up to date.
 */
static void surplus_member(struct row *row, void *data)
{
	const struct scope *sc = data;
	const struct local *l = sc->t->m->local;
	const struct own *o = local_find(l, row->key.tag, row->key.id);

	if (in_kernel(sc->s)) {
		if (o && o->granted &&
		    (!l->known || local_has_vni(l, row->key.id)))
			return;
		if (!o && !sc->s->live &&
		    !is_ours(&sc->t->m->facts, row->key.id))
			return;
	}
	batch_del(&sc->t->batch, row);
}

/* Behind the members: what goes, and that what is there is all. */
static void finish(struct table *t, struct service *s)
{
	struct scope sc = { .t = t, .s = s };
	struct row_parts parts;
	struct row_key key;

	rows_end(&t->rows, VNIMESH_OBJECT_MEMBER, s->tag, surplus_member, &sc);
	if (in_kernel(s) && !s->loaded) {
		service_row(t, s, &key, &parts);
		batch_loaded(&t->batch, &key, &parts, &s->loaded);
	}
	rows_end(&t->rows, VNIMESH_OBJECT_SERVICE, s->tag, surplus, t);
}

static void sync_services(struct table *t)
{
	struct facts *f = &t->m->facts;
	struct service *s;
	size_t i;

	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		if (moves(s) && s->dirty)
			move_service(t, s);
		else if (touched(t, s))
			sync_service(t, s);
	}
	if (t->vnis)
		sync_vnis(t);
	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		if (s->dirty && in_kernel(s))
			sync_members(t, s);
	}
	/* Nobody refers to what goes: members before VNIs and services. */
	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		if (touched(t, s) && !moves(s))
			finish(t, s);
	}
	if (t->vnis && t->m->synced)
		rows_end(&t->rows, VNIMESH_OBJECT_VNI, NULL, surplus, t);
}

/* Rows of services that the facts do not even name any more. */
static void drop_unnamed(struct table *t)
{
	struct row *row;
	size_t i;

	for (i = 0; i < t->rows.set.n; i++) {
		row = t->rows.set.v[i];
		if ((row->key.object == VNIMESH_OBJECT_MEMBER ||
		     row->key.object == VNIMESH_OBJECT_SERVICE) &&
		    !facts_service(&t->m->facts, row->key.tag))
			batch_del(&t->batch, row);
	}
}

/* All services in use have their members from the coordinator. */
static bool all_known(const struct facts *f)
{
	const struct service *s;
	size_t i;

	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		if (s->used && s->defined && !s->live)
			return false;
	}
	return true;
}

/* True: something was taken out, as its address is another now, and is to come
 * back with that, or could not be and is to be written as it is. Not at once: the
 * news of its end, which are on their way, would be taken for somebody else's
 * doing.
 */
static bool clean(struct table *t)
{
	struct facts *f = &t->m->facts;
	bool again = false;
	struct service *s;
	size_t i;

	t->nodes = false;
	t->vnis = false;
	t->full = false;
	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		s->dirty = s->dirty && s->moved;
		s->moved &= !s->dirty;
		again |= s->dirty;
	}
	return again;
}

void table_sync(struct table *t)
{
	bool full = t->full;
	bool again, sweep;

	if (!t->m->running)
		return;
	if (full) {
		t->gen++;
		rows_forget(&t->rows);
	}
	batch_begin(&t->batch, t->gen);
	if (t->nodes)
		sync_nodes(t);
	sync_services(t);
	if (t->nodes && t->m->synced)
		rows_end(&t->rows, VNIMESH_OBJECT_NODE, NULL, surplus, t);
	if (full)
		drop_unnamed(t);
	again = clean(t);
	/* What is not written yet is not left over. */
	sweep = full && !again && all_known(&t->m->facts) &&
		t->m->local->known && local_settled(t->m->local);
	t->full = full && again;
	t->retry |= again;
	if (!batch_send(&t->batch, sweep))
		t->retry = true;
	else
		t->pause = 0;
}

struct found {
	struct table *t;
	struct rows rows;
	uint8_t object;
};

static bool found_service(struct table *t, const struct vnm_service *row)
{
	struct service *s = facts_service_make(&t->m->facts, row->tag);
	uint64_t ago = 0;

	if (!s)
		return false;
	if (VNM_HAS(row, VNIMESH_A_SERVICE_USED))
		ago = row->used_ms * LOOP_USEC_PER_MSEC;
	s->used = true;
	s->used_us = loop_now() > ago ? loop_now() - ago : 0;
	return true;
}

/* Its service is in use, even if the row of that was made by hand. */
static bool found_member(struct table *t, const struct vnm_member *row)
{
	struct service *s = facts_service_make(&t->m->facts, row->tag);
	const struct figures figures = {
		.state = row->state, .health = row->health,
		.weight = row->weight, .priority = row->priority,
		.latency_us = row->latency_us,
		.latency_kind = row->latency_kind,
		.epoch = row->meta.epoch, .seq = row->meta.seq,
	};
	struct member *m;

	if (!s)
		return false;
	if (!s->used)
		s->used_us = loop_now();
	s->used = true;
	m = sorted_find(&s->members, &row->vni);
	if (m)
		facts_resume_member(m, row->meta.source, &figures);
	local_resume(t->m->local, row->tag, row->vni,
		     row->state != VNIMESH_STATE_DOWN, row->health,
		     row->latency_us);
	return true;
}

static void found_node(struct table *t, const struct vnm_node *row)
{
	struct node *n = facts_node(&t->m->facts, row->node);

	if (n && !row->self)
		facts_resume_node(n, &row->underlay, row->port,
				  row->state == VNIMESH_STATE_DOWN,
				  row->latency_us);
}

static int on_row(const struct vnm_genl_msg *msg, void *data)
{
	struct found *f = data;
	union row_record r;
	struct row_key key;
	bool ok = true;

	if (!row_found(f->object, msg, &r, &key))
		return 0;
	if (f->object == VNIMESH_OBJECT_SERVICE)
		ok = found_service(f->t, &r.service);
	else if (f->object == VNIMESH_OBJECT_MEMBER)
		ok = found_member(f->t, &r.member);
	else if (f->object == VNIMESH_OBJECT_NODE)
		found_node(f->t, &r.node);
	return ok && rows_found(&f->rows, &key) ? 0 : -ENOMEM;
}

bool table_load(struct table *t)
{
	static const uint8_t objects[] = {
		VNIMESH_OBJECT_NODE, VNIMESH_OBJECT_VNI,
		VNIMESH_OBJECT_SERVICE, VNIMESH_OBJECT_MEMBER,
	};
	struct found f = { .t = t };
	struct vnm_error e = { 0 };
	struct service *s;
	struct nl_msg *msg;
	char text[400];
	size_t i;

	rows_init(&f.rows);
	for (i = 0; i < sizeof(objects); i++) {
		f.object = objects[i];
		msg = row_dump_msg(t->m->kernel, f.object);
		if (msg && !vnm_genl_dump(kernel_genl(t->m->kernel), msg,
					  on_row, &f, &e))
			continue;
		vnm_error_text(&e, text, sizeof(text));
		log_err("cannot read the table: %s", msg ? text : "no memory");
		rows_free(&f.rows);
		return false;
	}
	rows_free(&t->rows);
	t->rows = f.rows;
	for (i = 0; i < t->m->facts.services.n; i++) {
		s = t->m->facts.services.v[i];
		s->loaded = false;
		/* What was in the way may have gone unnoticed. */
		s->moved |= s->stuck;
	}
	all_dirty(t);
	return true;
}

void table_reload(struct table *t)
{
	t->reload = t->m->running && !table_load(t);
}

/* What is refused for good is not asked for each second. */
void table_retry(struct table *t)
{
	if (t->reload)
		table_reload(t);
	if (!t->retry || t->paused++ < t->pause)
		return;
	t->retry = false;
	t->paused = 0;
	t->pause = t->pause ? t->pause * 2 : 1;
	if (t->pause > RETRY_PAUSE_MAX)
		t->pause = RETRY_PAUSE_MAX;
	all_dirty(t);
}

void table_lost(struct table *t, const struct row_key *key)
{
	if (!rows_lost(&t->rows, key))
		return;
	log_info("a row of the agent was deleted by somebody else: %s %s%s%u",
		 vnm_type_name(row_type(key->object)), key->tag,
		 key->tag[0] ? " " : "", key->id);
	all_dirty(t);
}

void table_freed(struct table *t, const struct row_key *key)
{
	struct service *s = facts_service(&t->m->facts, key->tag);

	if (!s || !s->stuck)
		return;
	s->moved = true;
	table_dirty(t, s->tag);
}

struct table *table_new(struct mesh *m)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->m = m;
	/* Another run's number differs, whatever came between. */
	t->gen = (uint64_t)mesh_random() << 24 & INT64_MAX;
	rows_init(&t->rows);
	if (!batch_init(&t->batch, m, &t->rows) ||
	    loop_defer(m->loop, &t->defer, on_defer, t)) {
		table_free(t);
		return NULL;
	}
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	source_free(&t->defer);
	batch_free(&t->batch);
	rows_free(&t->rows);
	free(t);
}
