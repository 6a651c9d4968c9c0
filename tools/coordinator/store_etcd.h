/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store in an etcd cluster, shared by any number of coordinators.
 *
 * Every change is one transaction that also writes the key "head", and
 * compares that nobody else has since what this coordinator has seen. So each
 * change is made from all that was there; who was too late (-EAGAIN) sees the
 * others' changes by its watch, and tries again from those.
 *
 * A request is waited for, at most ETCD_ASK_MS; after one that failed nothing
 * is asked for until a probe has found a quorum again.
 */
#ifndef COORDINATOR_STORE_ETCD_H
#define COORDINATOR_STORE_ETCD_H

#include "store.h"

/* @name: what is behind "etcd://": HOST:PORT[,HOST:PORT...][/PREFIX]. NULL with
 * a message in @err.
 */
struct store *etcd_store_open(const char *name, char *err, size_t len);

#endif
