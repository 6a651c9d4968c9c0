// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "change.h"
#include "limits.h"
#include "log.h"
#include "mem.h"
#include "note.h"

struct entry {
	char who[96];
	char object[TAG_MAX + 48];
	char what[32];
	char cause[256];
	TAILQ_ENTRY(entry) list;
};

struct notes {
	struct registry *reg;
	struct source *timer;
	TAILQ_HEAD(, entry) list;
	unsigned int nr;
	unsigned int under_way;		/* of these, the first ones */
	uint64_t lost;
};

static void drop_first(struct notes *notes, unsigned int n)
{
	struct entry *e;

	while (n-- && (e = TAILQ_FIRST(&notes->list))) {
		TAILQ_REMOVE(&notes->list, e, list);
		notes->nr--;
		free(e);
	}
}

/* The first ones, as many as every store takes at once. */
static unsigned int put_some(struct notes *notes)
{
	unsigned int n = 0;
	struct entry *e;

	change_begin(notes->reg);
	TAILQ_FOREACH(e, &notes->list, list) {
		if (n++ == NOTES_AT_ONCE)
			return NOTES_AT_ONCE;
		change_log_as(notes->reg, e->who, e->object, e->what, e->cause);
	}
	return n;
}

static void later(struct notes *notes, uint64_t ms)
{
	source_timer_set(notes->timer, loop_now() + ms * LOOP_USEC_PER_MSEC);
}

static int on_stored(struct request *rq, void *data, bool stored)
{
	struct notes *notes = data;

	(void)rq;
	if (stored)
		drop_first(notes, notes->under_way);
	notes->under_way = 0;
	if (notes->nr)
		later(notes, stored ? NOTE_GATHER_MS : NOTE_AGAIN_MS);
	return 0;
}

static void on_timer(void *data, uint64_t now_us)
{
	struct notes *notes = data;

	(void)now_us;
	if (notes->under_way || !notes->nr)
		return;
	if (change_busy(notes->reg)) {
		later(notes, NOTE_GATHER_MS);
		return;
	}
	notes->under_way = put_some(notes);
	change_commit(notes->reg, NULL, on_stored, notes);
}

void note(struct registry *reg, const struct request *rq, const char *object,
	  const char *what, const char *fmt, ...)
{
	struct notes *notes = reg->notes;
	struct entry *e;
	va_list ap;

	if (notes->nr >= NOTES_MAX) {
		notes->lost++;
		return;
	}
	e = mem_zero(1, sizeof(*e));
	if (rq)
		auth_name(rq, e->who, sizeof(e->who));
	else
		strcpy(e->who, "coordinator");
	snprintf(e->object, sizeof(e->object), "%s", object);
	snprintf(e->what, sizeof(e->what), "%s", what);
	va_start(ap, fmt);
	vsnprintf(e->cause, sizeof(e->cause), fmt, ap);
	va_end(ap);
	TAILQ_INSERT_TAIL(&notes->list, e, list);
	if (!notes->nr++)
		later(notes, NOTE_GATHER_MS);
}

uint64_t notes_lost(const struct registry *reg)
{
	return reg->notes->lost;
}

int notes_new(struct notes **ret, struct loop *loop, struct registry *reg)
{
	struct notes *notes = mem_zero(1, sizeof(*notes));
	int err;

	notes->reg = reg;
	TAILQ_INIT(&notes->list);
	err = loop_timer(loop, &notes->timer, on_timer, notes);
	if (err) {
		free(notes);
		return err;
	}
	reg->notes = notes;
	*ret = notes;
	return 0;
}

/* Nothing is followed any more: what others wrote meanwhile is looked up. */
static bool late(struct notes *notes, unsigned int *tries)
{
	struct registry *reg = notes->reg;

	return (*tries)++ < NOTES_END_TRIES &&
	       !store_last_audit(reg->store, &reg->audit_seq);
}

static void store_all(struct notes *notes)
{
	struct registry *reg = notes->reg;
	unsigned int tries = 0;
	unsigned int n;
	int err;

	while (notes->nr) {
		n = put_some(notes);
		err = store_commit(reg->store);
		if (!err) {
			reg->audit_seq += n;
			drop_first(notes, n);
		} else if (err != -EAGAIN || !late(notes, &tries)) {
			break;
		}
	}
	if (notes->nr)
		log_warning("store: %u entries of the audit log are lost: %s",
			    notes->nr, reg->store->error);
}

void notes_free(struct notes *notes)
{
	if (!notes)
		return;
	store_all(notes);
	drop_first(notes, notes->nr);
	notes->reg->notes = NULL;
	source_free(&notes->timer);
	free(notes);
}
