// SPDX-License-Identifier: GPL-2.0-or-later
/* The checks of one member. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "check_tcp.h"

struct check {
	struct mesh *m;
	const struct check_conf *conf;
	struct health *health;
	check_fn fn;
	void *data;
	struct ip_addr addr;
	const char *device;
	bool running;
	struct source *timer;
	uint64_t started_us;
	struct tcp_probe *tcp;
	struct http_req *http;
};

static void next(struct check *c)
{
	uint32_t ms = health_delay(c->health, &c->conf->health, mesh_random());

	source_timer_set(c->timer, loop_now() + ms * LOOP_USEC_PER_MSEC);
}

static void result(struct check *c, enum health_result result,
		   uint32_t latency_us, const char *output)
{
	const struct health_conf *h = &c->conf->health;

	/* This process was stopped meanwhile: it says nothing about the
	 * member, except that it answered.
	 */
	if (health_late(c->started_us, loop_now(), h->timeout_ms)) {
		if (result == HEALTH_FAIL) {
			next(c);
			return;
		}
		latency_us = 0;
	}
	health_feed(c->health, h, result, latency_us);
	next(c);
	c->fn(c->data, output);
}

static void probe_ended(struct check *c)
{
	c->m->probes--;
}

static void tcp_done(void *data, enum health_result what, uint32_t latency_us,
		     const char *output)
{
	struct check *c = data;

	c->tcp = NULL;
	probe_ended(c);
	if (what == HEALTH_NOTHING) {
		next(c);
		return;
	}
	result(c, what, latency_us, output);
}

static void http_done(void *data, const struct http_reply *reply)
{
	struct check *c = data;
	char text[OUTPUT_MAX + 1];
	enum health_result what;

	c->http = NULL;
	probe_ended(c);
	/* What this host lacks says nothing about the member. */
	if (reply->local) {
		next(c);
		return;
	}
	if (!reply->status) {
		what = reply->refused ? HEALTH_DEFINITE : HEALTH_FAIL;
		snprintf(text, sizeof(text), "%s", reply->error);
	} else {
		what = (uint32_t)reply->status >= c->conf->status_min &&
		       (uint32_t)reply->status <= c->conf->status_max ?
		       HEALTH_PASS : HEALTH_FAIL;
		snprintf(text, sizeof(text), "status %d in %u.%03u ms",
			 reply->status, (uint32_t)(reply->took_us / 1000),
			 (uint32_t)(reply->took_us % 1000));
	}
	result(c, what, reply->took_us, text);
}

static int start_http(struct check *c)
{
	bool six = c->addr.family == AF_INET6;
	char url[CONFIG_TEXT_MAX + IP_TEXT_MAX + 32];
	char addr[IP_TEXT_MAX];
	struct http_want want = {
		.url = url,
		.timeout_ms = c->conf->health.timeout_ms,
		.device = c->device,
		.host = c->conf->host,
		.probe = true,
	};

	snprintf(url, sizeof(url), "http://%s%s%s:%u%s", six ? "[" : "",
		 ip_text(&c->addr, addr), six ? "]" : "", c->conf->port,
		 c->conf->path);
	return http_start(c->m->http, &c->http, &want, http_done, c);
}

void check_now(struct check *c)
{
	int err = 0;

	if (!c->running || c->tcp || c->http)
		return;
	/* Descriptors for all else must be left. */
	if (c->conf->type != CHECK_NONE && c->m->probes >= c->m->probes_max) {
		next(c);
		return;
	}
	c->started_us = loop_now();
	switch (c->conf->type) {
	case CHECK_TCP:
		err = tcp_probe_start(c->m->loop, &c->tcp, &c->addr,
				      c->conf->port, c->device,
				      c->conf->health.timeout_ms, tcp_done, c);
		break;
	case CHECK_HTTP:
		err = start_http(c);
		break;
	case CHECK_NONE:
		health_feed(c->health, &c->conf->health, HEALTH_PASS, 0);
		c->fn(c->data, "no check");
		return;
	}
	/* Our own lack of descriptors or memory says nothing either. */
	if (err)
		next(c);
	else
		c->m->probes++;
}

uint8_t check_latency_kind(const struct check_conf *conf)
{
	return conf->type == CHECK_HTTP ? VNIMESH_LATENCY_RESPONSE :
					  VNIMESH_LATENCY_CONNECT;
}

static void on_timer(void *data, uint64_t now_us)
{
	(void)now_us;
	check_now(data);
}

void check_start(struct check *c, const struct ip_addr *addr,
		 const char *device)
{
	if (c->running && ip_equal(&c->addr, addr) &&
	    !strcmp(c->device ? c->device : "", device ? device : ""))
		return;
	check_stop(c);
	c->addr = *addr;
	c->device = device;
	c->running = true;
	if (c->conf->type == CHECK_NONE)
		check_now(c);
	else
		next(c);
}

void check_stop(struct check *c)
{
	c->running = false;
	source_timer_stop(c->timer);
	if (c->tcp || c->http)
		probe_ended(c);
	tcp_probe_cancel(&c->tcp);
	http_cancel(&c->http);
}

struct check *check_new(struct mesh *m, const struct check_conf *conf,
			struct health *health, check_fn fn, void *data)
{
	struct check *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	*c = (struct check) { .m = m, .conf = conf, .health = health,
			      .fn = fn, .data = data };
	if (loop_timer(m->loop, &c->timer, on_timer, c)) {
		free(c);
		return NULL;
	}
	return c;
}

void check_free(struct check *c)
{
	if (!c)
		return;
	check_stop(c);
	source_free(&c->timer);
	free(c);
}
