// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "log.h"
#include "mem.h"
#include "store_etcd_priv.h"
#include "uuid.h"

json_t *store_etcd_key(const struct etcd_store *st, const char *key)
{
	char text[PREFIX_MAX + STORE_KEY_MAX + 8];

	snprintf(text, sizeof(text), "%s%s", st->prefix, key);
	return etcd_text(text);
}

json_t *store_etcd_end(const struct etcd_store *st, const char *key)
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
	size_t n = strlen(st->prefix);
	bool more = false;

	if (key && value && !strncmp(key, st->prefix, n))
		more = fn(data, key + n, value);
	else
		snprintf(st->base.error, sizeof(st->base.error),
			 "a key or value is no text, or none that was asked for");
	free(key);
	free(value);
	return more;
}

static json_t *range_body(struct etcd_store *st, const char *prefix,
			  const char *after)
{
	json_t *body = mem_checked(json_object());
	char from[STORE_KEY_MAX + 2];

	/* The first key behind @after: no key has a byte below '!'. */
	snprintf(from, sizeof(from), "%s%s", *after ? after : prefix,
		 *after ? " " : "");
	record_set(body, "key", store_etcd_key(st, from));
	record_set(body, "range_end", store_etcd_end(st, prefix));
	record_set(body, "serializable", json_boolean(st->base.away));
	record_set(body, "limit", json_integer(ETCD_PAGE));
	if (st->pinned)
		record_set(body, "revision", json_integer(st->pinned));
	return body;
}

bool store_etcd_visit_all(struct etcd_store *st, const json_t *answer,
			  bool (*fn)(void *data, const char *key,
				     const char *value), void *data)
{
	const json_t *kv;
	size_t i;

	json_array_foreach(json_object_get(answer, "kvs"), i, kv)
		if (!visit(st, kv, fn, data))
			return false;
	return true;
}

/* The last key of a page that others follow; false: it was the last page. */
static bool page_ends(struct etcd_store *st, const json_t *answer,
		      char last[STORE_KEY_MAX + 1])
{
	json_t *kvs = json_object_get(answer, "kvs");
	size_t n = json_array_size(kvs);
	char *key;
	bool ok;

	if (!n || !json_is_true(json_object_get(answer, "more")))
		return false;
	key = etcd_decode(json_object_get(json_array_get(kvs, n - 1), "key"));
	ok = key && strlen(key) > strlen(st->prefix);
	if (ok)
		snprintf(last, STORE_KEY_MAX + 1, "%s",
			 key + strlen(st->prefix));
	free(key);
	return ok;
}

static int etcd_range(struct store *store, const char *prefix,
		      const char *after,
		      bool (*fn)(void *data, const char *key,
				 const char *value), void *data)
{
	struct etcd_store *st = to_etcd(store);
	char last[STORE_KEY_MAX + 1];
	json_t *answer;
	bool unknown;
	bool more;

	snprintf(last, sizeof(last), "%s", after);
	do {
		answer = etcd_ask(st->etcd, "kv/range",
				  range_body(st, prefix, last), false, &unknown,
				  store->error, sizeof(store->error));
		if (!answer)
			return -EIO;
		more = store_etcd_visit_all(st, answer, fn, data) &&
		       page_ends(st, answer, last);
		json_decref(answer);
	} while (more);
	return 0;
}

struct reading {
	struct etcd_store *st;
	struct etcd_call *call;
	bool (*fn)(void *data, const char *key, const char *value);
	store_done_fn done;
	void *data;
	TAILQ_ENTRY(reading) list;
};

/* The error's words are in the store. */
static void end_reading(struct reading *r, int err)
{
	TAILQ_REMOVE(&r->st->readings, r, list);
	r->done(r->data, err);
	free(r);
}

static void on_read(void *data, json_t *answer, bool unknown, const char *error)
{
	struct reading *r = data;

	(void)unknown;
	if (error)
		snprintf(r->st->base.error, sizeof(r->st->base.error), "%s",
			 error);
	store_etcd_visit_all(r->st, answer, r->fn, r->data);
	end_reading(r, error ? -EIO : 0);
}

