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
	size_t i;

	if (!strcmp(f->incarnation, incarnation))
		return false;
	snprintf(f->incarnation, sizeof(f->incarnation), "%s", incarnation);
	for (p = incarnation; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3ULL;
	f->stamp = hash;
	f->index = 0;
	for (i = 0; i < f->nodes.n; i++)
		((struct node *)f->nodes.v[i])->version = 0;
	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		s->version = 0;
		s->members_version = 0;
		s->live = false;
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

bool facts_set_service(struct facts *f, const char *tag,
		       struct definition *new, uint64_t version)
{
	struct service *s = facts_service_make(f, tag);

	if (!s)
		return false;
	s->seen = true;
	if (s->defined && version < s->version)
		return true;
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
	ports_free(&s->def.ports);
	memset(&s->def, 0, sizeof(s->def));
	sorted_clear(&s->members, member_free);
	s->members_version = version;
}

/* Whether @new says less than @old: it is an older fact of the same run of
 * the owner, or one that the coordinator kept without its version, because it
 * was started anew and did not hear of the owner since.
 */
static bool says_less(const struct member *new, const struct member *old)
{
	if (old->node != new->node)
		return false;
	/* The run that its owner is in now, its owner says. */
	if (old->peer && new->epoch != old->epoch)
		return true;
	return new->epoch == old->epoch ? new->seq < old->seq : !new->epoch;
}

static void keep_figures(struct member *new, const struct member *old)
{
	new->weight = old->weight;
	new->state = old->state;
	new->health = old->health;
	new->latency_us = old->latency_us;
	new->latency_kind = old->latency_kind;
	new->priority = old->priority;
	new->epoch = old->epoch;
	new->seq = old->seq;
	memcpy(new->output, old->output, sizeof(new->output));
}

/* Such facts do not replace ours (the list may come by another channel), but
 * what a member is and how old its figures are is the coordinator's to say.
 */
static void keep_newer(struct service *s, struct sorted *list)
{
	struct member *old, *new;
	size_t i;

	for (i = 0; i < list->n; i++) {
		new = list->v[i];
		old = sorted_find(&s->members, &new->vni);
		if (!old || old->node != new->node)
			continue;
		if (says_less(new, old)) {
			s->withheld |= new->epoch && new->epoch != old->epoch;
			keep_figures(new, old);
		}
		new->peer = old->peer;
		new->asked = old->asked;
	}
}

static bool is_read(void *elem, void *data)
{
	(void)data;
	return !((struct member *)elem)->unread;
}

/* Ours in place of those that were not understood. False without memory. */
static bool keep_unread(struct service *s, struct sorted *list)
{
	uint32_t none = 0;
	bool any = sorted_find(list, &none);
	struct member *old, *new, tmp;
	size_t i;

	for (i = 0; i < s->members.n; i++) {
		old = s->members.v[i];
		new = sorted_find(list, &old->vni);
		if (new ? !new->unread : !any)
			continue;
		if (!new) {
			new = member_new();
			if (!new)
				return false;
			new->vni = old->vni;
			if (!sorted_add(list, new)) {
				member_free(new);
				return false;
			}
		}
		tmp = *old;
		*old = *new;
		*new = tmp;
	}
	sorted_filter(list, is_read, member_free, NULL);
	return true;
}

bool facts_set_members(struct service *s, struct sorted *list,
		       uint64_t version)
{
	bool take = version >= s->members_version && keep_unread(s, list);

	if (take) {
		keep_newer(s, list);
		sorted_clear(&s->members, member_free);
		s->members = *list;
		s->members_version = version;
		s->known = true;
		*list = member_list();
	}
	sorted_clear(list, member_free);
	return take;
}

/* The node of a member by its number, as the coordinator handed them out. */
static bool has_vni(const struct node *n, uint32_t vni)
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

	if (!has_vni(facts_node(f, node), vni) || (m && m->node != node))
		return FACTS_FOREIGN;
	if (!figures_valid(figures))
		return FACTS_WRONG;
	if (!m)
		return FACTS_UNKNOWN;
	m->peer = true;
	m->cached = false;
	if (m->epoch == figures->epoch && m->seq >= figures->seq)
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

void facts_full_begin(struct facts *f)
{
	size_t i;

	for (i = 0; i < f->nodes.n; i++)
		((struct node *)f->nodes.v[i])->seen = false;
	for (i = 0; i < f->services.n; i++)
		((struct service *)f->services.v[i])->seen = false;
}

static bool node_seen(void *elem, void *data)
{
	(void)data;
	return ((struct node *)elem)->seen;
}

void facts_full_end(struct facts *f, uint64_t version)
{
	struct service *s;
	size_t i;

	sorted_filter(&f->nodes, node_seen, free, NULL);
	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		if (!s->seen)
			facts_undefine(s, version);
	}
	facts_prune(f);
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
	facts_prune(f);
}

static bool service_needed(void *elem, void *data)
{
	struct service *s = elem;

	(void)data;
	return s->defined || s->used || s->served;
}

void facts_prune(struct facts *f)
{
	sorted_filter(&f->services, service_needed, service_free, NULL);
}
