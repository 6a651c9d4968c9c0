/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARGS_NETNS_H
#define ARGS_NETNS_H

/* Open a network namespace by name (of `ip netns`), process id, or path. The
 * file is the caller's. -1: not possible, said on stderr.
 */
int netns_open(const char *name);

#endif /* ARGS_NETNS_H */
