// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "etcd.h"
#include "limits.h"
#include "log.h"
#include "mem.h"
#include "store_etcd.h"
#include "uuid.h"

#define PREFIX_MAX	64

struct etcd_store {
	struct store base;
	struct etcd *etcd;
	char prefix[PREFIX_MAX + 2];
	char id[17];			/* what we write into head */
	int64_t head;			/* its revision, as we know it */
	int64_t known;			/* all up to here is in our memory */
	int64_t wanted;			/* to be caught up with, 0: nothing */
	int64_t pinned;			/* revision of the load, 0: it is over */
	json_t *ops;			/* of the transaction at hand, by key */
	const struct store_follower *follower;
	void *data;
	struct etcd_call *watch;
	struct etcd_call *probe;
	struct source *timer;
	uint64_t heard_us;		/* by the watch */
	int64_t probed_head;
};

static struct etcd_store *to_etcd(struct store *store)
{
	return (struct etcd_store *)store;
}

static json_t *key_of(const struct etcd_store *st, const char *key)
{
	char text[PREFIX_MAX + STORE_KEY_MAX + 8];

	snprintf(text, sizeof(text), "%s%s", st->prefix, key);
	return etcd_text(text);
}

/* The end of the range of keys that begin with @key. */
static json_t *end_of(const struct etcd_store *st, const char *key)
{
	char text[PREFIX_MAX + STORE_KEY_MAX + 8];

	snprintf(text, sizeof(text), "%s%s", st->prefix, key);
	text[strlen(text) - 1]++;
	return etcd_text(text);
}

static bool visit(struct etcd_store *st, const json_t *kv,
		  bool (*fn)(void *data, const char *key, const char *value),
		  void *data)
{
	char *key = etcd_decode(json_object_get(kv, "key"));
	char *value = etcd_decode(json_object_get(kv, "value"));
	bool more = false;

	if (key && value)
		more = fn(data, key + strlen(st->prefix), value);
	else
		snprintf(st->base.error, sizeof(st->base.error),
			 "a key or value is no text");
	free(key);
	free(value);
	return more;
}

static int etcd_range(struct store *store, const char *prefix,
		      const char *after,
		      bool (*fn)(void *data, const char *key,
				 const char *value), void *data)
{
	struct etcd_store *st = to_etcd(store);
	char from[STORE_KEY_MAX + 2];
	json_t *body = mem_checked(json_object());
	json_t *answer, *kv;
	bool unknown;
	size_t i;

	/* The first key behind @after: no key has a byte below '!'. */
	snprintf(from, sizeof(from), "%s%s", *after ? after : prefix,
		 *after ? " " : "");
	record_set(body, "key", key_of(st, from));
	record_set(body, "range_end", end_of(st, prefix));
	record_set(body, "serializable", json_boolean(store->away));
	if (st->pinned)
		record_set(body, "revision", json_integer(st->pinned));
	answer = etcd_ask(st->etcd, "kv/range", body, false, &unknown,
			  store->error, sizeof(store->error));
	if (!answer)
		return -EIO;
	json_array_foreach(json_object_get(answer, "kvs"), i, kv)
		if (!visit(st, kv, fn, data))
			break;
	json_decref(answer);
	return 0;
}

static void etcd_begin(struct store *store)
{
	struct etcd_store *st = to_etcd(store);

	json_decref(st->ops);
	st->ops = mem_checked(json_object());
}

static void add_op(json_t *ops, const char *name, json_t *body)
{
	json_t *op = mem_checked(json_object());

	record_set(op, name, body);
	record_append(ops, op);
}

static void etcd_put(struct store *store, const char *key, const char *value)
{
	struct etcd_store *st = to_etcd(store);
	json_t *body = mem_checked(json_object());
	json_t *op = mem_checked(json_object());

	record_set(body, "key", key_of(st, key));
	if (value)
		record_set(body, "value", etcd_text(value));
	record_set(op, value ? "request_put" : "request_delete_range", body);
	/* A key is written once in a transaction: the last word counts. */
	record_set(st->ops, key, op);
}

