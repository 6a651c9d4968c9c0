/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fuzz target is a file with these two functions, in libFuzzer's form. It
 * takes any bytes, must come back, and leaves nothing behind: neither memory
 * nor state on which the next input's way depends.
 */
#ifndef SELFTESTS_FUZZ_H
#define SELFTESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The compiler calls this at each edge of the code under test. */
void __sanitizer_cov_trace_pc(void);
extern const char __executable_start;

/* What must hold for any input. */
#define must(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, \
				__LINE__, #cond); \
			abort(); \
		} \
	} while (0)

/* A file with these bytes, for what reads files; the same one each time. */
const char *fuzz_file(const uint8_t *data, size_t len);

/* A directory of this process, gone at its end. */
const char *fuzz_dir(void);

/* The name of a file there that is not, nor what SQLite puts beside it. */
const char *fuzz_store(void);

/* A copy with a NUL behind it, of just that size, so that a step too far is
 * seen; to be freed.
 */
char *fuzz_text(const uint8_t *data, size_t len);

#endif
