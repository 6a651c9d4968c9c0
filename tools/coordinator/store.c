// SPDX-License-Identifier: GPL-2.0-or-later
/* Records to keys and values and back, for every backend. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "mem.h"
#include "store.h"
#include "store_etcd.h"
#include "store_sqlite.h"
#include "uuid.h"

struct store *store_open(const char *name, const struct etcd_access *access,
			 char *err, size_t len)
{
	static const char scheme[] = "etcd://";

	if (!strncmp(name, scheme, sizeof(scheme) - 1))
		return etcd_store_open(name + sizeof(scheme) - 1, access, err,
				       len);
	return sqlite_open(name, err, len);
}

void store_close(struct store *store)
{
	if (store)
		store->ops->close(store);
}

void store_begin(struct store *store)
{
	store->ops->begin(store);
}

int store_commit(struct store *store)
{
	return store->ops->commit(store);
}

void store_submit(struct store *store, store_done_fn done, void *data)
{
	if (store->ops->submit)
		store->ops->submit(store, done, data);
	else
		done(data, store->ops->commit(store));
}

void store_give_up(struct store *store)
{
	if (store->ops->give_up)
		store->ops->give_up(store);
}

void store_presence(struct store *store, uint32_t node, bool here)
{
	if (store->ops->presence)
		store->ops->presence(store, node, here);
}

bool store_trigger(struct store *store, uint32_t node, const char *tag,
		   uint32_t vni)
{
	return store->ops->trigger && !store->away &&
	       store->ops->trigger(store, node, tag, vni);
}

/* @value is consumed; NULL: the record goes. */
static void put(struct store *store, json_t *value, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void put(struct store *store, json_t *value, const char *fmt, ...)
{
	char key[STORE_KEY_MAX + 1];
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(key, sizeof(key), fmt, ap);
	va_end(ap);
	if (value)
		text = mem_checked(json_dumps(value, JSON_COMPACT));
	store->ops->put(store, key, text);
	free(text);
	json_decref(value);
}

void store_put_node(struct store *store, const struct node_def *def)
{
	put(store, record_node_def(def), "node/%u", def->id);
}

void store_del_node(struct store *store, uint32_t id)
{
	put(store, NULL, "node/%u", id);
}

void store_put_service(struct store *store, const struct service_def *def)
{
	json_t *value = record_service(def);

	record_set(value, "creator", json_integer(def->creator));
	put(store, value, "service/%s", def->tag);
}

void store_del_service(struct store *store, const char *tag)
{
	put(store, NULL, "service/%s", tag);
}

void store_put_member(struct store *store, const struct member_def *def)
{
	put(store, record_member_def(def), "member/%s/%u", def->tag, def->vni);
}

void store_del_member(struct store *store, const char *tag, uint32_t vni)
{
	put(store, NULL, "member/%s/%u", tag, vni);
}

void store_put_resting(struct store *store, const char *tag,
		       const struct ip_addr *address4)
{
	put(store, record_resting(tag, address4), "resting/%s", tag);
}

void store_del_resting(struct store *store, const char *tag)
{
	put(store, NULL, "resting/%s", tag);
}

void store_put_token(struct store *store, const struct token_def *def)
{
	put(store, token_pack(def, true), "token/%s", def->id);
}

void store_del_token(struct store *store, const char *id)
{
	put(store, NULL, "token/%s", id);
}

void store_put_forgotten(struct store *store, uint32_t id)
{
	json_t *value = mem_checked(json_object());

	record_set(value, "node", json_integer(id));
	put(store, value, "forgotten/%u", id);
}

void store_del_forgotten(struct store *store, uint32_t id)
{
	put(store, NULL, "forgotten/%u", id);
}

void store_put_audit(struct store *store, uint64_t seq, json_t *value)
{
	put(store, value, "audit/%016" PRIu64, seq);
}

void store_del_audit(struct store *store, uint64_t seq)
{
	put(store, NULL, "audit/%016" PRIu64, seq);
}

void store_read_audit(struct store *store, uint64_t after,
		      bool (*fn)(void *data, const char *key,
				 const char *value),
		      store_done_fn done, void *data)
{
	char key[STORE_KEY_MAX + 1];

	snprintf(key, sizeof(key), "audit/%016" PRIu64, after);
	if (store->ops->read)
		store->ops->read(store, "audit/", key, fn, done, data);
	else
		done(data, store->ops->range(store, "audit/", key, fn, data));
}

static bool on_number(void *data, const char *key, const char *value)
{
	uint64_t *seq = data;

	(void)value;
	*seq = strtoull(key + strlen("audit/"), NULL, 10);
	return true;
}

int store_last_audit(struct store *store, uint64_t *seq)
{
	char key[STORE_KEY_MAX + 1];

	snprintf(key, sizeof(key), "audit/%016" PRIu64, *seq);
	return store->ops->range(store, "audit/", key, on_number, seq);
}

struct load {
	struct store *store;
	const struct store_visitor *visitor;
	void *data;
	bool (*read)(struct load *load, struct jobj *obj);
	struct mesh *mesh;
	unsigned int n;
	bool failed;
};

static bool on_record(void *data, const char *key, const char *value)
{
	struct load *load = data;
	struct jobj obj;
	struct jread rd;
	char text[600];
	bool ok;

	ok = jread_buf(&rd, value, strlen(value), JREAD_LENIENT) &&
	     jread_root(&rd, &obj) && load->read(load, &obj);
	if (!jread_ok(&rd))
		snprintf(load->store->error, sizeof(load->store->error),
			 "record \"%s\": %s", key,
			 jread_error(&rd, text, sizeof(text)));
	else if (!ok)
		snprintf(load->store->error, sizeof(load->store->error),
			 "record \"%s\" does not fit the others", key);
	jread_free(&rd);
	load->failed |= !ok;
	load->n++;
	return ok;
}

static bool read_node(struct load *load, struct jobj *obj)
{
	struct node_def def = { 0 };

	record_read_node_def(obj, &def);
	return jread_ok(obj->rd) && load->visitor->node(load->data, &def);
}

static bool read_service(struct load *load, struct jobj *obj)
{
	struct service_def def = { 0 };

	record_read_service_def(obj, &def);
	return jread_ok(obj->rd) && load->visitor->service(load->data, &def);
}

static bool read_member(struct load *load, struct jobj *obj)
{
	struct member_soft soft = { 0 };
	struct member_def def = { 0 };

	record_read_member(obj, &def, &soft);
	return jread_ok(obj->rd) && load->visitor->member(load->data, &def);
}

static bool read_resting(struct load *load, struct jobj *obj)
{
	struct ip_addr address4 = { 0 };
	char tag[TAG_MAX + 1];

	jget_tag(obj, "tag", JREQ, tag);
	jget_addr(obj, "address4", JREQ, AF_INET, &address4);
	return jread_ok(obj->rd) &&
	       load->visitor->resting(load->data, tag, &address4);
}

static bool read_token(struct load *load, struct jobj *obj)
{
	struct token_def def = { 0 };

	token_read(obj, &def);
	return jread_ok(obj->rd) && load->visitor->token(load->data, &def);
}

static bool read_forgotten(struct load *load, struct jobj *obj)
{
	uint32_t id = 0;

	jget_u32(obj, "node", JREQ, 1, NODES_MAX, &id);
	return jread_ok(obj->rd) && load->visitor->forgotten(load->data, id);
}

static const struct {
	const char *prefix;
	bool (*read)(struct load *load, struct jobj *obj);
} kinds[] = {
	{ "node/", read_node },
	{ "service/", read_service },
	{ "member/", read_member },
	{ "resting/", read_resting },
	{ "token/", read_token },
	{ "forgotten/", read_forgotten },
};

#define NR_KINDS	(sizeof(kinds) / sizeof(kinds[0]))

bool store_change(struct store *store, const struct store_visitor *visitor,
		  void *data, const char *key, const char *value)
{
	struct load load = { .store = store, .visitor = visitor, .data = data };
	size_t i, n;

	if (!strncmp(key, "live/", 5))
		return visitor->heard(data, strtoul(key + 5, NULL, 10),
				      !value ? STORE_HEARD_NOWHERE :
				      !*value ? STORE_HEARD_HERE :
						STORE_HEARD_ELSEWHERE);
	for (i = 0; i < NR_KINDS; i++) {
		n = strlen(kinds[i].prefix);
		if (strncmp(key, kinds[i].prefix, n))
			continue;
		if (!value)
			return visitor->gone(data, kinds[i].prefix, key + n);
		load.read = kinds[i].read;
		return on_record(&load, key, value);
	}
	return true;
}

int store_follow(struct store *store, struct loop *loop,
		 const struct store_follower *follower, void *data)
{
	return store->ops->follow ?
	       store->ops->follow(store, loop, follower, data) : 0;
}

static bool read_mesh(struct load *load, struct jobj *obj)
{
	record_read_mesh(obj, load->mesh);
	return jread_ok(obj->rd);
}

static int load_prefix(struct load *load, const char *prefix,
		       bool (*read)(struct load *load, struct jobj *obj))
{
	int err;

	load->read = read;
	err = load->store->ops->range(load->store, prefix, "", on_record,
				      load);
	return err || load->failed ? -EIO : 0;
}

int store_load(struct store *store, const struct store_visitor *visitor,
	       void *data)
{
	struct load load = { .store = store, .visitor = visitor, .data = data };

	size_t i;

	for (i = 0; i < NR_KINDS; i++)
		if (load_prefix(&load, kinds[i].prefix, kinds[i].read))
			return -EIO;
	return 0;
}

static int load_mesh(struct store *store, const struct mesh *mesh,
		     struct mesh *stored)
{
	struct load load = { .store = store, .mesh = stored };

	*stored = *mesh;
	if (load_prefix(&load, "mesh", read_mesh))
		return -EIO;
	if (load.n)
		return 0;
	if (!*stored->uuid)
		uuid_make(stored->uuid);
	store_begin(store);
	put(store, record_mesh_def(stored), "mesh");
	return store_commit(store);
}

int store_mesh(struct store *store, const struct mesh *mesh,
	       struct mesh *stored)
{
	unsigned int tries = 0;
	int err;

	/* Of several that begin at once on an empty store one is the first. */
	do
		err = load_mesh(store, mesh, stored);
	while (err == -EAGAIN && ++tries < CHANGE_TRIES);
	return err;
}
