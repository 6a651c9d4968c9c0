// SPDX-License-Identifier: GPL-2.0-or-later
/* What the coordinator told about the mesh. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"

static int cmp_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int cmp_tag(const void *a, const void *b)
{
	return strcmp(a, b);
}

void ports_free(struct ports *p)
{
	free(p->v);
	p->v = NULL;
	p->n = 0;
}

bool ports_copy(struct ports *dst, const struct jport *v, unsigned int n)
{
	dst->v = NULL;
	dst->n = 0;
	if (!n)
		return true;
	dst->v = malloc(n * sizeof(*v));
	if (!dst->v)
		return false;
	memcpy(dst->v, v, n * sizeof(*v));
	dst->n = n;
	return true;
}

struct member *member_new(void)
{
	return calloc(1, sizeof(struct member));
}

void member_free(void *member)
{
	struct member *m = member;

	if (!m)
		return;
	ports_free(&m->ports);
	free(m);
}

struct sorted member_list(void)
{
	return (struct sorted)SORTED_INIT(cmp_id);
}

static void service_free(void *elem)
{
	struct service *s = elem;

	sorted_clear(&s->members, member_free);
	ports_free(&s->def.ports);
	free(s);
}

void facts_init(struct facts *f)
{
	memset(f, 0, sizeof(*f));
	f->nodes.cmp = cmp_id;
	f->services.cmp = cmp_tag;
}

void facts_free(struct facts *f)
{
	sorted_clear(&f->nodes, free);
	sorted_clear(&f->services, service_free);
}

bool facts_incarnation(struct facts *f, const char *incarnation)
{
	uint64_t hash = 0xcbf29ce484222325ULL;	/* FNV-1a */
	struct service *s;
	const char *p;
	size_t i, j;

	if (!strcmp(f->incarnation, incarnation))
		return false;
	snprintf(f->incarnation, sizeof(f->incarnation), "%s", incarnation);
	for (p = incarnation; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3ULL;
	f->stamp = hash;
	f->index = 0;
	f->mixed = true;
	for (i = 0; i < f->nodes.n; i++)
		((struct node *)f->nodes.v[i])->version = 0;
	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		s->version = 0;
		s->members_version = 0;
		s->whole = s->live || (f->older && s->whole);
		s->live = false;
		for (j = 0; j < s->members.n; j++)
			((struct member *)s->members.v[j])->told = false;
	}
	return true;
}

struct node *facts_node(const struct facts *f, uint32_t id)
{
	return sorted_find(&f->nodes, &id);
}

struct service *facts_service(const struct facts *f, const char *tag)
{
	return sorted_find(&f->services, tag);
}

/* A miss of a new address, at most a few a second: not worth an index. */
struct service *facts_by_address(const struct facts *f,
				 const struct ip_addr *addr)
{
	struct service *s;
	size_t i;

	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		if (s->defined && (ip_equal(&s->def.address4, addr) ||
				   ip_equal(&s->def.address6, addr)))
			return s;
	}
	return NULL;
}

struct service *facts_service_make(struct facts *f, const char *tag)
{
	struct service *s = facts_service(f, tag);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	snprintf(s->tag, sizeof(s->tag), "%s", tag);
	s->members = member_list();
	if (!sorted_add(&f->services, s)) {
		free(s);
		return NULL;
	}
	return s;
}

bool facts_set_node(struct facts *f, struct node *new, uint64_t version)
{
	struct node *n = facts_node(f, new->id);
	struct reach reach;

	/* What we know is newer; how it hears of the node is its own to say. */
	if (f->older && new->id != f->self && !(n && n->version)) {
		if (!n)
			return true;
		n->stale = new->stale;
		n->verdict = new->verdict;
		n->verdict_id = new->verdict_id;
		n->seen = true;
		return true;
	}
	if (!n) {
		n = malloc(sizeof(*n));
		if (!n)
			return false;
		*n = *new;
		reach_init(&n->reach);
		if (!sorted_add(&f->nodes, n)) {
			free(n);
			return false;
		}
	} else if (version >= n->version) {
		reach = n->reach;
		new->routed = n->routed;
		new->answers = n->answers;
		/* Another host now: what we measured was not this one. */
		if (!ip_equal(&n->underlay, &new->underlay))
			reach_init(&reach);
		*n = *new;
		n->reach = reach;
	}
	if (version >= n->version)
		n->version = version;
	n->seen = true;
	return true;
}

/* What is known of the kernel's row of it is of the former ones. */
static void new_addresses(struct service *s, const struct definition *def)
{
	if (ip_equal(&s->def.address4, &def->address4) &&
	    ip_equal(&s->def.address6, &def->address6))
		return;
	s->moved = false;
	s->stuck = false;
}

bool facts_set_service(struct facts *f, const char *tag,
		       struct definition *new, uint64_t version)
{
	struct service *s = facts_service(f, tag);

