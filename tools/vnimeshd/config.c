// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading vnimeshd.json. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "config.h"
#include "defaults.h"

static void get_path(struct jobj *o, const char *key, char *ret)
{
	const char *text;

	if (!jget_str(o, key, JOPT, CONFIG_TEXT_MAX, &text))
		return;
	if (text[0] != '/')
		jread_fail(o, key, "must be an absolute path");
	else
		strcpy(ret, text);
}

/* ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT. No name: nobody resolves it while
 * the host comes up, and who does may wait for long.
 */
static bool is_host_port(const char *text, size_t n)
{
	char buf[IP_TEXT_MAX + 16];
	char *host = buf, *port;
	struct ip_addr addr;
	size_t i;

	if (n >= sizeof(buf))
		return false;
	memcpy(buf, text, n);
	buf[n] = '\0';
	if (*buf == '[') {
		host++;
		port = strchr(buf, ']');
		if (!port)
			return false;
		*port++ = '\0';
	} else {
		port = buf + strcspn(buf, ":");
	}
	if (*port) {
		if (*port != ':')
			return false;
		*port++ = '\0';
		i = strspn(port, "0123456789");
		if (!i || i > 5 || port[i] || atoi(port) < 1 ||
		    atoi(port) > 65535)
			return false;
	}
	return ip_parse(host, &addr) &&
	       (addr.family == AF_INET6) == (*buf == '[');
}

static bool read_url(const char *text, struct config *c, char *ret)
{
	bool tls = !strncmp(text, "https://", 8);
	const char *host = text + (tls ? 8 : 7);
	size_t n = strlen(text);

	while (n && text[n - 1] == '/')
		n--;
	/* One certificate, or none, for all. */
	if ((!tls && strncmp(text, "http://", 7)) || n > CONFIG_URL_MAX ||
	    (c->nr_coordinators && tls != c->tls) || text + n <= host ||
	    !is_host_port(host, n - (host - text)))
		return false;
	c->tls = tls;
	snprintf(ret, CONFIG_URL_MAX + 1, "%.*s", (int)n, text);
	return true;
}

/* A URL, or a list of them. */
static void get_coordinator(struct jobj *o, struct config *c)
{
	bool list = json_is_array(json_object_get(o->json, "coordinator"));
	const char *text;
	struct jarr arr;

	if (!list) {
		if (!jget_str(o, "coordinator", JREQ, CONFIG_URL_MAX, &text))
			return;
		if (!read_url(text, c, c->coordinators[0]))
			jread_fail(o, "coordinator",
				   "must be a URL, http://ADDRESS:PORT or https://");
		c->nr_coordinators = 1;
	} else if (jget_arr(o, "coordinator", JREQ, COORDINATORS_MAX, &arr)) {
		for (; c->nr_coordinators < arr.n; c->nr_coordinators++) {
			unsigned int i = c->nr_coordinators;

			if (!jarr_str(&arr, i, CONFIG_URL_MAX, &text))
				return;
			if (!read_url(text, c, c->coordinators[i])) {
				jarr_fail(&arr, i, "must be a URL, all of them http:// or all https://");
				return;
			}
		}
		if (!arr.n)
			jread_fail(o, "coordinator", "must not be empty");
	}
	strcpy(c->coordinator, c->coordinators[0]);
}

bool config_next(struct config *c)
{
	unsigned int i;

	for (i = 0; i + 1 < c->nr_coordinators; i++)
		if (!strcmp(c->coordinator, c->coordinators[i]))
			break;
	if (c->nr_coordinators < 2)
		return false;
	strcpy(c->coordinator, c->coordinators[(i + 1) % c->nr_coordinators]);
	return true;
}

static void get_device(struct jobj *o, char ret[IFNAMSIZ])
{
	const char *text;

	if (!jget_str(o, "device", JOPT, IFNAMSIZ - 1, &text))
		return;
	if (!*text || strpbrk(text, "/: \t\n%") || !strcmp(text, ".") ||
	    !strcmp(text, ".."))
		jread_fail(o, "device", "must be the name of a device");
	else
		strcpy(ret, text);
}

static void get_node(struct jobj *root, struct config *c)
{
	uint32_t peer_port = c->peer_port;
	uint32_t port = c->port;
	struct jobj o;

	if (!jget_obj(root, "node", JREQ, &o))
		return;
	jget_name(&o, "name", JREQ, c->name);
	jget_addr(&o, "underlay", JREQ, 0, &c->underlay);
	jget_u32(&o, "port", JOPT, 1, 65535, &port);
	jget_u32(&o, "peer_port", JOPT, 1, 65535, &peer_port);
	jget_name(&o, "zone", JOPT, c->zone);
	jobj_end(&o);
	c->port = port;
	c->peer_port = peer_port;
}

