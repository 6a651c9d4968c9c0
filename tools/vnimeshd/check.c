// SPDX-License-Identifier: GPL-2.0-or-later
/* The checks of one member. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "check_probe.h"
#include "secret.h"

struct sub {
	struct check *check;
	struct health health;
	struct check *up;
};

struct check {
	struct check_env *env;
	const struct check_conf *conf;
	struct health *health;
	check_fn fn;
	void *data;
	char tag[TAG_MAX + 1];
	uint32_t vni;
	struct ip_addr addr;
	const char *device;
	bool running;
	struct source *timer;
	uint64_t due_us;	/* of the attempt that is next or under way */
	uint64_t started_us;
	uint64_t pushed_us;	/* by the application, 0: never */
	unsigned int stretch;	/* of its time, while we are late ourselves */
	unsigned int excused;	/* failures in a row that were our own */
	struct probe *probe;
	struct inside_ask *ask;	/* for the socket of the next probe */
	struct tls_creds *creds;
	bool doubtful;		/* the last attempt failed, perhaps by those */
	enum check_role role;
	bool role_told;		/* since it began: by a role, a pass or its end */
	uint32_t roleless;	/* results before that */
	struct sub *subs;
	char password[SECRET_MAX + 1];
	char output[OUTPUT_MAX + 1];
};

/* ---- what all share ---- */

static void on_beat(void *data, uint64_t now_us)
{
	struct check_env *env = data;

	late_beat(&env->late, now_us);
	if (!env->probes)
		return;
	late_expect(&env->late, now_us + LATE_BEAT_US);
	source_timer_set(env->beat, now_us + LATE_BEAT_US);
}

/* Before an attempt begins: to begin it may be what takes our time. */
static void expect_beat(struct check_env *env)
{
	uint64_t now = loop_now();

	if (env->probes || env->late.due_us)
		return;
	late_expect(&env->late, now + LATE_BEAT_US);
	source_timer_set(env->beat, now + LATE_BEAT_US);
}

int check_env_init(struct check_env *env, struct loop *loop,
		   uint32_t (*random)(void))
{
	env->loop = loop;
	env->random = random;
	return loop_timer(loop, &env->beat, on_beat, env);
}

void check_env_free(struct check_env *env)
{
	source_free(&env->beat);
	tls_trust_free(&env->trust);
}

/* ---- one check ---- */

static bool is_group(const struct check *c)
{
	return c->conf->type == CHECK_ALL_OF || c->conf->type == CHECK_ANY_OF;
}

static void set_output(struct check *c, const char *text)
{
	uint32_t ms;

	if (c->health->held && c->health->raw) {
		ms = health_held_ms(c->health, loop_now());
		snprintf(c->output, sizeof(c->output),
			 "went down too often, back in %u s if it stays: %.120s",
			 ms / 1000 + 1, text);
		return;
	}
	if (text != c->output)
		snprintf(c->output, sizeof(c->output), "%s", text);
}

/* From start to start, so that what a check takes does not add up. */
static void next(struct check *c)
{
	uint64_t now = loop_now();
	uint32_t ms = health_delay(c->health, &c->conf->health,
				   c->env->random());

	if (c->conf->type == CHECK_TTL)
		ms = c->conf->ttl_ms;
	c->due_us += ms * LOOP_USEC_PER_MSEC;
	if (c->due_us < now) {
		c->env->overrun++;
		c->due_us = now;
	}
	source_timer_set(c->timer, c->due_us);
}

/* After something that was not a check. */
static void again(struct check *c)
{
	c->due_us = loop_now();
	next(c);
}

/* After health_feed(). Who does not say it - too busy, too late, gone in the midst -
 * has not changed it, as long as that does not count as down: one lost answer of a
 * primary must not cost all sessions with it. What an earlier run knew holds no longer
 * than failures would need.
 */
static void learn_role(struct check *c, enum health_result result,
		       enum check_role role)
{
	if (!role && result != HEALTH_PASS && c->health->raw &&
	    (c->role_told || ++c->roleless < c->conf->health.fall))
		return;
	c->role = role;
	c->role_told = true;
}

static void feed(struct check *c, enum health_result result,
		 uint32_t latency_us, const char *text)
{
	health_feed(c->health, &c->conf->health, result, latency_us,
		    loop_now());
	learn_role(c, result, CHECK_ROLE_NONE);
	set_output(c, text);
	c->fn(c->data, c->output);
}

/* Whether the failure is our own. Then it counts for nothing, and the next
 * attempt gets more time.
 */
