/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading JSON that others wrote: configuration files (strict: an unknown
 * field is an error) and request bodies (lenient: it is ignored, a newer peer
 * may have sent it). Everything else is the same for both: types, ranges and
 * duplicate names are checked, and an error names the field by its path.
 *
 * The first error sticks and later getters do nothing, so a caller reads all
 * fields in a row and asks jread_ok() once:
 *
 *	struct jread rd;
 *	struct jobj root, node;
 *	uint32_t port = 6081;
 *	char name[JNAME_MAX + 1];
 *
 *	jread_file(&rd, path, JREAD_STRICT);
 *	jread_root(&rd, &root);
 *	if (jget_obj(&root, "node", JREQ, &node)) {
 *		jget_name(&node, "name", JREQ, name);
 *		jget_u32(&node, "port", JOPT, 1, 65535, &port);
 *		jobj_end(&node);
 *	}
 *	jobj_end(&root);
 *	ok = jread_ok(&rd);
 *	... jread_error(&rd, buf, sizeof(buf)) ...
 *	jread_free(&rd);
 *
 * Ownership: the reader owns the tree; handles and strings point into it and
 * die with it. A handle refers to the one it came from, which must not move.
 */
#ifndef VNIMESH_JSON_H
#define VNIMESH_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "ip.h"
#include "tag.h"

#define JNAME_MAX	63	/* bytes of a node, zone or port name */
#define JKEY_MAX	64	/* digits of a public key */
#define JPORTS_MAX	16	/* port rules of a service or member */
#define JOBJ_FIELDS	24	/* known fields per object */
#define JINT_MAX	((1LL << 53) - 1) /* what every JSON reader keeps */

enum jread_mode {
	JREAD_LENIENT,
	JREAD_STRICT,
};

/* Whether a field must be there. An optional field that is absent leaves the
 * destination untouched and its getter returns false.
 */
enum jneed {
	JOPT,
	JREQ,
};

struct jread {
	enum jread_mode mode;
	json_t *root;
	bool failed;
	bool no_memory;		/* failed for that, as far as the library says, or
				 * for want of a descriptor
				 */
	int line;		/* of an error in a file, else 0 */
	int column;		/* of a syntax error, else 0 */
	char *src;		/* of a file, owned */
	size_t src_len;
	char file[256];		/* "" for a request body */
	char field[256];	/* path of the wrong field, or "" */
	char text[256];		/* what is wrong, without the place */
};

struct jobj {
	struct jread *rd;
	json_t *json;		/* NULL after an error: all getters fail */
	const struct jobj *up;	/* NULL: the root */
	const char *key;	/* name in *up, NULL: the root */
	int index;		/* in the array of that name, or -1 */
	unsigned int nr_seen;
	const char *seen[JOBJ_FIELDS];
};

struct jarr {
	const struct jobj *up;
	struct jread *rd;
	json_t *json;		/* an array, or one object standing for it */
	const char *key;
	unsigned int n;		/* elements */
};

/* A port rule: flows to (proto, port) of the service go to @target. */
struct jport {
	char name[JNAME_MAX + 1];
	uint8_t proto;		/* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t port;
	uint16_t target;
};

/* Start reading; false after an error. jread_free() is due in any case. */
bool jread_file(struct jread *rd, const char *file, enum jread_mode mode);
bool jread_buf(struct jread *rd, const char *buf, size_t len,
	       enum jread_mode mode);
void jread_free(struct jread *rd);

static inline bool jread_ok(const struct jread *rd)
{
	return !rd->failed;
}

/* The error as one line, 'FILE:LINE: field "a.b[2].c": TEXT'. */
const char *jread_error(const struct jread *rd, char *buf, size_t len);

/* Records an error about field @key of @obj (NULL: @obj itself). */
void jread_fail(const struct jobj *obj, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void jarr_fail(const struct jarr *arr, unsigned int i, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The top level: an object; or a list of objects, where one object alone
 * stands for a list of one.
 */
bool jread_root(struct jread *rd, struct jobj *obj);
bool jread_root_list(struct jread *rd, struct jarr *arr);

/* When all fields were asked for: strict mode refuses the others. */
bool jobj_end(struct jobj *obj);

/* Getters: true when the field is there and right and *ret is set. */
bool jget_obj(struct jobj *obj, const char *key, enum jneed need,
	      struct jobj *ret);
bool jget_arr(struct jobj *obj, const char *key, enum jneed need,
	      unsigned int max, struct jarr *ret);
bool jget_str(struct jobj *obj, const char *key, enum jneed need, size_t max,
	      const char **ret);
bool jget_int(struct jobj *obj, const char *key, enum jneed need, int64_t min,
	      int64_t max, int64_t *ret);
bool jget_u32(struct jobj *obj, const char *key, enum jneed need, uint32_t min,
	      uint32_t max, uint32_t *ret);
bool jget_bool(struct jobj *obj, const char *key, enum jneed need, bool *ret);

/* @family: AF_INET, AF_INET6, or 0 for either. */
bool jget_addr(struct jobj *obj, const char *key, enum jneed need, int family,
	       struct ip_addr *ret);
bool jget_prefix(struct jobj *obj, const char *key, enum jneed need,
		 int family, struct ip_prefix *ret);

bool jget_tag(struct jobj *obj, const char *key, enum jneed need,
	      char ret[TAG_MAX + 1]);

/* Letters, digits, '.', '_' and '-', up to JNAME_MAX; "" only if JOPT. */
bool jget_name(struct jobj *obj, const char *key, enum jneed need,
	       char ret[JNAME_MAX + 1]);

/* Exactly JKEY_MAX lower-case hexadecimal digits. */
bool jget_key(struct jobj *obj, const char *key, enum jneed need,
	      char ret[JKEY_MAX + 1]);

/* One of @words (NULL at the end): its index. */
bool jget_word(struct jobj *obj, const char *key, enum jneed need,
	       const char *const *words, unsigned int *ret);

/* An array of {name, proto, port, target}; no (proto, port) twice. */
bool jget_ports(struct jobj *obj, const char *key, enum jneed need,
		struct jport ret[JPORTS_MAX], unsigned int *nr);

/* Element @i: as an object, or a string of at most @max bytes. */
bool jarr_obj(const struct jarr *arr, unsigned int i, struct jobj *ret);
bool jarr_str(const struct jarr *arr, unsigned int i, size_t max,
	      const char **ret);

/* The way back: a new array, or NULL without memory. */
json_t *jports_pack(const struct jport *ports, unsigned int nr);

#endif
