/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent that is told, for the files that told consists of: what it is asked and
 * what it has then. All of it is about VNI unless said otherwise.
 */
#ifndef SELFTESTS_TOLD_H
#define SELFTESTS_TOLD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mesh.h"

#define VNI	257
#define USER	4242

extern struct mesh *mesh;

/* The next one, from what the last one left on disk. */
void restart(void);

/* Each "" if it was done, or the error; valid until the next one. */
const char *ask(uid_t uid, const char *fmt, ...);
const char *regist(uid_t uid, const char *tag, unsigned int weight);
const char *deregister(uid_t uid, const char *tag);
/* @vni 0: all of the tag. */
const char *intend(uid_t uid, const char *tag, uint32_t vni,
		   const char *state);

/* Of the member with this tag. */
bool is_here(const char *tag);
bool is_drained(const char *tag);
uint32_t weight_of(const char *tag);

/* The file, as it is written by an agent of this boot; the latest intent is of @last. */
void lay_file(const char *tag, unsigned int registered, unsigned int intents,
	      uid_t uid, uid_t last);
/* One registration with a check of the given kind. */
void lay_registered(uid_t uid, const char *tag, const char *check);

void test_shares(void);

#endif