static bool excuse(struct check *c, const struct probe_result *r)
{
	const struct late *late = &c->env->late;
	/* Not of what it got in the end: more time mends being late. */
	uint32_t ms = c->conf->health.timeout_ms;
	uint64_t now = loop_now();

	/* An answer would lie in its socket, whether we ran or not. */
	if (r->result != HEALTH_FAIL || !r->timeout ||
	    (r->asked_us && (now - r->asked_us) * 4 >= ms * 3000ULL) ||
	    !late_ours(late, c->started_us, now, ms)) {
		c->excused = 0;
		if (c->stretch > 1)
			c->stretch /= 2;
		return false;
	}
	/* Whoever is late for ever must believe what he sees in the end. */
	if (c->excused >= LATE_TRIES_MAX)
		return false;
	c->excused++;
	c->env->excused++;
	if (c->stretch < LATE_STRETCH_MAX)
		c->stretch *= 2;
	return true;
}

static void on_probe(void *data, const struct probe_result *r)
{
	struct check *c = data;
	uint32_t latency = r->latency_us;

	c->probe = NULL;
	c->env->probes--;
	if (r->result == HEALTH_NOTHING || excuse(c, r)) {
		again(c);
		return;
	}
	/* Our own pauses are not its latency. */
	if (late_lost(&c->env->late, c->started_us, loop_now()))
		latency = 0;
	c->doubtful = r->result == HEALTH_FAIL || r->result == HEALTH_DEFINITE;
	/* Before the callback, which may stop or start the check. */
	health_feed(c->health, &c->conf->health, r->result, latency,
		    loop_now());
	learn_role(c, r->result, r->role);
	set_output(c, r->text);
	next(c);
	c->fn(c->data, c->output);
}

static void refused(struct check *c, const char *why)
{
	char text[OUTPUT_MAX + 1];

	snprintf(text, sizeof(text), "%s", why);
	again(c);
	feed(c, HEALTH_FAIL, 0, text);
}

/* What a probe needs beside the address. False: it said why. */
static bool prepare(struct check *c)
{
	char error[OUTPUT_MAX + 1];
	int err;

	/* Read anew each time: whoever changes it wants it used. */
	if (c->conf->password_file &&
	    !secret_read(c->conf->password_file, c->password, error,
			 sizeof(error))) {
		refused(c, error);
		return false;
	}
	if (!c->conf->tls)
		return true;
	/* So are those whom we trust, once it may be that they are others. */
	err = tls_creds_get(&c->env->trust, c->conf, &c->creds, c->doubtful,
			    error, sizeof(error));
	if (!err) {
		c->doubtful = false;
		return true;
	}
	if (err == -EAGAIN) {
		c->env->put_off++;
		again(c);
	} else {
		refused(c, error);
	}
	return false;
}

/* With @fd, which stays the caller's, or -1. */
static void start_probe(struct check *c, int fd)
{
	const struct check_conf *conf = c->conf;
	struct probe_want want = {
		.loop = c->env->loop, .http = c->env->http, .conf = conf,
		.addr = conf->inside ? conf->inside_addr : c->addr,
		.device = conf->inside ? NULL : c->device, .tag = c->tag,
		.vni = c->vni, .password = c->password, .creds = c->creds,
		.timeout_ms = conf->health.timeout_ms * c->stretch, .fd = fd,
	};

	c->started_us = loop_now();
	expect_beat(c->env);
	/* Our own lack of descriptors or memory says nothing either. */
	if (probe_start(&c->probe, &want, on_probe, c)) {
		again(c);
		return;
	}
	c->env->started++;
	c->env->probes++;
}

/* What is amiss for good is told; what passes says nothing about the member. */
static void no_socket(struct check *c, int err)
{
	char text[OUTPUT_MAX + 1];

	if (inside_fault(err, text, sizeof(text))) {
		refused(c, text);
		return;
	}
	c->env->put_off++;
	again(c);
}

static void on_socket(void *data, int fd)
{
	struct check *c = data;

	c->ask = NULL;
	if (fd < 0) {
		no_socket(c, fd);
		return;
	}
	start_probe(c, fd);
	close(fd);
}

static void run_inside(struct check *c)
{
	const struct check_conf *conf = c->conf;
	int err = -EPERM;

	if (c->env->inside)
		err = inside_ask(c->env->inside, &c->ask, c->vni,
				 conf->inside_addr.family,
				 conf->type == CHECK_UDP ? SOCK_DGRAM :
							   SOCK_STREAM,
				 on_socket, c);
	if (err)
		no_socket(c, err);
}

static void run_probe(struct check *c)
{
	/* Descriptors for all else must be left. */
	if (c->env->probes >= c->env->probes_max) {
		c->env->put_off++;
		again(c);
		return;
	}
	if (!prepare(c))
		return;
	if (c->conf->inside)
		run_inside(c);
	else
		start_probe(c, -1);
}

