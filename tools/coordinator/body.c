// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <microhttpd.h>

#include "auth.h"
#include "body.h"
#include "limits.h"
#include "mem.h"
#include "origin.h"
#include "problem.h"

/* Of who has large bodies under way: gone with the last one. */
struct body_share {
	char who[96];
	size_t bytes;
	unsigned int nr;
	TAILQ_ENTRY(body_share) list;
};

struct bodies {
	size_t bytes;
	uint64_t refused;
	uint64_t refused_share;
	TAILQ_HEAD(, body_share) shares;
};

struct bodies *bodies_new(void)
{
	struct bodies *bodies = mem_zero(1, sizeof(*bodies));

	TAILQ_INIT(&bodies->shares);
	return bodies;
}

void bodies_free(struct bodies *bodies)
{
	free(bodies);
}

void bodies_counters(const struct bodies *bodies, json_t *obj)
{
	record_set(obj, "body_bytes", json_integer(bodies->bytes));
	record_set(obj, "refused_bodies", json_integer(bodies->refused));
	record_set(obj, "refused_share", json_integer(bodies->refused_share));
}

/* Nobody but a node or a token comes so far with TLS; else an address is whole. */
static void name_owner(const struct request *rq, char *who, size_t len)
{
	char text[IP_TEXT_MAX];

	if (rq->who.node || *rq->who.token || !rq->client ||
	    http_origin(rq)->node)
		auth_name(rq, who, len);
	else
		snprintf(who, len, "%s", ip_text(&http_origin(rq)->addr, text));
}

/* The body becomes a large one. There are few of these. */
static void enter_share(struct bodies *bodies, struct request *rq)
{
	struct body_share *share;
	char who[96];

	if (rq->share)
		return;
	name_owner(rq, who, sizeof(who));
	TAILQ_FOREACH(share, &bodies->shares, list)
		if (!strcmp(share->who, who))
			break;
	if (!share) {
		share = mem_zero(1, sizeof(*share));
		strcpy(share->who, who);
		TAILQ_INSERT_TAIL(&bodies->shares, share, list);
	}
	share->bytes += rq->body_room;
	share->nr++;
	rq->share = share;
}

static void leave_share(struct bodies *bodies, struct request *rq)
{
	struct body_share *share = rq->share;

	if (!share)
		return;
	rq->share = NULL;
	share->bytes -= rq->body_room;
	if (--share->nr)
		return;
	TAILQ_REMOVE(&bodies->shares, share, list);
	free(share);
}

void body_drop(struct bodies *bodies, struct request *rq)
{
	leave_share(bodies, rq);
	bodies->bytes -= rq->body_room;
	free(rq->body);
	rq->body = NULL;
	rq->body_len = 0;
	rq->body_room = 0;
}

static int too_large(struct request *rq)
{
	return problem(rq, 413, NULL, "a body has at most %zu bytes",
		       rq->route->body_max);
}

static int no_share(struct bodies *bodies, struct request *rq)
{
	int status = problem(rq, 429, NULL,
			     "too many large bodies of %s are under way: wait a second",
			     rq->share->who);

	body_drop(bodies, rq);
	bodies->refused_share++;
	rq->retry = true;
	return status;
}

static int no_room(struct bodies *bodies, struct request *rq)
{
	body_drop(bodies, rq);
	bodies->refused++;
	rq->retry = true;
	return problem(rq, 503, NULL, "too many large bodies are under way");
}

/* Whether there is room for a body that is to take @len bytes in all. */
static int check_room(struct bodies *bodies, struct request *rq, size_t len)
{
	if (len <= BODY_SMALL)
		return 0;
	enter_share(bodies, rq);
	len -= rq->body_room;
	if (rq->share->bytes + len > BODIES_SHARE)
		return no_share(bodies, rq);
	if (bodies->bytes + len > BODIES_MAX)
		return no_room(bodies, rq);
	return 0;
}

size_t body_announced(const struct request *rq)
{
	const char *length = http_header(rq, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return length ? strtoull(length, NULL, 10) : 0;
}

static bool is_json(const char *type)
{
	static const char want[] = "application/json";
	size_t n = sizeof(want) - 1;

	return type && !strncasecmp(type, want, n) &&
	       (!type[n] || type[n] == ';' || type[n] == ' ');
}

int body_check(struct bodies *bodies, struct request *rq)
{
	size_t len = body_announced(rq);

	if (!rq->route->body_max)
		return 0;
	if (len > rq->route->body_max)
		return too_large(rq);
	if (!is_json(http_header(rq, MHD_HTTP_HEADER_CONTENT_TYPE)))
		return problem(rq, 415, NULL,
			       "the body must be application/json");
	return check_room(bodies, rq, len);
}

/* It doubles, so that a large body is not copied once for each of its parts. */
static bool make_room(struct bodies *bodies, struct request *rq, size_t len)
{
	size_t room = rq->body_room;

	if (len <= room)
		return true;
	room = len > 2 * room ? len : 2 * room;
	/* A small one is none of those that may be refused. */
	if (len <= BODY_SMALL && room > BODY_SMALL)
		room = BODY_SMALL;
	if (room > rq->route->body_max)
		room = rq->route->body_max;
	rq->status = check_room(bodies, rq, room);
	if (rq->status)
		return false;
	rq->body = mem_resize(rq->body, room, 1);
	bodies->bytes += room - rq->body_room;
	if (rq->share)
		rq->share->bytes += room - rq->body_room;
	rq->body_room = room;
	return true;
}

bool body_take(struct bodies *bodies, struct request *rq, const char *data,
	       size_t len)
{
	if (rq->status || rq->body_len + len > rq->route->body_max) {
		if (!rq->status && rq->route->body_max)
			rq->status = too_large(rq);
		rq->discarded += len;
		return rq->discarded <= BODY_DRAIN_MAX;
	}
	if (!make_room(bodies, rq, rq->body_len + len)) {
		rq->discarded += len;
		return true;
	}
	memcpy(rq->body + rq->body_len, data, len);
	rq->body_len += len;
	return true;
}
