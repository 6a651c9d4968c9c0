// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secret.h"

static const char *secret_fault(int fd, char *buf, size_t len, ssize_t *n)
{
	struct stat st;

	if (fstat(fd, &st))
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "is not a regular file";
	if (st.st_mode & 077)
		return "can be read by others than its owner, chmod 0600 it";
	if (st.st_uid && st.st_uid != geteuid())
		return "belongs neither to root nor to this process";
	*n = read(fd, buf, len);
	return *n < 0 ? strerror(errno) : NULL;
}

bool secret_read(const char *file, char ret[SECRET_MAX + 1], char *error,
		 size_t len)
{
	int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	const char *fault = strerror(errno);
	ssize_t n = 0;

	if (fd >= 0) {
		fault = secret_fault(fd, ret, SECRET_MAX, &n);
		close(fd);
	}
	if (fault) {
		snprintf(error, len, "%s: %s", file, fault);
		return false;
	}
	ret[n] = '\0';
	ret[strcspn(ret, "\r\n")] = '\0';
	return true;
}
