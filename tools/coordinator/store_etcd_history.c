// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * etcd keeps each value that a key ever had until it is told to forget them,
 * and takes no more once its quota is full of them. Each coordinator tells it
 * to forget what is older than the time that is kept; that several do is no
 * harm. It goes by what its own watch has told, so it never cuts off itself,
 * and others only when they are later than that by the whole time.
 */
#include <string.h>

#include "log.h"
#include "mem.h"
#include "store_etcd_priv.h"

static void on_gone(void *data, json_t *answer, bool unknown,
		    const char *error)
{
	struct etcd_store *st = data;
	struct etcd_history *h = &st->history;

	(void)answer;
	(void)unknown;
	h->call = NULL;
	/* Another coordinator, or etcd itself, went further. */
	if (error && strstr(error, "has been compacted"))
		error = NULL;
	if (!error) {
		h->gone = h->wanted;
		h->failed = 0;
		return;
	}
	/* Once may be etcd's absence; it is tried again. */
	if (++h->failed == 2)
		log_warning("store: etcd's history is not compacted, so that its quota may be used up: %s",
			    error);
}

void store_etcd_history_tick(struct etcd_store *st, uint64_t now_us)
{
	struct etcd_history *h = &st->history;
	json_t *body;

	if (!h->keep_us || now_us < h->due_us || h->call || st->base.away)
		return;
	h->due_us = now_us + h->keep_us;
	h->wanted = h->revision;
	h->revision = st->seen;
	if (h->wanted <= h->gone)
		return;
	body = mem_checked(json_object());
	record_set(body, "revision", json_integer(h->wanted));
	h->call = etcd_post(st->etcd, "kv/compaction", body, false, on_gone,
			    st);
}
