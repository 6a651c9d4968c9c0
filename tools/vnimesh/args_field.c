// SPDX-License-Identifier: GPL-2.0-or-later
/* Keywords and values of the records, from the tables of record_fields.h. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "record_fields.h"

static bool parse_word(const struct vnm_field *f, const char *text, void *p)
{
	int v = vnm_word_value(f->words, text);
	char list[128];

	if (v < 0) {
		vnm_word_list(f->words, list, sizeof(list));
		return args_wrong(text, "%s must be one of %s", f->word, list);
	}
	*(uint8_t *)p = (uint8_t)v;
	return true;
}

static bool parse_string(const struct vnm_field *f, const char *text, char *p)
{
	size_t len = strlen(text);

	if (len >= f->size)
		return args_wrong(text, "%s has at most %u bytes", f->word,
				  f->size - 1U);
	memcpy(p, text, len + 1);
	return true;
}

static bool parse_bool(const struct vnm_field *f, const char *text, uint8_t *v)
{
	*v = !strcmp(text, "on");
	return *v || !strcmp(text, "off") ||
	       args_wrong(text, "%s must be on or off", f->word);
}

static bool parse_family(const char *text, uint8_t *v)
{
	*v = !strcmp(text, "inet6") ? AF_INET6 : AF_INET;
	return *v == AF_INET6 || !strcmp(text, "inet") ||
	       args_wrong(text, "family must be inet or inet6");
}

static bool parse_prefix(const struct vnm_field *f, const char *text,
			 struct ip_prefix *p)
{
	return ip_prefix_parse(text, p) ||
	       args_wrong(text, "%s must be ADDR/LEN without host bits", f->word);
}

/* [NAME:]PROTO/PORT[:TARGET] */
static bool parse_port_rule(const char *text, struct vnm_port *port)
{
	const char *slash = strchr(text, '/');
	char name[128], number[8];
	size_t len;
	const char *colon;
	char *proto;
	int v;

	memset(port, 0, sizeof(*port));
	if (!slash || (size_t)(slash - text) >= sizeof(name))
		return args_wrong(text, "port must be [NAME:]PROTO/PORT[:TARGET]");
	snprintf(name, sizeof(name), "%.*s", (int)(slash - text), text);
	proto = strrchr(name, ':');
	if (proto) {
		*proto++ = '\0';
		if (!name[0] || strlen(name) > VNIMESH_NAME_MAX)
			return args_wrong(text, "a port name has 1..%d bytes",
					  VNIMESH_NAME_MAX);
		strcpy(port->name, name);
		port->present |= VNM_BIT(VNIMESH_A_PORT_NAME);
	} else {
		proto = name;
	}
	v = vnm_word_value(VNM_WORDS_PROTO, proto);
	if (v < 0)
		return args_wrong(text, "the protocol of a port must be tcp or udp");
	VNM_SET(port, proto, VNIMESH_A_PORT_PROTO, (uint8_t)v);
	colon = strchr(slash, ':');
	len = colon ? (size_t)(colon - slash - 1) : strlen(slash + 1);
	if (len >= sizeof(number))
		return args_wrong(text, "port must be 1..65535");
	memcpy(number, slash + 1, len);
	number[len] = '\0';
	if (!parse_port(number, &port->port))
		return false;
	port->present |= VNM_BIT(VNIMESH_A_PORT_PORT);
	if (!colon)
		return true;
	port->present |= VNM_BIT(VNIMESH_A_PORT_TARGET);
	return parse_port(colon + 1, &port->target);
}

/* Lists grow with each use of their keyword; "none" is the empty list. */
static bool parse_item(const struct vnm_field *f, const char *text, bool first,
		       void *p)
{
	uint32_t max = f->kind == VNM_K_PORTS ? VNIMESH_PORTS_MAX :
		       VNIMESH_PREFIXES_MAX;
	struct vnm_prefixes *prefixes = p;
	struct vnm_ports *ports = p;
	uint32_t *n = p;

	if (!strcmp(text, "none"))
		return first || args_wrong(text, "none stands alone");
	if (!first && !*n)
		return args_wrong(text, "none stands alone");
	if (*n == max)
		return args_wrong(text, "there are at most %u of %s", max, f->word);
	if (f->kind == VNM_K_PORTS) {
		if (!parse_port_rule(text, &ports->v[*n]))
			return false;
	} else if (!parse_prefix(f, text, &prefixes->v[*n])) {
		return false;
	}
	++*n;
	return true;
}

