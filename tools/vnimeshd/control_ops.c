// SPDX-License-Identifier: GPL-2.0-or-later
/* What can be asked on the control socket. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control.h"
#include "control_ops.h"
#include "local.h"
#include "log.h"
#include "peer.h"
#include "wire.h"

struct ask {
	struct mesh *m;
	uid_t uid;
	struct jread rd;
	struct jobj o;
	json_t *ret;		/* of a good answer */
};

static const char *const states[] = { "up", "drain", "maint", NULL };

/* root may do all, others what is granted. */
static bool granted(const struct ask *a, uint32_t vni)
{
	const struct config *c = &a->m->conf;
	unsigned int i;

	if (!a->uid)
		return true;
	for (i = 0; i < c->n_grants; i++)
		if (c->grants[i].uid == a->uid && c->grants[i].vni == vni)
			return true;
	return false;
}

static bool may(struct ask *a, uint32_t vni)
{
	if (!jread_ok(&a->rd) || granted(a, vni))
		return jread_ok(&a->rd);
	jread_fail(&a->o, "vni", "VNI %u is not granted to uid %u", vni,
		   (unsigned int)a->uid);
	return false;
}

static void get_member(struct ask *a, char tag[TAG_MAX + 1], uint32_t *vni)
{
	jget_tag(&a->o, "tag", JREQ, tag);
	jget_u32(&a->o, "vni", JREQ, 1, UINT32_MAX, vni);
	may(a, *vni);
}

/* What would act with more rights than the caller has. */
static bool modest(struct ask *a, const struct check_conf *c)
{
	unsigned int i;

	if (!a->uid)
		return true;
	if (c->type == CHECK_EXEC || c->password_file || c->tls_ca ||
	    (c->alias_vni && !granted(a, c->alias_vni))) {
		jread_fail(&a->o, "service",
			   "only root may register a check with a program, a file or another's VNI");
		return false;
	}
	for (i = 0; i < c->n_subs; i++)
		if (!modest(a, &c->subs[i]))
			return false;
	return true;
}

static void op_register(struct ask *a)
{
	const char *why = NULL, *field;
	struct service_conf s;
	struct jobj def;

	if (!jget_obj(&a->o, "service", JREQ, &def))
		return;
	if (!service_read(&def, &a->m->conf.allow, &s))
		return;
	if (s.check.primary_tag[0])
		jread_fail(&def, "check.primary_tag",
			   "register the tag with an alias check instead");
	if (jobj_end(&a->o) && may(a, s.vni) && modest(a, &s.check)) {
		why = local_register(a->m->local, &s, a->uid, def.json, &field);
		if (why)
			jread_fail(&def, field, "%s", why);
	}
	service_free(&s);
}

static void op_deregister(struct ask *a)
{
	char tag[TAG_MAX + 1] = "";
	const char *why;
	uint32_t vni = 0;

	get_member(a, tag, &vni);
	if (!jobj_end(&a->o))
		return;
	why = local_deregister(a->m->local, tag, vni, a->uid);
	if (why)
		jread_fail(&a->o, "tag", "%s", why);
}

static void op_intent(struct ask *a)
{
	struct intent in = { .uid = a->uid, .since = time(NULL) };
	const char *reason = "", *why;
	unsigned int state = 0;

	jget_tag(&a->o, "tag", JREQ, in.tag);
	jget_u32(&a->o, "vni", a->uid ? JREQ : JOPT, 1, UINT32_MAX, &in.vni);
	jget_word(&a->o, "state", JREQ, states, &state);
	jget_str(&a->o, "reason", JOPT, INTENT_REASON, &reason);
	if (!may(a, in.vni) || !jobj_end(&a->o))
		return;
	in.state = state + VNIMESH_STATE_UP;
	strcpy(in.reason, reason);
	why = local_intent(a->m->local, &in);
	if (why)
		jread_fail(&a->o, NULL, "%s", why);
}

