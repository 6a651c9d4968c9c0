// SPDX-License-Identifier: GPL-2.0-or-later
/* What is intended with this host's members: drain and maintenance. */

#include <stdio.h>
#include <string.h>

#include "local_priv.h"
#include "log.h"

static const char *const intent_words[] = {
	"serves again", "is drained", "is in maintenance"
};

uint8_t local_state(const struct local *l, const struct own *o)
{
	const struct intent *in;

	if (!o->health.told_up)
		return VNIMESH_STATE_DOWN;
	in = durable_intent(&l->durable, o->conf.tag, o->conf.vni);
	return in ? in->state : VNIMESH_STATE_UP;
}

struct intent local_intent_about(const struct local *l, const char *tag,
				 uint32_t vni)
{
	struct intent none = { .vni = vni, .state = VNIMESH_STATE_UP };
	size_t i;

	for (i = 0; i < l->durable.n_intents; i++)
		if (l->durable.intents[i].vni == vni &&
		    !strcmp(l->durable.intents[i].tag, tag))
			return l->durable.intents[i];
	snprintf(none.tag, sizeof(none.tag), "%s", tag);
	return none;
}

void local_intent_born(const struct local *l, const struct own *o)
{
	const struct intent *in = durable_intent(&l->durable, o->conf.tag,
						 o->conf.vni);

	if (in)
		log_info("%s on VNI %u %s, as uid %u said before it came%s%s",
			 o->conf.tag, o->conf.vni,
			 intent_words[in->state - VNIMESH_STATE_UP],
			 (unsigned int)in->uid, in->reason[0] ? ": " : "",
			 in->reason);
}

void local_intent_gone(struct local *l, const struct intent *in)
{
	if (in->state == VNIMESH_STATE_UP)
		return;
	l->forgotten++;
	log_info("%s on VNI %u goes, and with it that it %s, by uid %u",
		 in->tag, in->vni, intent_words[in->state - VNIMESH_STATE_UP],
		 (unsigned int)in->uid);
}

static bool is_about_nobody(const struct local *l, const struct intent *in)
{
	size_t i;

	return in->vni ? !local_find(l, in->tag, in->vni) :
			 !local_of_tag(l, in->tag, &i);
}

/* The oldest one of @uid about nobody goes; who is root takes that of anybody. */
static bool make_room(struct local *l, uid_t uid)
{
	const struct intent *in, *oldest = NULL;
	struct intent go;
	size_t i;

	for (i = 0; i < l->durable.n_intents; i++) {
		in = &l->durable.intents[i];
		if ((!uid || in->uid == uid) && is_about_nobody(l, in) &&
		    (!oldest || in->since < oldest->since))
			oldest = in;
	}
	if (!oldest)
		return false;
	go = *oldest;
	log_info("the intent of uid %u about %s on VNI %u, which is not here, makes room",
		 (unsigned int)go.uid, go.tag, go.vni);
	go.state = VNIMESH_STATE_UP;
	durable_set_intent(&l->durable, &go);
	l->forgotten++;
	return true;
}

static const char *may_intend(struct local *l, const struct intent *in)
{
	const char *why = share_intent(&l->shares, &l->durable, in);

	if (why && make_room(l, in->uid))
		why = share_intent(&l->shares, &l->durable, in);
	return why ? why : share_change(&l->shares, in->uid, loop_now());
}

const char *local_intent(struct local *l, const struct intent *in)
{
	struct intent old = local_intent_about(l, in->tag, in->vni);
	size_t i, n = local_of_tag(l, in->tag, &i);
	bool any = false;
	const char *why;
	struct own *o;

	if (is_about_nobody(l, in) && old.state == VNIMESH_STATE_UP)
		return "no such member on this host";
	why = may_intend(l, in);
	if (why)
		return why;
	if (durable_set_intent(&l->durable, in))
		return "no memory";
	why = local_save(l);
	if (why) {
		durable_set_intent(&l->durable, &old);
		return why;
	}
	for (; n; n--, i++) {
		o = l->own.v[i];
		if (in->vni && o->conf.vni != in->vni)
			continue;
		any = true;
		log_info("%s on VNI %u %s, by uid %u%s%s", in->tag,
			 o->conf.vni, intent_words[in->state - VNIMESH_STATE_UP],
			 (unsigned int)in->uid, in->reason[0] ? ": " : "",
			 in->reason);
		if (o->seq)
			local_tell(l, o);
	}
	if (!any)
		log_info("the intent about %s is forgotten", in->tag);
	return NULL;
}
