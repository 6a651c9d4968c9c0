// SPDX-License-Identifier: GPL-2.0-or-later
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>

#include "record_attrs.h"
#include "record_fields.h"

static void append(char *buf, size_t size, const char *name)
{
	size_t len = strlen(buf);

	snprintf(buf + len, size - len, "%s%s", len ? "." : "", name);
}

static bool is_list(const struct vnm_field *f)
{
	return f->kind == VNM_K_PREFIXES || f->kind == VNM_K_PORTS ||
	       f->kind == VNM_K_CANDS;
}

/* Walk down to the attribute at @off, collecting names. Returns the type of
 * what is inside it, NULL when there is no such attribute or nothing inside.
 */
static const struct vnm_type *walk(const struct vnm_type *t, const char *base,
				   const char *p, int len, uint32_t off,
				   char *buf, size_t size)
{
	const struct vnm_type *inside;
	const struct vnm_field *f;
	const struct nlattr *attr;
	bool items = false;
	uint32_t at;
	int rem;

again:
	nla_for_each_attr(attr, (struct nlattr *)p, len, rem) {
		at = (uint32_t)((const char *)attr - base);
		if (off < at || off >= at + NLA_ALIGN(attr->nla_len))
			continue;
		if (items) {
			/* The items of a list have no names of their own. */
			items = false;
			inside = t;
			f = NULL;
		} else {
			f = vnm_field(t, (unsigned int)nla_type(attr));
			if (!f)
				return NULL;
			append(buf, size, f->name);
			inside = vnm_field_nest(f);
		}
		if (off == at || !inside)
			return inside;
		items = f && is_list(f);
		t = inside;
		p = nla_data(attr);
		len = nla_len(attr);
		goto again;
	}
	return NULL;
}

void vnm_attrs_name(const struct vnm_type *t, const struct nlmsghdr *req,
		    uint32_t start, uint32_t off, bool missing, uint32_t type,
		    char *buf, size_t size)
{
	const char *base = (const char *)req;
	const struct vnm_field *f;
	char path[96] = "";

	if (!t || start > req->nlmsg_len)
		return;
	if (off)
		t = walk(t, base, base + start, (int)(req->nlmsg_len - start),
			 off, path, sizeof(path));
	if (missing) {
		f = t ? vnm_field(t, type) : NULL;
		if (!f)
			return;
		append(path, sizeof(path), f->name);
	}
	if (path[0])
		snprintf(buf, size, "%s", path);
}
