// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "args_netns.h"
#include "netns.h"
#include "record_escape.h"

int netns_open(const char *name)
{
	char path[512], shown[VNM_ESCAPE_MAX(512)];
	int fd;

	if (strchr(name, '/'))
		snprintf(path, sizeof(path), "%s", name);
	else if (name[0] && name[strspn(name, "0123456789")] == '\0')
		snprintf(path, sizeof(path), "/proc/%s/ns/net", name);
	else
		snprintf(path, sizeof(path), VNM_NETNS_DIR "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fprintf(stderr,
			"Error: Cannot open network namespace \"%s\": %s.\n",
			vnm_escape(name, shown, sizeof(shown)), strerror(errno));
	return fd;
}
