/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store in an SQLite file, locked against a second coordinator. */
#ifndef COORDINATOR_STORE_SQLITE_H
#define COORDINATOR_STORE_SQLITE_H

#include "store.h"

/* NULL with a message in @err. */
struct store *sqlite_open(const char *name, char *err, size_t len);

#endif
