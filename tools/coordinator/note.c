// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "change.h"
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
	uint64_t lost;
};

static int store(struct notes *notes)
{
	struct registry *reg = notes->reg;
	struct entry *e;
	int err;

	if (TAILQ_EMPTY(&notes->list))
		return 0;
	change_begin(reg);
	TAILQ_FOREACH(e, &notes->list, list)
		change_log_as(reg, e->who, e->object, e->what, e->cause);
	err = change_commit(reg);
	while (!err && (e = TAILQ_FIRST(&notes->list))) {
		TAILQ_REMOVE(&notes->list, e, list);
		notes->nr--;
		free(e);
	}
	return err;
}

static void on_timer(void *data, uint64_t now_us)
{
	struct notes *notes = data;

	if (store(notes))
		source_timer_set(notes->timer,
				 now_us + NOTE_AGAIN_MS * LOOP_USEC_PER_MSEC);
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
		source_timer_set(notes->timer, loop_now() +
				 NOTE_GATHER_MS * LOOP_USEC_PER_MSEC);
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

void notes_free(struct notes *notes)
{
	struct entry *e;

	if (!notes)
		return;
	store(notes);
	while ((e = TAILQ_FIRST(&notes->list))) {
		TAILQ_REMOVE(&notes->list, e, list);
		free(e);
	}
	notes->reg->notes = NULL;
	source_free(&notes->timer);
	free(notes);
}
