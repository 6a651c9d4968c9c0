// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "origin.h"
#include "problem.h"
#include "watch.h"

struct watcher {
	struct watches *all;
	struct request *rq;
	struct interest interest;
	uint64_t index;
	struct source *deadline;
	TAILQ_ENTRY(watcher) list;
};

struct watches {
	struct loop *loop;
	struct registry *reg;
	struct source *timer;		/* the next publication */
	uint64_t timer_at;		/* 0: not armed */
	uint64_t published_us;		/* the last one */
	bool closed;
	unsigned int nr;
	uint64_t refused;
	TAILQ_HEAD(, watcher) list;
};

static int cmp_tag(const void *a, const void *b)
{
	return strcmp(a, b);
}

unsigned int watch_sort_tags(char (*tags)[TAG_MAX + 1], unsigned int n)
{
	unsigned int kept = 0;
	unsigned int i;

	if (!n)
		return 0;
	qsort(tags, n, sizeof(*tags), cmp_tag);
	for (i = 1; i < n; i++)
		if (strcmp(tags[kept], tags[i]) && ++kept != i)
			memcpy(tags[kept], tags[i], sizeof(*tags));
	return kept + 1;
}

static bool visible(const struct registry *reg, uint64_t rev, uint64_t after)
{
	return rev > after && rev <= reg->published;
}

/* Whether something of the fixed part of @in changed visibly. */
static bool lists_changed(struct registry *reg, const struct interest *in,
			  uint64_t after)
{
	const struct node *node = registry_node(reg, in->checks);

	return (in->nodes && visible(reg, reg->nodes_rev, after)) ||
	       (in->services && visible(reg, reg->services_rev, after)) ||
	       (node && visible(reg, node->checks_rev, after));
}

/* The same for its tags, one by one: for a request that comes in. */
static bool tags_changed(struct registry *reg, const struct interest *in,
			 uint64_t after)
{
	const struct service *svc;
	unsigned int i;

	for (i = 0; i < in->nr_tags; i++) {
		svc = registry_service(reg, in->tags[i]);
		if (!svc && in->definitions)
			return true;
		if (svc && (visible(reg, svc->members_rev, after) ||
			    (in->definitions && visible(reg, svc->rev, after))))
			return true;
	}
	return false;
}

bool watch_has_tag(const struct interest *in, const char *tag)
{
	return in->nr_tags && bsearch(tag, in->tags, in->nr_tags,
				      sizeof(*in->tags), cmp_tag);
}

/* For those that wait: only what changed since the last publication, which
 * showed them nothing.
 */
static bool recent_changed(struct registry *reg, const struct interest *in,
			   uint64_t after)
{
	const struct service *svc;

	TAILQ_FOREACH_REVERSE(svc, &reg->members_changed, service_list,
			      members_changed) {
		if (svc->members_rev <= after)
			break;
		if (watch_has_tag(in, svc->def.tag))
			return true;
	}
	/* A single service's definition: removals leave no object behind. */
	return in->definitions && visible(reg, reg->services_rev, after) &&
	       tags_changed(reg, in, after);
}

static void wake(struct watcher *watcher)
{
	struct watches *w = watcher->all;

	TAILQ_REMOVE(&w->list, watcher, list);
	w->nr -= !watcher->interest.lent;
	http_origin(watcher->rq)->watchers -= !watcher->interest.lent;
	source_free(&watcher->deadline);
	if (!watcher->interest.lent)
		free(watcher->interest.tags);
	watcher->rq->watcher = NULL;
	http_wake(watcher->rq);
	free(watcher);
}

void watch_wake(struct request *rq)
{
	if (rq->watcher)
		wake(rq->watcher);
}

static void on_deadline(void *data, uint64_t now_us)
{
	(void)now_us;
	wake(data);
}

static void on_gone(void *data, int fd, uint32_t events)
{
	struct watcher *watcher = data;

	(void)fd;
	(void)events;
	watcher->rq->gone = true;
	wake(watcher);
}

static void publish(struct watches *w, uint64_t now_us)
{
	struct registry *reg = w->reg;
	uint64_t before = reg->published;
	struct watcher *watcher;
	struct watcher *next;

	reg->published = reg->rev;
	reg->urgent = false;
	w->published_us = now_us;
	w->timer_at = 0;
	for (watcher = TAILQ_FIRST(&w->list); watcher; watcher = next) {
		uint64_t after = watcher->index > before ? watcher->index :
							   before;

		next = TAILQ_NEXT(watcher, list);
		if (lists_changed(reg, &watcher->interest, after) ||
		    recent_changed(reg, &watcher->interest, after))
			wake(watcher);
	}
}

static void on_timer(void *data, uint64_t now_us)
{
	publish(data, now_us);
}

/* The registry's rev moved on: see to it that it is published. */
static void on_change(void *data)
{
	struct watches *w = data;
	uint64_t gap = w->reg->urgent ? HARD_GAP_MS : SOFT_GAP_MS;
	uint64_t at = w->published_us + gap * LOOP_USEC_PER_MSEC;

	if (w->timer_at && w->timer_at <= at)
		return;
	w->timer_at = at;
	source_timer_set(w->timer, at);
}

int watches_new(struct watches **ret, struct loop *loop, struct registry *reg)
{
	struct watches *w = mem_zero(1, sizeof(*w));
	int err;

	w->loop = loop;
	w->reg = reg;
	TAILQ_INIT(&w->list);
	err = loop_timer(loop, &w->timer, on_timer, w);
	if (err) {
		free(w);
		return err;
	}
	reg->on_change = on_change;
	reg->on_change_data = w;
	*ret = w;
	return 0;
}

void watches_close(struct watches *w)
{
	struct watcher *watcher;

	w->closed = true;
	while ((watcher = TAILQ_FIRST(&w->list)))
		wake(watcher);
}

