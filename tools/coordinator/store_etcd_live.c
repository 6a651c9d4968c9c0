// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which nodes are heard here, told to the other coordinators by keys under a
 * lease: they end with this coordinator. Beside head: no change waits for
 * them. Only what moves is written, never that a node is heard again.
 *
 * And which checks the agents of the others are to make: one key for all that
 * this coordinator asks, of which each value is a message, as a watch tells
 * every one of them. Who was not there is not told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "log.h"
#include "mem.h"
#include "store_etcd_priv.h"
#include "uuid.h"

static json_t *wrap(const char *name, json_t *body)
{
	json_t *obj = mem_checked(json_object());

	record_set(obj, name, body);
	return obj;
}

static json_t *wrap_list(json_t *item)
{
	json_t *list = mem_checked(json_array());

	record_append(list, item);
	return list;
}

static json_t *op_here(struct etcd_store *st, const char *key)
{
	json_t *body = mem_checked(json_object());

	record_set(body, "key", store_etcd_key(st, key));
	record_set(body, "value", etcd_text(st->live.id));
	record_set(body, "lease", json_integer(st->live.lease));
	return wrap("request_put", body);
}

/* If it is still our own: the agent may talk to another one by now. */
static json_t *op_gone(struct etcd_store *st, const char *key)
{
	json_t *compare = mem_checked(json_object());
	json_t *txn = mem_checked(json_object());

	record_set(compare, "key", store_etcd_key(st, key));
	record_set(compare, "target", json_string("VALUE"));
	record_set(compare, "result", json_string("EQUAL"));
	record_set(compare, "value", etcd_text(st->live.id));
	record_set(txn, "compare", wrap_list(compare));
	record_set(txn, "success",
		   wrap_list(wrap("request_delete_range",
				  wrap("key", store_etcd_key(st, key)))));
	return wrap("request_txn", txn);
}

/* trigger/OURS: a list of [node, tag, vni]. */
static json_t *op_trigger(struct etcd_store *st, const json_t *asking)
{
	json_t *body = mem_checked(json_object());
	json_t *list = mem_checked(json_array());
	char name[HEAD_NAME + 16];
	const char *key;
	json_t *item;
	char *text;

	json_object_foreach((json_t *)asking, key, item)
		record_append(list, json_incref(item));
	text = mem_checked(json_dumps(list, JSON_COMPACT));
	json_decref(list);
	snprintf(name, sizeof(name), "trigger/%s", st->live.id);
	record_set(body, "key", store_etcd_key(st, name));
	record_set(body, "value", etcd_text(text));
	record_set(body, "lease", json_integer(st->live.lease));
	free(text);
	return wrap("request_put", body);
}

/* Moves the first of what waits; NULL: nothing does. */
static json_t *some_asked(struct etcd_live *live)
{
	json_t *some = NULL;
	const char *key;
	json_t *item;
	void *next;

	json_object_foreach_safe(live->asked, next, key, item) {
		if (!some)
			some = mem_checked(json_object());
		if (json_object_size(some) >= ETCD_ASKED_AT_ONCE)
			break;
		record_set(some, key, json_incref(item));
		json_object_del(live->asked, key);
	}
	return some;
}

/* What has waited for as long as a request waits for an agent. */
static void drop_old(struct etcd_live *live)
{
	if (json_object_size(live->asked) &&
	    loop_now() - live->asked_us > CHECK_KEEP_MS * LOOP_USEC_PER_MSEC) {
		log_warning("store: %zu checks by agents of others were not asked for in time",
			    json_object_size(live->asked));
		json_object_clear(live->asked);
	}
}

static void tell(struct etcd_store *st);

static void on_told(void *data, json_t *answer, bool unknown,
		    const char *error)
{
	struct etcd_store *st = data;
	struct etcd_live *live = &st->live;

	(void)answer;
	(void)unknown;
	live->telling = NULL;
	if (error) {
		/* What was said since is newer; the next tick tries again. */
		json_object_update_missing(live->untold, live->under_way);
		if (live->asking)
			json_object_update(live->asked, live->asking);
		log_warning("store: presence of nodes is not told: %s", error);
	}
	json_decref(live->under_way);
	json_decref(live->asking);
	live->under_way = NULL;
	live->asking = NULL;
	if (!error)
		tell(st);
}

