// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store in an SQLite file: one connection, write-ahead log, every commit
 * synchronous. Addresses are text and ports JSON, so that a person can read
 * the file with sqlite3(1).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "mem.h"
#include "store_sqlite.h"

#define SCHEMA_VERSION	2

/* Somebody reads the file with a tool: wait rather than refuse. */
#define BUSY_MS		2000

static const char schema[] =
	"CREATE TABLE mesh (field TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
	"CREATE TABLE nodes ("
	" id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" zone TEXT NOT NULL, underlay TEXT NOT NULL, port INTEGER NOT NULL,"
	" prefix4 TEXT NOT NULL UNIQUE, prefix6 TEXT NOT NULL UNIQUE,"
	" address4 TEXT NOT NULL, address6 TEXT NOT NULL,"
	" vni INTEGER NOT NULL, vni_first INTEGER NOT NULL UNIQUE,"
	" vni_count INTEGER NOT NULL, epoch INTEGER NOT NULL,"
	" key TEXT NOT NULL DEFAULT '',"
	" peer_port INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE TABLE services ("
	" tag TEXT PRIMARY KEY, address4 TEXT NOT NULL UNIQUE,"
	" address6 TEXT NOT NULL UNIQUE, policy INTEGER NOT NULL,"
	" creator INTEGER NOT NULL, ports TEXT NOT NULL) STRICT;"
	"CREATE TABLE members ("
	" tag TEXT NOT NULL REFERENCES services(tag), vni INTEGER NOT NULL,"
	" node INTEGER NOT NULL REFERENCES nodes(id),"
	" address4 TEXT NOT NULL, address6 TEXT NOT NULL,"
	" weight INTEGER NOT NULL, state INTEGER NOT NULL,"
	" ports TEXT NOT NULL, PRIMARY KEY (tag, vni)) STRICT;"
	"CREATE TABLE resting ("
	" tag TEXT PRIMARY KEY, address4 TEXT NOT NULL UNIQUE) STRICT;";

/* What leads from each version to the next, the first from version 1. */
static const char *const schema_steps[SCHEMA_VERSION - 1] = {
	"ALTER TABLE nodes ADD COLUMN key TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE nodes ADD COLUMN peer_port INTEGER NOT NULL DEFAULT 0;",
};

/* Upserts, not REPLACE: that would delete the row that members refer to. */
const char *const sqlite_text[NR_SQL] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_PUT_NODE] =
		"INSERT INTO nodes (id, name, zone, underlay, port, prefix4,"
		" prefix6, address4, address6, vni, vni_first, vni_count,"
		" epoch, key, peer_port)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		" ON CONFLICT (id) DO UPDATE SET zone = excluded.zone,"
		" underlay = excluded.underlay, port = excluded.port,"
		" epoch = excluded.epoch, key = excluded.key,"
		" peer_port = excluded.peer_port",
	[SQL_PUT_SERVICE] =
		"INSERT INTO services (tag, address4, address6, policy,"
		" creator, ports) VALUES (?, ?, ?, ?, ?, ?)"
		" ON CONFLICT (tag) DO UPDATE SET policy = excluded.policy,"
		" creator = excluded.creator, ports = excluded.ports",
	[SQL_DEL_SERVICE] = "DELETE FROM services WHERE tag = ?",
	[SQL_PUT_MEMBER] =
		"INSERT INTO members (tag, vni, node, address4, address6,"
		" weight, state, ports) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
		" ON CONFLICT (tag, vni) DO UPDATE SET"
		" address4 = excluded.address4, address6 = excluded.address6,"
		" weight = excluded.weight, state = excluded.state,"
		" ports = excluded.ports",
	[SQL_DEL_MEMBER] = "DELETE FROM members WHERE tag = ? AND vni = ?",
	[SQL_PUT_RESTING] = "INSERT INTO resting (tag, address4) VALUES (?, ?)",
	[SQL_DEL_RESTING] = "DELETE FROM resting WHERE tag = ?",
	[SQL_PUT_MESH] = "INSERT INTO mesh (field, value) VALUES (?, ?)",
	[SQL_GET_MESH] = "SELECT value FROM mesh WHERE field = ?",
	[SQL_ALL_NODES] =
		"SELECT id, name, zone, underlay, port, prefix4, prefix6,"
		" address4, address6, vni, vni_first, vni_count, epoch, key,"
		" peer_port"
		" FROM nodes ORDER BY id",
	[SQL_ALL_SERVICES] =
		"SELECT tag, address4, address6, policy, creator, ports"
		" FROM services ORDER BY tag",
	[SQL_ALL_MEMBERS] =
		"SELECT tag, vni, node, address4, address6, weight, state,"
		" ports FROM members ORDER BY tag, vni",
	[SQL_ALL_RESTING] = "SELECT tag, address4 FROM resting",
};

void sqlite_note(struct sqlite_store *st, const char *what)
{
	if (!st->failed)
		snprintf(st->base.error, sizeof(st->base.error), "%s: %s", what,
			 sqlite3_errmsg(st->db));
	st->failed = true;
}