/* "none", or where others find it. */
static void get_control(struct jobj *o, char *ret)
{
	const char *text;

	if (!jget_str(o, "control", JOPT, CONFIG_CONTROL_MAX, &text))
		return;
	if (!strcmp(text, "none"))
		ret[0] = '\0';
	else if (text[0] != '/')
		jread_fail(o, "control", "must be an absolute path, or none");
	else
		strcpy(ret, text);
}

/* One user and its VNIs. */
static void get_grant(struct jarr *arr, unsigned int i, struct config *c)
{
	uint32_t uid = 0, vni;
	struct jobj o;
	json_t *item;
	size_t j;

	if (!jarr_obj(arr, i, &o))
		return;
	jget_u32(&o, "uid", JREQ, 0, UINT32_MAX - 1, &uid);
	item = json_object_get(o.json, "vnis");
	if (!json_is_array(item)) {
		jread_fail(&o, "vnis", "must be a list of VNIs");
		return;
	}
	jget_arr(&o, "vnis", JREQ, GRANTS_MAX, &(struct jarr) { 0 });
	for (j = 0; j < json_array_size(item); j++) {
		json_t *v = json_array_get(item, j);

		vni = json_integer_value(v);
		if (!json_is_integer(v) || json_integer_value(v) < 1 ||
		    json_integer_value(v) > UINT32_MAX) {
			jread_fail(&o, "vnis", "must be a list of VNIs");
			return;
		}
		if (c->n_grants == GRANTS_MAX) {
			jread_fail(&o, "vnis", "more than %u grants in all",
				   GRANTS_MAX);
			return;
		}
		c->grants[c->n_grants++] = (struct grant) { uid, vni };
	}
	jobj_end(&o);
}

static void get_grants(struct jobj *root, struct config *c)
{
	struct jarr arr;
	unsigned int i;

	if (!jget_arr(root, "grants", JOPT, GRANTS_MAX, &arr))
		return;
	for (i = 0; i < arr.n && jread_ok(root->rd); i++)
		get_grant(&arr, i, c);
}

bool config_has_grant(const struct config *c, uid_t uid)
{
	unsigned int i;

	for (i = 0; i < c->n_grants; i++)
		if (c->grants[i].uid == uid)
			return true;
	return false;
}

bool config_read(const char *file, struct config *ret, char *error, size_t len)
{
	static const char *const words[] = {
		"error", "warning", "info", "debug", NULL
	};
	static const int levels[] = {
		LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG
	};
	unsigned int log = 2;
	struct jread rd;
	struct jobj o;
	bool ok;

	memset(ret, 0, sizeof(*ret));
	strcpy(ret->device, CONFIG_DEVICE);
	strcpy(ret->state_dir, CONFIG_STATE_DIR);
	strcpy(ret->services_dir, CONFIG_SERVICES_DIR);
	strcpy(ret->control, CONFIG_CONTROL);
	ret->port = VNIMESH_PORT_DEFAULT;
	ret->peer_port = VNM_PEER_PORT;
	ret->report_ms = CONFIG_REPORT_MS;
	ret->echo_ms = CONFIG_ECHO_MS;
	ret->echo_lost = CONFIG_ECHO_LOST;

	jread_file(&rd, file, JREAD_STRICT);
	if (jread_root(&rd, &o)) {
		get_coordinator(&o, ret);
		get_device(&o, ret->device);
		get_node(&o, ret);
		get_path(&o, "state_dir", ret->state_dir);
		get_path(&o, "services_dir", ret->services_dir);
		jget_u32(&o, "report_ms", JOPT, 50, 60000, &ret->report_ms);
		jget_u32(&o, "echo_ms", JOPT, 20, 60000, &ret->echo_ms);
		/* The answers to more are not recognised any longer. */
		jget_u32(&o, "echo_lost", JOPT, 1, REACH_RING,
			 &ret->echo_lost);
		get_control(&o, ret->control);
		get_grants(&o, ret);
		jget_bool(&o, "allow_exec", JOPT, &ret->allow.exec);
		jget_word(&o, "log", JOPT, words, &log);
		jobj_end(&o);
	}
	ret->log = levels[log];
	ok = jread_ok(&rd);
	if (!ok)
		jread_error(&rd, error, len);
	jread_free(&rd);
	return ok;
}
