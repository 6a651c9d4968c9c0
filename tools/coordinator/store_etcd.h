/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store in an etcd cluster, shared by any number of coordinators.
 *
 * Every change is one transaction that also writes the key "head": a random
 * name of this change, and that of the one before. It compares that head is
 * what this coordinator has seen last, so that each change is made from all
 * that was there; who was too late (-EAGAIN) sees the others' changes by its
 * watch, and tries again from those. The names are a chain: a history that is
 * not the one that was seen so far, of an old backup for one, does not fit
 * and ends this run, wherever it goes on.
 *
 * At the start requests are waited for, from then on never. After one that
 * failed nothing is written until a probe has found a quorum again.
 */
#ifndef COORDINATOR_STORE_ETCD_H
#define COORDINATOR_STORE_ETCD_H

#include "store.h"

/* @name: what is behind "etcd://": HOST:PORT[,HOST:PORT...][/PREFIX]. NULL with
 * a message in @err.
 */
struct store *etcd_store_open(const char *name,
			      const struct etcd_access *access, char *err,
			      size_t len);

#endif