/* {"compare": head is as we know it, "success": all, "failure": read head} */
static json_t *transaction(struct etcd_store *st)
{
	json_t *compare = mem_checked(json_object());
	json_t *read = mem_checked(json_object());
	json_t *failure = mem_checked(json_array());
	json_t *success = mem_checked(json_array());
	json_t *txn = mem_checked(json_object());
	json_t *list = mem_checked(json_array());
	const char *key;
	json_t *op;

	etcd_put(&st->base, "head", st->id);
	record_set(compare, "key", key_of(st, "head"));
	record_set(compare, "target", json_string("MOD"));
	record_set(compare, "result", json_string("EQUAL"));
	record_set(compare, "mod_revision", json_integer(st->head));
	record_append(list, compare);
	record_set(read, "key", key_of(st, "head"));
	add_op(failure, "request_range", read);
	record_set(txn, "compare", list);
	json_object_foreach(st->ops, key, op)
		record_append(success, json_incref(op));
	record_set(txn, "success", success);
	record_set(txn, "failure", failure);
	json_decref(st->ops);
	st->ops = NULL;
	return txn;
}

static int64_t head_of(const json_t *range)
{
	json_t *kvs = json_object_get(range, "kvs");

	return etcd_int(json_array_get(kvs, 0), "mod_revision");
}

static void lost(struct etcd_store *st)
{
	if (!st->base.away)
		log_error("store: no quorum: %s", st->base.error);
	st->base.away = true;
	if (st->follower)
		st->follower->ready(st->data);
}

static int etcd_commit(struct store *store)
{
	struct etcd_store *st = to_etcd(store);
	json_t *answer, *first;
	int64_t revision;
	bool unknown;
	bool done;

	if (store->away) {
		snprintf(store->error, sizeof(store->error),
			 "etcd has no quorum; nothing was changed");
		return -EIO;
	}
	store->nr_writes++;
	answer = etcd_ask(st->etcd, "kv/txn", transaction(st), true, &unknown,
			  store->error, sizeof(store->error));
	if (!answer) {
		if (unknown) {
			lost(st);
			snprintf(store->error, sizeof(store->error),
				 "etcd did not answer; the change may have been made or not");
		}
		return -EIO;
	}
	done = json_is_true(json_object_get(answer, "succeeded"));
	revision = etcd_int(json_object_get(answer, "header"), "revision");
	first = json_object_get(json_array_get(
		json_object_get(answer, "responses"), 0), "response_range");
	if (done) {
		st->head = revision;
		st->known = revision;
		/* What is read before the load is over includes our own. */
		if (st->pinned)
			st->pinned = revision;
		store->fresh_us = loop_now();
	} else {
		st->wanted = head_of(first);
		store->behind = true;
		store->nr_conflicts++;
	}
	json_decref(answer);
	return done ? 0 : -EAGAIN;
}

static void apply_event(struct etcd_store *st, const json_t *event)
{
	const char *type = json_string_value(json_object_get(event, "type"));
	const json_t *kv = json_object_get(event, "kv");
	char *key = etcd_decode(json_object_get(kv, "key"));
	char *value = etcd_decode(json_object_get(kv, "value"));
	const char *name = key ? key + strlen(st->prefix) : "";
	bool del = type && !strcmp(type, "DELETE");

	if (!strcmp(name, "head"))
		st->head = etcd_int(kv, "mod_revision");
	else if (!st->follower->change(st->data, name, del ? NULL : value))
		log_error("store: record \"%s\" of another coordinator does not fit: %s",
			  name, st->base.error);
	free(key);
	free(value);
}

static void caught_up(struct etcd_store *st)
{
	st->base.behind = false;
	st->wanted = 0;
	st->follower->ready(st->data);
}

static void on_watch(void *data, json_t *answer)
{
	struct etcd_store *st = data;
	json_t *result = json_object_get(answer, "result");
	int64_t before = st->known;
	int64_t revision;
	json_t *event;
	size_t i;

	st->heard_us = loop_now();
	if (json_is_true(json_object_get(result, "canceled"))) {
		/* What came between is not to be had any more. */
		log_error("store: etcd was compacted beyond what we know: starting anew");
		st->follower->lost(st->data);
		return;
	}
	json_array_foreach(json_object_get(result, "events"), i, event) {
		revision = etcd_int(json_object_get(event, "kv"),
				    "mod_revision");
		/* Our own changes we made ourselves. */
		if (revision <= before)
			continue;
		apply_event(st, event);
		if (revision > st->known)
			st->known = revision;
	}
	if (st->wanted && st->known >= st->wanted)
		caught_up(st);
}

static void start_watch(struct etcd_store *st);

static void on_watch_end(void *data, const char *error)
{
	struct etcd_store *st = data;

	st->watch = NULL;
	log_warning("store: the watch ended: %s", error ? error : "closed");
	etcd_next(st->etcd);
	/* The next tick begins it anew, from where it was. */
}

