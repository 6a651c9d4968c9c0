// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "netns.h"

static bool visit_dir(const char *path,
		      bool (*visit)(int netns, const char *path, void *arg),
		      void *arg)
{
	DIR *dir = opendir(path);
	char file[512];
	struct dirent *d;
	bool found = false;
	int fd;

	while (dir && !found && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), d->d_name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, d->d_name);
		found = visit(fd, file, arg);
		close(fd);
	}
	if (dir)
		closedir(dir);
	return found;
}

bool vnm_netns_each(bool (*visit)(int netns, const char *path, void *arg),
		    void *arg)
{
	return visit_dir(VNM_NETNS_DIR, visit, arg) ||
	       visit_dir(VNM_NETNS_DIR_DOCKER, visit, arg);
}
