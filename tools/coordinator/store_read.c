// SPDX-License-Identifier: GPL-2.0-or-later
/* The SQLite store, reading back: everything at start, and the mesh. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "store_sqlite.h"
#include "uuid.h"

/* Reading back: a column that is not what was written spoils the load. */
struct row {
	struct sqlite_store *st;
	sqlite3_stmt *stmt;
	bool bad;
};

static const char *row_text(struct row *row, int i)
{
	const char *text = (const char *)sqlite3_column_text(row->stmt, i);

	row->bad |= !text;
	return text ? text : "";
}

static void row_copy(struct row *row, int i, char *buf, size_t len)
{
	int n = snprintf(buf, len, "%s", row_text(row, i));

	row->bad |= n >= (int)len;
}

static uint32_t row_u32(struct row *row, int i)
{
	int64_t value = sqlite3_column_int64(row->stmt, i);

	row->bad |= value < 0 || value > UINT32_MAX;
	return value;
}

static void row_addr(struct row *row, int i, struct ip_addr *addr)
{
	const char *text = row_text(row, i);

	if (*text)
		row->bad |= !ip_parse(text, addr);
}

static void row_prefix(struct row *row, int i, struct ip_prefix *prefix)
{
	row->bad |= !ip_prefix_parse(row_text(row, i), prefix);
}

static void row_ports(struct row *row, int i, struct jport *ports,
		      unsigned int *nr)
{
	const char *text = row_text(row, i);
	struct jobj root = { .index = -1 };
	struct jread rd;

	/* The reader takes an object at the top: the array goes into one. */
	if (jread_buf(&rd, text, strlen(text), JREAD_LENIENT)) {
		json_t *list = rd.root;

		rd.root = mem_checked(json_object());
		record_set(rd.root, "ports", list);
		if (jread_root(&rd, &root))
			jget_ports(&root, "ports", JREQ, ports, nr);
	}
	row->bad |= !jread_ok(&rd);
	jread_free(&rd);
}

static bool load_node(struct row *row, const struct store_visitor *v,
		      void *data)
{
	struct node_def def = { 0 };

	def.id = row_u32(row, 0);
	row_copy(row, 1, def.name, sizeof(def.name));
	row_copy(row, 2, def.zone, sizeof(def.zone));
	row_addr(row, 3, &def.underlay);
	def.port = row_u32(row, 4);
	row_prefix(row, 5, &def.prefix4);
	row_prefix(row, 6, &def.prefix6);
	row_addr(row, 7, &def.address4);
	row_addr(row, 8, &def.address6);
	def.vni = row_u32(row, 9);
	def.vni_first = row_u32(row, 10);
	def.vni_count = row_u32(row, 11);
	def.epoch = sqlite3_column_int64(row->stmt, 12);
	row_copy(row, 13, def.key, sizeof(def.key));
	def.peer_port = row_u32(row, 14);
	return !row->bad && v->node(data, &def);
}

static bool load_service(struct row *row, const struct store_visitor *v,
			 void *data)
{
	struct service_def def = { 0 };

	row_copy(row, 0, def.tag, sizeof(def.tag));
	row_addr(row, 1, &def.address4);
	row_addr(row, 2, &def.address6);
	def.policy = row_u32(row, 3);
	row->bad |= def.policy < VNIMESH_POLICY_OPTIMAL ||
		    def.policy > VNIMESH_POLICY_FAILOVER;
	def.creator = row_u32(row, 4);
	row_ports(row, 5, def.ports, &def.nr_ports);
	return !row->bad && v->service(data, &def);
}

static bool load_member(struct row *row, const struct store_visitor *v,
			void *data)
{
	struct member_def def = { 0 };

	row_copy(row, 0, def.tag, sizeof(def.tag));
	def.vni = row_u32(row, 1);
	def.node = row_u32(row, 2);
	row_addr(row, 3, &def.address4);
	row_addr(row, 4, &def.address6);
	def.weight = row_u32(row, 5);
	def.state = row_u32(row, 6);
	row->bad |= def.state < VNIMESH_STATE_UP ||
		    def.state > VNIMESH_STATE_DOWN;
	row_ports(row, 7, def.ports, &def.nr_ports);
	return !row->bad && v->member(data, &def);
}

static bool load_resting(struct row *row, const struct store_visitor *v,
			 void *data)
{
	struct ip_addr addr = { 0 };

	row_addr(row, 1, &addr);
	return !row->bad && v->resting(data, row_text(row, 0), &addr);
}

