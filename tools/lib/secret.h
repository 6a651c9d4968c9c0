/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Passwords in files of their own. */
#ifndef VNIMESH_SECRET_H
#define VNIMESH_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#define SECRET_MAX	255

/* The first line of a file that nobody but its owner, who must be root or this
 * process, may read; at most SECRET_MAX bytes. False with a reason in @error.
 */
bool secret_read(const char *file, char ret[SECRET_MAX + 1], char *error,
		 size_t len);

#endif
