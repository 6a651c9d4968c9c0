/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libcurl is to the coordinator in the target etcd: etcd's gateway, by script. */
#ifndef SELFTESTS_FUZZ_GATEWAY_H
#define SELFTESTS_FUZZ_GATEWAY_H

/* Once, before any script. */
void gateway_init(void);

/* The answers to come, each a line; @text is written to. Until gateway_end(). */
void gateway_read(char *text);
void gateway_end(void);

/* How many requests and lines of a watch were answered since. */
unsigned int gateway_served(void);

#endif
