// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What every store of the coordinator must do: usage: store_conformance STORE
 * [STORE-OF-ANOTHER]. The store must be empty. Prints TAP.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"
#include "mem.h"
#include "store.h"

static int nr, failed;

static void ok(bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++nr, name);
	failed += !good;
}

struct seen {
	char text[8192];
	bool stop;
};

static void note(struct seen *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void note(struct seen *s, const char *fmt, ...)
{
	size_t n = strlen(s->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->text + n, sizeof(s->text) - n, fmt, ap);
	va_end(ap);
}

static bool on_node(void *data, const struct node_def *def)
{
	note(data, "n%u:%s:%s:%u:%s ", def->id, def->name, def->key,
	     def->grant.nr_tags, def->serial);
	return true;
}

static bool on_service(void *data, const struct service_def *def)
{
	note(data, "s:%s:%u:%u:%u:%u:%u ", def->tag, def->policy, def->on_down,
	     def->drain_time_ms, def->load, def->nr_ports);
	return true;
}

static bool on_member(void *data, const struct member_def *def)
{
	note(data, "m:%s:%u:%u:%u:%u ", def->tag, def->vni, def->weight,
	     def->priority, def->state);
	return true;
}

static bool on_resting(void *data, const char *tag,
		       const struct ip_addr *address4)
{
	char buf[IP_TEXT_MAX];

	note(data, "r:%s:%s ", tag, ip_text(address4, buf));
	return true;
}

static bool on_token(void *data, const struct token_def *def)
{
	note(data, "t:%s:%u:%s ", def->id, def->role, def->grant.tags[0]);
	return true;
}

static bool on_forgotten(void *data, uint32_t id)
{
	note(data, "f:%u ", id);
	return true;
}

static bool on_heard(void *data, uint32_t node, enum store_heard where)
{
	note(data, "l:%u:%d ", node, where);
	return true;
}

static bool on_gone(void *data, const char *kind, const char *name)
{
	note(data, "-%s%s ", kind, name);
	return true;
}

static const struct store_visitor visitor = {
	.node = on_node,
	.service = on_service,
	.member = on_member,
	.resting = on_resting,
	.token = on_token,
	.forgotten = on_forgotten,
	.heard = on_heard,
	.gone = on_gone,
};

static const char *load(struct store *store, struct seen *s)
{
	memset(s, 0, sizeof(*s));
	if (store_load(store, &visitor, s))
		note(s, "ERROR %s", store->error);
	return s->text;
}

static struct store *reopen(struct store *store, const char *name)
{
	char err[512];

	store_close(store);
	store = store_open(name, NULL, err, sizeof(err));
	if (store)
		return store;
	printf("Bail out! %s\n", err);
	exit(1);
}

static struct mesh a_mesh(void)
{
	struct mesh mesh = { .id = 77, .port = 6081, .block4 = 24,
			     .block6 = 64, .vni_block = 256 };

	ip_prefix_parse("10.77.0.0/16", &mesh.prefix4);
	ip_prefix_parse("fd77::/48", &mesh.prefix6);
	ip_prefix_parse("10.96.0.0/16", &mesh.service4);
	ip_prefix_parse("fd77:0:0:ffff::/64", &mesh.service6);
	return mesh;
}

static struct node_def a_node(uint32_t id, const char *name)
{
	struct node_def def = { .id = id, .port = 6081, .vni = id * 256,
				.vni_first = id * 256, .vni_count = 256,
				.epoch = 5 };
	char text[64];

	strcpy(def.name, name);
	ip_parse("192.0.2.1", &def.underlay);
	snprintf(text, sizeof(text), "10.77.%u.0/24", id);
	ip_prefix_parse(text, &def.prefix4);
	snprintf(text, sizeof(text), "fd77:0:0:%x::/64", id);
	ip_prefix_parse(text, &def.prefix6);
	ip_parse("10.77.0.1", &def.address4);
	ip_parse("fd77::1", &def.address6);
	memset(def.key, 'a', 64);
	grant_default(&def.grant);
	strcpy(def.grant.tags[0], "web-*");
	def.grant.nr_tags = 1;
	strcpy(def.serial, "0123456789abcdef0123456789abcdef");
	return def;
}

static struct service_def a_service(const char *tag)
{
	struct service_def def = {
		.policy = VNIMESH_POLICY_FAILOVER,
		.on_down = VNIMESH_ON_DOWN_DRAIN, .drain_time_ms = 60000,
		.load = VNIMESH_LOAD_POOL, .creator = 1, .nr_ports = 1,
		.ports = { { "pg", 6, 5432, 15432 } },
	};

	strcpy(def.tag, tag);
	ip_parse("10.96.0.1", &def.address4);
	ip_parse("fd77:0:0:ffff::1", &def.address6);
	return def;
}

static struct member_def a_member(const char *tag, uint32_t vni)
{
	struct member_def def = { .vni = vni, .node = 1, .weight = 42,
				  .priority = 7,
				  .state = VNIMESH_STATE_DRAIN };

	strcpy(def.tag, tag);
	ip_parse("10.77.1.2", &def.address4);
	return def;
}

static void put_all(struct store *store)
{
	struct token_def token = { .id = "00112233aabb", .role = ROLE_READ };
	struct service_def svc = a_service("web");
	struct member_def m = a_member("web", 257);
	struct node_def node = a_node(1, "host1");
	struct ip_addr addr;

	memset(token.hash, 'b', 64);
	grant_default(&token.grant);
	strcpy(token.grant.tags[0], "*");
	token.grant.nr_tags = 1;
	ip_parse("10.96.0.9", &addr);
	store_begin(store);
	/* In an order of its own: a load has that of the kinds. */
	store_put_token(store, &token);
	store_put_member(store, &m);
	store_put_service(store, &svc);
	store_put_resting(store, "old", &addr);
	store_put_forgotten(store, 9);
	store_put_node(store, &node);
	ok(!store_commit(store), "a transaction of everything");
}

static const char all[] =
	"n1:host1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1:0123456789abcdef0123456789abcdef "
	"s:web:4:2:60000:2:1 m:web:257:42:7:2 r:old:10.96.0.9 t:00112233aabb:1:* f:9 ";

static bool on_entry(void *data, const char *key, const char *value)
{
	struct seen *s = data;
	(void)key;
	note(s, "%s ", value);
	return !s->stop;
}

/* As at the start, before there is a loop. */
static int read_audit(struct store *store, uint64_t after, struct seen *s)
{
	char key[STORE_KEY_MAX + 1];

	snprintf(key, sizeof(key), "audit/%016llu", (unsigned long long)after);
	return store->ops->range(store, "audit/", key, on_entry, s);
}

static void audit(struct store *store)
{
	struct seen s = { 0 };
	uint64_t last = 0;
	uint64_t i;

	ok(!store_last_audit(store, &last) && !last, "no log at first");
	store_begin(store);
	for (i = 1; i <= 12; i++)
		store_put_audit(store, i, json_pack("{s:I}", "seq",
						    (json_int_t)i));
	store_del_audit(store, 1);
	ok(!store_commit(store) && !store_last_audit(store, &last) &&
	   last == 12, "a log, its last entry");
	ok(!store_last_audit(store, &last) && last == 12, "nothing behind it");
	ok(!read_audit(store, 10, &s) &&
	   !strcmp(s.text, "{\"seq\":11} {\"seq\":12} "),
	   "from behind an entry on, in order");
	memset(&s, 0, sizeof(s));
	s.stop = true;
	ok(!read_audit(store, 0, &s) &&
	   !strcmp(s.text, "{\"seq\":2} "), "as long as the reader wants");
}

#define MANY	2500

static bool on_many(void *data, const char *key, const char *value)
{
	unsigned int *n = data;
	char want[STORE_KEY_MAX + 1];

	(void)value;
	snprintf(want, sizeof(want), "audit/%016u", ++*n);
	return !strcmp(key, want);
}

/* More than what a store hands out at once. */
static void many(struct store *store)
{
	unsigned int n = 0;
	uint64_t i;

	store_begin(store);
	for (i = 1; i <= MANY; i++)
		store_put_audit(store, i, json_pack("{s:I}", "seq",
						    (json_int_t)i));
	ok(!store_commit(store), "a long log");
	ok(!store->ops->range(store, "audit/", "", on_many, &n) && n == MANY,
	   "is read whole, in order");
}

static void basics(struct store **store, const char *name)
{
	struct mesh mesh = a_mesh(), other = a_mesh(), stored;
	struct member_def m = a_member("web", 257);
	struct seen s;
	char uuid[37];

	ok(!*load(*store, &s), "an empty store is empty");
	ok(!store_mesh(*store, &mesh, &stored) && strlen(stored.uuid) == 36,
	   "it takes a mesh, and gives it its uuid");
	strcpy(uuid, stored.uuid);
	other.id = 78;
	ok(!store_mesh(*store, &other, &stored) && stored.id == 77 &&
	   !strcmp(stored.uuid, uuid), "once");
	put_all(*store);
	*store = reopen(*store, name);
	ok(!strcmp(load(*store, &s), all), "all is there after a new start");
	if (strcmp(s.text, all))
		printf("# %s\n# %s\n", s.text, all);
	ok(!store_mesh(*store, &other, &stored) && !strcmp(stored.uuid, uuid),
	   "the mesh too");

	store_begin(*store);
	m.weight = 1;
	store_put_member(*store, &m);
	store_del_resting(*store, "old");
	store_del_resting(*store, "never there");
	store_del_token(*store, "00112233aabb");
	ok(!store_commit(*store), "changes and removals");
	*store = reopen(*store, name);
	ok(strstr(load(*store, &s), "m:web:257:1:") && !strstr(s.text, "r:") &&
	   !strstr(s.text, "t:"), "are there after a new start");
	store_begin(*store);
	store_del_member(*store, "web", 257);
	store_begin(*store);
	ok(!store_commit(*store) && strstr(load(*store, &s), "m:web:257"),
	   "what was begun and not committed is not there");
	audit(*store);
	many(*store);
}

struct following {
	struct loop *loop;
	struct store *store;
	struct seen s;
	bool ready;
};

static bool on_change(void *data, const char *key, const char *value)
{
	struct following *f = data;

	return store_change(f->store, &visitor, &f->s, key, value);
}

static void on_ready(void *data)
{
	struct following *f = data;

	f->ready = true;
	loop_exit(f->loop, 0);
}

static void on_again(void *data)
{
	(void)data;
}

static void on_lost(void *data)
{
	struct following *f = data;

	loop_exit(f->loop, 1);
}

static void on_late(void *data, uint64_t now_us)
{
	struct following *f = data;

	(void)now_us;
	loop_exit(f->loop, 2);
}

static void run(struct following *f)
{
	struct source *timer;

	loop_timer(f->loop, &timer, on_late, f);
	source_timer_set(timer, loop_now() + 30 * LOOP_USEC_PER_SEC);
	loop_run(f->loop);
	source_free(&timer);
}

/* Two at once: refused, or each sees the other's changes and none is lost. */
static void two(struct store **store, const char *name)
{
	static const struct store_follower follower = {
		.change = on_change, .ready = on_ready, .again = on_again,
		.lost = on_lost,
	};
	static const char whole[] =
		"s:api:4:2:60000:2:1 m:web:258:42:7:2 -forgotten/9 ";
	struct following f = { 0 };
	struct service_def svc = a_service("api");
	struct member_def m = a_member("web", 258);
	struct store *second;
	char err[512] = "";
	int ret;

	second = store_open(name, NULL, err, sizeof(err));
	if (!second) {
		ok(strstr(err, "in use by another coordinator"),
		   "a second one at the same time is refused");
		return;
	}
	ok(true, "a second one at the same time");
	f.store = second;
	loop_new(&f.loop);
	load(second, &f.s);
	memset(&f.s, 0, sizeof(f.s));
	ok(!store_follow(second, f.loop, &follower, &f), "follows");

	store_begin(*store);
	store_put_service(*store, &svc);
	store_put_member(*store, &m);
	store_del_forgotten(*store, 9);
	ok(!store_commit(*store), "the first one changes something");
	store_begin(second);
	store_put_resting(second, "late", &svc.address4);
	ret = store_commit(second);
	ok(ret == -EAGAIN && second->behind,
	   "what the second one made from less than that is refused");
	run(&f);
	ok(f.ready && !second->behind && !strcmp(f.s.text, whole),
	   "it sees the change whole, in its order, and then may go on");
	if (strcmp(f.s.text, whole))
		printf("# %s\n", f.s.text);
	store_begin(second);
	store_put_resting(second, "late", &svc.address4);
	ok(!store_commit(second), "tried again it is taken");
	store_begin(*store);
	store_del_service(*store, "api");
	ok(store_commit(*store) == -EAGAIN, "and the first one is late now");
	ok(strstr(load(*store, &f.s), "r:late:"),
	   "it follows nobody, and reads what is there then");
	store_begin(*store);
	store_put_forgotten(*store, 9);
	ok(!store_commit(*store), "from which it goes on");
	store_close(second);
	loop_free(f.loop);
	*store = reopen(*store, name);
	ok(strstr(load(*store, &f.s), "s:api:") && strstr(f.s.text, "r:late:"),
	   "both changes are there, the refused one is not");
}

int main(int argc, char **argv)
{
	struct store *store;

	if (argc != 2)
		return 2;
	store = reopen(NULL, argv[1]);
	basics(&store, argv[1]);
	two(&store, argv[1]);
	store_close(store);
	printf("1..%d\n", nr);
	return failed != 0;
}
