// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists of all there is, against what others told before. */

#include <stdlib.h>
#include <string.h>

#include "facts.h"

bool facts_as_of(struct facts *f, bool full, uint64_t age_us,
		 uint64_t asked_us, uint64_t now_us)
{
	bool was = f->older, later;

	f->aged = age_us;
	if (!age_us) {
		f->older = false;
		f->as_of_us = now_us;
		return was && !full;
	}
	if (!full)
		return false;
	/* It answered later than it was asked: if in doubt, it is older. */
	later = !f->as_of_us || asked_us >= f->as_of_us + age_us;
	f->older = f->mixed && !later;
	if (later && asked_us > age_us)
		f->as_of_us = asked_us - age_us;
	return false;
}

/* Whether @new says less than @old: it is an older fact of the same run of
 * the owner, or one that the coordinator kept without its version, because it
 * was started anew and did not hear of the owner since.
 */
static bool says_less(const struct member *new, const struct member *old,
		      bool older)
{
	if (old->node != new->node)
		return false;
	/* The run that its owner is in now, its owner says. */
	if (old->peer && new->epoch != old->epoch)
		return true;
	if (new->epoch == old->epoch)
		return new->seq < old->seq;
	/* Of which run it heard last, we heard of later. */
	return !new->epoch || (older && new->stale);
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

static void swap(struct member *a, struct member *b)
{
	struct member tmp = *a;

	*a = *b;
	*b = tmp;
}

/* @new is to be what we know, with the figures that count; @old is what the
 * list has then, and goes.
 */
static void keep_ours(struct member *new, struct member *old)
{
	bool less = says_less(new, old, true);

	swap(new, old);
	if (!less)
		keep_figures(new, old);
	new->stale = old->stale;
	new->missing = false;
	new->missing_us = 0;
}

/* Such facts do not replace ours (the list may come by another channel), but
 * what a member is and how old its figures are is the coordinator's to say.
 */
static void keep_newer(struct service *s, struct sorted *list, bool ours,
		       bool told)
{
	struct member *old, *new;
	size_t i;

	for (i = 0; i < list->n; i++) {
		new = list->v[i];
		new->told = told;
		old = sorted_find(&s->members, &new->vni);
		if (!old || old->node != new->node)
			continue;
		if (ours) {
			keep_ours(new, old);
			new->told = told;
			continue;
		}
		if (says_less(new, old, false)) {
			s->withheld |= new->epoch && new->epoch != old->epoch;
			keep_figures(new, old);
		}
		new->peer = old->peer;
		new->asked = old->asked;
		new->gone = old->gone;
	}
}

/* All memory that taking a list needs, before anything is changed: a list that
 * cannot be taken leaves what is known as it was.
 */
struct spare {
	struct sorted v;
	size_t n;		/* that put_back() will need at most */
};

/* What the list has not, or loses by is_ours(). */
static bool may_lack(const struct facts *f, const struct sorted *list,
		     const struct member *old)
{
	const struct member *new = sorted_find(list, &old->vni);

	return !new || !facts_node(f, new->node) || !facts_node(f, old->node);
}

static bool spare_get(struct spare *spare, const struct facts *f,
		      const struct service *s, struct sorted *list)
{
	struct member *m;
	size_t i;

	for (i = 0; i < s->members.n; i++)
		spare->n += may_lack(f, list, s->members.v[i]);
	if (!sorted_reserve(list, spare->n))
		return false;
	while (spare->v.n < spare->n) {
		m = member_new();
		if (!m)
			return false;
		m->vni = spare->v.n + 1;
		if (!sorted_add(&spare->v, m)) {
			member_free(m);
			return false;
		}
	}
	return true;
}

/* Our member of that VNI in place of what the list has. */
static void put_back(struct sorted *list, struct member *old,
		     struct spare *spare)
{
	struct member *new = sorted_find(list, &old->vni);

	if (!new) {
		new = spare->v.v[--spare->v.n];
		new->vni = old->vni;
		sorted_add(list, new);
	}
	swap(old, new);
}

static bool is_read(void *elem, void *data)
{
	(void)data;
	return !((struct member *)elem)->unread;
}

/* Ours in place of those that were not understood. */
static void keep_unread(struct service *s, struct sorted *list,
			struct spare *spare)
{
	uint32_t none = 0;
	bool any = sorted_find(list, &none);
	struct member *old, *new;
	size_t i;

	for (i = 0; i < s->members.n; i++) {
		old = s->members.v[i];
		new = sorted_find(list, &old->vni);
		if (new ? !new->unread : !any)
			continue;
		put_back(list, old, spare);
	}
	sorted_filter(list, is_read, member_free, NULL);
}

/* Its owner says that it serves, which is what keeps it for a while. */
static bool vouched(const struct facts *f, const struct service *s,
		    const struct member *m)
{
	return m->node == f->self ? s->served : m->peer && !m->gone;
}

/* What the list has not, and stays. */
static void keep_missing(const struct facts *f, struct service *s,
			 struct sorted *list, bool ours, struct spare *spare)
{
	struct member *old;
	size_t i;

	for (i = 0; i < s->members.n; i++) {
		old = s->members.v[i];
		/* In exchange for ours, which went with its node. */
		if (!old->node || old->unread)
			continue;
		if (sorted_find(list, &old->vni) ||
		    (!ours && (old->told || !vouched(f, s, old))))
			continue;
		old->missing = true;
		/* Only its owner vouches for it. */
		old->stale = true;
		put_back(list, old, spare);
	}
}

struct ours {
	const struct facts *f;
	const struct service *s;
};

static bool is_ours(void *elem, void *data)
{
	const struct member *m = elem;
	const struct ours *o = data;

	return sorted_find(&o->s->members, &m->vni) &&
	       facts_node(o->f, m->node);
}

/* The list becomes what is known, which is left in it. */
static void merge(const struct facts *f, struct service *s, struct sorted *list,
		  uint64_t version, struct spare *spare)
{
	struct ours ours = { .f = f, .s = s };
	bool counts = f->older && s->whole;
	struct sorted was;

	keep_unread(s, list, spare);
	if (counts)
		sorted_filter(list, is_ours, member_free, &ours);
	keep_newer(s, list, counts, version);
	keep_missing(f, s, list, counts, spare);
	was = s->members;
	s->members = *list;
	*list = was;
	s->members_version = version;
	s->known = true;
	s->whole &= f->older;
}

bool facts_set_members(const struct facts *f, struct service *s,
		       struct sorted *list, uint64_t version)
{
	bool news = version >= s->members_version, take;
	struct spare spare = { .v = member_list() };

	take = news && spare_get(&spare, f, s, list);
	if (take)
		merge(f, s, list, version, &spare);
	else if (news)
		/* Nobody tells it again by himself. */
		s->live = false;
	sorted_clear(&spare.v, member_free);
	sorted_clear(list, member_free);
	return take;
}

void facts_full_begin(struct facts *f)
{
	size_t i;

	for (i = 0; i < f->nodes.n; i++)
		((struct node *)f->nodes.v[i])->seen = false;
	for (i = 0; i < f->services.n; i++)
		((struct service *)f->services.v[i])->seen = false;
}

/* Another node has by now what was this one's. */
static bool node_replaced(const struct facts *f, const struct node *n)
{
	const struct node *x;
	unsigned int j, k;
	size_t i;

	for (i = 0; i < f->nodes.n; i++) {
		x = f->nodes.v[i];
		if (x == n || !x->seen)
			continue;
		if ((x->port == n->port && ip_equal(&x->underlay, &n->underlay)) ||
		    node_has_vni(x, n->vni_first) || node_has_vni(n, x->vni_first))
			return true;
		for (j = 0; j < x->n_prefixes; j++)
			for (k = 0; k < n->n_prefixes; k++)
				if (ip_prefix_overlap(&x->prefixes[j],
						      &n->prefixes[k]))
					return true;
	}
	return false;
}

static bool service_replaced(const struct facts *f, const struct service *s)
{
	const struct definition *d = &s->def;
	const struct service *x;
	size_t i;

	for (i = 0; i < f->services.n; i++) {
		x = f->services.v[i];
		if (x == s || !x->seen || !x->defined)
			continue;
		if ((d->address4.family &&
		     ip_equal(&d->address4, &x->def.address4)) ||
		    (d->address6.family &&
		     ip_equal(&d->address6, &x->def.address6)))
			return true;
	}
	return false;
}

static bool any_missing(const struct service *s, uint32_t node)
{
	const struct member *m;
	size_t i;

	for (i = 0; i < s->members.n; i++) {
		m = s->members.v[i];
		if (m->missing && (!node || m->node == node))
			return true;
	}
	return false;
}

static bool serves_missing(const struct facts *f, uint32_t node)
{
	size_t i;

	for (i = 0; i < f->services.n; i++)
		if (any_missing(f->services.v[i], node))
			return true;
	return false;
}

/* Its node is that which it was on. */
static bool member_fits(void *elem, void *data)
{
	const struct member *m = elem;
	const struct facts *f = data;
	const struct node *n;

	if (!m->missing)
		return true;
	n = facts_node(f, m->node);
	return node_has_vni(n, m->vni) &&
	       (n->seen || (!n->version && !node_replaced(f, n)));
}

static bool node_stays(void *elem, void *data)
{
	struct node *n = elem;

	n->missing = !n->seen;
	return n->seen || serves_missing(data, n->id);
}

void facts_full_end(struct facts *f, uint64_t version)
{
	struct service *s;
	size_t i;

	if (f->older)
		return;
	f->mixed = false;
	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		sorted_filter(&s->members, member_fits, member_free, f);
		if (s->seen)
			continue;
		s->missing = !s->version && any_missing(s, 0) &&
			     !service_replaced(f, s);
		if (!s->missing)
			facts_undefine(s, version);
	}
	sorted_filter(&f->nodes, node_stays, free, f);
	facts_prune(f);
}

