// SPDX-License-Identifier: GPL-2.0-or-later
/* A socket of this process in the place of a connection. */

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check_standin.h"

/* A greeting with user and database. */
#define SAID_MAX	4096

bool standin_open(struct standin *s, const char *suffix)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	uint64_t any;
	int n, err;

	if (getrandom(&any, sizeof(any), 0) != sizeof(any))
		return false;
	snprintf(s->name, sizeof(s->name), "@vnimeshd-%016llx",
		 (unsigned long long)any);
	n = snprintf(un.sun_path, sizeof(un.sun_path), "%s%s", s->name, suffix);
	un.sun_path[0] = '\0';
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
			     SOCK_NONBLOCK, 0);
	if (s->listener < 0)
		return false;
	if (!bind(s->listener, (struct sockaddr *)&un,
		  offsetof(struct sockaddr_un, sun_path) + n) &&
	    !listen(s->listener, 1))
		return true;
	err = errno;
	standin_close(s);
	errno = err;
	return false;
}

static bool send_on(int from, int to)
{
	char buf[SAID_MAX];
	ssize_t n = recv(from, buf, sizeof(buf), MSG_DONTWAIT);

	if (n <= 0)
		return true;
	/* The buffer of a new connection has room for that. */
	return send(to, buf, n, MSG_NOSIGNAL | MSG_DONTWAIT) == n;
}

bool standin_take(struct standin *s, int theirs, int fd)
{
	int mine = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	bool ok;

	if (mine < 0 || theirs < 0)
		return false;
	ok = send_on(mine, fd) && dup3(fd, theirs, O_CLOEXEC) >= 0;
	close(mine);
	return ok;
}

void standin_close(struct standin *s)
{
	if (s->listener >= 0)
		close(s->listener);
	s->listener = -1;
}
