/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all commands of the tool share: options, sockets, exit codes. */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>

#include "genl.h"
#include "rtnl.h"

enum {
	EXIT_OK = 0,
	EXIT_LOCAL = 1,		/* usage, or refused before the kernel saw it */
	EXIT_KERNEL = 2,	/* refused by the kernel */
};

struct tool {
	bool		json;
	bool		pretty;
	unsigned int	show;		/* VNM_SHOW_... */
	int		timeout_ms;	/* 0: not given */
	struct vnm_genl	*genl;		/* opened when first used */
	struct vnm_nl	*rtnl;
};

struct args;

/* A command gets the words behind it and returns an exit code. */
struct command {
	const char	*name;
	const char	*alias;		/* "list,ls", or NULL */
	int		(*run)(struct tool *t, struct args *a);
};

/* The sockets; on failure they print why and return an exit code. */
int tool_genl(struct tool *t);
int tool_rtnl(struct tool *t);

/* Print the error, return the exit code for it. */
int tool_fail(const struct vnm_error *e);

/* As vnm_genl_request() without data, with tool_fail(); -ENOMEM if @msg is
 * NULL.
 */
int tool_request(struct tool *t, struct nl_msg *msg);

int out_of_memory(void);

/* Objects. Without a command they show. */
int object_run(struct tool *t, struct args *a, const char *object,
	       const struct command *commands);

extern const struct command dev_commands[], vni_commands[], node_commands[];
extern const struct command service_commands[], member_commands[];
extern const struct command flow_commands[], route_commands[];
extern const struct command ttl_commands[];

int resolve_run(struct tool *t, struct args *a);
int monitor_run(struct tool *t, struct args *a);
int connect_run(struct tool *t, struct args *a);

/* These run another program and return only when that failed. */
int join_run(struct tool *t, struct args *a);
int token_run(struct tool *t, struct args *a);
int grant_run(struct tool *t, struct args *a);
int node_forget(struct tool *t, struct args *a);
int remote_exec(const char *word, struct args *a);

/* The help text of an object, of the whole tool if NULL, on stdout. */
void help_print(const char *object);

#endif /* TOOL_H */
