// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netns.h"
#include "record_escape.h"

#define NETNS_DIR	"/run/netns"

int netns_open(const char *name)
{
	char path[512], shown[VNM_ESCAPE_MAX(512)];
	int fd;

	if (strchr(name, '/'))
		snprintf(path, sizeof(path), "%s", name);
	else if (name[0] && name[strspn(name, "0123456789")] == '\0')
		snprintf(path, sizeof(path), "/proc/%s/ns/net", name);
	else
		snprintf(path, sizeof(path), NETNS_DIR "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fprintf(stderr,
			"Error: Cannot open network namespace \"%s\": %s.\n",
			vnm_escape(name, shown, sizeof(shown)), strerror(errno));
	return fd;
}

bool netns_each(bool (*visit)(int netns, void *arg), void *arg)
{
	DIR *dir = opendir(NETNS_DIR);
	struct dirent *d;
	bool found = false;
	int fd;

	while (dir && !found && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), d->d_name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		found = visit(fd, arg);
		close(fd);
	}
	if (dir)
		closedir(dir);
	return found;
}