	if (f->older && !(s && s->defined && s->version)) {
		if (s)
			s->seen = true;
		return true;
	}
	s = facts_service_make(f, tag);
	if (!s)
		return false;
	s->seen = true;
	s->missing = false;
	if (s->defined && version < s->version)
		return true;
	new_addresses(s, new);
	ports_free(&s->def.ports);
	s->def = *new;
	s->defined = true;
	s->version = version;
	memset(new, 0, sizeof(*new));
	return true;
}

void facts_del_node(struct facts *f, uint32_t id)
{
	free(sorted_take(&f->nodes, &id));
}

void facts_undefine(struct service *s, uint64_t version)
{
	if (version < s->version)
		return;
	s->version = version;
	s->defined = false;
	s->missing = false;
	ports_free(&s->def.ports);
	memset(&s->def, 0, sizeof(s->def));
	sorted_clear(&s->members, member_free);
	s->members_version = version;
}

/* The node of a member by its number, as the coordinator handed them out. */
bool node_has_vni(const struct node *n, uint32_t vni)
{
	return n && vni >= n->vni_first && vni - n->vni_first < n->vni_count;
}

static bool figures_valid(const struct figures *fig)
{
	return fig->state <= VNIMESH_STATE_DOWN &&
	       fig->health <= VNIMESH_HEALTH_MAX &&
	       fig->weight <= VNIMESH_WEIGHT_MAX &&
	       fig->latency_us <= VNIMESH_LATENCY_MAX && fig->epoch;
}

enum facts_fate facts_set_figures(struct facts *f, uint32_t node,
				  const char *tag, uint32_t vni,
				  const struct figures *figures)
{
	struct service *s = facts_service(f, tag);
	struct member *m = s ? sorted_find(&s->members, &vni) : NULL;

	if (!node_has_vni(facts_node(f, node), vni) || (m && m->node != node))
		return FACTS_FOREIGN;
	if (!figures_valid(figures))
		return FACTS_WRONG;
	if (!m)
		return FACTS_UNKNOWN;
	m->peer = true;
	m->cached = false;
	/* They come in any order, and what is over says nothing any more. */
	if (m->epoch == figures->epoch && m->seq > figures->seq)
		return FACTS_SAME;
	m->gone = !figures->state;
	if (m->epoch == figures->epoch && m->seq == figures->seq)
		return FACTS_SAME;
	m->epoch = figures->epoch;
	m->seq = figures->seq;
	m->latency_us = figures->latency_us;
	/* A kind that this version does not have changes nothing. */
	if (figures->latency_kind == VNIMESH_LATENCY_CONNECT ||
	    figures->latency_kind == VNIMESH_LATENCY_RESPONSE)
		m->latency_kind = figures->latency_kind;
	/* What it serves no more the coordinator takes away in its time. */
	m->state = figures->state ? figures->state : VNIMESH_STATE_DOWN;
	m->health = figures->state ? figures->health : 0;
	if (figures->state) {
		m->weight = figures->weight;
		m->priority = figures->priority;
	}
	return FACTS_TAKEN;
}

static bool is_silent(const struct facts *f, const struct member *m,
		      uint32_t node)
{
	const struct node *n;

	if (node)
		return m->node == node;
	n = facts_node(f, m->node);
	return m->node != f->self && (!n || !n->answers);
}

bool facts_silent(struct facts *f, uint32_t node, bool away,
		  void (*changed)(void *data, const char *tag), void *data)
{
	struct service *s;
	struct member *m;
	bool again = false;
	size_t i, j;
	bool any;

	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		any = false;
		for (j = 0; j < s->members.n; j++) {
			m = s->members.v[j];
			if (!is_silent(f, m, node))
				continue;
			any |= m->peer || (away && !m->stale);
			m->peer = false;
			m->asked = false;
			m->stale |= away;
		}
		if (!any)
			continue;
		/* What we said ourselves, nobody takes back by himself. */
		if (s->withheld || away) {
			s->live = false;
			again |= s->used;
		}
		s->withheld = false;
		changed(data, s->tag);
	}
	return again;
}

void facts_route(struct facts *f)
{
	const struct service *s;
	struct node *n;
	size_t i, j;

	for (i = 0; i < f->nodes.n; i++)
		((struct node *)f->nodes.v[i])->routed = false;
	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		for (j = 0; s->used && s->defined && j < s->members.n; j++) {
			n = facts_node(f, ((struct member *)
					   s->members.v[j])->node);
			if (n && n->id != f->self)
				n->routed = true;
		}
	}
}

void facts_forget(struct facts *f)
{
	struct service *s;
	size_t i;

	sorted_clear(&f->nodes, free);
	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		facts_undefine(s, s->version);
		s->known = false;
		s->live = false;
	}
	f->index = 0;
	f->older = false;
	f->mixed = false;
	f->aged = false;
	f->as_of_us = 0;
	facts_prune(f);
}

static bool service_needed(void *elem, void *data)
{
	struct service *s = elem;

	(void)data;
	/* What it was is still to be taken out of the kernel. */
	return s->defined || s->used || s->served || s->dirty;
}

void facts_prune(struct facts *f)
{
	sorted_filter(&f->services, service_needed, service_free, NULL);
}
