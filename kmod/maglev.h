/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Consistent choice: the lookup table of Maglev (Eisenbud et al., NSDI 2016).
 * The same members with the same weights give the same table on every host and
 * after every reboot: the key of the hash is constant, and the order in which
 * members came does not count. Building it is pure code.
 */
#ifndef _VNIMESH_MAGLEV_H
#define _VNIMESH_MAGLEV_H

#include "pure.h"

/* Entries: primes, at least a hundred per member up to 160, 60 up to 1024.
 * Few sizes: between two of them most clients change their member.
 */
#define VNIMESH_MAGLEV_SMALL	16381
#define VNIMESH_MAGLEV_LARGE	65521
#define VNIMESH_MAGLEV_FEW	160

struct vnimesh_maglev_member {
	u32 id;		/* of its VNI: unique in the service */
	u32 weight;	/* 0: no entry */
	/* Of the build: */
	u32 offset;
	u32 skip;
	u32 turns;	/* it had */
	u32 round;	/* ... of the next one */
	u32 heap;
};

struct vnimesh_maglev_table {
	u32 size;
	u16 slot[];	/* index of the member; U16_MAX everywhere: none */
};

#define VNIMESH_MAGLEV_NONE	0xffff

u32 vnimesh_maglev_size(u32 n);
/* Fills table->slot, whose size is set, with indices of @m, which is sorted by
 * id.
 */
void vnimesh_maglev_build(struct vnimesh_maglev_table *table,
			  struct vnimesh_maglev_member *m, u32 n);
/* The key of a client: @data is its address. */
u32 vnimesh_maglev_hash(const void *data, u32 len);

#ifdef __KERNEL__
#include <linux/rcupdate.h>

struct vnimesh_member;
struct vnimesh_mesh;
struct vnimesh_service;

/* A table as it is published: holds a reference on each member. */
struct vnimesh_maglev {
	struct rcu_head rcu;
	u32 n;
	struct vnimesh_member **m;	/* by id */
	struct vnimesh_maglev_table table;
};

/* mesh->lock. The members of @service, a weight or its policy changed: the table
 * is built a moment later, once for many changes.
 */
void vnimesh_maglev_changed(struct vnimesh_mesh *mesh,
			    struct vnimesh_service *service);
/* The service is unlinked: its table goes. */
void vnimesh_maglev_drop(struct vnimesh_mesh *mesh,
			 struct vnimesh_service *service);
void vnimesh_maglev_init(struct vnimesh_mesh *mesh);
void vnimesh_maglev_exit(struct vnimesh_mesh *mesh);
#endif

#endif /* _VNIMESH_MAGLEV_H */
