/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be asked on the control socket: vnimeshd(8) has the list. */
#ifndef VNIMESHD_CONTROL_OPS_H
#define VNIMESHD_CONTROL_OPS_H

#include <sys/types.h>

#include <jansson.h>

#include "mesh.h"

/* The answer to one line of @uid: a new object, with "error" if refused; NULL
 * without memory.
 */
json_t *control_answer(struct mesh *m, uid_t uid, const char *line, size_t len);

#endif
