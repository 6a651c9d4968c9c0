// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "dirsync.h"

int dir_sync(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static bool told;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd))
		err = -errno;
	close(fd);
	if (err != -EINVAL && err != -EOPNOTSUPP)
		return err;
	if (!told)
		fprintf(stderr,
			"%s: its file system cannot sync a directory, what is new there may be lost with the power\n",
			dir);
	told = true;
	return 0;
}