void watches_free(struct watches *w)
{
	if (!w)
		return;
	w->reg->on_change = NULL;
	source_free(&w->timer);
	free(w);
}

unsigned int watches_count(const struct watches *w)
{
	return w->nr;
}

uint64_t watches_refused(const struct watches *w)
{
	return w->refused;
}

int watch_known(struct request *rq, const char *field, const char *incarnation,
		uint64_t index)
{
	if (strcmp(incarnation, rq->reg->incarnation))
		return problem(rq, 410, field ? field : "incarnation",
			       "the coordinator was started anew: list without index");
	if (index > rq->reg->rev)
		return problem(rq, 410, field ? field : "index",
			       "the index is ahead of the coordinator's: list without index");
	if (index < rq->reg->floor)
		return problem(rq, 410, field ? field : "index",
			       "too many changes since: list without index");
	return 0;
}

int watch_add_tag(struct request *rq, const char *field,
		  struct interest *interest, const char *text, size_t len)
{
	if (interest->nr_tags == WATCH_TAGS_MAX)
		return problem(rq, 400, field, "%s: at most %u tags", field,
			       WATCH_TAGS_MAX);
	interest->tags = mem_resize(interest->tags, interest->nr_tags + 1,
				    sizeof(*interest->tags));
	memset(interest->tags[interest->nr_tags], 0, sizeof(*interest->tags));
	if (len <= TAG_MAX)
		memcpy(interest->tags[interest->nr_tags], text, len);
	if (!tag_valid(interest->tags[interest->nr_tags]))
		return problem(rq, 400, field, "%s: \"%.*s\" is not a tag",
			       field, len > 80 ? 80 : (int)len, text);
	interest->nr_tags++;
	return 0;
}

int watch_read_tags(struct request *rq, const char *name,
		    struct interest *interest)
{
	const char *text = http_arg(rq, name);
	int status;
	size_t n;

	if (text && strlen(text) > WATCH_TAGS_BYTES)
		return problem(rq, 400, name, "%s: at most %u bytes of tags",
			       name, WATCH_TAGS_BYTES);
	for (; text && *text; text += n + (text[n] == ',')) {
		n = strcspn(text, ",");
		status = watch_add_tag(rq, name, interest, text, n);
		if (status)
			return status;
	}
	return 0;
}

int watch_since(struct request *rq, struct since *since)
{
	const char *incarnation = http_arg(rq, "incarnation");
	int64_t wait_ms = WAIT_DEFAULT_MS;
	int64_t index = 0;
	int given;

	given = http_arg_int(rq, "index", 0, JINT_MAX, &index);
	if (given < 0 ||
	    http_arg_int(rq, "wait_ms", 0, WAIT_MAX_MS, &wait_ms) < 0)
		return 400;
	since->given = given;
	since->index = index;
	since->wait_ms = wait_ms;
	if (!given)
		return 0;
	if (!incarnation)
		return problem(rq, 400, "incarnation",
			       "incarnation: required with index");
	return watch_known(rq, NULL, incarnation, since->index);
}

static bool add(struct watches *w, struct request *rq,
		const struct interest *interest, uint64_t index,
		uint64_t until_us)
{
	struct watcher *watcher = mem_zero(1, sizeof(*watcher));

	watcher->all = w;
	watcher->rq = rq;
	watcher->interest = *interest;
	watcher->index = index;
	if (loop_timer(w->loop, &watcher->deadline, on_deadline, watcher)) {
		free(watcher);
		return false;
	}
	source_timer_set(watcher->deadline, until_us);
	TAILQ_INSERT_TAIL(&w->list, watcher, list);
	w->nr += !interest->lent;
	http_origin(rq)->watchers += !interest->lent;
	rq->watcher = watcher;
	http_wait(rq, on_gone, watcher);
	return true;
}

/* 0, or the status of a problem: one client leaves room for the others. */
static int check_room(struct watches *w, struct request *rq)
{
	unsigned int n = http_origin(rq)->watchers;

	if (w->nr >= WATCHERS_MAX)
		return problem(rq, 503, NULL, "%u watchers are waiting already",
			       w->nr);
	if (w->nr < CLIENT_TIGHT(WATCHERS_MAX) ||
	    n < CLIENT_SHARE(WATCHERS_MAX))
		return http_check_wait(rq, false);
	return problem(rq, 503, NULL,
		       "%u watchers are waiting, and %u of them are this client's",
		       w->nr, n);
}

int watch_wait(struct watches *w, struct request *rq,
	       struct interest *interest, const struct since *since)
{
	struct registry *reg = w->reg;
	int status;

	if (rq->waited || !since->given || !since->wait_ms || w->closed ||
	    lists_changed(reg, interest, since->index) ||
	    tags_changed(reg, interest, since->index))
		return 1;
	status = check_room(w, rq);
	if (status) {
		w->refused++;
		return status;
	}
	if (!add(w, rq, interest, since->index,
		 loop_now() + since->wait_ms * LOOP_USEC_PER_MSEC))
		return 1;
	interest->tags = NULL;
	return 0;
}

bool watch_sleep(struct watches *w, struct request *rq,
		 const struct interest *interest, uint64_t index,
		 uint64_t until_us)
{
	return !w->closed && add(w, rq, interest, index, until_us);
}

void watch_stamp(struct registry *reg, json_t *obj)
{
	uint64_t age_us = loop_now() - reg->store->fresh_us;

	record_set(obj, "incarnation", json_string(reg->incarnation));
	record_set(obj, "index", json_integer(reg->rev));
	if (reg->store->away)
		record_set(obj, "store_age_ms",
			   json_integer(age_us / LOOP_USEC_PER_MSEC));
}
