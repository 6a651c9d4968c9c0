// SPDX-License-Identifier: GPL-2.0-or-later
/* One mesh of this host: its life. */

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "control.h"
#include "device.h"
#include "echo.h"
#include "join.h"
#include "kernel.h"
#include "local.h"
#include "log.h"
#include "mesh.h"
#include "miss.h"
#include "observe.h"
#include "peer.h"
#include "renew.h"
#include "report.h"
#include "sequence.h"
#include "state.h"
#include "table.h"
#include "vantage.h"
#include "watch.h"

#define TICK_US		LOOP_USEC_PER_SEC
#define EXPIRE_TICKS	60
/* A new member's first result is waited for before the first report, which
 * would leave it out, if it is under way. This is above the longest check.
 */
#define SETTLE_US	(65 * LOOP_USEC_PER_SEC)
/* Misses, netlink, the coordinator. */
#define FILES_OTHER	(MISS_MAX + MISS_SILENT_MAX + 64)
/* A device that is away for as long does not just come back. */
#define LOST_US		(3 * LOOP_USEC_PER_SEC)
/* Another coordinator gets as long before the next one is tried. */
#define SWITCH_US	(LOOP_USEC_PER_SEC / 2)

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
		/* The cache may be wrong. Only a person knows which of the
		 * device and the coordinator is right.
		 */
		m->contradicted = true;
		if (m->joined)
			mesh_fatal(m);
		return;
	}
	if (kernel_start(m->kernel, ifindex, quiet))
		return;
	m->running = true;
	/* What was not read must not be taken for not there. */
	if (!table_load(m->table)) {
		m->running = false;
		return;
	}
	m->failing = false;
	m->contradicted = false;
	m->running_us = loop_now();
	local_refresh(m->local);
	table_sync(m->table);
	m->echoing = !echo_start(m->echo);
	ready(m);
}

/* The first report replaces all that the coordinator has of this node: it
 * waits until this host's part is known.
 */
void mesh_report(struct mesh *m)
{
	if (m->joined && m->running && m->local->known &&
	    (local_settled(m->local) ||
	     loop_now() >= m->running_us + SETTLE_US))
		report_start(m->report);
}

/* The device was deleted, the module unloaded, the claim taken. */
static void stop(struct mesh *m)
{
	log_warn("%s is lost, starting anew", m->conf.device);
	m->running = false;
	m->running_us = loop_now();
	m->echoing = false;
	echo_stop(m->echo);
	kernel_stop(m->kernel);
	m->failing = false;
}

/* Nobody reaches a member through a device that is not there. */
static void check_lost(struct mesh *m, uint64_t now_us)
{
	if (m->running_us && now_us >= m->running_us + LOST_US &&
	    !if_nametoindex(m->conf.device))
		local_lost(m->local);
}

/* Start, and what waited for it. */
static void go_on(struct mesh *m)
{
	if (!m->running)
		start(m);
	if (!m->running || !m->joined || m->exit_code)
		return;
	state_save(m->state);
	peer_start(m->peer);
	mesh_report(m);
	watch_restart(m->watch, UINT64_MAX);
}

static void on_missing(void *data, const char *tag)
{
	struct mesh *m = data;

	table_dirty(m->table, tag);
	table_dirty_vnis(m->table);
	state_changed(m->state, true);
}

uint64_t mesh_patience_ms(const struct mesh *m)
{
	_Static_assert(SEQUENCE_BACKOFF_MAX_MS + REPORT_TIMEOUT_MS <=
		       JOIN_BACKOFF_MAX_MS + JOIN_TIMEOUT_MS,
		       "whoever joins pauses longest");

	return (uint64_t)m->lease_ms + JOIN_BACKOFF_MAX_MS + JOIN_TIMEOUT_MS;
}

/* Who was to register these members again has had the time. */
static void end_missing(struct mesh *m, uint64_t now_us)
{
	uint64_t us = mesh_patience_ms(m) * LOOP_USEC_PER_MSEC;

	if (facts_missing(&m->facts, m->away, us, now_us, on_missing, m))
		table_dirty_nodes(m->table);
}

static void on_tick(void *data, uint64_t now_us)
{
	struct mesh *m = data;

	source_timer_set(m->tick, now_us + TICK_US);
	loop_notify("WATCHDOG=1");
	if (!m->facts.joined)
		return;
	/* A watch may wait for long for one that will not answer. */
	if (m->switched && m->joined && m->running)
		watch_restart(m->watch, UINT64_MAX);
	m->switched = false;
	if (m->running &&
	    kernel_start(m->kernel, kernel_ifindex(m->kernel), true))
		stop(m);
	if (!m->running)
		go_on(m);
	if (!m->running) {
		check_lost(m, now_us);
		return;
	}
	local_retry(m->local);
	if (!m->echoing)
		m->echoing = !echo_start(m->echo);
	mesh_report(m);
	table_retry(m->table);
	peer_start(m->peer);
	peer_refresh(m->peer);
	end_missing(m, now_us);
	vantage_again(m->vantage);
	if (++m->ticks % EXPIRE_TICKS == 0)
		table_expire(m);
}

