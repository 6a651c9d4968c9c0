/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A name that was made or changed is durable only with its directory. */
#ifndef VNIMESH_DIRSYNC_H
#define VNIMESH_DIRSYNC_H

/* 0 or a negative errno. What the file system cannot do at all, as some over FUSE
 * or beneath a container, is no error: it is said on stderr, once.
 */
int dir_sync(const char *dir);

#endif
