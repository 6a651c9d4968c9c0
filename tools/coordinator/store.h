/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What survives the coordinator: mesh parameters, nodes, services, members,
 * and released service addresses. Scores and ages never come here.
 *
 * A change is one transaction: store_begin(), any number of puts and dels,
 * store_commit(). An error in between sticks, and the commit then changes
 * nothing and fails. When the commit returns 0 the change is on disk. Callers
 * commit first and change their memory after.
 *
 * A backend is a struct store_ops; the one there is keeps an SQLite file,
 * locked against a second coordinator. Records are whole values under their
 * key (node id; tag; tag and VNI), so that a key-value store can serve too.
 */
#ifndef COORDINATOR_STORE_H
#define COORDINATOR_STORE_H

#include "record.h"

struct store;

/* Called for each record at the start, in this order of kinds. Members are
 * only of services and nodes that were announced before. Returning false ends
 * the load with an error.
 */
struct store_visitor {
	bool (*node)(void *data, const struct node_def *def);
	bool (*service)(void *data, const struct service_def *def);
	bool (*member)(void *data, const struct member_def *def);
	bool (*resting)(void *data, const char *tag,
			const struct ip_addr *address4);
};

struct store_ops {
	/* The parameters of the store's mesh; an empty store takes @mesh. */
	int (*mesh)(struct store *store, const struct mesh *mesh,
		    struct mesh *stored);
	int (*load)(struct store *store, const struct store_visitor *visitor,
		    void *data);
	void (*begin)(struct store *store);
	void (*put_node)(struct store *store, const struct node_def *def);
	void (*put_service)(struct store *store, const struct service_def *def);
	void (*del_service)(struct store *store, const char *tag);
	void (*put_member)(struct store *store, const struct member_def *def);
	void (*del_member)(struct store *store, const char *tag, uint32_t vni);
	void (*put_resting)(struct store *store, const char *tag,
			    const struct ip_addr *address4);
	void (*del_resting)(struct store *store, const char *tag);
	int (*commit)(struct store *store);
	void (*close)(struct store *store);
};

struct store {
	const struct store_ops *ops;
	char error[256];		/* of the last failure, for a person */
};

/* NULL with a message in @err. */
struct store *store_open(const char *name, char *err, size_t len);

static inline int store_mesh(struct store *store, const struct mesh *mesh,
			     struct mesh *stored)
{
	return store->ops->mesh(store, mesh, stored);
}

static inline int store_load(struct store *store,
			     const struct store_visitor *visitor, void *data)
{
	return store->ops->load(store, visitor, data);
}

static inline void store_begin(struct store *store)
{
	store->ops->begin(store);
}

static inline void store_put_node(struct store *store,
				  const struct node_def *def)
{
	store->ops->put_node(store, def);
}

static inline void store_put_service(struct store *store,
				     const struct service_def *def)
{
	store->ops->put_service(store, def);
}

static inline void store_del_service(struct store *store, const char *tag)
{
	store->ops->del_service(store, tag);
}

static inline void store_put_member(struct store *store,
				    const struct member_def *def)
{
	store->ops->put_member(store, def);
}

static inline void store_del_member(struct store *store, const char *tag,
				    uint32_t vni)
{
	store->ops->del_member(store, tag, vni);
}

static inline void store_put_resting(struct store *store, const char *tag,
				     const struct ip_addr *address4)
{
	store->ops->put_resting(store, tag, address4);
}

static inline void store_del_resting(struct store *store, const char *tag)
{
	store->ops->del_resting(store, tag);
}

static inline int store_commit(struct store *store)
{
	return store->ops->commit(store);
}

static inline void store_close(struct store *store)
{
	if (store)
		store->ops->close(store);
}

#endif