static int reads_no_more(struct store *store)
{
	snprintf(store->error, sizeof(store->error), "the coordinator stops");
	return -EIO;
}

static void etcd_read(struct store *store, const char *prefix,
		      const char *after,
		      bool (*fn)(void *data, const char *key,
				 const char *value),
		      store_done_fn done, void *data)
{
	struct etcd_store *st = to_etcd(store);
	struct reading *r;

	if (st->given_up) {
		done(data, reads_no_more(store));
		return;
	}
	r = mem_zero(1, sizeof(*r));
	r->st = st;
	r->fn = fn;
	r->done = done;
	r->data = data;
	TAILQ_INSERT_TAIL(&st->readings, r, list);
	r->call = etcd_post(st->etcd, "kv/range", range_body(st, prefix, after),
			    false, on_read, r);
}

static void etcd_begin(struct store *store)
{
	struct etcd_store *st = to_etcd(store);

	json_decref(st->ops);
	st->ops = mem_checked(json_object());
}

static void etcd_put(struct store *store, const char *key, const char *value)
{
	struct etcd_store *st = to_etcd(store);
	json_t *body = mem_checked(json_object());
	json_t *op = mem_checked(json_object());

	record_set(body, "key", store_etcd_key(st, key));
	if (value)
		record_set(body, "value", etcd_text(value));
	record_set(op, value ? "request_put" : "request_delete_range", body);
	/* A key is written once in a transaction: the last word counts. */
	record_set(st->ops, key, op);
}

static void add_compare(struct etcd_store *st, json_t *list,
			const char *target, const char *field, json_t *value)
{
	json_t *compare = mem_checked(json_object());

	record_set(compare, "key", store_etcd_key(st, "head"));
	record_set(compare, "result", json_string("EQUAL"));
	record_set(compare, "target", json_string(target));
	record_set(compare, field, value);
	record_append(list, compare);
}

/* That head is as we know it. */
static json_t *compare_head(struct etcd_store *st)
{
	json_t *list = mem_checked(json_array());

	add_compare(st, list, "MOD", "mod_revision",
		    json_integer(st->head_rev));
	if (*st->head)
		add_compare(st, list, "VALUE", "value", etcd_text(st->head));
	return list;
}

/* {"compare": head is as we know it, "success": all, "failure": read head} */
static json_t *transaction(struct etcd_store *st)
{
	json_t *read = mem_checked(json_object());
	json_t *request = mem_checked(json_object());
	json_t *failure = mem_checked(json_array());
	json_t *success = mem_checked(json_array());
	json_t *txn = mem_checked(json_object());
	char name[HEAD_NAME + 1];
	const char *key;
	json_t *op;

	id64_make(name);
	snprintf(st->next, sizeof(st->next), "%s%s%.*s", name,
		 *st->head ? " " : "", HEAD_NAME, st->head);
	etcd_put(&st->base, "head", st->next);
	record_set(read, "key", store_etcd_key(st, "head"));
	record_set(request, "request_range", read);
	record_append(failure, request);
	record_set(txn, "compare", compare_head(st));
	json_object_foreach(st->ops, key, op)
		record_append(success, json_incref(op));
	st->nr_ops = json_array_size(success);
	record_set(txn, "success", success);
	record_set(txn, "failure", failure);
	json_decref(st->ops);
	st->ops = NULL;
	return txn;
}

int64_t store_etcd_head(const json_t *range, char head[HEAD_MAX + 1])
{
	const json_t *kv = json_array_get(json_object_get(range, "kvs"), 0);
	char *value = etcd_decode(json_object_get(kv, "value"));

	snprintf(head, HEAD_MAX + 1, "%s", kv && value ? value : "");
	free(value);
	return etcd_int(kv, "mod_revision");
}

void store_etcd_away(struct etcd_store *st)
{
	bool news = !st->base.away;

	st->base.away = true;
	if (!news || !st->follower)
		return;
	log_error("store: no quorum: %s", st->base.error);
	/* Perhaps it was one member alone: see at once. */
	if (!st->probe)
		source_timer_set(st->timer, loop_now());
	st->follower->ready(st->data);
}