static bool parse_value(const struct vnm_field *f, const char *text, void *p)
{
	uint32_t v;

	switch (f->kind) {
	case VNM_K_U8:
		if (!parse_u32(text, f->word, f->min, f->max, &v))
			return false;
		*(uint8_t *)p = (uint8_t)v;
		return true;
	case VNM_K_BOOL:
		return parse_bool(f, text, p);
	case VNM_K_ENUM:
		return parse_word(f, text, p);
	case VNM_K_FAMILY:
		return parse_family(text, p);
	case VNM_K_BE16:
		if (!parse_u32(text, f->word, f->min, f->max, &v))
			return false;
		*(uint16_t *)p = (uint16_t)v;
		return true;
	case VNM_K_U32:
		return parse_u32(text, f->word, f->min, f->max, p);
	case VNM_K_US:
		return parse_duration(text, f->word, 1, f->min, f->max, p);
	case VNM_K_MS:
		return parse_duration(text, f->word, 1000, f->min, f->max, p);
	case VNM_K_SEC:
		return parse_duration(text, f->word, 1000000, f->min, f->max, p);
	case VNM_K_U64:
		return parse_u64(text, f->word, 0, UINT64_MAX, p);
	case VNM_K_STRING:
		return parse_string(f, text, p);
	case VNM_K_ADDR:
	case VNM_K_ADDR4:
	case VNM_K_ADDR6:
		return parse_addr(text, f->word, p);
	case VNM_K_PREFIX:
		return parse_prefix(f, text, p);
	default:
		return args_wrong(text, "%s cannot be set", f->word);
	}
}

/* "service-prefix none": both families, as there is no address to tell. */
static void clear_prefixes(struct vnm_mesh *mesh)
{
	mesh->service_prefix4.addr.family = AF_INET;
	mesh->service_prefix6.addr.family = AF_INET6;
	mesh->present |= VNM_BIT(VNIMESH_A_MESH_SERVICE_PREFIX4) |
			 VNM_BIT(VNIMESH_A_MESH_SERVICE_PREFIX6);
}

/* Whether attribute @attr takes @text; a keyword may stand for two, one for
 * each family.
 */
static bool fits(const struct vnm_field *f, const char *text)
{
	struct ip_prefix pre;
	struct ip_addr addr;

	switch (f->kind) {
	case VNM_K_ADDR4:
		return !ip_parse(text, &addr) || addr.family == AF_INET;
	case VNM_K_ADDR6:
		return ip_parse(text, &addr) && addr.family == AF_INET6;
	case VNM_K_PREFIX:
		if (!ip_prefix_parse(text, &pre))
			return f->size == 4;
		return ip_bytes(&pre.addr) == f->size;
	default:
		return true;
	}
}

int args_field(struct args *a, const struct vnm_type *t, void *rec)
{
	const char *word = args_peek(a), *text;
	const struct vnm_field *f = NULL;
	uint64_t *present = rec;
	bool list, first;
	unsigned int i;
	void *p;

	for (i = 1; word && i <= t->max; i++) {
		f = vnm_field(t, i);
		if (f && (f->flags & VNM_F_SET) && !strcmp(f->word, word))
			break;
	}
	if (!word || i > t->max)
		return 0;
	args_next(a);
	text = args_value(a, word);
	if (!text)
		return -1;
	if (f->kind == VNM_K_PREFIX && !strcmp(text, "none")) {
		clear_prefixes(rec);
		return 1;
	}
	while (!fits(f, text) && i < t->max)
		f = vnm_field(t, ++i);
	list = f->kind == VNM_K_PORTS || f->kind == VNM_K_PREFIXES;
	first = !(*present & VNM_BIT(i));
	if (!first && !list) {
		args_wrong(text, "%s is given twice", word);
		return -1;
	}
	*present |= VNM_BIT(i);
	p = (char *)rec + f->off;
	if (list)
		return parse_item(f, text, first, p) ? 1 : -1;
	return parse_value(f, text, p) ? 1 : -1;
}
