// SPDX-License-Identifier: GPL-2.0-or-later
/* What other coordinators change in etcd, in its order and without a gap. */
#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "log.h"
#include "mem.h"
#include "store_etcd_priv.h"

void store_etcd_misfit(struct etcd_store *st, const char *why)
{
	if (st->ended)
		return;
	st->ended = true;
	log_error("store: etcd's history is not the one seen so far (%s): starting anew",
		  why);
	if (st->follower)
		st->follower->lost(st->data);
}

void store_etcd_own(struct etcd_store *st, int64_t revision)
{
	st->own = mem_resize(st->own, st->nr_own + 1, sizeof(*st->own));
	st->own[st->nr_own++] = revision;
}

static bool is_own(const struct etcd_store *st, int64_t revision)
{
	size_t i;

	for (i = 0; i < st->nr_own; i++)
		if (st->own[i] == revision)
			return true;
	return false;
}

static void forget_own(struct etcd_store *st)
{
	size_t i, n = 0;

	for (i = 0; i < st->nr_own; i++)
		if (st->own[i] > st->seen)
			st->own[n++] = st->own[i];
	st->nr_own = n;
}

/* The next link of the chain. One that an older coordinator wrote names none
 * before it.
 */
static bool take_head(struct etcd_store *st, int64_t revision,
		      const char *value, bool own)
{
	const char *before = strchr(value, ' ');

	if (before && strcmp(before + 1, st->seen_head)) {
		store_etcd_misfit(st, "a change is missing");
		return false;
	}
	snprintf(st->seen_head, sizeof(st->seen_head), "%.*s", HEAD_NAME,
		 value);
	if (own || revision < st->head_rev)
		return true;
	st->head_rev = revision;
	snprintf(st->head, sizeof(st->head), "%s", value);
	return true;
}

static bool apply_event(struct etcd_store *st, const json_t *event)
{
	const char *type = json_string_value(json_object_get(event, "type"));
	const json_t *kv = json_object_get(event, "kv");
	int64_t revision = etcd_int(kv, "mod_revision");
	char *key = etcd_decode(json_object_get(kv, "key"));
	char *value = etcd_decode(json_object_get(kv, "value"));
	bool del = type && !strcmp(type, "DELETE");
	bool own = is_own(st, revision);
	bool fits = true;
	const char *name;

	name = key && strlen(key) >= strlen(st->prefix) ?
	       key + strlen(st->prefix) : "";
	if (!strcmp(name, "head"))
		fits = take_head(st, revision, del || !value ? "" : value, own);
	else if (!strncmp(name, "live/", 5))
		store_etcd_live_take(st, name, del ? NULL : value);
	else if (!strncmp(name, "trigger/", 8))
		store_etcd_trigger_take(st, name, del ? NULL : value);
	/* Our own changes we made ourselves. */
	else if (!own &&
		 !st->follower->change(st->data, name, del ? NULL : value))
		log_error("store: record \"%s\" of another coordinator does not fit: %s",
			  name, st->base.error);
	free(key);
	free(value);
	return fits;
}

/* Without a revision it is not about what there is, but about who asks: a
 * token that is over, for one.
 */
static void take_cancel(struct etcd_store *st, const json_t *result)
{
	const char *why = json_string_value(json_object_get(result,
							    "cancel_reason"));
	int64_t compacted = etcd_int(result, "compact_revision");

	/* What came between is not to be had any more. */
	if (compacted)
		store_etcd_gap_close(st, compacted);
	else
		log_warning("store: the watch is canceled: %s",
			    why ? why : "?");
	/* The next tick begins it anew: not at once, and perhaps again. */
	st->canceled = true;
}

static void take_answer(struct etcd_store *st, const json_t *result)
{
	int64_t before = st->seen;
	int64_t revision;
	json_t *event;
	size_t i;

	if (st->ended)
		return;
	if (json_is_true(json_object_get(result, "canceled"))) {
		take_cancel(st, result);
		return;
	}
	json_array_foreach(json_object_get(result, "events"), i, event) {
		revision = etcd_int(json_object_get(event, "kv"),
				    "mod_revision");
		if (revision <= before)
			continue;
		if (!apply_event(st, event))
			return;
		if (revision > st->seen)
			st->seen = revision;
	}
	forget_own(st);
	if (!st->wanted || st->seen < st->wanted)
		return;
	st->base.behind = false;
	st->wanted = 0;
	st->follower->ready(st->data);
}

void store_etcd_replay(struct etcd_store *st)
{
	json_t *held = st->held;
	json_t *result;
	size_t i;

	st->held = NULL;
	json_array_foreach(held, i, result)
		take_answer(st, result);
	json_decref(held);
}

static void on_watch(void *data, json_t *answer)
{
	struct etcd_store *st = data;
	json_t *result = json_object_get(answer, "result");

	st->heard_us = loop_now();
	if (!st->commit) {
		take_answer(st, result);
		return;
	}
	/* A change is being made from what is in memory now. */
	if (!st->held)
		st->held = mem_checked(json_array());
	record_append(st->held, json_incref(result));
}