static int refused(struct etcd_store *st)
{
	st->base.too_large = false;
	snprintf(st->base.error, sizeof(st->base.error), "%s",
		 st->given_up ? "the coordinator stops; nothing was changed" :
				"etcd has no quorum; nothing was changed");
	return -EIO;
}

static int failed(struct etcd_store *st, bool unknown, const char *error)
{
	snprintf(st->base.error, sizeof(st->base.error), "%s", error);
	if (!unknown && etcd_too_large(error)) {
		st->base.too_large = true;
		snprintf(st->base.error, sizeof(st->base.error),
			 "etcd does not take %zu operations at once (max-txn-ops, max-request-bytes): %.160s",
			 st->nr_ops, error);
	}
	if (!unknown)
		return -EIO;
	/* If it was made all the same, the watch tells of it as of others'. */
	store_etcd_away(st);
	snprintf(st->base.error, sizeof(st->base.error),
		 "etcd did not answer; the change may have been made or not");
	return -EIO;
}

static int conflict(struct etcd_store *st, const json_t *answer)
{
	const json_t *first = json_array_get(json_object_get(answer,
							     "responses"), 0);
	char head[HEAD_MAX + 1];
	int64_t revision;

	revision = store_etcd_head(json_object_get(first, "response_range"),
				   head);
	st->base.nr_conflicts++;
	/* Of what we have seen all, and another one. */
	if (revision <= st->seen) {
		store_etcd_misfit(st, "what is there now is older than what was");
		snprintf(st->base.error, sizeof(st->base.error),
			 "etcd has another history than before; nothing was changed");
		return -EIO;
	}
	st->wanted = revision;
	st->base.behind = true;
	snprintf(st->base.error, sizeof(st->base.error),
		 "others changed it meanwhile; nothing was changed");
	return -EAGAIN;
}

static int concluded(struct etcd_store *st, const json_t *answer, bool unknown,
		     const char *error)
{
	st->base.too_large = false;
	if (!answer)
		return failed(st, unknown, error);
	if (!json_is_true(json_object_get(answer, "succeeded")))
		return conflict(st, answer);
	st->head_rev = etcd_int(json_object_get(answer, "header"), "revision");
	strcpy(st->head, st->next);
	st->base.fresh_us = loop_now();
	if (st->follower) {
		store_etcd_own(st, st->head_rev);
		return 0;
	}
	/* What is read before the load is over includes our own. */
	st->seen = st->head_rev;
	snprintf(st->seen_head, sizeof(st->seen_head), "%.*s", HEAD_NAME,
		 st->head);
	if (st->pinned)
		st->pinned = st->head_rev;
	return 0;
}

/* What is loaded is of one revision, at which head was as we remember it. */
static bool pin(struct etcd_store *st)
{
	json_t *body = mem_checked(json_object());
	bool unknown;
	json_t *answer;

	record_set(body, "key", store_etcd_key(st, "head"));
	answer = etcd_ask(st->etcd, "kv/range", body, false, &unknown,
			  st->base.error, sizeof(st->base.error));
	if (!answer)
		return false;
	st->pinned = etcd_int(json_object_get(answer, "header"), "revision");
	st->seen = st->pinned;
	st->head_rev = store_etcd_head(answer, st->head);
	snprintf(st->seen_head, sizeof(st->seen_head), "%.*s", HEAD_NAME,
		 st->head);
	st->base.fresh_us = loop_now();
	st->base.behind = false;
	st->wanted = 0;
	json_decref(answer);
	return true;
}

static int etcd_commit(struct store *store)
{
	struct etcd_store *st = to_etcd(store);
	char error[300];
	json_t *answer;
	bool unknown;
	int err;

	if (store->away)
		return refused(st);
	store->nr_writes++;
	answer = etcd_ask(st->etcd, "kv/txn", transaction(st), true, &unknown,
			  error, sizeof(error));
	err = concluded(st, answer, unknown, error);
	json_decref(answer);
	/* What is read from now on has what the others did. */
	if (err == -EAGAIN && (!st->follower || st->given_up) && !pin(st))
		err = -EIO;
	return err;
}

