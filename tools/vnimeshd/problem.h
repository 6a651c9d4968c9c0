/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an unsuccessful answer of the coordinator says, in words. */
#ifndef VNIMESHD_PROBLEM_H
#define VNIMESHD_PROBLEM_H

#include <stddef.h>

#include "http.h"

/* One line into @buf, which is returned: why there was no answer, or status
 * and detail of application/problem+json.
 */
const char *problem_text(const struct http_reply *reply, char *buf,
			 size_t len);

#endif