static void run_ttl(struct check *c)
{
	uint64_t now = loop_now();
	char text[OUTPUT_MAX + 1];

	if (c->pushed_us &&
	    now < c->pushed_us + c->conf->ttl_ms * LOOP_USEC_PER_MSEC) {
		c->due_us = c->pushed_us;
		next(c);
		return;
	}
	again(c);
	snprintf(text, sizeof(text), "%s for %u ms", c->pushed_us ?
		 "the application said nothing" :
		 "the application never said anything,", c->conf->ttl_ms);
	feed(c, HEALTH_FAIL, 0, text);
}

static void run_alias(struct check *c)
{
	uint32_t vni = c->conf->alias_vni ? c->conf->alias_vni : c->vni;
	struct check_other other = { .text = "" };
	char text[OUTPUT_MAX + 1], why[128];
	const char *rival = NULL;
	bool claims = false;
	bool pass = false;

	again(c);
	if (!c->env->other || !c->env->other(c->env->data, c->conf->alias_tag,
					     vni, &other)) {
		snprintf(text, sizeof(text), "%s on VNI %u is not declared here",
			 c->conf->alias_tag, vni);
	} else if (!other.known || (other.up && !other.role_told &&
				    c->conf->alias_primary && c->health->known)) {
		/* After a restart, what an earlier run said holds here, too. */
		return;
	} else if (!other.up) {
		snprintf(text, sizeof(text), "%s is down: %.120s",
			 c->conf->alias_tag, other.text);
	} else if (!c->conf->alias_primary) {
		pass = true;
		snprintf(text, sizeof(text), "%s is up", c->conf->alias_tag);
	} else if (other.role != CHECK_ROLE_PRIMARY) {
		snprintf(text, sizeof(text), "not the primary");
	} else {
		claims = true;
		snprintf(text, sizeof(text), "the primary");
	}
	if (c->conf->alias_primary && c->env->rival)
		rival = c->env->rival(c->env->data, c->tag, c->vni, claims,
				      why, sizeof(why));
	if (rival)
		snprintf(text, sizeof(text), "%s", rival);
	else if (claims)
		pass = true;
	feed(c, pass ? HEALTH_PASS : HEALTH_DEFINITE, other.latency_us, text);
}

