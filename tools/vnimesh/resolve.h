/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RESOLVE_H
#define RESOLVE_H

#include "tool.h"

/* Where flows to @tag go, as seen from @ifindex, a vnimesh device of this
 * namespace; 0: find one, and leave its index in *ifindex. Needs no privilege.
 * Prints the error and returns an exit code.
 */
int resolve(struct tool *t, const char *tag, uint8_t family, uint32_t *ifindex,
	    struct vnm_route *route);

#endif /* RESOLVE_H */
