/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For libraries that only use connections of their own making: such a one
 * connects to a socket of this process, which takes no time, and what it then
 * holds is replaced by a connection that was made elsewhere.
 */
#ifndef VNIMESHD_CHECK_STANDIN_H
#define VNIMESHD_CHECK_STANDIN_H

#include <stdbool.h>

struct standin {
	int listener;
	char name[40];		/* as libpq and libmariadb write abstract ones */
};

/* @suffix is what the library appends to the name. False with errno. */
bool standin_open(struct standin *s, const char *suffix);

/* @fd, which stays the caller's, takes the place of the library's socket
 * @theirs; what was said to us already is sent on. False with errno.
 */
bool standin_take(struct standin *s, int theirs, int fd);

/* At the end of the function that opened it: nobody else may find it. */
void standin_close(struct standin *s);

#endif
