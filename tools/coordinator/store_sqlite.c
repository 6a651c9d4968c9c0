// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store in an SQLite file: one connection, write-ahead log, every commit
 * synchronous. Values are JSON text, so that a person can read the file with
 * sqlite3(1).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>
#include <sqlite3.h>

#include "log.h"
#include "mem.h"
#include "store_sqlite.h"

#define SCHEMA_VERSION	3

/* Somebody reads the file with a tool: wait rather than refuse. */
#define BUSY_MS		2000

enum {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_PUT,
	SQL_DEL,
	SQL_RANGE,
	NR_SQL,
};

/* Of its name, and of the file. */
#define NR_LOCKS	2

struct sqlite_store {
	struct store base;
	sqlite3 *db;
	sqlite3_stmt *stmt[NR_SQL];
	int locks[NR_LOCKS];		/* held as long as the store is open */
	bool failed;			/* the transaction at hand */
	char *name;			/* of the file, and which it is */
	struct stat file;
};

static const char schema[] =
	"CREATE TABLE records (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
	" STRICT, WITHOUT ROWID;";

/* Version 1 had a table for each kind, version 2 keys of nodes too. */
static const char from_1[] =
	"ALTER TABLE nodes ADD COLUMN key TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE nodes ADD COLUMN peer_port INTEGER NOT NULL DEFAULT 0;";

static const char from_2[] =
	"INSERT INTO records SELECT 'mesh', json_group_object(field,"
	"  CASE WHEN field IN ('id', 'port', 'block4', 'block6', 'vni_block')"
	"  THEN CAST(value AS INTEGER) ELSE value END) FROM mesh"
	"  HAVING count(*) > 0;"
	"INSERT INTO records SELECT 'node/' || id, json_patch(json_object("
	"  'node', id, 'key', key, 'peer_port', peer_port,"
	"  'name', name, 'zone', zone, 'underlay', underlay, 'port', port,"
	"  'prefixes', json_array(prefix4, prefix6), 'vni', vni,"
	"  'vni_first', vni_first, 'vni_count', vni_count,"
	"  'address4', address4, 'address6', address6, 'epoch', epoch),"
	"  json_object('key', nullif(key, ''),"
	"   'peer_port', nullif(peer_port, 0))) FROM nodes;"
	"INSERT INTO records SELECT 'service/' || tag, json_object('tag', tag,"
	"  'address4', address4, 'address6', address6, 'policy',"
	"  json_extract('[\"optimal\",\"maglev\",\"random\",\"failover\"]',"
	"   '$[' || (policy - 1) || ']'),"
	"  'ports', json(ports), 'creator', creator) FROM services;"
	"INSERT INTO records SELECT 'member/' || tag || '/' || vni,"
	"  json_patch(json_object('tag', tag, 'vni', vni, 'node', node,"
	"  'ports', json(ports), 'weight', weight, 'state',"
	"  json_extract('[\"up\",\"drain\",\"maint\",\"down\"]',"
	"   '$[' || (state - 1) || ']'),"
	"  'address4', address4, 'address6', address6),"
	"  json_object('address4', nullif(address4, ''),"
	"   'address6', nullif(address6, ''))) FROM members;"
	"INSERT INTO records SELECT 'resting/' || tag, json_object('tag', tag,"
	"  'address4', address4) FROM resting;"
	"DROP TABLE members; DROP TABLE services; DROP TABLE nodes;"
	"DROP TABLE resting; DROP TABLE mesh;";

static const char *const texts[NR_SQL] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_PUT] = "INSERT INTO records (key, value) VALUES (?1, ?2)"
		    " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
	[SQL_DEL] = "DELETE FROM records WHERE key = ?1",
	[SQL_RANGE] = "SELECT key, value FROM records"
		      " WHERE key >= ?1 AND key > ?2"
		      " AND substr(key, 1, length(?1)) = ?1"
		      " ORDER BY key",
};

static struct sqlite_store *to_sqlite(struct store *store)
{
	return (struct sqlite_store *)store;
}

