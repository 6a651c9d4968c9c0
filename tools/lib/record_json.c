// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <string.h>

#include "record_escape.h"
#include "record_fields.h"

static json_t *string(const char *text)
{
	char buf[VNM_ESCAPE_MAX(256)];
	json_t *j = json_string(text);

	/* jansson takes UTF-8 only, the kernel takes any bytes. */
	return j ? j : json_string(vnm_escape(text, buf, sizeof(buf)));
}

static json_t *u64(uint64_t v)
{
	char buf[24];

	if (v <= INT64_MAX)
		return json_integer((json_int_t)v);
	snprintf(buf, sizeof(buf), "%llu", (unsigned long long)v);
	return json_string(buf);
}

static json_t *word(const struct vnm_field *f, unsigned int value)
{
	char buf[16];
	const char *text = vnm_word_text(f->words, value, buf, sizeof(buf));

	return text == buf ? json_integer(value) : json_string(text);
}

static json_t *address(const struct ip_addr *a)
{
	char buf[IP_TEXT_MAX];

	return json_string(ip_text(a, buf));
}

static json_t *prefix(const struct ip_prefix *p)
{
	char buf[IP_TEXT_MAX];

	return json_string(ip_prefix_text(p, buf));
}

static json_t *port(const struct vnm_port *p)
{
	struct vnm_port full = *p;

	if (!VNM_HAS(p, VNIMESH_A_PORT_TARGET))
		VNM_SET(&full, target, VNIMESH_A_PORT_TARGET, p->port);
	return vnm_record_json(&vnm_port_type, &full, 0);
}

static json_t *list(const struct vnm_field *f, const void *p, unsigned int show)
{
	const struct vnm_prefixes *prefixes = p;
	const struct vnm_ports *ports = p;
	const struct vnm_cands *cands = p;
	const struct vnm_tiers *tiers = p;
	uint32_t n = *(const uint32_t *)p, i;
	json_t *j = json_array(), *item;

	for (i = 0; j && i < n; i++) {
		if (f->kind == VNM_K_PREFIXES)
			item = prefix(&prefixes->v[i]);
		else if (f->kind == VNM_K_PORTS)
			item = port(&ports->v[i]);
		else if (f->kind == VNM_K_TIERS)
			item = vnm_record_json(&vnm_tier_type, &tiers->v[i],
					       show);
		else
			item = vnm_record_json(&vnm_cand_type, &cands->v[i],
					       show);
		if (json_array_append_new(j, item)) {
			json_decref(j);
			return NULL;
		}
	}
	return j;
}

static json_t *value(const struct vnm_field *f, const void *p,
		     unsigned int show)
{
	const struct ip_prefix *pre = p;

	switch (f->kind) {
	case VNM_K_U8:
		return json_integer(*(const uint8_t *)p);
	case VNM_K_BOOL:
		return json_boolean(*(const uint8_t *)p);
	case VNM_K_FLAG:
		return json_boolean(*(const bool *)p);
	case VNM_K_ENUM:
		return word(f, *(const uint8_t *)p);
	case VNM_K_FAMILY:
		return json_string(*(const uint8_t *)p == AF_INET6 ? "inet6" :
				   "inet");
	case VNM_K_BE16:
		return json_integer(*(const uint16_t *)p);
	case VNM_K_S32:
		return json_integer(*(const int32_t *)p);
	case VNM_K_U32:
	case VNM_K_US:
	case VNM_K_MS:
	case VNM_K_SEC:
		return json_integer(*(const uint32_t *)p);
	case VNM_K_U64:
		return u64(*(const uint64_t *)p);
	case VNM_K_STRING:
		return string(p);
	case VNM_K_ADDR:
	case VNM_K_ADDR4:
	case VNM_K_ADDR6:
		return address(p);
	case VNM_K_PREFIX:
		return pre->addr.family ? prefix(pre) : json_string("none");
	case VNM_K_PREFIXES:
	case VNM_K_PORTS:
	case VNM_K_CANDS:
	case VNM_K_TIERS:
		return list(f, p, show);
	case VNM_K_STATS:
		return vnm_record_json(&vnm_stats_type, p, show);
	case VNM_K_NONE:
		break;
	}
	return NULL;
}

/* The name in JSON; counters have none of their own: "flow-new", "flow_new". */
static const char *key(const struct vnm_field *f, char *buf, size_t size)
{
	char *p;

	if (f->json)
		return f->json;
	snprintf(buf, size, "%s", f->name);
	for (p = buf; *p; p++)
		if (*p == '-')
			*p = '_';
	return buf;
}

static int put(json_t *obj, const struct vnm_field *f, json_t *v)
{
	char buf[64];

	if (!(f->flags & VNM_F_STAT) || f->kind == VNM_K_STATS)
		return json_object_set_new(obj, key(f, buf, sizeof(buf)), v);
	if (!json_object_get(obj, "stats") &&
	    json_object_set_new(obj, "stats", json_object())) {
		json_decref(v);
		return -1;
	}
	return json_object_set_new(json_object_get(obj, "stats"),
				   key(f, buf, sizeof(buf)), v);
}

json_t *vnm_record_json(const struct vnm_type *t, const void *rec,
			unsigned int show)
{
	json_t *obj = json_object();
	const struct vnm_field *f;
	unsigned int i;

	for (i = 1; obj && i <= t->max; i++) {
		f = vnm_field(t, i);
		if (!f || !vnm_present(rec, i))
			continue;
		if ((f->flags & VNM_F_STAT) && !(show & VNM_SHOW_STATS))
			continue;
		if (put(obj, f, value(f, (const char *)rec + f->off, show))) {
			json_decref(obj);
			return NULL;
		}
	}
	return obj;
}