static void on_commit(void *data, json_t *answer, bool unknown,
		      const char *error)
{
	struct etcd_store *st = data;
	st->commit = NULL;
	st->done(st->done_data, concluded(st, answer, unknown, error));
	/* Others' changes come after ours that they follow. */
	if (!st->commit)
		store_etcd_replay(st);
}

static void etcd_submit(struct store *store, store_done_fn done, void *data)
{
	struct etcd_store *st = to_etcd(store);

	if (store->away || st->given_up) {
		done(data, refused(st));
		return;
	}
	store->nr_writes++;
	st->done = done;
	st->done_data = data;
	st->commit = etcd_post(st->etcd, "kv/txn", transaction(st), true,
			       on_commit, st);
}

static void etcd_give_up(struct store *store)
{
	struct etcd_store *st = to_etcd(store);
	struct reading *r;

	st->given_up = true;
	while ((r = TAILQ_FIRST(&st->readings))) {
		etcd_cancel(&r->call);
		end_reading(r, reads_no_more(store));
	}
	if (!st->commit)
		return;
	etcd_cancel(&st->commit);
	snprintf(store->error, sizeof(store->error),
		 "the coordinator stops; the change may have been made or not");
	st->done(st->done_data, -EIO);
}

static void etcd_close_store(struct store *store)
{
	struct etcd_store *st = to_etcd(store);

	store_etcd_unfollow(st);
	etcd_free(st->etcd);
	json_decref(st->ops);
	free(st->own);
	free(st);
}

static const struct store_ops etcd_ops = {
	.range = etcd_range,
	.read = etcd_read,
	.begin = etcd_begin,
	.put = etcd_put,
	.commit = etcd_commit,
	.submit = etcd_submit,
	.give_up = etcd_give_up,
	.follow = store_etcd_follow,
	.presence = store_etcd_live,
	.trigger = store_etcd_trigger,
	.close = etcd_close_store,
};

/* Whether it takes all that a change may need is asked by one that compares
 * what never is so, and does nothing.
 */
static void check_limit(struct etcd_store *st)
{
	json_t *compare = mem_checked(json_array());
	json_t *success = mem_checked(json_array());
	json_t *request = mem_checked(json_object());
	json_t *read = mem_checked(json_object());
	json_t *txn = mem_checked(json_object());
	char error[300] = "";
	bool unknown;
	int i;

	add_compare(st, compare, "MOD", "mod_revision", json_integer(-1));
	record_set(read, "key", store_etcd_key(st, "head"));
	record_set(request, "request_range", read);
	for (i = 0; i < ETCD_OPS_WANTED; i++)
		record_append(success, json_incref(request));
	json_decref(request);
	record_set(txn, "compare", compare);
	record_set(txn, "success", success);
	json_decref(etcd_ask(st->etcd, "kv/txn", txn, false, &unknown, error,
			     sizeof(error)));
	if (etcd_too_large(error))
		log_warning("store: etcd takes fewer than %u operations at once (max-txn-ops): reports of many members will be refused",
			    ETCD_OPS_WANTED);
}

struct store *etcd_store_open(const char *name,
			      const struct etcd_access *access, char *err,
			      size_t len)
{
	struct etcd_store *st = mem_zero(1, sizeof(*st));
	const char *slash = strchrnul(name, '/');
	char *hosts = mem_checked(strndup(name, slash - name));

	st->base.ops = &etcd_ops;
	TAILQ_INIT(&st->readings);
	snprintf(st->prefix, sizeof(st->prefix), "%.*s/", PREFIX_MAX,
		 *slash && slash[1] ? slash + 1 : "vnimesh");
	store_etcd_live_begin(st);
	if (access)
		st->history.keep_us = access->history_ms * LOOP_USEC_PER_MSEC;
	st->etcd = etcd_new(hosts, access);
	free(hosts);
	if (!st->etcd) {
		snprintf(st->base.error, sizeof(st->base.error),
			 "must be etcd://HOST:PORT[,HOST:PORT...][/PREFIX]");
	} else if (pin(st)) {
		check_limit(st);
		return &st->base;
	}
	snprintf(err, len, "etcd://%s: %s", name, st->base.error);
	etcd_close_store(&st->base);
	return NULL;
}