/* Keeps the first error of a transaction: later ones only follow from it. */
static void note(struct sqlite_store *st, const char *what)
{
	if (!st->failed)
		snprintf(st->base.error, sizeof(st->base.error), "%s: %s", what,
			 sqlite3_errmsg(st->db));
	st->failed = true;
}

/* Runs a statement that gives no rows; @b may be NULL. Nothing after an
 * error.
 */
static void run(struct sqlite_store *st, int which, const char *a,
		const char *b)
{
	sqlite3_stmt *stmt = st->stmt[which];

	if (st->failed)
		return;
	if ((a && sqlite3_bind_text(stmt, 1, a, -1, SQLITE_STATIC)) ||
	    (b && sqlite3_bind_text(stmt, 2, b, -1, SQLITE_STATIC)))
		note(st, "bind");
	else if (sqlite3_step(stmt) != SQLITE_DONE)
		note(st, texts[which]);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
}

/* A backup that was put in its place would be lost to what is written to the
 * file that nobody finds any more, or the other way round.
 */
static void check_file(struct sqlite_store *st)
{
	struct stat now;

	if (!stat(st->name, &now) && now.st_dev == st->file.st_dev &&
	    now.st_ino == st->file.st_ino)
		return;
	snprintf(st->base.error, sizeof(st->base.error),
		 "%.180s is another file than at the start: start the coordinator anew",
		 st->name);
	st->failed = true;
}

static void sqlite_begin(struct store *store)
{
	struct sqlite_store *st = to_sqlite(store);

	st->failed = false;
	check_file(st);
	/* One that was begun and given up. */
	if (!sqlite3_get_autocommit(st->db))
		run(st, SQL_ROLLBACK, NULL, NULL);
	run(st, SQL_BEGIN, NULL, NULL);
}

static void sqlite_put(struct store *store, const char *key, const char *value)
{
	run(to_sqlite(store), value ? SQL_PUT : SQL_DEL, key, value);
}

static int sqlite_commit(struct store *store)
{
	struct sqlite_store *st = to_sqlite(store);

	store->nr_writes++;
	run(st, SQL_COMMIT, NULL, NULL);
	if (!st->failed)
		return 0;
	/* Some errors, a full disk for one, roll back by themselves. */
	if (!sqlite3_get_autocommit(st->db)) {
		sqlite3_step(st->stmt[SQL_ROLLBACK]);
		sqlite3_reset(st->stmt[SQL_ROLLBACK]);
	}
	return -EIO;
}

static int sqlite_range(struct store *store, const char *prefix,
			const char *after,
			bool (*fn)(void *data, const char *key,
				   const char *value),
			void *data)
{
	struct sqlite_store *st = to_sqlite(store);
	sqlite3_stmt *stmt = st->stmt[SQL_RANGE];
	bool more = true;
	int err;

	st->failed = false;
	sqlite3_bind_text(stmt, 1, prefix, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, after, -1, SQLITE_STATIC);
	while ((err = sqlite3_step(stmt)) == SQLITE_ROW && more)
		more = fn(data, (const char *)sqlite3_column_text(stmt, 0),
			  (const char *)sqlite3_column_text(stmt, 1));
	if (more && err != SQLITE_DONE)
		note(st, texts[SQL_RANGE]);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return st->failed ? -EIO : 0;
}

static void sqlite_close_store(struct store *store)
{
	struct sqlite_store *st = to_sqlite(store);
	int i;

	for (i = 0; i < NR_SQL; i++)
		sqlite3_finalize(st->stmt[i]);
	sqlite3_close(st->db);
	free(st->name);
	/* Not before: closing the file ends all locks on it, SQLite's too. */
	for (i = 0; i < NR_LOCKS; i++)
		if (st->locks[i] >= 0)
			close(st->locks[i]);
	free(st);
}

static const struct store_ops sqlite_ops = {
	.range = sqlite_range,
	.begin = sqlite_begin,
	.put = sqlite_put,
	.commit = sqlite_commit,
	.close = sqlite_close_store,
};

/* On these flock() takes a lock of fcntl()'s kind on all of the file, and not as
 * the owner of SQLite's.
 */