static void op_ttl(struct ask *a)
{
	static const char *const words[] = { "pass", "warn", "fail", NULL };
	static const enum health_result results[] = {
		HEALTH_PASS, HEALTH_WARN, HEALTH_DEFINITE
	};
	char tag[TAG_MAX + 1] = "";
	const char *text = "";
	unsigned int word = 0;
	const struct own *o;
	uint32_t vni = 0;

	get_member(a, tag, &vni);
	jget_word(&a->o, "status", JREQ, words, &word);
	jget_str(&a->o, "output", JOPT, OUTPUT_MAX, &text);
	if (!jobj_end(&a->o))
		return;
	o = local_find(a->m->local, tag, vni);
	if (!o)
		jread_fail(&a->o, "tag", "no such member on this host");
	else if (!check_push(o->check, results[word], text))
		jread_fail(&a->o, "tag", "has no ttl check");
}

static void op_check(struct ask *a)
{
	char tag[TAG_MAX + 1] = "";
	uint32_t vni = 0;

	get_member(a, tag, &vni);
	if (!jobj_end(&a->o))
		return;
	if (!local_find(a->m->local, tag, vni))
		jread_fail(&a->o, "tag", "no such member on this host");
	else
		local_check_now(a->m->local, tag, vni);
}

static json_int_t age_ms(uint64_t since_us)
{
	return since_us ? (json_int_t)((loop_now() - since_us) / 1000) : -1;
}

/* The clock of the day may have been set back since. */
static json_int_t intent_age_ms(uint64_t since)
{
	uint64_t now = time(NULL);

	return now > since ? (now - since) * 1000 : 0;
}

static json_t *pack_intent(const struct intent *in)
{
	if (!in)
		return json_pack("{s:s}", "state", "up");
	return json_pack("{s:s, s:s, s:I, s:I}",
			 "state", states[in->state - VNIMESH_STATE_UP],
			 "reason", in->reason, "uid", (json_int_t)in->uid,
			 "age_ms", intent_age_ms(in->since));
}

static json_t *pack_health(const struct own *o)
{
	static const char *const roles[] = { "none", "primary", "replica" };
	const struct health *h = &o->health;

	return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:b, s:I}",
			 "state", h->up ? "up" : "down",
			 "check", check_types[o->conf.check.type],
			 "score", (json_int_t)health_score(h),
			 "latency_us", (json_int_t)h->latency_us,
			 "role", roles[check_role(o->check)],
			 "output", o->output, "held", h->held,
			 "age_ms", age_ms(o->checked_us));
}

static json_t *pack_grant(const struct own *o)
{
	const char *state = o->granted ? "granted" :
			    o->refusal[0] ? "refused" : "asked";

	return json_pack("{s:s, s:s}", "state", state, "detail", o->refusal);
}

static json_t *pack_reach(const struct local *l, const struct own *o)
{
	return json_pack("{s:s, s:s, s:I}",
			 "state", o->device ? "up" : "down",
			 "source", "device", "age_ms", age_ms(l->read_us));
}

/* Each of what counts, with its source and age; the worst of them wins. */
static json_t *show(const struct local *l, const struct own *o)
{
	const struct intent *in = durable_intent(&l->durable, o->conf.tag,
						 o->conf.vni);
	json_t *ret;

	ret = json_pack("{s:s, s:I, s:s, s:s, s:o}", "tag", o->conf.tag,
			"vni", (json_int_t)o->conf.vni,
			"state", wire_states[local_state(l, o) -
					     VNIMESH_STATE_UP],
			"source", o->runtime ? "registered" : "file",
			"intent", pack_intent(in));
	if (!ret)
		return NULL;
	json_object_set_new(ret, "health", pack_health(o));
	json_object_set_new(ret, "grant", pack_grant(o));
	json_object_set_new(ret, "reachability", pack_reach(l, o));
	return ret;
}

static void op_list(struct ask *a)
{
	const struct local *l = a->m->local;
	char tag[TAG_MAX + 1] = "";
	const struct own *o;
	json_t *members;
	size_t i;

	jget_tag(&a->o, "tag", JOPT, tag);
	if (!jobj_end(&a->o))
		return;
	members = json_array();
	for (i = 0; i < l->own.n; i++) {
		o = l->own.v[i];
		if (granted(a, o->conf.vni) &&
		    (!tag[0] || !strcmp(tag, o->conf.tag)))
			json_array_append_new(members, show(l, o));
	}
	json_object_set_new(a->ret, "members", members);
}

