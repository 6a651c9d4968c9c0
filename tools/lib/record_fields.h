/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables behind record.h; the tool reads its keywords from them too. */
#ifndef VNM_RECORD_FIELDS_H
#define VNM_RECORD_FIELDS_H

#include "record.h"

enum vnm_kind {
	VNM_K_NONE,	/* not an attribute we know, or padding */
	VNM_K_U8,
	VNM_K_BOOL,	/* u8, 0 or 1 */
	VNM_K_ENUM,	/* u8 with words */
	VNM_K_FAMILY,	/* u8, AF_INET or AF_INET6 */
	VNM_K_BE16,
	VNM_K_U32,
	VNM_K_S32,
	VNM_K_US,	/* u32 */
	VNM_K_MS,	/* u32 */
	VNM_K_SEC,	/* u32 */
	VNM_K_U64,
	VNM_K_FLAG,
	VNM_K_STRING,
	VNM_K_ADDR,	/* 4 or 16 bytes */
	VNM_K_ADDR4,
	VNM_K_ADDR6,
	VNM_K_PREFIX,	/* nest */
	VNM_K_PREFIXES,	/* nest of nests */
	VNM_K_PORTS,	/* nest of nests */
	VNM_K_CANDS,	/* nest of nests */
	VNM_K_TIERS,	/* nest of nests */
	VNM_K_STATS,	/* nest */
};

#define VNM_F_SET	0x1	/* a request may carry it: keyword of the tool */
#define VNM_F_DETAIL	0x2	/* text shows it with VNM_SHOW_DETAIL only */
#define VNM_F_STAT	0x4	/* belongs into the object "stats" */
#define VNM_F_QUIET	0x8	/* text never shows it by itself */

/* One attribute. @name is that of the YAML specification, @json the name in
 * JSON, @word the keyword in text and of the tool.
 */
struct vnm_field {
	const char	*name;
	enum vnm_kind	kind;
	uint16_t	off;
	uint16_t	size;	/* of a string, with NUL */
	uint16_t	flags;
	enum vnm_words	words;
	uint32_t	min;
	uint32_t	max;
	const char	*json;
	const char	*word;
};

struct vnm_type {
	const char		*name;
	const struct vnm_field	*fields;	/* by attribute number */
	unsigned int		max;
	size_t			size;
};

/* The field of attribute @attr, NULL if unknown. */
const struct vnm_field *vnm_field(const struct vnm_type *t, unsigned int attr);

/* The type inside a nest (of a list: of its items), NULL if @f is no nest. */
const struct vnm_type *vnm_field_nest(const struct vnm_field *f);

extern const struct vnm_type vnm_prefix_type;

#endif /* VNM_RECORD_FIELDS_H */
