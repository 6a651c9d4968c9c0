// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GET /v1/events: what happens to many tags, as a stream of events.
 *
 * A stream has an index and no queue: an event is made when the client has
 * read the one before, of all that changed since. A slow client so misses
 * steps, never the outcome, and costs one event of memory.
 *
 * Streams do not end by themselves. So that who came first does not keep others
 * out for ever, one more than there may be takes the place of the oldest of who
 * has the most. Where everybody has one, who has none takes turns with them: so no
 * number of clients that one makes up, each with its stream, keeps others out, and
 * each turn is long enough to be worth it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "auth.h"
#include "mem.h"
#include "origin.h"
#include "problem.h"

struct events {
	struct http_stream stream;	/* first */
	struct interest in;		/* its tags are ours */
	bool listed;			/* the client has all up to @index */
	bool over;			/* another one has its place */
	uint64_t index;
	uint64_t beat_us;
	uint64_t quiet_us;		/* when the next beat is due */
	uint64_t turn_us;		/* until then it has its place */
	struct request *rq;		/* whose it is */
	TAILQ_ENTRY(events) list;
};

static TAILQ_HEAD(, events) streams = TAILQ_HEAD_INITIALIZER(streams);

static struct {
	unsigned int open;
	uint64_t refused;
	uint64_t sent;
	uint64_t unread;
	uint64_t ended;
} stats;

void api_events_counters(json_t *obj)
{
	record_set(obj, "streams", json_integer(stats.open));
	record_set(obj, "streams_refused", json_integer(stats.refused));
	record_set(obj, "streams_ended", json_integer(stats.ended));
	record_set(obj, "streams_unread", json_integer(stats.unread));
	record_set(obj, "events", json_integer(stats.sent));
}

static json_t *removed(struct registry *reg, const struct events *ev)
{
	json_t *list = mem_checked(json_array());
	const struct tombstone *t;

	TAILQ_FOREACH_REVERSE(t, &reg->tombstones, tombstone_list, list) {
		if (t->rev <= ev->index)
			break;
		if (!t->node && watch_has_tag(&ev->in, t->tag))
			record_append(list, json_string(t->tag));
	}
	return list;
}

/* What changed since, NULL: nothing of these tags. */
static json_t *changes(struct registry *reg, const struct events *ev, bool full)
{
	json_t *services = mem_checked(json_array());
	json_t *members = mem_checked(json_object());
	json_t *gone = full ? mem_checked(json_array()) : removed(reg, ev);
	const struct service *svc;
	json_t *obj;
	unsigned int i;

	for (i = 0; i < ev->in.nr_tags; i++) {
		svc = registry_service(reg, ev->in.tags[i]);
		if (svc && (full || svc->rev > ev->index))
			record_append(services, record_service(&svc->def));
		if (svc && (full || svc->members_rev > ev->index))
			record_set(members, svc->def.tag, api_members(svc));
		else if (full)
			record_set(members, ev->in.tags[i], json_array());
	}
	obj = mem_checked(json_object());
	if (full || json_array_size(services) || json_array_size(gone) ||
	    json_object_size(members)) {
		watch_stamp(reg, obj);
		record_set(obj, "full", json_boolean(full));
	}
	record_set(obj, "services", services);
	record_set(obj, "services_removed", gone);
	record_set(obj, "members", members);
	if (json_object_get(obj, "full"))
		return obj;
	json_decref(obj);
	return NULL;
}

/* An event of @obj (consumed), or a beat without. */
static bool say(struct request *rq, struct events *ev, json_t *obj)
{
	char *data = NULL;
	char *text = NULL;
	int n;

	if (obj) {
		data = mem_checked(json_dumps(obj, JSON_COMPACT));
		json_decref(obj);
		n = asprintf(&text,
			     "event: change\nid: %s.%" PRIu64 "\ndata: %s\n\n",
			     rq->reg->incarnation, ev->index, data);
		free(data);
		stats.sent++;
	} else {
		n = asprintf(&text, ": beat\nid: %s.%" PRIu64 "\n\n",
			     rq->reg->incarnation, ev->index);
	}
	ev->quiet_us = loop_now() + ev->beat_us;
	return http_piece(rq, mem_checked(n < 0 ? NULL : text), n);
}

/* Who lost its rights is not told any more. */
static bool may_go_on(struct request *rq)
{
	int status = auth_check(rq);

	json_decref(rq->reply);
	rq->reply = NULL;
	return !status;
}

static bool next(struct request *rq)
{
	struct events *ev = (struct events *)rq->stream;
	struct registry *reg = rq->reg;
	json_t *obj;
	bool full;

	if (rq->gone || ev->over || !may_go_on(rq))
		return false;
	/* A client so slow that removals went by begins anew. */
	full = !ev->listed || ev->index < reg->floor;
	if (full || reg->published > ev->index) {
		obj = changes(reg, ev, full);
		ev->index = reg->rev;
		ev->listed = true;
		if (obj)
			return say(rq, ev, obj);
	}
	if (loop_now() >= ev->quiet_us)
		return say(rq, ev, NULL);
	return watch_sleep(api_watches(), rq, &ev->in, ev->index,
			   ev->quiet_us);
}

