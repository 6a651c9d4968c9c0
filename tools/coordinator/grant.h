/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rights: what a role may do, which tags a holder may register, and how many.
 * Nothing that is not granted is allowed. Pure values; auth.h decides for a
 * request.
 */
#ifndef COORDINATOR_GRANT_H
#define COORDINATOR_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "json.h"
#include "limits.h"

/* Each may what those before it may. */
enum role {
	ROLE_NONE,		/* what needs no rights, and joining by token */
	ROLE_READ,
	ROLE_REGISTER,
	ROLE_ADMIN,
};

struct grant {
	unsigned int nr_tags;
	char tags[GRANT_TAGS_MAX][TAG_MAX + 1];	/* "*": any characters */
	uint32_t services_max;		/* that it created */
	uint32_t members_max;
};

/* A secret that stands for rights; only its hash is kept. */
struct token_def {
	char id[TOKEN_ID_LEN + 1];
	char hash[65];			/* SHA-256 of the secret, hexadecimal */
	enum role role;			/* ROLE_NONE: one node may join by it */
	struct grant grant;
	int64_t expires;		/* seconds since 1970, 0: never */
};

/* In the order of enum role; the first one is "join". */
extern const char *const grant_roles[];

void grant_default(struct grant *grant);
bool grant_allows(const struct grant *grant, const char *tag);
/* A tag, in which "*" stands for any characters. */
bool grant_pattern_valid(const char *text);
void grant_read(struct jobj *obj, struct grant *grant);

/* Adds its fields to @obj. */
void grant_pack(json_t *obj, const struct grant *grant);

void token_read(struct jobj *obj, struct token_def *def);
/* @stored: with the hash. */
json_t *token_pack(const struct token_def *def, bool stored);

#endif
