// SPDX-License-Identifier: GPL-2.0-or-later
/* Own facts by version, and who has which. */

#include <stdlib.h>
#include <string.h>

#include "peer_sync.h"

#define MS	1000ULL
#define RANGE_LEN	20

static int cmp_key(const void *a, const void *b)
{
	const struct peer_fact *x = a, *y = b;
	int c = strcmp(x->tag, y->tag);

	return c ? c : (x->vni > y->vni) - (x->vni < y->vni);
}

static int cmp_seq(const void *a, const void *b)
{
	const struct peer_fact *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

void peer_log_init(struct peer_log *log)
{
	memset(log, 0, sizeof(*log));
	log->by_key.cmp = cmp_key;
	log->by_seq.cmp = cmp_seq;
}

void peer_log_free(struct peer_log *log)
{
	sorted_clear(&log->by_seq, NULL);
	sorted_clear(&log->by_key, free);
}

static void drop(struct peer_log *log, struct peer_fact *f)
{
	log->n_gone -= !f->state;
	sorted_take(&log->by_seq, f);
	free(sorted_take(&log->by_key, f));
}

static void drop_oldest_gone(struct peer_log *log)
{
	struct peer_fact *f;
	size_t i;

	for (i = 0; i < log->by_seq.n; i++) {
		f = log->by_seq.v[i];
		if (f->state)
			continue;
		drop(log, f);
		return;
	}
}

bool peer_log_put(struct peer_log *log, const struct peer_fact *fact)
{
	struct peer_fact *f = sorted_find(&log->by_key, fact);

	if (f)
		drop(log, f);
	f = malloc(sizeof(*f));
	if (!f)
		return false;
	*f = *fact;
	if (!sorted_add(&log->by_key, f)) {
		free(f);
		return false;
	}
	if (!sorted_add(&log->by_seq, f)) {
		free(sorted_take(&log->by_key, f));
		return false;
	}
	if (f->seq > log->last)
		log->last = f->seq;
	if (!f->state && ++log->n_gone > PEER_GONE_MAX)
		drop_oldest_gone(log);
	return true;
}

const struct peer_fact *peer_log_find(const struct peer_log *log,
				      const char *tag, uint32_t vni)
{
	struct peer_fact key = { .vni = vni };

	strncpy(key.tag, tag, TAG_MAX);
	return sorted_find(&log->by_key, &key);
}

/* The place of the first fact above @above. */
static size_t place(const struct peer_log *log, uint64_t above)
{
	size_t lo = 0, hi = log->by_seq.n, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (((struct peer_fact *)log->by_seq.v[mid])->seq > above)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

uint64_t peer_log_put_chunk(const struct peer_log *log, uint64_t above,
			    struct peer_out *o)
{
	size_t first = place(log, above), i, end, room;
	const struct peer_fact *f;
	uint64_t upto = log->last;

	room = sizeof(o->buf) - o->len - RANGE_LEN;
	for (end = first; end < log->by_seq.n; end++) {
		f = log->by_seq.v[end];
		if (peer_fact_len(f) > room)
			break;
		room -= peer_fact_len(f);
	}
	/* Up to below the first one that did not fit. */
	if (end < log->by_seq.n)
		upto = ((struct peer_fact *)log->by_seq.v[end])->seq - 1;
	if (upto < above)
		upto = above;
	peer_put_two(o, PEER_T_RANGE, above, upto);
	for (i = first; i < end; i++)
		peer_put_fact(o, log->by_seq.v[i]);
	return upto;
}

/* True if one of those ahead joined what is had. */
static bool join_ahead(struct peer_have *have)
{
	unsigned int i;

	for (i = 0; i < PEER_CHUNKS; i++) {
		if (!have->ahead[i].upto || have->ahead[i].above > have->upto)
			continue;
		if (have->ahead[i].upto > have->upto)
			have->upto = have->ahead[i].upto;
		have->ahead[i].upto = 0;
		return true;
	}
	return false;
}

bool peer_have_range(struct peer_have *have, uint64_t above, uint64_t upto)
{
	unsigned int i;

	if (above <= have->upto) {
		if (upto > have->upto)
			have->upto = upto;
		while (join_ahead(have))
			;
		return true;
	}
	for (i = 0; i < PEER_CHUNKS; i++) {
		if (have->ahead[i].upto)
			continue;
		have->ahead[i].above = above;
		have->ahead[i].upto = upto;
		break;
	}
	return false;
}

static uint64_t pause_us(unsigned int tries)
{
	static const uint16_t ms[PEER_TRIES + 1] = {
		40, 60, 100, 150, 200, 250, 250,
	};

	return ms[tries < PEER_TRIES ? tries : PEER_TRIES] * MS;
}

void peer_sub_begin(struct peer_subscriber *s, uint64_t have,
		    uint64_t until_us)
{
	memset(s, 0, sizeof(*s));
	s->on = true;
	s->until_us = until_us;
	s->acked = have;
	s->sent = have;
	s->retry_us = UINT64_MAX;
}

void peer_sub_acked(struct peer_subscriber *s, uint64_t have, uint64_t last)
{
	/* Known already, or of what there is not. */
	if (!s->on || have <= s->acked || have > last)
		return;
	s->acked = have;
	/* It is late, and all is being sent again. */
	if (s->sent < have)
		s->sent = have;
	s->tries = 0;
	if (s->chunks)
		s->chunks--;
	if (s->acked < s->sent)
		return;
	s->chunks = 0;
	s->retry_us = UINT64_MAX;
}

bool peer_sub_wants(const struct peer_subscriber *s, uint64_t last)
{
	return s->on && s->sent < last && s->chunks < PEER_CHUNKS &&
	       s->tries <= PEER_TRIES;
}

void peer_sub_sent(struct peer_subscriber *s, uint64_t upto, uint64_t now_us)
{
	s->sent = upto;
	s->chunks++;
	if (s->acked < s->sent)
		s->retry_us = now_us + pause_us(s->tries);
}

enum peer_sub_turn peer_sub_turn(struct peer_subscriber *s, uint64_t now_us)
{
	if (!s->on || s->retry_us > now_us)
		return PEER_SUB_WAIT;
	s->retry_us = UINT64_MAX;
	if (s->tries++ >= PEER_TRIES)
		return PEER_SUB_GIVE_UP;
	s->sent = s->acked;
	s->chunks = 0;
	return PEER_SUB_AGAIN;
}
