/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's three sockets to the kernel's family "vnimesh": requests,
 * the claim of the mesh (its misses come here), and notifications.
 */
#ifndef VNIMESHD_KERNEL_H
#define VNIMESHD_KERNEL_H

#include "genl.h"
#include "mesh.h"
#include "record.h"

struct kernel *kernel_new(struct mesh *m);
void kernel_free(struct kernel *k);

/* Open what is not open yet, check or renew the claim, set the service
 * prefixes of the mesh if they differ. 0 or a negative errno; says why unless
 * @quiet.
 */
int kernel_start(struct kernel *k, uint32_t ifindex, bool quiet);
/* The device is gone: give everything up until kernel_start(). */
void kernel_stop(struct kernel *k);

/* Whether the configured device is there and another agent has its claim. */
bool kernel_taken(struct kernel *k);

uint32_t kernel_ifindex(const struct kernel *k);
/* For requests; NULL while not started. */
struct vnm_genl *kernel_genl(struct kernel *k);

/* A message of one record; NULL without memory. */
struct nl_msg *kernel_msg(struct kernel *k, uint8_t cmd, int flags,
			  const struct vnm_type *type, const void *rec);
/* Adds what the module takes; false: no room. */
bool kernel_fill(struct kernel *k, uint8_t cmd, const struct vnm_type *type,
		 const void *rec, struct nl_msg *msg);

/* Answer a miss; @tag NULL: by address. */
void kernel_miss_answer(struct kernel *k, const char *tag,
			const struct ip_addr *addr, uint8_t verdict,
			uint32_t ttl_ms);

#endif
