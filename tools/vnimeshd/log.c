// SPDX-License-Identifier: GPL-2.0-or-later
/* Log lines on stderr. */

#include <stdarg.h>
#include <stdio.h>

#include "log.h"

int log_level = LOG_INFO;

void log_line(int level, const char *fmt, ...)
{
	char text[4096];
	va_list ap;
	char *p;

	if (level > log_level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* What others sent may be in here: one line, no escape sequences. */
	for (p = text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	fprintf(stderr, "<%d>%s\n", level, text);
}
