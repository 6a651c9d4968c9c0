// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading the services of this host, services_dir/(*).json. */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "wire.h"

static void get_host(struct jobj *o, char ret[256])
{
	const char *text;

	if (!jget_str(o, "host", JOPT, 255, &text))
		return;
	/* It becomes a header line. */
	if (strpbrk(text, " \t\r\n"))
		jread_fail(o, "host", "must be a host name");
	else
		strcpy(ret, text);
}

static void get_http(struct jobj *o, struct check_conf *c)
{
	const char *path;

	if (jget_str(o, "path", JOPT, CONFIG_TEXT_MAX, &path)) {
		if (path[0] != '/' || strpbrk(path, " \t\r\n"))
			jread_fail(o, "path",
				   "must begin with / and have no spaces");
		else
			strcpy(c->path, path);
	}
	get_host(o, c->host);
	jget_u32(o, "status_min", JOPT, 100, 599, &c->status_min);
	jget_u32(o, "status_max", JOPT, 100, 599, &c->status_max);
	if (jread_ok(o->rd) && c->status_min > c->status_max)
		jread_fail(o, "status_min", "must not be above status_max");
}

static void get_check(struct jobj *root, struct service_conf *s)
{
	static const char *const types[] = { "none", "tcp", "http", NULL };
	struct check_conf *c = &s->check;
	struct health_conf *h = &c->health;
	unsigned int type = CHECK_NONE;
	uint32_t port = 0;
	struct jobj o;

	*c = (struct check_conf) {
		.path = "/",
		.status_min = 200,
		.status_max = 399,
		.health = {
			.interval_ms = CHECK_INTERVAL_MS,
			.timeout_ms = CHECK_TIMEOUT_MS,
			.rise = CHECK_RISE,
			.fall = CHECK_FALL,
		},
	};
	if (!jget_obj(root, "check", JOPT, &o))
		return;
	jget_word(&o, "type", JREQ, types, &type);
	c->type = type;
	if (s->ports.n)
		port = s->ports.v[0].target;
	jget_u32(&o, "port", JOPT, 1, 65535, &port);
	if (jread_ok(o.rd) && type != CHECK_NONE && !port)
		jread_fail(&o, "port", "required, as the service has no ports");
	c->port = port;
	jget_u32(&o, "interval_ms", JOPT, 50, 3600000, &h->interval_ms);
	jget_u32(&o, "timeout_ms", JOPT, 10, 60000, &h->timeout_ms);
	jget_u32(&o, "rise", JOPT, 1, 100, &h->rise);
	jget_u32(&o, "fall", JOPT, 1, 100, &h->fall);
	/* Fields of http alone are unknown to the others. */
	if (type == CHECK_HTTP)
		get_http(&o, c);
	jobj_end(&o);
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

static bool get_service(struct jobj *o, struct service_conf *s)
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
	get_check(o, s);
	if (jobj_end(o))
		return true;
	ports_free(&s->ports);
	return false;
}

/* An upper bound of what the member and its definition take in a report,
 * the answer of its check left out.
 */
static size_t report_bytes(const struct service_conf *s)
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
	size_t bytes = report_bytes(s);
	struct service_conf *v;
	size_t i;

	for (i = 0; i < all->n; i++) {
		bytes += report_bytes(&all->v[i]);
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

static bool read_file(const char *file, struct services_conf *all,
		      char *error, size_t len)
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
			if (!jarr_obj(&arr, i, &o) || !get_service(&o, &s))
				break;
			if (!append(all, &s, &o))
				ports_free(&s.ports);
		}
	}
	ok = jread_ok(&rd);
	if (!ok)
		jread_error(&rd, error, len);
	jread_free(&rd);
	return ok;
}

static int wanted(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 &&
	       !strcmp(d->d_name + n - 5, ".json");
}

bool services_read(const char *dir, struct services_conf *ret, char *error,
		   size_t len)
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
			ok = read_file(file, ret, error, len);
		free(names[i]);
	}
	free(names);
	if (!ok)
		services_free(ret);
	return ok;
}

void services_free(struct services_conf *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		ports_free(&s->v[i].ports);
	free(s->v);
	s->v = NULL;
	s->n = 0;
}
