// SPDX-License-Identifier: GPL-2.0-or-later
/* What needs a coordinator is done by vnimesh-remote, which speaks HTTP. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "tool.h"

#define PROGRAM	"vnimesh-remote"

/* Beside this program, as a build directory has it; else where PATH says. */
static void run_beside(char **v)
{
	char path[PATH_MAX + sizeof(PROGRAM)];
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
	char *slash;

	if (n <= 0)
		return;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return;
	strcpy(slash + 1, PROGRAM);
	execv(path, v);
}

int remote_exec(const char *word, struct args *a)
{
	size_t n = 0;
	char **v;

	while (a->v[n])
		n++;
	v = calloc(n + 3, sizeof(*v));
	if (!v)
		return out_of_memory();
	v[0] = PROGRAM;
	v[1] = (char *)word;
	memcpy(v + 2, a->v, n * sizeof(*v));
	fflush(stdout);
	run_beside(v);
	execvp(PROGRAM, v);
	fprintf(stderr, "Error: Cannot run " PROGRAM ": %s.\n",
		strerror(errno));
	free(v);
	return EXIT_LOCAL;
}

int join_run(struct tool *t, struct args *a)
{
	(void)t;
	return remote_exec("join", a);
}

int token_run(struct tool *t, struct args *a)
{
	(void)t;
	return remote_exec("token", a);
}

int grant_run(struct tool *t, struct args *a)
{
	(void)t;
	return remote_exec("grant", a);
}

int node_forget(struct tool *t, struct args *a)
{
	(void)t;
	return remote_exec("forget", a);
}