static void tell(struct etcd_store *st)
{
	struct etcd_live *live = &st->live;
	json_t *ops, *here;
	const char *id;
	char key[32];
	void *next;
	size_t n = 0;

	if (!live->lease || live->telling || st->base.away ||
	    !(json_object_size(live->untold) || json_object_size(live->asked)))
		return;
	ops = mem_checked(json_array());
	live->under_way = mem_checked(json_object());
	json_object_foreach_safe(live->untold, next, id, here) {
		if (n++ >= ETCD_LIVE_MAX)
			break;
		snprintf(key, sizeof(key), "live/%s", id);
		record_append(ops, json_is_true(here) ? op_here(st, key) :
							op_gone(st, key));
		record_set(live->under_way, id, json_incref(here));
		json_object_del(live->untold, id);
	}
	live->asking = some_asked(live);
	if (live->asking)
		record_append(ops, op_trigger(st, live->asking));
	live->telling = etcd_post(st->etcd, "kv/txn", wrap("success", ops),
				  false, on_told, st);
}

bool store_etcd_trigger(struct store *store, uint32_t node, const char *tag,
			uint32_t vni)
{
	struct etcd_store *st = to_etcd(store);
	struct etcd_live *live = &st->live;
	char key[TAG_MAX + 32];

	if (json_object_size(live->asked) >= ETCD_ASKED_MAX)
		return false;
	if (!json_object_size(live->asked))
		live->asked_us = loop_now();
	snprintf(key, sizeof(key), "%u %s/%u", node, tag, vni);
	record_set(live->asked, key,
		   mem_checked(json_pack("[isi]", (int)node, tag, (int)vni)));
	/* The rest of this request's go with it. */
	source_defer(live->later);
	return true;
}

void store_etcd_live_take(struct etcd_store *st, const char *name,
			  const char *value)
{
	bool own = value && !strcmp(value, st->live.id);

	st->follower->change(st->data, name, own ? "" : value);
	/* What is no text names no node, and need not be known. @name may be
	 * the key itself, gone with it.
	 */
	if (value)
		json_object_set_new(st->live.known, name, json_string(value));
	else
		json_object_del(st->live.known, name);
}

void store_etcd_live_anew(struct etcd_store *st, json_t *now)
{
	json_t *known = st->live.known;
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(known, next, name, value)
		if (!json_object_get(now, name))
			store_etcd_live_take(st, name, NULL);
	json_object_foreach(now, name, value)
		if (!json_equal(json_object_get(known, name), value))
			store_etcd_live_take(st, name,
					     json_string_value(value));
}

void store_etcd_trigger_take(struct etcd_store *st, const char *name,
			     const char *value)
{
	if (value && strcmp(strchr(name, '/') + 1, st->live.id))
		st->follower->change(st->data, name, value);
}

void store_etcd_live(struct store *store, uint32_t node, bool here)
{
	struct etcd_store *st = to_etcd(store);
	char id[16];

	snprintf(id, sizeof(id), "%u", node);
	record_set(st->live.untold, id, json_boolean(here));
	tell(st);
}

static void on_lease(void *data, json_t *answer, bool unknown,
		     const char *error)
{
	struct etcd_store *st = data;
	struct etcd_live *live = &st->live;
	json_t *result = json_object_get(answer, "result");

	(void)unknown;
	live->leasing = NULL;
	if (error)
		return;
	if (!live->lease) {
		live->lease = etcd_int(answer, "ID");
		if (live->lease)
			st->follower->again(st->data);
	} else if (!etcd_int(result, "TTL")) {
		/* It is over, which is told by leaving the time out. */
		live->lease = 0;
	}
}

void store_etcd_live_begin(struct etcd_store *st)
{
	id64_make(st->live.id);
	st->live.known = mem_checked(json_object());
	st->live.untold = mem_checked(json_object());
	st->live.asked = mem_checked(json_object());
}

static void on_later(void *data)
{
	tell(data);
}

int store_etcd_live_follow(struct etcd_store *st, struct loop *loop)
{
	return loop_defer(loop, &st->live.later, on_later, st);
}

/* Renewed in time, or had anew. */
void store_etcd_live_tick(struct etcd_store *st)
{
	struct etcd_live *live = &st->live;
	json_t *body;

	drop_old(live);
	tell(st);
	if (live->leasing || (live->lease && ++live->ticks % ETCD_LEASE_TICKS))
		return;
	body = mem_checked(json_object());
	if (live->lease)
		record_set(body, "ID", json_integer(live->lease));
	else
		record_set(body, "TTL", json_integer(ETCD_LEASE_S));
	live->leasing = etcd_post(st->etcd, live->lease ? "lease/keepalive" :
							  "lease/grant",
				  body, false, on_lease, st);
}

void store_etcd_live_end(struct etcd_store *st)
{
	etcd_cancel(&st->live.leasing);
	etcd_cancel(&st->live.telling);
	source_free(&st->live.later);
	json_decref(st->live.known);
	json_decref(st->live.untold);
	json_decref(st->live.under_way);
	json_decref(st->live.asked);
	json_decref(st->live.asking);
}