static int load_all(struct sqlite_store *st, int which,
		    bool (*fn)(struct row *, const struct store_visitor *,
			       void *),
		    const struct store_visitor *visitor, void *data)
{
	struct row row = { .st = st, .stmt = st->stmt[which] };
	bool ok = true;
	int err;

	while ((err = sqlite3_step(row.stmt)) == SQLITE_ROW && ok)
		ok = fn(&row, visitor, data);
	if (!ok)
		snprintf(st->base.error, sizeof(st->base.error),
			 "a row does not fit: %s", sqlite_text[which]);
	else if (err != SQLITE_DONE)
		sqlite_note(st, sqlite_text[which]);
	sqlite3_reset(row.stmt);
	return ok && err == SQLITE_DONE ? 0 : -EIO;
}

int sqlite_load(struct store *store, const struct store_visitor *visitor,
		void *data)
{
	struct sqlite_store *st = to_sqlite(store);

	st->failed = false;
	return load_all(st, SQL_ALL_NODES, load_node, visitor, data) ||
	       load_all(st, SQL_ALL_SERVICES, load_service, visitor, data) ||
	       load_all(st, SQL_ALL_MEMBERS, load_member, visitor, data) ||
	       load_all(st, SQL_ALL_RESTING, load_resting, visitor, data) ?
	       -EIO : 0;
}

/* The mesh as text fields, one way (@put) or the other. */
static bool mesh_text(struct sqlite_store *st, const char *field,
		      const char *value, char *buf, size_t len, bool put)
{
	struct row row = { .st = st, .stmt = st->stmt[SQL_GET_MESH] };

	if (put) {
		sqlite_run(st, SQL_PUT_MESH, "ss", field, value);
		return !st->failed;
	}
	sqlite3_bind_text(row.stmt, 1, field, -1, SQLITE_STATIC);
	row.bad = sqlite3_step(row.stmt) != SQLITE_ROW;
	if (!row.bad)
		row_copy(&row, 0, buf, len);
	sqlite3_reset(row.stmt);
	return !row.bad;
}

static bool mesh_int(struct sqlite_store *st, const char *field,
		     uint32_t *value, bool put)
{
	char buf[16];

	snprintf(buf, sizeof(buf), "%u", *value);
	if (!mesh_text(st, field, buf, buf, sizeof(buf), put))
		return false;
	*value = strtoul(buf, NULL, 10);
	return true;
}

static bool mesh_prefix(struct sqlite_store *st, const char *field,
			struct ip_prefix *prefix, bool put)
{
	char buf[IP_TEXT_MAX];

	ip_prefix_text(prefix, buf);
	return mesh_text(st, field, buf, buf, sizeof(buf), put) &&
	       ip_prefix_parse(buf, prefix);
}

static bool mesh_fields(struct sqlite_store *st, struct mesh *mesh, bool put)
{
	return mesh_text(st, "uuid", mesh->uuid, mesh->uuid,
			 sizeof(mesh->uuid), put) &&
	       mesh_int(st, "id", &mesh->id, put) &&
	       mesh_int(st, "port", &mesh->port, put) &&
	       mesh_prefix(st, "prefix4", &mesh->prefix4, put) &&
	       mesh_prefix(st, "prefix6", &mesh->prefix6, put) &&
	       mesh_int(st, "block4", &mesh->block4, put) &&
	       mesh_int(st, "block6", &mesh->block6, put) &&
	       mesh_int(st, "vni_block", &mesh->vni_block, put) &&
	       mesh_prefix(st, "service_prefix4", &mesh->service4, put) &&
	       mesh_prefix(st, "service_prefix6", &mesh->service6, put);
}

int sqlite_mesh(struct store *store, const struct mesh *mesh,
		struct mesh *stored)
{
	struct sqlite_store *st = to_sqlite(store);
	char uuid[37];

	st->failed = false;
	*stored = *mesh;
	if (mesh_text(st, "uuid", NULL, uuid, sizeof(uuid), false)) {
		if (mesh_fields(st, stored, false))
			return 0;
		snprintf(store->error, sizeof(store->error),
			 "the mesh parameters are incomplete");
		return -EIO;
	}
	uuid_make(stored->uuid);
	sqlite_begin(store);
	mesh_fields(st, stored, true);
	return sqlite_commit(store);
}
