/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names come from other hosts: what a terminal would obey is shown, not sent. */
#ifndef VNM_RECORD_ESCAPE_H
#define VNM_RECORD_ESCAPE_H

#include <stddef.h>

#define VNM_ESCAPE_MAX(bytes)	(4 * (bytes) + 1)

/* Control characters, backslashes and bytes that are not UTF-8 as \xNN. What
 * does not fit is cut; VNM_ESCAPE_MAX() is always enough.
 */
const char *vnm_escape(const char *text, char *buf, size_t size);

#endif /* VNM_RECORD_ESCAPE_H */
