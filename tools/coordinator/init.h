/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vnimesh-coordinator init`: a new mesh, and how its first node joins. */
#ifndef COORDINATOR_INIT_H
#define COORDINATOR_INIT_H

#include "config.h"

/* Makes certificate, administrator's token and a token to join by; prints the
 * command of the first node. False with a message in @err.
 */
bool init_mesh(const struct config *cfg, char *err, size_t len);

#endif
