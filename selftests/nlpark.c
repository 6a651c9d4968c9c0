// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nlpark - resolves that wait.
 *
 *   nlpark DEV N [PREFIX]
 *
 * Asks for the tags PREFIX0, PREFIX1, ... (default "parked"; "=TAG": for that one
 * all the time) on as many sockets as it takes, and waits for no answer. Says
 * "parked N refused N [by ERRNO]" when all are sent, and "answered N" when every
 * one of those parked has its answer.
 */
#define _GNU_SOURCE
#include <linux/genetlink.h>
#include <poll.h>

#include "nlraw.h"

#define PER_SOCKET	60
#define MAX_SOCKETS	64

static int fds[MAX_SOCKETS];
static int error;	/* of the last answer */

/* Answers that are there: how many say that the question does not wait, or (late)
 * how many there are.
 */
static unsigned int drain(int s, int patience, bool late)
{
	struct pollfd p = { .fd = s, .events = POLLIN };
	struct nlmsghdr *h;
	unsigned int n = 0;
	char buf[8192];
	ssize_t len;

	while (poll(&p, 1, patience) > 0) {
		len = recv(s, buf, sizeof(buf), 0);
		if (len < 0)
			break;
		for (h = (void *)buf; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len))
			if (h->nlmsg_type == NLMSG_ERROR) {
				n++;
				error = ((struct nlmsgerr *)NLMSG_DATA(h))->error;
			}
		if (late)
			break;
		patience = 0;
	}
	return n;
}

int main(int argc, char **argv)
{
	unsigned int n, i, refused = 0, answered = 0, sockets = 0;
	const char *prefix = argc > 3 ? argv[3] : "parked";
	struct msg m;
	char tag[64];

	if (argc < 3) {
		fprintf(stderr, "usage: nlpark DEV N [PREFIX]\n");
		return 2;
	}
	n = (unsigned int)atoi(argv[2]);
	ifindex = if_nametoindex(argv[1]);
	fd = open_socket();
	find_family();
	for (i = 0; i < n; i++) {
		if (i % PER_SOCKET == 0 && sockets < MAX_SOCKETS)
			fds[sockets++] = open_socket();
		start(&m, VNIMESH_CMD_RESOLVE, 0);
		m.h.nlmsg_seq = i + 1;
		put_u32(&m, VNIMESH_A_ROUTE_IFINDEX, ifindex);
		if (*prefix == '=')
			snprintf(tag, sizeof(tag), "%s", prefix + 1);
		else
			snprintf(tag, sizeof(tag), "%s%u", prefix, i);
		put_str(&m, VNIMESH_A_ROUTE_TAG, tag);
		if (send(fds[sockets - 1], &m, m.h.nlmsg_len, 0) < 0)
			die("send");
		refused += drain(fds[sockets - 1], 0, false);
	}
	printf("parked %u refused %u%s%s\n", n - refused, refused,
	       refused ? " by " : "", refused ? strerrorname_np(-error) : "");
	fflush(stdout);
	while (answered < n - refused) {
		unsigned int before = answered;

		for (i = 0; i < sockets; i++)
			answered += drain(fds[i], answered == before ? 100 : 0,
					  true);
	}
	printf("answered %u\n", answered);
	return 0;
}
