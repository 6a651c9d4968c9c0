// SPDX-License-Identifier: GPL-2.0-or-later
/* Where in a JSON text a field stands. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "json_place.h"

struct scan {
	const char *p, *end;
	int line;
};

static bool more(const struct scan *s)
{
	return s->p < s->end;
}

static void space(struct scan *s)
{
	for (; more(s) && strchr(" \t\r\n", *s->p); s->p++)
		s->line += *s->p == '\n';
}

/* A string; its bytes without the quotes, escapes as they stand. */
static const char *string(struct scan *s, size_t *len)
{
	const char *start = ++s->p;

	for (; more(s) && *s->p != '"'; s->p++)
		if (*s->p == '\\')
			s->p++;
	*len = s->p - start;
	s->p++;
	return start;
}

static void skip(struct scan *s)
{
	unsigned int depth = 0;
	size_t len;

	do {
		space(s);
		if (!more(s))
			return;
		if (*s->p == '"') {
			string(s, &len);
			continue;
		}
		if (*s->p == '{' || *s->p == '[')
			depth++;
		else if (*s->p == '}' || *s->p == ']')
			depth--;
		else if (!depth && *s->p != ',' && *s->p != ':')
			s->p += strcspn(s->p, ",]} \t\r\n") - 1;
		s->p++;
	} while (depth && more(s));
}

/* To the value of @key, whose line is the key's. False: there is none. */
static bool enter_key(struct scan *s, const char *key, size_t n)
{
	const char *name;
	size_t len;

	if (!more(s) || *s->p != '{')
		return false;
	s->p++;
	for (;;) {
		space(s);
		if (!more(s) || *s->p != '"')
			return false;
		name = string(s, &len);
		if (len == n && !memcmp(name, key, n)) {
			space(s);
			s->p++;
			return true;
		}
		space(s);
		s->p++;
		skip(s);
		space(s);
		if (!more(s) || *s->p++ != ',')
			return false;
	}
}

static bool enter_index(struct scan *s, unsigned long index)
{
	if (!more(s) || *s->p != '[')
		return false;
	s->p++;
	for (; index; index--) {
		skip(s);
		space(s);
		if (!more(s) || *s->p++ != ',')
			return false;
	}
	return true;
}

int json_place(const char *text, size_t len, const char *path)
{
	struct scan s = { .p = text, .end = text + len, .line = 1 };
	unsigned long index;
	char *end;
	size_t n;
	int line;

	space(&s);
	for (line = s.line; *path; line = s.line) {
		if (*path == '[') {
			index = strtoul(path + 1, &end, 10);
			if (!enter_index(&s, index))
				return line;
			path = end + (*end == ']');
			space(&s);
			continue;
		}
		path += *path == '.';
		n = strcspn(path, ".[");
		if (!enter_key(&s, path, n))
			return line;
		path += n;
		/* A field stands where its name does. */
		if (!*path)
			return s.line;
		space(&s);
	}
	return line;
}