static bool locks_meet(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return false;
	switch ((uint32_t)fs.f_type) {
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

/* @shared: SQLite locks the same file. */
static bool lock_file(struct sqlite_store *st, int *fd, const char *name,
		      mode_t mode, bool shared)
{
	*fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, mode);
	if (*fd >= 0 && shared && locks_meet(*fd)) {
		log_warning("store: %s is on NFS or SMB, where it can be locked by its name only: a second coordinator that finds it by another name (a link, another mount) is not kept out",
			    name);
		return true;
	}
	if (*fd >= 0 && !flock(*fd, LOCK_EX | LOCK_NB))
		return true;
	if (errno == EWOULDBLOCK)
		snprintf(st->base.error, sizeof(st->base.error),
			 "in use by another coordinator");
	else
		snprintf(st->base.error, sizeof(st->base.error), "%.200s: %s",
			 name, strerror(errno));
	return false;
}

/* SQLite's own locks would let two coordinators take turns on one file, and
 * hand the same id to two nodes from what each remembers. The name's lock keeps
 * out who finds a backup put in its place; the file's who comes to it by another
 * name, a link or a mount. SQLite's are of another kind (fcntl) and do not meet
 * it, on a local file system.
 */
static bool lock_store(struct sqlite_store *st, const char *name)
{
	char lock[600];

	snprintf(lock, sizeof(lock), "%s.lock", name);
	return lock_file(st, &st->locks[0], lock, 0600, false) &&
	       lock_file(st, &st->locks[1], name, 0644, true);
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
		note(st, text);
	}
	sqlite3_finalize(stmt);
}

static void exec(struct sqlite_store *st, const char *text)
{
	if (!st->failed &&
	    sqlite3_exec(st->db, text, NULL, NULL, NULL) != SQLITE_OK)
		note(st, "exec");
}

static bool check_store(struct sqlite_store *st)
{
	char set[64];
	char buf[64];

	query(st, "PRAGMA journal_mode = WAL", buf, sizeof(buf));
	exec(st, "PRAGMA synchronous = FULL");
	query(st, "PRAGMA quick_check(1)", buf, sizeof(buf));
	if (!st->failed && strcmp(buf, "ok")) {
		snprintf(st->base.error, sizeof(st->base.error),
			 "the file is damaged: %s", buf);
		return false;
	}
	query(st, "PRAGMA user_version", buf, sizeof(buf));
	if (st->failed || atoi(buf) == SCHEMA_VERSION)
		return !st->failed;
	if (atoi(buf) > SCHEMA_VERSION) {
		snprintf(st->base.error, sizeof(st->base.error),
			 "schema version %s, this program knows %d", buf,
			 SCHEMA_VERSION);
		return false;
	}
	snprintf(set, sizeof(set), "PRAGMA user_version = %d", SCHEMA_VERSION);
	exec(st, "BEGIN IMMEDIATE");
	exec(st, schema);
	if (atoi(buf) == 1)
		exec(st, from_1);
	if (atoi(buf))
		exec(st, from_2);
	exec(st, set);
	exec(st, "COMMIT");
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
		note(st, "open");
		return false;
	}
	sqlite3_busy_timeout(st->db, BUSY_MS);
	if (!check_store(st))
		return false;
	st->name = mem_checked(strdup(name));
	if (stat(name, &st->file)) {
		snprintf(st->base.error, sizeof(st->base.error), "%s",
			 strerror(errno));
		return false;
	}
	for (i = 0; i < NR_SQL && !st->failed; i++)
		if (sqlite3_prepare_v3(st->db, texts[i], -1,
				       SQLITE_PREPARE_PERSISTENT, &st->stmt[i],
				       NULL) != SQLITE_OK)
			note(st, texts[i]);
	return !st->failed;
}

struct store *sqlite_open(const char *name, char *err, size_t len)
{
	struct sqlite_store *st = mem_zero(1, sizeof(*st));
	int i;

	st->base.ops = &sqlite_ops;
	for (i = 0; i < NR_LOCKS; i++)
		st->locks[i] = -1;
	if (open_file(st, name))
		return &st->base;
	snprintf(err, len, "%s: %s", name, st->base.error);
	sqlite_close_store(&st->base);
	return NULL;
}
