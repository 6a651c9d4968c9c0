// SPDX-License-Identifier: GPL-2.0-or-later
/* One mesh of this host: its life. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "device.h"
#include "echo.h"
#include "join.h"
#include "kernel.h"
#include "local.h"
#include "log.h"
#include "mesh.h"
#include "miss.h"
#include "report.h"
#include "state.h"
#include "table.h"
#include "watch.h"

#define TICK_US		LOOP_USEC_PER_SEC
#define EXPIRE_TICKS	60

static void fill_random(void *buf, size_t len)
{
	/* Never fails for so few bytes once the pool is ready. */
	while (getrandom(buf, len, 0) < 0 && errno == EINTR)
		;
}

uint32_t mesh_random(void)
{
	uint32_t ret = 0;

	fill_random(&ret, sizeof(ret));
	return ret;
}

static void ready(struct mesh *m)
{
	if (!m->ready)
		loop_notify("READY=1");
	m->ready = true;
}

void mesh_fatal(struct mesh *m)
{
	m->exit_code = 1;
	loop_exit(m->loop, 1);
}

/* Device and kernel, then what runs on them. Tried each second until it
 * works; the log has the first failure of a row of them.
 */
static void start(struct mesh *m)
{
	struct node *self = facts_node(&m->facts, m->facts.self);
	bool quiet = m->failing;
	uint32_t ifindex = 0;

	m->failing = true;
	switch (device_link(m->conf.device, &m->facts.mesh, self, &ifindex,
			    quiet)) {
	case DEVICE_READY:
		break;
	case DEVICE_FAILED:
		return;
	case DEVICE_FOREIGN:
		/* Only a person knows which of both is right. */
		mesh_fatal(m);
		return;
	}
	if (kernel_start(m->kernel, ifindex, quiet))
		return;
	m->failing = false;
	m->running = true;
	table_load(m->table);
	local_refresh(m->local);
	table_sync(m->table);
	echo_start(m->echo);
	ready(m);
}

/* The device was deleted, the module unloaded, the claim taken. */
static void stop(struct mesh *m)
{
	log_warn("%s is lost, starting anew", m->conf.device);
	m->running = false;
	echo_stop(m->echo);
	kernel_stop(m->kernel);
	m->failing = false;
}

static void on_tick(void *data, uint64_t now_us)
{
	struct mesh *m = data;

	source_timer_set(m->tick, now_us + TICK_US);
	loop_notify("WATCHDOG=1");
	if (!m->facts.joined)
		return;
	if (m->running &&
	    kernel_start(m->kernel, kernel_ifindex(m->kernel), true))
		stop(m);
	if (!m->running)
		start(m);
	if (!m->running)
		return;
	table_retry(m->table);
	if (++m->ticks % EXPIRE_TICKS == 0)
		table_expire(m);
}

void mesh_joined(struct mesh *m, bool fresh)
{
	if (!m->running)
		start(m);
	if (!fresh)
		return;
	state_save(m->state);
	report_start(m->report);
	watch_restart(m->watch, UINT64_MAX);
}

/* From the cache: who knows how they are now. */
static void mark_stale(struct mesh *m)
{
	struct service *s;
	struct member *mb;
	size_t i, j;

	for (i = 0; i < m->facts.services.n; i++) {
		s = m->facts.services.v[i];
		for (j = 0; j < s->members.n; j++) {
			mb = s->members.v[j];
			mb->stale = true;
		}
		table_dirty(m->table, s->tag);
	}
}

void mesh_reached(struct mesh *m, bool reached)
{
	if (!reached)
		ready(m);
	if (reached == !m->away)
		return;
	m->away = !reached;
	if (reached) {
		log_info("the coordinator answers");
		/* It may wait for an answer that was lost long ago. */
		if (m->facts.joined)
			watch_restart(m->watch, UINT64_MAX);
		return;
	}
	log_warn("the coordinator does not answer; the mesh goes on as it is");
	if (!m->synced)
		mark_stale(m);
}

static bool needs_restart(const struct config *a, const struct config *b)
{
	return strcmp(a->device, b->device) || strcmp(a->name, b->name) ||
	       strcmp(a->zone, b->zone) || a->port != b->port ||
	       !ip_equal(&a->underlay, &b->underlay) ||
	       strcmp(a->state_dir, b->state_dir) ||
	       strcmp(a->coordinator, b->coordinator) ||
	       a->report_ms != b->report_ms;
}

void mesh_reload(struct mesh *m)
{
	struct services_conf services;
	struct config conf;
	char error[1024];

	if (!config_read(m->config_file, &conf, error, sizeof(error)) ||
	    !services_read(conf.services_dir, &services, error,
			   sizeof(error))) {
		log_err("%s; nothing changed", error);
		return;
	}
	if (needs_restart(&m->conf, &conf))
		log_warn("%s: some changes take effect after a restart only",
			 m->config_file);
	log_level = conf.log;
	m->conf.echo_ms = conf.echo_ms;
	m->conf.echo_lost = conf.echo_lost;
	strcpy(m->conf.services_dir, conf.services_dir);
	local_configure(m->local, &services);
	log_info("configuration read: %zu services", m->local->own.n);
	/* From the beginning: members of what came new were never asked for. */
	if (m->facts.joined)
		watch_restart(m->watch, 0);
}

static bool make_parts(struct mesh *m)
{
	m->join = join_new(m);
	m->kernel = kernel_new(m);
	m->table = table_new(m);
	m->report = report_new(m);
	m->watch = watch_new(m);
	m->miss = miss_new(m);
	m->echo = echo_new(m);
	m->state = state_new(m);
	m->local = local_new(m);
	return m->join && m->kernel && m->table && m->report && m->watch &&
	       m->miss && m->echo && m->state && m->local &&
	       !http_new(&m->http, m->loop) &&
	       !loop_timer(m->loop, &m->tick, on_tick, m) &&
	       !source_timer_set(m->tick, loop_now() + TICK_US);
}

struct mesh *mesh_new(struct loop *loop, const char *config_file,
		      struct config *conf, struct services_conf *services)
{
	struct mesh *m = calloc(1, sizeof(*m));
	bool cached;

	if (!m) {
		services_free(services);
		return NULL;
	}
	m->loop = loop;
	m->config_file = config_file;
	m->conf = *conf;
	fill_random(&m->epoch, sizeof(m->epoch));
	m->epoch = m->epoch >> 11 | 1;
	facts_init(&m->facts);
	if (!make_parts(m)) {
		log_err("cannot start: no memory");
		services_free(services);
		mesh_free(m);
		return NULL;
	}
	cached = state_load(m->state);
	local_configure(m->local, services);
	join_start(m->join);
	if (cached)
		mesh_joined(m, false);
	return m;
}

void mesh_free(struct mesh *m)
{
	if (!m)
		return;
	state_free(m->state);
	echo_free(m->echo);
	miss_free(m->miss);
	watch_free(m->watch);
	report_free(m->report);
	join_free(m->join);
	local_free(m->local);
	table_free(m->table);
	kernel_free(m->kernel);
	source_free(&m->tick);
	http_free(m->http);
	facts_free(&m->facts);
	free(m);
}
