/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where in a JSON text a field stands: for errors that people must find. */
#ifndef VNIMESH_JSON_PLACE_H
#define VNIMESH_JSON_PLACE_H

#include <stddef.h>

/* The line of @path, "a.b[2].c" as in struct jread, in the valid JSON of
 * @text; of the last part of the path that there is. From 1.
 */
int json_place(const char *text, size_t len, const char *path);

#endif
