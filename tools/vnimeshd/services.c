// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading the services of this host, services_dir/(*).json. */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "wire.h"

/* Aliases of aliases; at most one of each kind is ever needed. */
#define ALIAS_DEPTH_MAX	4

void service_free(struct service_conf *s)
{
	ports_free(&s->ports);
	check_conf_free(&s->check);
}

/* What clients do with connections to a member that goes, and how many. */
static void get_flows(struct jobj *o, struct service_conf *s)
{
	unsigned int on_down = 0;
	unsigned int load = 0;
	uint32_t priority = 0;

	jget_word(o, "on_down", JOPT, wire_on_downs, &on_down);
	jget_u32(o, "drain_time_ms", JOPT, 0, DRAIN_TIME_MAX,
		 &s->drain_time_ms);
	jget_word(o, "load", JOPT, wire_loads, &load);
	jget_u32(o, "priority", JOPT, 0, UINT8_MAX, &priority);
	s->on_down = on_down + VNIMESH_ON_DOWN_ABORT;
	s->load = load + VNIMESH_LOAD_CONNECTIONS;
	s->priority = priority;
	if (jread_ok(o->rd) && s->on_down == VNIMESH_ON_DOWN_DRAIN &&
	    !s->drain_time_ms)
		jread_fail(o, "drain_time_ms",
			   "required with on_down drain, above 0");
}

bool service_read(struct jobj *o, const struct check_allow *allow,
		  struct service_conf *s)
{
	struct jport v[JPORTS_MAX];
	unsigned int policy = 0;
	unsigned int n = 0;

	memset(s, 0, sizeof(*s));
	s->weight = VNIMESH_WEIGHT_DEFAULT;
	jget_tag(o, "tag", JREQ, s->tag);
	jget_u32(o, "vni", JREQ, 1, UINT32_MAX, &s->vni);
	jget_u32(o, "weight", JOPT, 0, VNIMESH_WEIGHT_MAX, &s->weight);
	jget_word(o, "policy", JOPT, wire_policies, &policy);
	s->policy = policy + VNIMESH_POLICY_OPTIMAL;
	get_flows(o, s);
	if (jget_ports(o, "ports", JOPT, v, &n) && !ports_copy(&s->ports, v, n))
		jread_fail(o, "ports", "no memory");
	check_conf_read(o, "check", s->ports.n ? s->ports.v[0].target : 0,
			allow, &s->check);
	if (jobj_end(o))
		return true;
	service_free(s);
	memset(s, 0, sizeof(*s));
	return false;
}

size_t service_bytes(const struct service_conf *s)
{
	size_t n = 448 + 2 * strlen(s->tag);
	unsigned int i;

	for (i = 0; i < s->ports.n; i++)
		n += 2 * (56 + strlen(s->ports.v[i].name));
	return n;
}

static bool append(struct services_conf *all, struct service_conf *s,
		   struct jobj *o)
{
	size_t bytes = service_bytes(s);
	struct service_conf *v;
	size_t i;

	for (i = 0; i < all->n; i++) {
		bytes += service_bytes(&all->v[i]);
		if (all->v[i].vni == s->vni && !strcmp(all->v[i].tag, s->tag)) {
			jread_fail(o, "tag",
				   "VNI %u serves \"%s\" already, by an earlier entry",
				   s->vni, s->tag);
			return false;
		}
	}
	if (all->n >= SERVICES_MAX) {
		jread_fail(o, NULL, "more than %u services", SERVICES_MAX);
		return false;
	}
	if (bytes > SERVICES_BYTES - 256) {
		jread_fail(o, NULL, "more services and ports than fit in a report");
		return false;
	}
	v = realloc(all->v, (all->n + 1) * sizeof(*v));
	if (!v) {
		jread_fail(o, NULL, "no memory");
		return false;
	}
	all->v = v;
	all->v[all->n++] = *s;
	return true;
}

