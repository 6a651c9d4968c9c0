// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which nodes are heard here, told to the other coordinators by keys under a
 * lease: they end with this coordinator. Beside head: no change waits for
 * them. Only what moves is written, never that a node is heard again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "log.h"
#include "mem.h"
#include "store_etcd_priv.h"

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
		log_warning("store: presence of nodes is not told: %s", error);
	}
	json_decref(live->under_way);
	live->under_way = NULL;
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
	    !json_object_size(live->untold))
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
	live->telling = etcd_post(st->etcd, "kv/txn", wrap("success", ops),
				  false, on_told, st);
}

void store_etcd_live(struct store *store, uint32_t node, bool here)
{
	struct etcd_store *st = to_etcd(store);
	char id[16];

	if (!st->live.untold)
		st->live.untold = mem_checked(json_object());
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

/* Renewed in time, or had anew. */
void store_etcd_live_tick(struct etcd_store *st)
{
	struct etcd_live *live = &st->live;
	json_t *body;

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
	json_decref(st->live.untold);
	json_decref(st->live.under_way);
}