size_t facts_count_missing(const struct facts *f)
{
	const struct service *s;
	size_t i, j, n = 0;

	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		for (j = 0; j < s->members.n; j++)
			n += ((const struct member *)s->members.v[j])->missing;
	}
	return n;
}

struct wait {
	uint64_t now_us, patience_us;
	bool away;
};

static bool member_waits(void *elem, void *data)
{
	const struct wait *w = data;
	struct member *m = elem;

	if (!m->missing)
		return true;
	if (!m->missing_us || w->away)
		m->missing_us = w->now_us;
	return w->now_us < m->missing_us + w->patience_us;
}

static bool node_waits(void *elem, void *data)
{
	const struct node *n = elem;

	return !n->missing || serves_missing(data, n->id);
}

bool facts_missing(struct facts *f, bool away, uint64_t patience_us,
		   uint64_t now_us,
		   void (*changed)(void *data, const char *tag), void *data)
{
	struct wait w = {
		.now_us = now_us, .patience_us = patience_us,
		/* Who has no quorum takes nothing away. */
		.away = away || f->aged,
	};
	size_t i, n;
	struct service *s;
	bool ended;

	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		n = s->members.n;
		sorted_filter(&s->members, member_waits, member_free, &w);
		ended = s->missing && !any_missing(s, 0);
		if (ended)
			facts_undefine(s, s->version);
		if (ended || s->members.n != n)
			changed(data, s->tag);
	}
	n = f->nodes.n;
	sorted_filter(&f->nodes, node_waits, free, f);
	return f->nodes.n != n;
}
