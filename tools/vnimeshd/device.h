/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mesh device: created if it is missing, completed if it lacks something,
 * left alone otherwise. Nothing is ever removed or changed.
 */
#ifndef VNIMESHD_DEVICE_H
#define VNIMESHD_DEVICE_H

#include "facts.h"

enum device_result {
	DEVICE_READY,
	DEVICE_FAILED,		/* perhaps later; it said why */
	DEVICE_FOREIGN,		/* another mesh's or node's: it said in what */
};

/* The link of @self in @mesh with its addresses and routes; *ifindex of it.
 * Says why it fails unless @quiet.
 */
enum device_result device_link(const char *dev, const struct mesh_params *mesh,
			       const struct node *self, uint32_t *ifindex,
			       bool quiet);

#endif