static void leave(const struct events *ev)
{
	http_origin(ev->rq)->streams--;
	stats.open--;
}

static void done(struct http_stream *stream, bool unread)
{
	struct events *ev = (struct events *)stream;

	TAILQ_REMOVE(&streams, ev, list);
	if (!ev->over)
		leave(ev);
	stats.unread += unread;
	free(ev->in.tags);
	free(ev);
}

static int on_tag(struct request *rq, const char *value, void *data)
{
	return watch_add_tag(rq, "tag", data, value, strlen(value));
}

/* Where a client goes on that was here before. */
static int read_last_id(struct request *rq, struct events *ev)
{
	const char *text = http_header(rq, "Last-Event-ID");
	char incarnation[sizeof(rq->reg->incarnation)];
	const char *digits;
	size_t n;

	if (!text || !*text)
		return 0;
	n = strcspn(text, ".");
	digits = text + n + (text[n] == '.');
	if (!n || n >= sizeof(incarnation) || !*digits || strlen(digits) > 18 ||
	    digits[strspn(digits, "0123456789")])
		return problem(rq, 400, "Last-Event-ID",
			       "Last-Event-ID: must be the id of an event");
	memcpy(incarnation, text, n);
	incarnation[n] = '\0';
	ev->index = strtoull(digits, NULL, 10);
	ev->listed = true;
	return watch_known(rq, "Last-Event-ID", incarnation, ev->index);
}

/* The oldest of who has the most, and more than @most, or NULL. */
static struct events *find_most(unsigned int most)
{
	struct events *oldest = NULL;
	struct events *ev;

	TAILQ_FOREACH(ev, &streams, list)
		if (!ev->over && http_origin(ev->rq)->streams > most) {
			most = http_origin(ev->rq)->streams;
			oldest = ev;
		}
	return oldest;
}

/* Whose turn is over, or NULL. Addresses are easily had and certificates are not:
 * a node's stream ends only where all are of nodes.
 */
static struct events *find_turn(void)
{
	struct events *oldest = NULL;
	struct events *ev;

	TAILQ_FOREACH(ev, &streams, list) {
		if (ev->over)
			continue;
		if (!oldest)
			oldest = ev;
		if (http_origin(ev->rq)->node)
			continue;
		oldest = ev;
		break;
	}
	return oldest && oldest->turn_us <= loop_now() ? oldest : NULL;
}

/* One more of a client that has @n: one of who has the most ends, unless that were
 * to have no more than this one then, and the two would take turns. Who has none
 * may.
 */
static bool make_room(unsigned int n)
{
	struct events *ev = find_most(n + 1);

	if (!ev && !n)
		ev = find_turn();
	if (!ev)
		return false;
	leave(ev);
	ev->over = true;
	stats.ended++;
	watch_wake(ev->rq);
	return true;
}

/* 0, or the status of a problem: one client leaves room for the others. */
static int check_room(struct request *rq)
{
	unsigned int n = http_origin(rq)->streams;
	int status = http_check_wait(rq, true);

	if (status) {
		stats.refused++;
		return status;
	}
	if (stats.open < CLIENT_TIGHT(STREAMS_MAX))
		return 0;
	if (n < CLIENT_SHARE(STREAMS_MAX) &&
	    (stats.open < STREAMS_MAX || make_room(n)))
		return 0;
	stats.refused++;
	return problem(rq, 503, NULL,
		       "%u event streams are open, and %u of them are this client's",
		       stats.open, n);
}

static int prepare(struct request *rq, struct events *ev)
{
	int64_t beat_ms = BEAT_DEFAULT_MS;
	int status;

	status = http_each_arg(rq, "tag", on_tag, &ev->in);
	if (!status)
		status = watch_read_tags(rq, "tags", &ev->in);
	if (!status && !ev->in.nr_tags)
		status = problem(rq, 400, "tag", "tag: at least one");
	if (!status && http_arg_int(rq, "heartbeat_ms", BEAT_MIN_MS,
				    BEAT_MAX_MS, &beat_ms) < 0)
		status = 400;
	if (!status)
		status = read_last_id(rq, ev);
	if (!status)
		status = check_room(rq);
	ev->in.nr_tags = watch_sort_tags(ev->in.tags, ev->in.nr_tags);
	ev->beat_us = beat_ms * LOOP_USEC_PER_MSEC;
	ev->quiet_us = loop_now() + ev->beat_us;
	ev->turn_us = loop_now() + STREAM_TURN_MS * LOOP_USEC_PER_MSEC;
	return status;
}

int api_get_events(struct request *rq)
{
	struct events *ev = mem_zero(1, sizeof(*ev));
	int status = prepare(rq, ev);

	if (status) {
		free(ev->in.tags);
		free(ev);
		return status;
	}
	ev->stream.type = "text/event-stream";
	ev->stream.next = next;
	ev->stream.done = done;
	ev->in.definitions = true;
	ev->in.lent = true;
	ev->rq = rq;
	rq->stream = &ev->stream;
	TAILQ_INSERT_TAIL(&streams, ev, list);
	http_origin(rq)->streams++;
	stats.open++;
	return 200;
}
