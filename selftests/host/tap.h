/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What unit tests print: TAP, with the place and the words of what did not hold.
 * The plan is the program's own, by @tests, and so is its exit code, by @failures:
 * both are defined beside its main().
 */
#ifndef SELFTESTS_TAP_H
#define SELFTESTS_TAP_H

#include <stdbool.h>
#include <stdio.h>

extern unsigned int tests, failures;

#define ok(cond, name) ok_at(cond, name, #cond, __LINE__)

static inline bool ok_at(bool good, const char *name, const char *cond, int line)
{
	tests++;
	if (!good)
		failures++;
	printf("%sok %u - %s\n", good ? "" : "not ", tests, name);
	if (!good)
		printf("# line %d: %s\n", line, cond);
	fflush(stdout);
	return good;
}

#endif /* SELFTESTS_TAP_H */
