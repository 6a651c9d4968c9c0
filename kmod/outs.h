/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much of a service is out, without asking each of its members: a set of
 * places for each (service, client, port of the service) where anybody is; the
 * client is NULL for who is out for all. A member has its place from when it is
 * linked until it is deleted, and places are below VNIMESH_MEMBERS_MAX.
 *
 * The invariant: a place is in the set of (service, client, port) if, and only
 * if, its member is not deleted, has an entry for that client and port (eject.c),
 * and the entry's standing is not IN. So what a client finds out of its service
 * is the union of two sets, counted in VNIMESH_MEMBERS_MAX / 64 steps of two
 * words (16 with 1024 members, some 20 ns; 8192 would be 128), however many
 * members there are and whatever speaks against them. A set that is empty goes,
 * so there are no more of them than entries.
 *
 * All of it under the lock of eject.c. Neither service nor client is referenced:
 * the entry of each place does that.
 */
#ifndef _VNIMESH_OUTS_H
#define _VNIMESH_OUTS_H

#include <linux/bitmap.h>
#include <linux/hashtable.h>

#include "limits.h"

struct vnimesh_service;
struct vnimesh_vni;

#define VNIMESH_OUTS_BITS	8

struct vnimesh_outs {
	struct hlist_node node;
	const struct vnimesh_service *service;
	const struct vnimesh_vni *client;
	__be16 port;
	u16 n;
	DECLARE_BITMAP(places, VNIMESH_MEMBERS_MAX);
};

struct vnimesh_outs_table {
	DECLARE_HASHTABLE(sets, VNIMESH_OUTS_BITS);
};

void vnimesh_outs_init(struct vnimesh_outs_table *table);
/* NULL: nobody is out. */
struct vnimesh_outs *vnimesh_outs_find(const struct vnimesh_outs_table *table,
				       const struct vnimesh_service *service,
				       const struct vnimesh_vni *client,
				       __be16 port);
/* The set, made if need be, where @place is put. NULL: no memory. */
struct vnimesh_outs *vnimesh_outs_add(struct vnimesh_outs_table *table,
				      const struct vnimesh_service *service,
				      const struct vnimesh_vni *client,
				      __be16 port, u16 place);
/* @place, which is in it; @outs may be gone then. */
void vnimesh_outs_del(struct vnimesh_outs *outs, u16 place);
/* Places in @a, @b or both, either of which may be NULL, but for @place. */
u32 vnimesh_outs_others(const struct vnimesh_outs *a,
			const struct vnimesh_outs *b, u16 place);

#endif /* _VNIMESH_OUTS_H */
