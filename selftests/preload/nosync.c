// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loaded before the coordinator: its store says that a change is on disk without
 * having asked the disk, as with synchronous=OFF. For the test that must see what
 * is lost then (selftests/vm/powerfail -o).
 */

#include <dlfcn.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

int sqlite3_exec(sqlite3 *db, const char *sql,
		 int (*fn)(void *, int, char **, char **), void *data,
		 char **error)
{
	int (*real)(sqlite3 *, const char *,
		    int (*)(void *, int, char **, char **), void *, char **);

	real = dlsym(RTLD_NEXT, "sqlite3_exec");
	if (!strcmp(sql, "PRAGMA synchronous = FULL")) {
		fprintf(stderr, "nosync: nothing waits for the disk\n");
		sql = "PRAGMA synchronous = OFF";
	}
	return real(db, sql, fn, data, error);
}
