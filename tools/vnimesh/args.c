// SPDX-License-Identifier: GPL-2.0-or-later
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "record_escape.h"
#include "tag.h"

const char *args_peek(const struct args *a)
{
	return *a->v;
}

const char *args_next(struct args *a)
{
	return *a->v ? *a->v++ : NULL;
}

bool args_take(struct args *a, const char *word)
{
	if (!*a->v || strcmp(*a->v, word))
		return false;
	a->v++;
	return true;
}

const char *args_value(struct args *a, const char *key)
{
	if (*a->v)
		return *a->v++;
	fprintf(stderr, "Error: argument \"%s\" needs a value.\n", key);
	return NULL;
}

bool args_unknown(const struct args *a)
{
	char buf[VNM_ESCAPE_MAX(256)];

	if (*a->v)
		fprintf(stderr,
			"Error: argument \"%s\" is unknown, try \"vnimesh %s help\".\n",
			vnm_escape(*a->v, buf, sizeof(buf)), a->object);
	return false;
}

bool args_end(const struct args *a)
{
	return !*a->v || args_unknown(a);
}

bool args_wrong(const char *text, const char *fmt, ...)
{
	char buf[VNM_ESCAPE_MAX(256)];
	va_list ap;

	fprintf(stderr, "Error: argument \"%s\" is wrong: ",
		vnm_escape(text, buf, sizeof(buf)));
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs(".\n", stderr);
	return false;
}

bool args_required(const char *what)
{
	fprintf(stderr, "Error: argument \"%s\" is required.\n", what);
	return false;
}

const char *args_need(struct args *a, const char *what)
{
	if (!*a->v)
		args_required(what);
	return args_next(a);
}

bool args_need_u32(struct args *a, const char *what, uint32_t min,
		   uint32_t max, uint32_t *v)
{
	const char *text = args_need(a, what);

	return text && parse_u32(text, what, min, max, v);
}

/* The number at the start of @text; *end is what follows. False: there is
 * none, or it does not fit.
 */
static bool scan_u64(const char *text, uint64_t *v, const char **end)
{
	uint64_t n = 0, digit;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		digit = (uint64_t)(*p - '0');
		if (n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*v = n;
	*end = p;
	return p != text;
}

bool parse_u64(const char *text, const char *what, uint64_t min, uint64_t max,
	       uint64_t *v)
{
	const char *end;

	if (scan_u64(text, v, &end) && !*end && *v >= min && *v <= max)
		return true;
	return args_wrong(text, "%s must be %llu..%llu", what,
			  (unsigned long long)min, (unsigned long long)max);
}

bool parse_u32(const char *text, const char *what, uint32_t min, uint32_t max,
	       uint32_t *v)
{
	uint64_t n;

	if (!parse_u64(text, what, min, max, &n))
		return false;
	*v = (uint32_t)n;
	return true;
}

bool parse_port(const char *text, uint16_t *port)
{
	uint32_t n;

	if (!parse_u32(text, "port", 1, 65535, &n))
		return false;
	*port = (uint16_t)n;
	return true;
}

bool parse_duration(const char *text, const char *what, uint64_t unit_us,
		    uint32_t min, uint32_t max, uint32_t *v)
{
	static const struct {
		const char	*name;
		uint64_t	us;
	} units[] = {
		{ "us", 1 }, { "ms", 1000 }, { "s", 1000000 },
		{ "m", 60000000 }, { "h", 3600000000 },
	};
	const char *unit = unit_us == 1 ? "us" : unit_us == 1000 ? "ms" : "s";
	const char *end;
	uint64_t n;
	size_t i;

	if (!scan_u64(text, &n, &end))
		return args_wrong(text, "%s must be a time such as 400us, 20ms or 5s",
				  what);
	if (!*end)
		return args_wrong(text, "%s needs a unit: us, ms, s, m or h", what);
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(end, units[i].name))
			break;
	if (i == sizeof(units) / sizeof(units[0]))
		return args_wrong(text, "the unit of %s must be us, ms, s, m or h",
				  what);
	if (n && units[i].us > UINT64_MAX / n)
		n = UINT64_MAX;
	else
		n *= units[i].us;
	if (n != UINT64_MAX && n % unit_us)
		return args_wrong(text, "%s is counted in whole %s", what, unit);
	n /= unit_us;
	if (n < min || n > max)
		return args_wrong(text, "%s must be %u%s..%u%s", what, min,
				  unit, max, unit);
	*v = (uint32_t)n;
	return true;
}

bool parse_addr(const char *text, const char *what, struct ip_addr *addr)
{
	return ip_parse(text, addr) ||
	       args_wrong(text, "%s must be an IPv4 or IPv6 address", what);
}

bool parse_ifaddr(const char *text, struct ip_addr *addr, unsigned int *len)
{
	const char *slash = strchr(text, '/');
	char buf[IP_TEXT_MAX];
	unsigned int max;
	const char *end;
	uint64_t n;

	snprintf(buf, sizeof(buf), "%.*s",
		 slash ? (int)(slash - text) : (int)strlen(text), text);
	if (!ip_parse(buf, addr))
		return args_wrong(text, "address must be ADDR or ADDR/LEN");
	max = ip_bytes(addr) * 8;
	*len = max;
	if (!slash)
		return true;
	if (!scan_u64(slash + 1, &n, &end) || *end || n > max)
		return args_wrong(text, "prefix length must be 0..%u", max);
	*len = (unsigned int)n;
	return true;
}

bool check_tag(const char *text)
{
	return tag_valid(text) ||
	       args_wrong(text, "a tag has 1..%d of a-z, 0-9 and '-', no '-' at either end",
			  VNIMESH_TAG_MAX);
}

bool parse_tag(const char *text, char tag[VNIMESH_TAG_MAX + 1])
{
	if (!check_tag(text))
		return false;
	snprintf(tag, VNIMESH_TAG_MAX + 1, "%s", text);
	return true;
}

bool parse_dev(const char *name, uint32_t *ifindex)
{
	char buf[VNM_ESCAPE_MAX(256)];

	*ifindex = if_nametoindex(name);
	if (*ifindex)
		return true;
	fprintf(stderr, "Error: Cannot find device \"%s\".\n",
		vnm_escape(name, buf, sizeof(buf)));
	return false;
}

bool args_need_tag(struct args *a, char tag[VNIMESH_TAG_MAX + 1])
{
	const char *text = args_need(a, "TAG");

	return text && parse_tag(text, tag);
}

int args_dev(struct args *a, uint32_t *ifindex)
{
	const char *name;

	if (!args_take(a, "dev"))
		return 0;
	name = args_value(a, "dev");
	return name && parse_dev(name, ifindex) ? 1 : -1;
}
