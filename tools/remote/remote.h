/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that talk to a coordinator; exit codes as in api.h. */
#ifndef REMOTE_H
#define REMOTE_H

#include "api.h"

/* The words behind the command; ends with NULL. */
int join_run(char **v);
int forget_run(char **v);
int token_run(char **v);
int grant_run(char **v);

/* The value behind a keyword, NULL after a message. */
const char *value_of(char ***v, const char *key);

/* An administrator's access, from "coordinator", "token" and "ca" or the
 * environment; false after a message.
 */
struct access {
	const char *coordinator;
	const char *token_file;
	const char *ca_file;
	char *token;
	struct api api;
};

/* 1: took a keyword of its own, 0: none, -1: said what is wrong. */
int access_word(struct access *access, char ***v);
bool access_open(struct access *access);
void access_close(struct access *access);

#endif