/* Binds by position what the format says: i integer, s string. */
static sqlite3_stmt *fill(struct sqlite_store *st, int which, const char *fmt,
			  va_list ap)
{
	sqlite3_stmt *stmt = st->stmt[which];
	int err = SQLITE_OK;
	int i;

	for (i = 0; fmt[i] && err == SQLITE_OK; i++) {
		if (fmt[i] == 'i')
			err = sqlite3_bind_int64(stmt, i + 1,
						 va_arg(ap, int64_t));
		else
			err = sqlite3_bind_text(stmt, i + 1,
						va_arg(ap, const char *), -1,
						SQLITE_TRANSIENT);
	}
	if (err != SQLITE_OK)
		sqlite_note(st, "bind");
	return stmt;
}

void sqlite_run(struct sqlite_store *st, int which, const char *fmt, ...)
{
	sqlite3_stmt *stmt;
	va_list ap;

	if (st->failed)
		return;
	va_start(ap, fmt);
	stmt = fill(st, which, fmt, ap);
	va_end(ap);
	if (!st->failed && sqlite3_step(stmt) != SQLITE_DONE)
		sqlite_note(st, sqlite_text[which]);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
}

void sqlite_begin(struct store *store)
{
	struct sqlite_store *st = to_sqlite(store);

	st->failed = false;
	sqlite_run(st, SQL_BEGIN, "");
}

int sqlite_commit(struct store *store)
{
	struct sqlite_store *st = to_sqlite(store);

	sqlite_run(st, SQL_COMMIT, "");
	if (!st->failed)
		return 0;
	/* Some errors, a full disk for one, roll back by themselves. */
	if (!sqlite3_get_autocommit(st->db)) {
		sqlite3_step(st->stmt[SQL_ROLLBACK]);
		sqlite3_reset(st->stmt[SQL_ROLLBACK]);
	}
	return -EIO;
}

static char *ports_text(const struct jport *ports, unsigned int nr)
{
	json_t *list = mem_checked(jports_pack(ports, nr));
	char *text = mem_checked(json_dumps(list, JSON_COMPACT));

	json_decref(list);
	return text;
}

static void sqlite_put_node(struct store *store, const struct node_def *def)
{
	char underlay[IP_TEXT_MAX];
	char prefix4[IP_TEXT_MAX];
	char prefix6[IP_TEXT_MAX];
	char addr4[IP_TEXT_MAX];
	char addr6[IP_TEXT_MAX];

	sqlite_run(to_sqlite(store), SQL_PUT_NODE, "isssissssiiiisi", (int64_t)def->id,
		   def->name, def->zone, ip_text(&def->underlay, underlay),
		   (int64_t)def->port, ip_prefix_text(&def->prefix4, prefix4),
		   ip_prefix_text(&def->prefix6, prefix6),
		   ip_text(&def->address4, addr4), ip_text(&def->address6, addr6),
		   (int64_t)def->vni, (int64_t)def->vni_first,
		   (int64_t)def->vni_count, (int64_t)def->epoch, def->key,
		   (int64_t)def->peer_port);
}

static void sqlite_put_service(struct store *store,
			       const struct service_def *def)
{
	char *ports = ports_text(def->ports, def->nr_ports);
	char addr4[IP_TEXT_MAX];
	char addr6[IP_TEXT_MAX];

	sqlite_run(to_sqlite(store), SQL_PUT_SERVICE, "sssiis", def->tag,
		   ip_text(&def->address4, addr4), ip_text(&def->address6, addr6),
		   (int64_t)def->policy, (int64_t)def->creator, ports);
	free(ports);
}

static void sqlite_del_service(struct store *store, const char *tag)
{
	sqlite_run(to_sqlite(store), SQL_DEL_SERVICE, "s", tag);
}

static void sqlite_put_member(struct store *store,
			      const struct member_def *def)
{
	char *ports = ports_text(def->ports, def->nr_ports);
	char addr4[IP_TEXT_MAX];
	char addr6[IP_TEXT_MAX];

	sqlite_run(to_sqlite(store), SQL_PUT_MEMBER, "siissiis", def->tag,
		   (int64_t)def->vni, (int64_t)def->node,
		   ip_text(&def->address4, addr4), ip_text(&def->address6, addr6),
		   (int64_t)def->weight, (int64_t)def->state, ports);
	free(ports);
}

static void sqlite_del_member(struct store *store, const char *tag,
			      uint32_t vni)
{
	sqlite_run(to_sqlite(store), SQL_DEL_MEMBER, "si", tag, (int64_t)vni);
}

static void sqlite_put_resting(struct store *store, const char *tag,
			       const struct ip_addr *address4)
{
	char addr4[IP_TEXT_MAX];

	sqlite_run(to_sqlite(store), SQL_PUT_RESTING, "ss", tag,
		   ip_text(address4, addr4));
}

