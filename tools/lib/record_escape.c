// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "record_escape.h"

/* Length of the printable character at @p, 0: it is to be escaped. */
static size_t printable(const unsigned char *p)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len, i;
	uint32_t c;

	if (*p < 0x80)
		return *p >= 0x20 && *p != 0x7f && *p != '\\';
	if ((*p & 0xe0) == 0xc0)
		len = 2;
	else if ((*p & 0xf0) == 0xe0)
		len = 3;
	else if ((*p & 0xf8) == 0xf0)
		len = 4;
	else
		return 0;
	c = *p & (0x7fU >> len);
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	/* Overlong forms, surrogates, and the second set of controls. */
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ||
	    c < 0xa0)
		return 0;
	return len;
}

const char *vnm_escape(const char *text, char *buf, size_t size)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t at = 0, len;

	while (*p) {
		len = printable(p);
		if (at + (len ? len : 4) >= size)
			break;
		if (len) {
			memcpy(buf + at, p, len);
			at += len;
			p += len;
		} else {
			at += (size_t)snprintf(buf + at, size - at, "\\x%02x",
					       *p++);
		}
	}
	buf[at] = '\0';
	return buf;
}
