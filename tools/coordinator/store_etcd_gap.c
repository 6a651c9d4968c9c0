// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A mesh at rest makes no revision for days, while others write to the same
 * etcd and have it forget what is old. A watch that begins anew then asks for
 * what is gone, although nothing of ours is among it.
 *
 * Every change writes head. So a probe that finds head as it is known proves
 * that no change is missing up to the revision of its answer; only who is heard
 * where, and checks that others ask for, may be. These are read as they were at
 * that revision, and the watch goes on behind it: without a gap.
 */
#include <string.h>

#include "limits.h"
#include "log.h"
#include "mem.h"
#include "store_etcd_priv.h"

void store_etcd_gap_probe(struct etcd_store *st, int64_t revision)
{
	struct etcd_gap *gap = &st->gap;

	/* What is asked for belongs to the one that was. */
	if (revision <= gap->upto || gap->call)
		return;
	gap->upto = revision;
	snprintf(gap->head, sizeof(gap->head), "%.*s", HEAD_NAME, st->head);
}

/* @prefix: or one key. @after: only what was written later. */
static json_t *request_range(struct etcd_store *st, const char *prefix,
			     int64_t after)
{
	json_t *range = mem_checked(json_object());
	json_t *op = mem_checked(json_object());

	record_set(range, "key", store_etcd_key(st, prefix));
	if (strchr(prefix, '/'))
		record_set(range, "range_end", store_etcd_end(st, prefix));
	if (!st->gap.now)
		record_set(range, "revision", json_integer(st->gap.upto));
	if (after)
		record_set(range, "min_mod_revision", json_integer(after + 1));
	record_set(op, "request_range", range);
	return op;
}

static const json_t *range_of(const json_t *answer, size_t i)
{
	const json_t *responses = json_object_get(answer, "responses");

	return json_object_get(json_array_get(responses, i), "response_range");
}

static bool on_live(void *data, const char *key, const char *value)
{
	/* What is no text is of nobody that is known here. */
	json_object_set_new(data, key, json_string(value));
	return true;
}

static bool on_trigger(void *data, const char *key, const char *value)
{
	store_etcd_trigger_take(data, key, value);
	return true;
}

/* What was read as it is now: whether head is as we know it. */
static bool unchanged(struct etcd_store *st, const json_t *answer)
{
	char text[HEAD_MAX + 1];
	int64_t head = store_etcd_head(range_of(answer, 0), text);

	/* Ours since: the next time it is there. */
	if (head < st->head_rev)
		return false;
	if (head > st->head_rev || strcmp(text, st->head)) {
		store_etcd_misfit(st, "it was compacted beyond that");
		return false;
	}
	st->gap.upto = etcd_int(json_object_get(answer, "header"), "revision");
	snprintf(st->gap.head, sizeof(st->gap.head), "%.*s", HEAD_NAME,
		 st->head);
	return true;
}

static void go_on(struct etcd_store *st, const json_t *answer)
{
	json_t *live = mem_checked(json_object());

	store_etcd_visit_all(st, range_of(answer, 1), on_live, live);
	store_etcd_live_anew(st, live);
	json_decref(live);
	store_etcd_visit_all(st, range_of(answer, 2), on_trigger, st);
	st->seen = st->gap.upto;
	strcpy(st->seen_head, st->gap.head);
	log_info("store: the watch goes on behind revision %lld, up to which nothing was changed",
		 (long long)st->seen);
}

static bool is_over(struct etcd_store *st, const char *error)
{
	return strstr(error, "has been compacted") ||
	       (!st->base.away && ++st->gap.failed == ETCD_GAP_TRIES);
}

/* Whatever is not done now is asked for again by the watch, which begins where
 * it was.
 */
static void on_gap(void *data, json_t *answer, bool unknown, const char *error)
{
	struct etcd_store *st = data;
	struct etcd_gap *gap = &st->gap;

	(void)unknown;
	gap->call = NULL;
	if (st->ended)
		return;
	if (error && is_over(st, error))
		store_etcd_misfit(st, error);
	if (error)
		return;
	gap->failed = 0;
	/* A change may be under way, from what is in memory now. */
	if (!st->commit && (!gap->now || unchanged(st, answer)))
		go_on(st, answer);
	source_timer_set(st->timer, loop_now());
}

void store_etcd_gap_close(struct etcd_store *st, int64_t compacted)
{
	struct etcd_gap *gap = &st->gap;
	json_t *list, *txn;

	if (gap->call)
		return;
	list = mem_checked(json_array());
	txn = mem_checked(json_object());
	gap->now = gap->upto <= st->seen || gap->upto < compacted;
	record_append(list, request_range(st, "head", 0));
	record_append(list, request_range(st, "live/", 0));
	record_append(list, request_range(st, "trigger/", st->seen));
	record_set(txn, "success", list);
	gap->call = etcd_post(st->etcd, "kv/txn", txn, false, on_gap, st);
}