static void end_watch(struct etcd_store *st)
{
	etcd_cancel(&st->watch);
	/* It begins anew behind what was taken, and tells these again. */
	json_decref(st->held);
	st->held = NULL;
	etcd_next(st->etcd);
}

static void on_watch_end(void *data, const char *error)
{
	struct etcd_store *st = data;

	st->watch = NULL;
	log_warning("store: the watch ended: %s", error ? error : "closed");
	end_watch(st);
	/* The next tick begins it anew, from where it was. */
}

static void start_watch(struct etcd_store *st)
{
	json_t *create = mem_checked(json_object());
	json_t *body = mem_checked(json_object());

	record_set(create, "key", store_etcd_key(st, ""));
	record_set(create, "range_end", store_etcd_end(st, ""));
	record_set(create, "start_revision", json_integer(st->seen + 1));
	record_set(body, "create_request", create);
	st->heard_us = loop_now();
	st->canceled = false;
	st->watch = etcd_stream(st->etcd, "watch", body, on_watch,
				on_watch_end, st);
}

/* A revision never falls, and head is written by changes alone. */
static bool still_fits(struct etcd_store *st, const json_t *answer,
		       int64_t head)
{
	int64_t revision = etcd_int(json_object_get(answer, "header"),
				    "revision");

	if (revision >= st->probe_seen && head >= st->probe_head)
		return true;
	store_etcd_misfit(st, "it went back");
	return false;
}

static void probe_failed(struct etcd_store *st, const char *error)
{
	snprintf(st->base.error, sizeof(st->base.error), "%s", error);
	if (loop_now() - st->base.fresh_us > ETCD_AWAY_MS * LOOP_USEC_PER_MSEC)
		store_etcd_away(st);
}

static void on_probe(void *data, json_t *answer, bool unknown,
		     const char *error)
{
	struct etcd_store *st = data;
	char text[HEAD_MAX + 1];
	int64_t head;

	(void)unknown;
	st->probe = NULL;
	if (error) {
		probe_failed(st, error);
		return;
	}
	head = store_etcd_head(answer, text);
	if (!still_fits(st, answer, head))
		return;
	if (head == st->head_rev && !strcmp(text, st->head))
		store_etcd_gap_probe(st, etcd_int(json_object_get(answer,
								  "header"),
						  "revision"));
	st->base.fresh_us = loop_now();
	if (st->base.away)
		log_info("store: there is a quorum again");
	st->base.away = false;
	/* A member that is cut off says nothing, and no error either. */
	if (st->watch && head > st->seen &&
	    loop_now() - st->heard_us > ETCD_SILENT_MS * LOOP_USEC_PER_MSEC) {
		log_warning("store: the watch is silent");
		end_watch(st);
	}
}

static void on_tick(void *data, uint64_t now_us)
{
	struct etcd_store *st = data;
	json_t *body;

	source_timer_set(st->timer, now_us + ETCD_TICK_MS * LOOP_USEC_PER_MSEC);
	if (st->ended)
		return;
	if (!st->probe) {
		body = mem_checked(json_object());
		record_set(body, "key", store_etcd_key(st, "head"));
		st->probe_seen = st->gap.upto > st->seen ? st->gap.upto :
							   st->seen;
		st->probe_head = st->head_rev;
		st->probe = etcd_post(st->etcd, "kv/range", body, false,
				      on_probe, st);
	}
	if (st->watch && st->canceled)
		end_watch(st);
	if (!st->watch && !st->gap.call)
		start_watch(st);
	store_etcd_live_tick(st);
	store_etcd_history_tick(st, now_us);
}

static bool on_live(void *data, const char *key, const char *value)
{
	store_etcd_live_take(data, key, value);
	return true;
}

int store_etcd_follow(struct store *store, struct loop *loop,
		      const struct store_follower *follower, void *data)
{
	struct etcd_store *st = to_etcd(store);
	int err;

	st->follower = follower;
	st->data = data;
	/* As of the load: what came since the watch tells. */
	err = store->ops->range(store, "live/", "", on_live, st);
	st->pinned = 0;
	if (!err)
		err = etcd_loop(st->etcd, loop);
	if (!err)
		err = store_etcd_live_follow(st, loop);
	if (!err)
		err = loop_timer(loop, &st->timer, on_tick, st);
	if (!err)
		err = source_timer_set(st->timer, loop_now());
	if (!err)
		start_watch(st);
	return err;
}

void store_etcd_unfollow(struct etcd_store *st)
{
	etcd_cancel(&st->commit);
	etcd_cancel(&st->watch);
	etcd_cancel(&st->probe);
	etcd_cancel(&st->history.call);
	etcd_cancel(&st->gap.call);
	store_etcd_live_end(st);
	source_free(&st->timer);
	json_decref(st->held);
}
