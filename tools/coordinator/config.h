/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The coordinator's configuration file; vnimesh-coordinator(8) describes it. */
#ifndef COORDINATOR_CONFIG_H
#define COORDINATOR_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ip.h"
#include "limits.h"
#include "secret.h"

/* What the mesh is numbered with. The store keeps a copy from the first start
 * on: identities handed out under one set are wrong under another.
 */
struct mesh {
	uint32_t id;
	uint32_t port;			/* underlay UDP */
	struct ip_prefix prefix4;	/* cut into blocks, one per node */
	struct ip_prefix prefix6;
	uint32_t block4;		/* prefix length of a block */
	uint32_t block6;
	uint32_t vni_block;		/* VNIs per node */
	struct ip_prefix service4;
	struct ip_prefix service6;	/* always a /64 */
	char uuid[37];			/* made at the first start */
};

/* How etcd is asked; "" each: not so. */
struct etcd_access {
	char ca[512];			/* by https then */
	char cert[512];			/* who we are */
	char key[512];
	char user[64];
	char password[SECRET_MAX + 1];
	uint32_t history_ms;		/* that is kept, 0: all */
};

struct config {
	struct ip_addr listen;
	uint16_t listen_port;		/* 0: any free one */
	bool insecure;
	char tls_dir[512];		/* "": neither TLS nor rights */
	struct ip_addr addresses[ADDRESSES_MAX]; /* further ones of the server */
	unsigned int nr_addresses;
	char store[512];
	struct etcd_access etcd;
	uint32_t lease_ms;
	uint32_t rate;			/* requests a second and client */
	uint32_t connections;		/* of a client */
	struct mesh mesh;
};

/* @store, if not NULL, in place of the file's. False with a message,
 * "FILE: field ...", in @err.
 */
bool config_read(struct config *cfg, const char *file, const char *store,
		 char *err, size_t len);

#endif
