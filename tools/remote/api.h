/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request to a coordinator at a time, for a command that waits for it. */
#ifndef REMOTE_API_H
#define REMOTE_API_H

#include <stdbool.h>

#include <jansson.h>

#include "ip.h"

enum {
	EXIT_OK = 0,
	EXIT_LOCAL = 1,		/* usage, files */
	EXIT_AWAY = 3,		/* no answer of a coordinator */
	EXIT_REFUSED = 4,	/* its answer is no */
};

struct api {
	const char *url;
	const char *token;	/* NULL: none */
	const char *ca;		/* a file; NULL: whoever it is */
	char local[IP_TEXT_MAX];	/* out: the address we had */
};

/* The answer (owned by the caller), or NULL after a message; *code is the exit
 * code then. @body may be NULL.
 */
json_t *api_ask(struct api *api, const char *method, const char *path,
		json_t *body, int *code);

int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
