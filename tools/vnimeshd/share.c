// SPDX-License-Identifier: GPL-2.0-or-later
/* What one user may make of what is kept. */

#include <string.h>

#include <linux/vnimesh.h>

#include "share.h"

#define STRING(n)	#n
#define DIGITS(n)	STRING(n)

/* One that has not been asked for longest has filled up since, or the users are
 * more than those with a grant can be.
 */
static struct share *share_of(struct shares *s, uid_t uid, uint64_t now_us)
{
	struct share *oldest = NULL;
	unsigned int i;

	for (i = 0; i < s->n; i++) {
		if (s->v[i].uid == uid)
			return &s->v[i];
		if (!oldest || s->v[i].changes.at_us < oldest->changes.at_us)
			oldest = &s->v[i];
	}
	if (s->n < GRANTS_MAX)
		oldest = &s->v[s->n++];
	oldest->uid = uid;
	peer_bucket_init(&oldest->changes, SHARE_RATE, SHARE_BURST, now_us);
	return oldest;
}

const char *share_change(struct shares *s, uid_t uid, uint64_t now_us)
{
	if (!uid || peer_bucket_take(&share_of(s, uid, now_us)->changes, now_us))
		return NULL;
	s->refused_rate++;
	return "this user changes more than it may, " DIGITS(SHARE_BURST)
	       " times at once and " DIGITS(SHARE_RATE) " times a second";
}

const char *share_register(struct shares *s, const struct durable *d, uid_t uid,
			   const char *tag, uint32_t vni)
{
	const struct registered *r;
	size_t i, its = 0, all = 0, others = 0;

	for (i = 0; i < d->n_regs; i++) {
		r = &d->regs[i];
		/* This one takes its place. */
		if (r->vni == vni && !strcmp(r->tag, tag)) {
			if (r->uid == uid)
				return NULL;
			continue;
		}
		its += r->uid == uid;
		all += r->uid != 0;
		others++;
	}
	if (uid && its >= SHARE_REGISTERED) {
		s->refused_share++;
		return "this user has as many registrations as it may, "
		       DIGITS(SHARE_REGISTERED);
	}
	if (uid ? all < SHARE_REGISTERED_ALL : others < REGISTERED_MAX)
		return NULL;
	s->refused_full++;
	return uid ? "all users but root have as many registrations as they may" :
		     "more registrations than are kept";
}

static void add_size(struct check_size *sum, const struct check_size *more)
{
	sum->parts += more->parts;
	sum->bytes += more->bytes;
}

/* That of one alone. */
static const char *size_of_one(struct shares *s, const struct check_size *one)
{
	if (one->parts <= SHARE_PARTS_ONE && one->bytes <= SHARE_BYTES_ONE)
		return NULL;
	s->refused_size++;
	return one->parts > SHARE_PARTS_ONE ?
	       "has more parts than a user may register, "
	       DIGITS(SHARE_PARTS_ONE) :
	       "has more bytes than a user may register, "
	       DIGITS(SHARE_BYTES_ONE);
}

const char *share_check(struct shares *s, const struct durable *d, uid_t uid,
			const char *tag, uint32_t vni, const json_t *def)
{
	const struct check_size one = durable_size(def);
	struct check_size its = one, all = one;
	const struct registered *r;
	const char *why;
	size_t i;

	if (!uid)
		return NULL;
	for (i = 0; i < d->n_regs; i++) {
		r = &d->regs[i];
		if (r->vni == vni && !strcmp(r->tag, tag)) {
			/* It was there before there was this bound. */
			if (r->uid == uid && r->size.parts >= one.parts &&
			    r->size.bytes >= one.bytes)
				return NULL;
			continue;
		}
		if (r->uid == uid)
			add_size(&its, &r->size);
		if (r->uid)
			add_size(&all, &r->size);
	}
	why = size_of_one(s, &one);
	if (why)
		return why;
	if (its.parts > SHARE_PARTS || its.bytes > SHARE_BYTES) {
		s->refused_share++;
		return its.parts > SHARE_PARTS ?
		       "with this one the checks of this user have more parts than they may, "
		       DIGITS(SHARE_PARTS) :
		       "with this one the checks of this user have more bytes than they may, "
		       DIGITS(SHARE_BYTES);
	}
	if (all.parts <= SHARE_PARTS_ALL && all.bytes <= SHARE_BYTES_ALL)
		return NULL;
	s->refused_full++;
	return "with this one the checks of all users but root are more than they may be";
}

enum fit { FITS, SHARE_USED, ALL_USED };

static enum fit fit_of(const struct durable *d, const struct intent *in)
{
	const struct intent *v;
	size_t i, its = 0, all = 0, others = 0;

	if (in->state == VNIMESH_STATE_UP)
		return FITS;
	for (i = 0; i < d->n_intents; i++) {
		v = &d->intents[i];
		if (v->vni == in->vni && !v->uid == !in->uid &&
		    !strcmp(v->tag, in->tag)) {
			if (v->uid == in->uid)
				return FITS;
			continue;
		}
		its += v->uid == in->uid;
		all += v->uid != 0;
		others++;
	}
	if (in->uid && its >= SHARE_INTENTS)
		return SHARE_USED;
	return (in->uid ? all < SHARE_INTENTS_ALL : others < INTENTS_MAX) ?
	       FITS : ALL_USED;
}

bool share_has_intent(const struct durable *d, const struct intent *in)
{
	return fit_of(d, in) == FITS;
}

const char *share_intent(struct shares *s, const struct durable *d,
			 const struct intent *in)
{
	switch (fit_of(d, in)) {
	case FITS:
		return NULL;
	case SHARE_USED:
		s->refused_share++;
		return "this user has as many intents as it may, "
		       DIGITS(SHARE_INTENTS);
	default:
		s->refused_full++;
		return in->uid ?
		       "all users but root have as many intents as they may" :
		       "more intents than are kept";
	}
}
