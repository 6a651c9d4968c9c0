/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nl.c (sockets, receiving) and nl_talk.c (requests) share. */
#ifndef VNM_NL_PRIV_H
#define VNM_NL_PRIV_H

#include <netlink/netlink.h>
#include <sys/types.h>

#include "nl.h"

/* Messages that are kept for later: complete netlink messages, aligned. */
struct store {
	char	*data;
	size_t	len;
	size_t	cap;
};

struct vnm_nl {
	struct nl_sock	*sk;
	int		fd;
	int		timeout_ms;
	uint32_t	portid;
	uint32_t	seq;
	vnm_nl_namer	namer;
	char		*buf;
	size_t		size;
	struct store	later;	/* came while a request waited */
};

int vnm_store_add(struct store *s, const struct nlmsghdr *nh);
void vnm_store_free(struct store *s);

/* All messages in turn to @cb: how many, or its negative errno. */
int vnm_store_hand_out(const struct store *s, vnm_nl_cb cb, void *arg);

int64_t vnm_now_ms(void);

/* The next datagram into nl->buf: its length or a negative errno. */
ssize_t vnm_nl_recv_wait(struct vnm_nl *nl, int64_t deadline);

#endif /* VNM_NL_PRIV_H */
