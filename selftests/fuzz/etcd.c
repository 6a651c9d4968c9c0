// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What etcd's gateway answers to a coordinator: at its start, to its changes,
 * and by its watch. After a byte of flags (1: with a user, 2: two members) each
 * line is an answer, of the next request of its kind: h head alone, r any other
 * range, c a change, t any other transaction, w a line of the watch, l a lease, x
 * a compaction, a the user's token. A digit says how it comes (enum way), the rest
 * is its text; what is between < and > comes as base64 in quotes. Who has no line
 * any more gets a good answer, of a mesh with a node and a service, a watch none.
 *
 * libcurl is replaced (gateway.c), so that nothing depends on time.
 * fuzz: coordinator
 */

#include <errno.h>

#include "fuzz.h"
#include "gateway.h"
#include "registry.h"
#include "store_etcd.h"

/* Turns of the loop without any answer. */
#define QUIET	8

static const struct config conf = {
	.store = "etcd://127.0.0.1:2379/mesh",
	.lease_ms = 3000,
	.etcd = { .history_ms = 1 },
	.mesh = {
		.id = 77, .port = 6081, .block4 = 24, .block6 = 64, .vni_block = 256,
		.prefix4 = { { AF_INET, { 10, 77 } }, 16 },
		.prefix6 = { { AF_INET6, { 0xfd, 0x77 } }, 48 },
		.service4 = { { AF_INET, { 10, 96 } }, 16 },
		.service6 = { { AF_INET6, { 0xfd, 0x77, 0, 0, 0, 0, 0, 0xff } }, 64 },
	},
};

struct run {
	struct loop *loop;
	struct source *timer;
	struct registry reg;
	struct store *store;
	unsigned int seen, quiet;
	bool changing;		/* it has said what it wants to change */
	unsigned int done, lost;
};

static bool on_change(void *data, const char *key, const char *value)
{
	struct run *run = data;

	return registry_apply(&run->reg, key, value);
}

static void on_ready(void *data)
{
	(void)data;
}

static void on_again(void *data)
{
	struct run *run = data;

	store_presence(run->store, 1, true);
}

static void on_lost(void *data)
{
	struct run *run = data;

	must(!run->lost++);
}

static void on_done(void *data, int err)
{
	struct run *run = data;

	must(!err || *run->store->error || run->store->behind);
	run->done++;
}

static bool on_entry(void *data, const char *key, const char *value)
{
	(void)data;
	return key && value;
}

static void change(struct run *run)
{
	struct ip_addr addr = { .family = AF_INET, .b = { 10, 96, 0, 99 } };

	run->changing = true;
	store_begin(run->store);
	store_put_resting(run->store, "x", &addr);
	store_del_forgotten(run->store, 3);
	store_submit(run->store, on_done, run);
	store_presence(run->store, 1, true);
	store_presence(run->store, 2, false);
	store_trigger(run->store, 1, "web", 257);
	store_read_audit(run->store, 0, on_entry, on_done, run);
}

/* Once nothing is answered any more, changes, and then the end. */
static void on_timer(void *data, uint64_t now_us)
{
	struct run *run = data;

	run->quiet = run->seen == gateway_served() ? run->quiet + 1 : 0;
	run->seen = gateway_served();
	if (run->quiet > QUIET && run->changing) {
		loop_exit(run->loop, 0);
		return;
	}
	if (run->quiet > QUIET) {
		run->quiet = 0;
		change(run);
	}
	source_timer_set(run->timer, now_us);
}

static void end(struct run *run)
{
	unsigned int tries = 3;

	store_give_up(run->store);
	do {
		store_begin(run->store);
		store_del_forgotten(run->store, 3);
	} while (store_commit(run->store) == -EAGAIN && --tries);
}

static void follow(struct run *run)
{
	static const struct store_follower follower = {
		.change = on_change, .ready = on_ready, .again = on_again,
		.lost = on_lost,
	};

	must(!loop_new(&run->loop) &&
	     !loop_timer(run->loop, &run->timer, on_timer, run) &&
	     !source_timer_set(run->timer, loop_now()));
	if (store_follow(run->store, run->loop, &follower, run))
		return;
	must(!loop_run(run->loop));
	must(run->done == 2);
	end(run);
}

static void coordinate(const struct etcd_access *access, const char *name)
{
	struct run run = { 0 };
	char err[512];

	run.store = etcd_store_open(name, access, err, sizeof(err));
	if (!run.store) {
		must(*err);
		return;
	}
	if (registry_init(&run.reg, &conf, run.store, err, sizeof(err))) {
		follow(&run);
		registry_free(&run.reg);
	}
	store_close(run.store);
	source_free(&run.timer);
	if (run.loop)
		loop_free(run.loop);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	gateway_init();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct etcd_access access = conf.etcd;
	char *text;

	if (!len)
		return 0;
	text = fuzz_text(data + 1, len - 1);
	gateway_read(text);
	free(text);
	if (data[0] & 1) {
		strcpy(access.user, "mesh");
		strcpy(access.password, "secret");
	}
	coordinate(&access, data[0] & 2 ? "127.0.0.1:1,127.0.0.1:2/mesh" :
					  "127.0.0.1:1/mesh");
	gateway_end();
	return 0;
}