static json_t *pack_told(const struct local *l)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "registered", (json_int_t)l->durable.n_regs,
			 "intents", (json_int_t)l->durable.n_intents,
			 "refused_share", (json_int_t)l->shares.refused_share,
			 "refused_full", (json_int_t)l->shares.refused_full,
			 "refused_size", (json_int_t)l->shares.refused_size,
			 "refused_rate", (json_int_t)l->shares.refused_rate,
			 "forgotten", (json_int_t)l->forgotten);
}

static json_t *pack_control(const struct control_stats *c)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "connections", (json_int_t)c->connections,
			 "answered", (json_int_t)c->answered,
			 "refused_uid", (json_int_t)c->refused_uid,
			 "refused_full", (json_int_t)c->refused_full,
			 "crowded_out", (json_int_t)c->crowded_out,
			 "idle", (json_int_t)c->idle,
			 "pauses", (json_int_t)c->pauses,
			 "put_off", (json_int_t)c->put_off);
}

static json_t *pack_inside(const struct inside_stats *in)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}",
			 "asked", (json_int_t)in->asked,
			 "answered", (json_int_t)in->answered,
			 "failed", (json_int_t)in->failed,
			 "late", (json_int_t)in->late,
			 "restarts", (json_int_t)in->restarts);
}

static json_t *pack_checks(const struct check_env *e)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "started", (json_int_t)e->started,
			 "running", (json_int_t)e->probes,
			 "excused", (json_int_t)e->excused,
			 "put_off", (json_int_t)e->put_off,
			 "overrun", (json_int_t)e->overrun,
			 "trust_reads", (json_int_t)e->trust.reads,
			 "late_beats", (json_int_t)e->late.count,
			 "late_worst_us", (json_int_t)e->late.worst_us);
}

static void op_checks(struct ask *a)
{
	const struct inside_stats *in = inside_stats(a->m->local->env.inside);
	const struct control_stats *c = control_stats(a->m->control);

	if (!jobj_end(&a->o))
		return;
	json_object_set_new(a->ret, "told", pack_told(a->m->local));
	json_object_set_new(a->ret, "control", pack_control(c));
	json_object_set_new(a->ret, "inside", pack_inside(in));
	json_object_set_new(a->ret, "checks", pack_checks(&a->m->local->env));
}

/* Which hosts there are, and how they are, is for who has to do with them. */
static void op_peers(struct ask *a)
{
	if (a->uid && !config_has_grant(&a->m->conf, a->uid))
		jread_fail(&a->o, "op",
			   "peers are shown to root and to users with a grant, not to uid %u",
			   (unsigned int)a->uid);
	else if (jobj_end(&a->o))
		json_object_set_new(a->ret, "peers", peer_list(a->m->peer));
}

static const struct {
	const char *name;
	void (*run)(struct ask *a);
} ops[] = {
	{ "register", op_register },
	{ "deregister", op_deregister },
	{ "intent", op_intent },
	{ "ttl", op_ttl },
	{ "check", op_check },
	{ "list", op_list },
	{ "checks", op_checks },
	{ "peers", op_peers },
};

static void run(struct ask *a)
{
	const char *op;
	size_t i;

	if (!jget_str(&a->o, "op", JREQ, 32, &op))
		return;
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (strcmp(ops[i].name, op))
			continue;
		ops[i].run(a);
		return;
	}
	jread_fail(&a->o, "op", "unknown");
}

json_t *control_answer(struct mesh *m, uid_t uid, const char *line, size_t len)
{
	struct ask a = { .m = m, .uid = uid };
	char error[768];

	a.ret = json_pack("{s:b}", "ok", 1);
	/* Whoever has a newer tool learns what this agent does not know. */
	jread_buf(&a.rd, line, len, JREAD_STRICT);
	if (jread_root(&a.rd, &a.o))
		run(&a);
	if (!jread_ok(&a.rd)) {
		json_decref(a.ret);
		a.ret = json_pack("{s:b, s:s}", "ok", 0, "error",
				  jread_error(&a.rd, error, sizeof(error)));
	}
	jread_free(&a.rd);
	return a.ret;
}