static void sqlite_del_resting(struct store *store, const char *tag)
{
	sqlite_run(to_sqlite(store), SQL_DEL_RESTING, "s", tag);
}

static void sqlite_close_store(struct store *store)
{
	struct sqlite_store *st = to_sqlite(store);
	int i;

	for (i = 0; i < NR_SQL; i++)
		sqlite3_finalize(st->stmt[i]);
	sqlite3_close(st->db);
	if (st->lock >= 0)
		close(st->lock);
	free(st);
}

static const struct store_ops sqlite_ops = {
	.mesh = sqlite_mesh,
	.load = sqlite_load,
	.begin = sqlite_begin,
	.put_node = sqlite_put_node,
	.put_service = sqlite_put_service,
	.del_service = sqlite_del_service,
	.put_member = sqlite_put_member,
	.del_member = sqlite_del_member,
	.put_resting = sqlite_put_resting,
	.del_resting = sqlite_del_resting,
	.commit = sqlite_commit,
	.close = sqlite_close_store,
};

/* SQLite's own locks would let two coordinators take turns on one file, and
 * hand the same id to two nodes from what each remembers.
 */
static bool lock_store(struct sqlite_store *st, const char *name)
{
	char lock[600];

	snprintf(lock, sizeof(lock), "%s.lock", name);
	st->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (st->lock >= 0 && !flock(st->lock, LOCK_EX | LOCK_NB))
		return true;
	if (errno == EWOULDBLOCK)
		snprintf(st->base.error, sizeof(st->base.error),
			 "in use by another coordinator");
	else
		snprintf(st->base.error, sizeof(st->base.error), "%.200s: %s",
			 lock, strerror(errno));
	return false;
}

/* The first column of the first row of @text, or "". */
static void query(struct sqlite_store *st, const char *text, char *buf,
		  size_t len)
{
	sqlite3_stmt *stmt = NULL;
	const char *value;

	buf[0] = '\0';
	if (sqlite3_prepare_v2(st->db, text, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW) {
		value = (const char *)sqlite3_column_text(stmt, 0);
		snprintf(buf, len, "%s", value ? value : "");
	} else {
		sqlite_note(st, text);
	}
	sqlite3_finalize(stmt);
}

static void exec(struct sqlite_store *st, const char *text)
{
	if (!st->failed &&
	    sqlite3_exec(st->db, text, NULL, NULL, NULL) != SQLITE_OK)
		sqlite_note(st, "exec");
}

/* All of it or nothing. @version 0: an empty file. */
static void bring_up(struct sqlite_store *st, int version)
{
	char set[64];
	int i;

	snprintf(set, sizeof(set), "PRAGMA user_version = %d", SCHEMA_VERSION);
	exec(st, "BEGIN IMMEDIATE");
	if (!version)
		exec(st, schema);
	for (i = version; i && i < SCHEMA_VERSION; i++)
		exec(st, schema_steps[i - 1]);
	exec(st, set);
	exec(st, "COMMIT");
}

static bool check_store(struct sqlite_store *st)
{
	int version;
	char buf[64];

	query(st, "PRAGMA journal_mode = WAL", buf, sizeof(buf));
	exec(st, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
	query(st, "PRAGMA quick_check(1)", buf, sizeof(buf));
	if (!st->failed && strcmp(buf, "ok")) {
		snprintf(st->base.error, sizeof(st->base.error),
			 "the file is damaged: %s", buf);
		return false;
	}
	query(st, "PRAGMA user_version", buf, sizeof(buf));
	if (st->failed)
		return false;
	version = atoi(buf);
	if (version >= 0 && version < SCHEMA_VERSION) {
		bring_up(st, version);
	} else if (version != SCHEMA_VERSION) {
		snprintf(st->base.error, sizeof(st->base.error),
			 "schema version %s, this program knows %d", buf,
			 SCHEMA_VERSION);
		return false;
	}
	return !st->failed;
}

static bool open_file(struct sqlite_store *st, const char *name)
{
	int i;

	if (!lock_store(st, name))
		return false;
	if (sqlite3_open_v2(name, &st->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
	    SQLITE_OK) {
		sqlite_note(st, "open");
		return false;
	}
	sqlite3_busy_timeout(st->db, BUSY_MS);
	if (!check_store(st))
		return false;
	for (i = 0; i < NR_SQL && !st->failed; i++)
		if (sqlite3_prepare_v3(st->db, sqlite_text[i], -1,
				       SQLITE_PREPARE_PERSISTENT, &st->stmt[i],
				       NULL) != SQLITE_OK)
			sqlite_note(st, sqlite_text[i]);
	return !st->failed;
}

struct store *store_open(const char *name, char *err, size_t len)
{
	struct sqlite_store *st = mem_zero(1, sizeof(*st));

	st->base.ops = &sqlite_ops;
	st->lock = -1;
	if (open_file(st, name))
		return &st->base;
	snprintf(err, len, "%s: %s", name, st->base.error);
	sqlite_close_store(&st->base);
	return NULL;
}