static void start_watch(struct etcd_store *st)
{
	json_t *create = mem_checked(json_object());
	json_t *body = mem_checked(json_object());

	record_set(create, "key", key_of(st, ""));
	record_set(create, "range_end", end_of(st, ""));
	record_set(create, "start_revision", json_integer(st->known + 1));
	record_set(body, "create_request", create);
	st->heard_us = loop_now();
	st->watch = etcd_start(st->etcd, "watch", body, 0, on_watch,
			       on_watch_end, st);
}

static void on_probe(void *data, json_t *answer)
{
	struct etcd_store *st = data;

	st->probed_head = head_of(answer);
	if (!st->probed_head)
		return;
	st->base.fresh_us = loop_now();
	if (!st->base.away)
		return;
	log_info("store: there is a quorum again");
	st->base.away = false;
}

static void on_probe_end(void *data, const char *error)
{
	struct etcd_store *st = data;

	st->probe = NULL;
	if (error) {
		snprintf(st->base.error, sizeof(st->base.error), "%s", error);
		etcd_next(st->etcd);
		if (loop_now() - st->base.fresh_us >
		    ETCD_AWAY_MS * LOOP_USEC_PER_MSEC)
			lost(st);
		return;
	}
	/* A member that is cut off says nothing, and no error either. */
	if (st->watch && st->probed_head > st->known &&
	    loop_now() - st->heard_us > ETCD_SILENT_MS * LOOP_USEC_PER_MSEC) {
		log_warning("store: the watch is silent");
		etcd_cancel(&st->watch);
		etcd_next(st->etcd);
	}
}

static void on_tick(void *data, uint64_t now_us)
{
	struct etcd_store *st = data;
	json_t *body;

	source_timer_set(st->timer, now_us + ETCD_TICK_MS * LOOP_USEC_PER_MSEC);
	if (!st->probe) {
		body = mem_checked(json_object());
		record_set(body, "key", key_of(st, "head"));
		st->probe = etcd_start(st->etcd, "kv/range", body, ETCD_ASK_MS,
				       on_probe, on_probe_end, st);
	}
	if (!st->watch)
		start_watch(st);
}

static int etcd_follow(struct store *store, struct loop *loop,
		       const struct store_follower *follower, void *data)
{
	struct etcd_store *st = to_etcd(store);
	int err = etcd_loop(st->etcd, loop);

	st->pinned = 0;
	st->follower = follower;
	st->data = data;
	if (!err)
		err = loop_timer(loop, &st->timer, on_tick, st);
	if (!err)
		err = source_timer_set(st->timer, loop_now());
	if (!err)
		start_watch(st);
	return err;
}

static void etcd_close_store(struct store *store)
{
	struct etcd_store *st = to_etcd(store);

	etcd_cancel(&st->watch);
	etcd_cancel(&st->probe);
	source_free(&st->timer);
	etcd_free(st->etcd);
	json_decref(st->ops);
	free(st);
}

static const struct store_ops etcd_ops = {
	.range = etcd_range,
	.begin = etcd_begin,
	.put = etcd_put,
	.commit = etcd_commit,
	.follow = etcd_follow,
	.close = etcd_close_store,
};

/* What is loaded is of one revision, at which head was as we remember it. */
static bool pin(struct etcd_store *st)
{
	json_t *body = mem_checked(json_object());
	bool unknown;
	json_t *answer;

	record_set(body, "key", key_of(st, "head"));
	answer = etcd_ask(st->etcd, "kv/range", body, false, &unknown,
			  st->base.error, sizeof(st->base.error));
	if (!answer)
		return false;
	st->pinned = etcd_int(json_object_get(answer, "header"), "revision");
	st->known = st->pinned;
	st->head = head_of(answer);
	st->base.fresh_us = loop_now();
	json_decref(answer);
	return true;
}

struct store *etcd_store_open(const char *name, char *err, size_t len)
{
	struct etcd_store *st = mem_zero(1, sizeof(*st));
	const char *slash = strchrnul(name, '/');
	char *hosts = mem_checked(strndup(name, slash - name));

	st->base.ops = &etcd_ops;
	snprintf(st->prefix, sizeof(st->prefix), "%.*s/", PREFIX_MAX,
		 *slash && slash[1] ? slash + 1 : "vnimesh");
	incarnation_make(st->id);
	st->etcd = etcd_new(hosts);
	free(hosts);
	if (!st->etcd)
		snprintf(st->base.error, sizeof(st->base.error),
			 "must be etcd://HOST:PORT[,HOST:PORT...][/PREFIX]");
	else if (pin(st))
		return &st->base;
	snprintf(err, len, "etcd://%s: %s", name, st->base.error);
	etcd_close_store(&st->base);
	return NULL;
}
