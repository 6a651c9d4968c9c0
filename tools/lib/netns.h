/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VNM_NETNS_H
#define VNM_NETNS_H

#include <stdbool.h>

/* Where `ip netns` and container runtimes of CNI bind their network
 * namespaces, and where Docker does.
 */
#define VNM_NETNS_DIR		"/run/netns"
#define VNM_NETNS_DIR_DOCKER	"/run/docker/netns"

/* Call @visit for each namespace that has a name, with an open file of it,
 * until it returns true; then true. The file is closed after.
 */
bool vnm_netns_each(bool (*visit)(int netns, const char *path, void *arg),
		    void *arg);

#endif /* VNM_NETNS_H */
