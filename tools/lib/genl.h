/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client of the generic netlink family "vnimesh".
 *
 * A socket belongs to the network namespace it was opened in. Use one socket
 * for requests, another for notifications, and (in the agent) a third for
 * agent-bind, whose port id receives the misses: a flood of one kind then
 * cannot make the others overrun.
 *
 * Errors and ownership are those of nl.h.
 */
#ifndef VNM_GENL_H
#define VNM_GENL_H

#include <netlink/attr.h>

#include <linux/vnimesh.h>

#include "nl.h"

struct vnm_genl;

/* A received message of the family; valid during the callback only. Parse
 * @attrs with the functions of record.h. @cmd is 0 for an answer (NLMSG_ERROR)
 * that nobody waited for, its errno then is @err.
 */
struct vnm_genl_msg {
	uint8_t			cmd;
	uint32_t		seq;
	int			err;
	const struct nlattr	*attrs;
	int			attrlen;
};

typedef int (*vnm_genl_cb)(const struct vnm_genl_msg *m, void *arg);

/* -ENOENT: the module is not loaded, and e->msg says so. */
int vnm_genl_open(struct vnm_genl **g, struct vnm_error *e);
void vnm_genl_close(struct vnm_genl *g);

int vnm_genl_fd(const struct vnm_genl *g);
uint32_t vnm_genl_portid(const struct vnm_genl *g);

/* How long a request waits for the kernel, default VNM_NL_TIMEOUT_MS. */
void vnm_genl_set_timeout(struct vnm_genl *g, int ms);

/* @group is VNIMESH_MCGRP_CONFIG or VNIMESH_MCGRP_EVENTS. */
int vnm_genl_join(struct vnm_genl *g, const char *group, struct vnm_error *e);

/* Ask which attributes each command takes. Until then, and where the kernel does not
 * tell, vnm_genl_takes() is all: a bit for each attribute, as VNM_BIT().
 */
int vnm_genl_learn(struct vnm_genl *g, struct vnm_error *e);
uint64_t vnm_genl_takes(const struct vnm_genl *g, uint8_t cmd);

/* A request to be filled with nla_put() or the fill functions of record.h;
 * @flags are NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE or 0. NULL: no memory.
 */
struct nl_msg *vnm_genl_msg_new(const struct vnm_genl *g, uint8_t cmd,
				int flags);

/* As vnm_nl_request() and so on. A get with a full key is a request, one row
 * comes to @cb; resolve, which the kernel may answer late, is a query.
 */
int vnm_genl_request(struct vnm_genl *g, struct nl_msg *msg, vnm_genl_cb cb,
		     void *arg, struct vnm_error *e);
int vnm_genl_query(struct vnm_genl *g, struct nl_msg *msg, vnm_genl_cb cb,
		   void *arg, struct vnm_error *e);
int vnm_genl_dump(struct vnm_genl *g, struct nl_msg *msg, vnm_genl_cb cb,
		  void *arg, struct vnm_error *e);
int vnm_genl_bulk(struct vnm_genl *g, struct nl_msg **msgs, size_t n,
		  vnm_nl_bulk_cb cb, void *arg, struct vnm_error *e);

/* For event loops, as vnm_nl_recv(). */
int vnm_genl_recv(struct vnm_genl *g, vnm_genl_cb cb, void *arg);
bool vnm_genl_backlog(const struct vnm_genl *g);

#endif /* VNM_GENL_H */
