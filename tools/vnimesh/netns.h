/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETNS_H
#define NETNS_H

#include <stdbool.h>

/* Open a network namespace by name (of `ip netns`), process id, or path. The
 * file is the caller's. -1: not possible, said on stderr.
 */
int netns_open(const char *name);

/* Call @visit for each namespace of `ip netns` with an open file of it, until
 * it returns true; then true.
 */
bool netns_each(bool (*visit)(int netns, void *arg), void *arg);

#endif /* NETNS_H */