void check_now(struct check *c)
{
	unsigned int i;

	if (!c->running || c->probe || c->ask)
		return;
	switch (c->conf->type) {
	case CHECK_NONE:
		feed(c, HEALTH_PASS, 0, "no check");
		return;
	case CHECK_ALL_OF:
	case CHECK_ANY_OF:
		for (i = 0; i < c->conf->n_subs; i++)
			check_now(c->subs[i].check);
		return;
	case CHECK_TTL:
		run_ttl(c);
		return;
	case CHECK_ALIAS:
		run_alias(c);
		return;
	default:
		run_probe(c);
	}
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

/* ---- several ---- */

/* Of the group by its parts; a part without a result keeps it open. */
static void judge_group(struct check *c)
{
	bool all = c->conf->type == CHECK_ALL_OF;
	const struct check *said = NULL;
	bool up = all, full = true;
	uint32_t latency = 0, score;
	const struct health *h;
	unsigned int i;

	for (i = 0; i < c->conf->n_subs; i++) {
		h = &c->subs[i].health;
		/* One that failed decides for all, one that passed for any. */
		if (h->known && h->up != all) {
			up = !all;
			said = c->subs[i].check;
		}
	}
	for (i = 0; i < c->conf->n_subs && up == all; i++)
		if (!c->subs[i].health.known)
			return;
	for (i = 0; i < c->conf->n_subs; i++) {
		h = &c->subs[i].health;
		score = health_score(h);
		if (all && score < HEALTH_MAX)
			full = false;
		if (!h->up || !h->latency_us)
			continue;
		/* All are waited for, the fastest of any. */
		if (!latency || (all ? h->latency_us > latency :
				       h->latency_us < latency))
			latency = h->latency_us;
	}
	if (said)
		feed(c, up ? HEALTH_PASS : HEALTH_DEFINITE, up ? latency : 0,
		     said->output);
	else if (up)
		feed(c, full ? HEALTH_PASS : HEALTH_WARN, latency,
		     c->subs[c->conf->n_subs - 1].check->output);
	else
		feed(c, HEALTH_DEFINITE, 0, c->subs[0].check->output);
}

static void on_sub(void *data, const char *output)
{
	struct sub *sub = data;
	struct check *c = sub->up;

	(void)output;
	if (c->running)
		judge_group(c);
}

static bool make_subs(struct check *c)
{
	struct sub *sub;
	unsigned int i;

	c->subs = calloc(c->conf->n_subs, sizeof(*c->subs));
	if (!c->subs)
		return false;
	for (i = 0; i < c->conf->n_subs; i++) {
		sub = &c->subs[i];
		sub->up = c;
		health_init(&sub->health);
		sub->check = check_new(c->env, &c->conf->subs[i], c->tag,
				       c->vni, &sub->health, on_sub, sub);
		if (!sub->check)
			return false;
	}
	return true;
}

static void free_subs(struct check *c)
{
	unsigned int i;

	for (i = 0; c->subs && i < c->conf->n_subs; i++)
		check_free(c->subs[i].check);
	free(c->subs);
	c->subs = NULL;
}

/* ---- */

void check_start(struct check *c, const struct ip_addr *addr,
		 const char *device)
{
	unsigned int i;

	if (c->running && ip_equal(&c->addr, addr) &&
	    !strcmp(c->device ? c->device : "", device ? device : ""))
		return;
	check_stop(c);
	/* The definition may be another one since. */
	if (is_group(c) && !c->subs && !make_subs(c)) {
		free_subs(c);
		return;
	}
	c->addr = *addr;
	c->device = device;
	c->running = true;
	c->stretch = 1;
	c->excused = 0;
	for (i = 0; c->subs && i < c->conf->n_subs; i++)
		check_start(c->subs[i].check, addr, device);
	if (c->conf->type == CHECK_NONE || c->conf->type == CHECK_ALIAS)
		check_now(c);
	else if (!is_group(c))
		again(c);
}

void check_stop(struct check *c)
{
	c->running = false;
	c->role = CHECK_ROLE_NONE;
	c->role_told = false;
	c->roleless = 0;
	source_timer_stop(c->timer);
	if (c->probe)
		c->env->probes--;
	probe_cancel(&c->probe);
	inside_cancel(&c->ask);
	tls_creds_put(&c->creds);
	/* Made anew, as the definition may change now. */
	free_subs(c);
}

bool check_push(struct check *c, enum health_result result, const char *text)
{
	bool found = false;
	unsigned int i;

	for (i = 0; c->subs && i < c->conf->n_subs; i++)
		found |= check_push(c->subs[i].check, result, text);
	if (c->conf->type != CHECK_TTL)
		return found;
	c->pushed_us = loop_now();
	if (!c->running)
		return true;
	c->due_us = c->pushed_us;
	next(c);
	feed(c, result, 0, *text ? text : "the application says so");
	return true;
}

bool check_awaited(const struct check *c)
{
	const struct check_conf *conf = c->conf;
	struct check_other other;
	unsigned int i;

	if (!c->running || c->health->known)
		return false;
	switch (conf->type) {
	case CHECK_TTL:
		return false;
	case CHECK_ALIAS:
		/* Its result follows at once on one that is awaited itself. */
		return !c->env->other ||
		       !c->env->other(c->env->data, conf->alias_tag,
				      conf->alias_vni ? conf->alias_vni : c->vni,
				      &other) || other.known;
	case CHECK_ALL_OF:
	case CHECK_ANY_OF:
		for (i = 0; c->subs && i < conf->n_subs; i++)
			if (check_awaited(c->subs[i].check))
				return true;
		return false;
	default:
		return true;
	}
}

void check_follow(struct check *c, const char *tag, uint32_t vni)
{
	const struct check_conf *conf = c->conf;
	unsigned int i;

	for (i = 0; c->subs && i < conf->n_subs; i++)
		check_follow(c->subs[i].check, tag, vni);
	if (conf->type == CHECK_ALIAS && !strcmp(conf->alias_tag, tag) &&
	    (conf->alias_vni ? conf->alias_vni : c->vni) == vni)
		check_now(c);
}

enum check_role check_role(const struct check *c)
{
	return c->role;
}

bool check_role_told(const struct check *c)
{
	return c->role_told;
}

const char *check_output(const struct check *c)
{
	return c->output;
}

struct check *check_new(struct check_env *env, const struct check_conf *conf,
			const char *tag, uint32_t vni, struct health *health,
			check_fn fn, void *data)
{
	struct check *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->env = env;
	c->conf = conf;
	c->health = health;
	c->fn = fn;
	c->data = data;
	c->vni = vni;
	c->stretch = 1;
	snprintf(c->tag, sizeof(c->tag), "%s", tag);
	if (loop_timer(env->loop, &c->timer, on_timer, c)) {
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
	memset(c->password, 0, sizeof(c->password));
	free(c);
}