/* Who is the primary is also a member of another service, as long as it is. */
static bool append_primary(struct services_conf *all,
			   const struct service_conf *s, struct jobj *o)
{
	struct service_conf p = *s;

	memset(&p.ports, 0, sizeof(p.ports));
	memset(&p.check, 0, sizeof(p.check));
	strcpy(p.tag, s->check.primary_tag);
	if (!ports_copy(&p.ports, s->ports.v, s->ports.n)) {
		jread_fail(o, NULL, "no memory");
		return false;
	}
	p.check.type = CHECK_ALIAS;
	p.check.port = s->check.port;
	p.check.health = s->check.health;
	p.check.health.rise = 1;
	p.check.health.fall = 1;
	p.check.alias_primary = true;
	strcpy(p.check.alias_tag, s->tag);
	if (append(all, &p, o))
		return true;
	service_free(&p);
	return false;
}

static bool add(struct services_conf *all, struct service_conf *s,
		struct jobj *o)
{
	if (!append(all, s, o)) {
		service_free(s);
		return false;
	}
	return !s->check.primary_tag[0] || append_primary(all, s, o);
}

static bool read_file(const char *file, const struct check_allow *allow,
		      struct services_conf *all, char *error, size_t len)
{
	struct service_conf s;
	struct jread rd;
	struct jarr arr;
	struct jobj o;
	unsigned int i;
	bool ok;

	jread_file(&rd, file, JREAD_STRICT);
	if (jread_root_list(&rd, &arr)) {
		for (i = 0; i < arr.n && jread_ok(&rd); i++) {
			if (!jarr_obj(&arr, i, &o) ||
			    !service_read(&o, allow, &s) || !add(all, &s, &o))
				break;
		}
	}
	ok = jread_ok(&rd);
	if (!ok)
		jread_error(&rd, error, len);
	jread_free(&rd);
	return ok;
}

static const struct service_conf *find(const struct services_conf *all,
				       const char *tag, uint32_t vni)
{
	size_t i;

	for (i = 0; i < all->n; i++)
		if (all->v[i].vni == vni && !strcmp(all->v[i].tag, tag))
			return &all->v[i];
	return NULL;
}

/* Whether following the aliases in @c of VNI @vni comes to an end; each of
 * the path is another member, so there are at most all of them.
 */
static bool alias_ends(const struct services_conf *all,
		       const struct check_conf *c, uint32_t vni, size_t left)
{
	const struct service_conf *s;
	unsigned int i;

	for (i = 0; i < c->n_subs; i++)
		if (!alias_ends(all, &c->subs[i], vni, left))
			return false;
	if (c->type != CHECK_ALIAS)
		return true;
	if (!left)
		return false;
	s = find(all, c->alias_tag, c->alias_vni ? c->alias_vni : vni);
	return !s || alias_ends(all, &s->check, s->vni, left - 1);
}

static bool aliases_end(const char *dir, const struct services_conf *all,
			char *error, size_t len)
{
	size_t i, depth = all->n < ALIAS_DEPTH_MAX ? all->n : ALIAS_DEPTH_MAX;
	const struct service_conf *s;

	for (i = 0; i < all->n; i++) {
		s = &all->v[i];
		if (alias_ends(all, &s->check, s->vni, depth))
			continue;
		snprintf(error, len,
			 "%s: \"%s\" on VNI %u: field \"check\": the alias leads back to itself, or over more than %u others",
			 dir, s->tag, s->vni, ALIAS_DEPTH_MAX);
		return false;
	}
	return true;
}

static int wanted(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 &&
	       !strcmp(d->d_name + n - 5, ".json");
}

bool services_read(const char *dir, const struct check_allow *allow,
		   struct services_conf *ret, char *error, size_t len)
{
	struct dirent **names = NULL;
	char file[1024];
	bool ok = true;
	int i, n;

	memset(ret, 0, sizeof(*ret));
	n = scandir(dir, &names, wanted, alphasort);
	if (n < 0) {
		ret->missing = errno == ENOENT;
		if (ret->missing)
			return true;
		snprintf(error, len, "%s: %s", dir, strerror(errno));
		return false;
	}
	for (i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", dir, names[i]->d_name);
		if (ok)
			ok = read_file(file, allow, ret, error, len);
		free(names[i]);
	}
	free(names);
	if (ok)
		ok = aliases_end(dir, ret, error, len);
	if (!ok)
		services_free(ret);
	return ok;
}

void services_free(struct services_conf *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		service_free(&s->v[i]);
	free(s->v);
	s->v = NULL;
	s->n = 0;
}