void mesh_joined(struct mesh *m, bool fresh)
{
	m->joined |= fresh;
	if (fresh)
		report_joined(m->report);
	go_on(m);
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

/* Whoever asks next asks the next one. What was under way to the last one may
 * fail in the same moment, which says nothing about this one.
 */
static void try_next(struct mesh *m)
{
	uint64_t now = loop_now();

	if (now < m->switched_us + SWITCH_US || !config_next(&m->conf))
		return;
	m->switched_us = now;
	m->switched = true;
	log_info("trying the coordinator at %s", m->conf.coordinator);
}

void mesh_reached(struct mesh *m, bool reached)
{
	if (!reached) {
		ready(m);
		try_next(m);
	}
	if (reached == !m->away)
		return;
	m->away = !reached;
	if (reached) {
		log_info("the coordinator answers");
		/* It may wait for an answer that was lost long ago. */
		if (m->joined && m->running)
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
	       a->nr_coordinators != b->nr_coordinators ||
	       memcmp(a->coordinators, b->coordinators,
		      sizeof(a->coordinators)) ||
	       a->peer_port != b->peer_port ||
	       strcmp(a->control, b->control) ||
	       a->report_ms != b->report_ms;
}

void mesh_reload(struct mesh *m)
{
	struct services_conf services = { 0 };
	struct config conf;
	char error[1024];

	if (!config_read(m->config_file, &conf, error, sizeof(error)) ||
	    !services_read(conf.services_dir, &conf.allow, &services, error,
			   sizeof(error))) {
		log_err("%s; nothing changed", error);
		return;
	}
	/* Whoever replaces the directory will be done in a moment. */
	if (services.missing && m->local->own.n) {
		log_err("%s is not there; nothing changed", conf.services_dir);
		return;
	}
	if (needs_restart(&m->conf, &conf))
		log_warn("%s: some changes take effect after a restart only",
			 m->config_file);
	log_level = conf.log;
	m->conf.echo_ms = conf.echo_ms;
	m->conf.echo_lost = conf.echo_lost;
	m->conf.allow = conf.allow;
	memcpy(m->conf.grants, conf.grants, sizeof(conf.grants));
	m->conf.n_grants = conf.n_grants;
	strcpy(m->conf.services_dir, conf.services_dir);
	local_configure(m->local, &services);
	log_info("configuration read: %zu services", m->local->own.n);
	/* Members of what came new were never asked for. */
	if (m->joined && m->running)
		watch_restart(m->watch, UINT64_MAX);
}

/* As many checks as descriptors are left by misses and all else. */
static unsigned int probes_max(void)
{
	struct rlimit limit = { .rlim_cur = 1024 };

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur > SERVICES_MAX + FILES_OTHER)
		return SERVICES_MAX;
	return limit.rlim_cur > 2 * FILES_OTHER ?
	       limit.rlim_cur - FILES_OTHER : limit.rlim_cur / 2;
}

static bool make_parts(struct mesh *m, int helper)
{
	m->join = join_new(m);
	m->kernel = kernel_new(m);
	m->table = table_new(m);
	m->report = report_new(m);
	m->watch = watch_new(m);
	m->miss = miss_new(m);
	m->echo = echo_new(m);
	m->state = state_new(m);
	m->peer = peer_new(m);
	m->vantage = vantage_new(m);
	m->observe = observe_new(m);
	m->local = local_new(m, helper);
	m->control = control_new(m);
	return m->join && m->kernel && m->table && m->report && m->watch &&
	       m->miss && m->echo && m->state && m->local && m->peer &&
	       m->vantage && m->observe && m->control &&
	       !http_new(&m->http, m->loop) &&
	       (m->renew = renew_new(m)) &&
	       !loop_timer(m->loop, &m->tick, on_tick, m) &&
	       !source_timer_set(m->tick, loop_now() + TICK_US);
}

struct mesh *mesh_new(struct loop *loop, const char *config_file,
		      struct config *conf, struct services_conf *services,
		      int helper)
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
	if (!make_parts(m, helper)) {
		log_err("cannot start: no memory");
		services_free(services);
		mesh_free(m);
		return NULL;
	}
	if (state_lock(m->state)) {
		services_free(services);
		mesh_free(m);
		return NULL;
	}
	/* After the lock: two starts at once would make two keys. */
	if (peer_key(m->peer)) {
		services_free(services);
		mesh_free(m);
		return NULL;
	}
	m->local->env.probes_max = probes_max();
	cached = state_load(m->state);
	if (local_load(m->local)) {
		services_free(services);
		mesh_free(m);
		return NULL;
	}
	local_configure(m->local, services);
	control_start(m->control);
	join_start(m->join);
	if (cached)
		mesh_joined(m, false);
	return m;
}

void mesh_free(struct mesh *m)
{
	if (!m)
		return;
	control_free(m->control);
	state_free(m->state);
	echo_free(m->echo);
	vantage_free(m->vantage);
	observe_free(m->observe);
	peer_free(m->peer);
	miss_free(m->miss);
	watch_free(m->watch);
	report_free(m->report);
	join_free(m->join);
	local_free(m->local);
	table_free(m->table);
	kernel_free(m->kernel);
	source_free(&m->tick);
	renew_free(m->renew);
	http_free(m->http);
	facts_free(&m->facts);
	free(m);
}
