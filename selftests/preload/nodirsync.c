// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loaded before a program: fsync(2) of a directory fails with the errno in
 * NODIRSYNC, as on a file system that cannot do it. Files are synced as ever.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int fd)
{
	const char *value = getenv("NODIRSYNC");
	struct stat st;

	if (value && !fstat(fd, &st) && S_ISDIR(st.st_mode)) {
		errno = atoi(value);
		return -1;
	}
	return syscall(SYS_fsync, fd);
}
