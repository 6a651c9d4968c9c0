// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "json_place.h"

/* Appends to a text that may be cut off, never overrun. */
static void __attribute__((format(printf, 3, 4)))
append(char *buf, size_t len, const char *fmt, ...)
{
	size_t n = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + n, len - n, fmt, ap);
	va_end(ap);
}

static void path_append(struct jread *rd, const char *key, int index)
{
	size_t len = sizeof(rd->field);

	if (key)
		append(rd->field, len, "%s%s", rd->field[0] ? "." : "", key);
	if (index >= 0)
		append(rd->field, len, "[%d]", index);
}

static void path_build(struct jread *rd, const struct jobj *obj)
{
	if (!obj)
		return;
	path_build(rd, obj->up);
	path_append(rd, obj->key, obj->index);
}

/* The place of an error: @key in @up, element @index of it. */
__attribute__((format(printf, 5, 0)))
static void fail(struct jread *rd, const struct jobj *up, const char *key, int index,
		 const char *fmt, va_list ap)
{
	if (rd->failed)
		return;
	rd->failed = true;
	rd->field[0] = '\0';
	path_build(rd, up);
	path_append(rd, key, index);
	if (rd->src)
		rd->line = json_place(rd->src, rd->src_len, rd->field);
	vsnprintf(rd->text, sizeof(rd->text), fmt, ap);
}

void jread_fail(const struct jobj *obj, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail(obj->rd, obj, key, -1, fmt, ap);
	va_end(ap);
}

void jarr_fail(const struct jarr *arr, unsigned int i, const char *fmt, ...)
{
	/* The one object that stands for a list has no index. */
	int index = json_is_array(arr->json) ? (int)i : -1;
	va_list ap;

	va_start(ap, fmt);
	fail(arr->rd, arr->up, arr->key, index, fmt, ap);
	va_end(ap);
}

const char *jread_error(const struct jread *rd, char *buf, size_t len)
{
	buf[0] = '\0';
	if (rd->file[0])
		append(buf, len, "%s:", rd->file);
	if (rd->line)
		append(buf, len, "%d:", rd->line);
	if (rd->line && rd->column)
		append(buf, len, "%d:", rd->column);
	if (buf[0])
		append(buf, len, " ");
	if (rd->field[0])
		append(buf, len, "field \"%s\": ", rd->field);
	append(buf, len, "%s", rd->text);
	return buf;
}

static void start(struct jread *rd, const char *file, enum jread_mode mode)
{
	memset(rd, 0, sizeof(*rd));
	rd->mode = mode;
	snprintf(rd->file, sizeof(rd->file), "%s", file);
}

static bool no_memory(struct jread *rd)
{
	rd->failed = true;
	rd->no_memory = true;
	strcpy(rd->text, "no memory");
	return false;
}

static bool started(struct jread *rd, const json_error_t *error)
{
	if (rd->root)
		return true;
	/* The library has no word for most of what it gets none for. */
	if (!error->text[0] ||
	    json_error_code(error) == json_error_out_of_memory)
		return no_memory(rd);
	rd->failed = true;
	rd->line = error->line > 0 ? error->line : 0;
	rd->column = error->column;
	snprintf(rd->text, sizeof(rd->text), "%s", error->text);
	return false;
}

/* All of a file, with a NUL behind. */
static char *slurp(FILE *f, size_t *len)
{
	size_t room = 4096, n;
	char *buf = malloc(room), *old = buf;

	for (*len = 0; buf; *len += n) {
		n = fread(buf + *len, 1, room - *len - 1, f);
		if (!n)
			break;
		if (room - *len - n > 1)
			continue;
		room *= 2;
		old = buf;
		buf = realloc(buf, room);
	}
	if (buf)
		buf[*len] = '\0';
	else
		free(old);
	return buf;
}

/* It says nothing of the file, which is there in a moment. */
static bool no_room(int err)
{
	return err == ENOMEM || err == ENFILE || err == EMFILE;
}

bool jread_file(struct jread *rd, const char *file, enum jread_mode mode)
{
	json_error_t error;
	struct stat st;
	FILE *f = NULL;
	int fd, err;

	start(rd, file, mode);
	/* A FIFO has nobody who writes. */
	fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && !fstat(fd, &st)) {
		if (S_ISREG(st.st_mode))
			f = fdopen(fd, "r");
		else
			errno = EINVAL;
	}
	if (!f) {
		rd->failed = true;
		rd->no_memory = no_room(errno);
		snprintf(rd->text, sizeof(rd->text), "%s",
			 fd >= 0 && errno == EINVAL ? "not a regular file" :
						      strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	errno = 0;
	rd->src = slurp(f, &rd->src_len);
	err = ferror(f) ? errno : 0;
	fclose(f);
	if (!rd->src)
		return no_memory(rd);
	if (err) {
		rd->failed = true;
		snprintf(rd->text, sizeof(rd->text), "%s", strerror(err));
		return false;
	}
	rd->root = json_loadb(rd->src, rd->src_len, JSON_REJECT_DUPLICATES,
			      &error);
	return started(rd, &error);
}

bool jread_buf(struct jread *rd, const char *buf, size_t len,
	       enum jread_mode mode)
{
	json_error_t error;

	start(rd, "", mode);
	rd->root = json_loadb(buf, len, JSON_REJECT_DUPLICATES, &error);
	return started(rd, &error);
}

void jread_free(struct jread *rd)
{
	json_decref(rd->root);
	rd->root = NULL;
	free(rd->src);
	rd->src = NULL;
}

static void obj_init(struct jobj *obj, struct jread *rd, json_t *json,
		     const struct jobj *up, const char *key, int index)
{
	obj->rd = rd;
	obj->json = json;
	obj->up = up;
	obj->key = key;
	obj->index = index;
	obj->nr_seen = 0;
}

bool jread_root(struct jread *rd, struct jobj *obj)
{
	obj_init(obj, rd, NULL, NULL, NULL, -1);
	if (rd->failed)
		return false;
	if (!json_is_object(rd->root)) {
		jread_fail(obj, NULL, "must be an object");
		return false;
	}
	obj->json = rd->root;
	return true;
}

bool jread_root_list(struct jread *rd, struct jarr *arr)
{
	memset(arr, 0, sizeof(*arr));
	arr->rd = rd;
	if (rd->failed)
		return false;
	arr->json = rd->root;
	arr->n = json_is_array(rd->root) ? json_array_size(rd->root) : 1;
	return true;
}

static bool known(const struct jobj *obj, const char *key)
{
	unsigned int i;

	for (i = 0; i < obj->nr_seen; i++)
		if (!strcmp(obj->seen[i], key))
			return true;
	return false;
}

bool jobj_end(struct jobj *obj)
{
	const char *key;
	json_t *value;

	if (obj->rd->mode == JREAD_STRICT && !obj->rd->failed && obj->json)
		json_object_foreach(obj->json, key, value)
			if (!known(obj, key))
				jread_fail(obj, key, "unknown field");
	return !obj->rd->failed;
}

/* The value of a field, or NULL: absent, or an error before or now. */
static json_t *get(struct jobj *obj, const char *key, enum jneed need)
{
	json_t *value;

	if (obj->rd->failed || !obj->json)
		return NULL;
	if (obj->nr_seen < JOBJ_FIELDS)
		obj->seen[obj->nr_seen++] = key;
	value = json_object_get(obj->json, key);
	if (!value && need == JREQ)
		jread_fail(obj, key, "required");
	return value;
}

/* The same, of one type, which an error calls @what. */
static json_t *get_typed(struct jobj *obj, const char *key, enum jneed need,
			 json_type type, const char *what)
{
	json_t *value = get(obj, key, need);

	if (value && json_typeof(value) != type) {
		jread_fail(obj, key, "must be %s", what);
		return NULL;
	}
	return value;
}

bool jget_obj(struct jobj *obj, const char *key, enum jneed need,
	      struct jobj *ret)
{
	json_t *value = get_typed(obj, key, need, JSON_OBJECT, "an object");

	obj_init(ret, obj->rd, value, obj, key, -1);
	return value;
}

bool jget_arr(struct jobj *obj, const char *key, enum jneed need,
	      unsigned int max, struct jarr *ret)
{
	json_t *value = get_typed(obj, key, need, JSON_ARRAY, "an array");

	memset(ret, 0, sizeof(*ret));
	ret->rd = obj->rd;
	ret->up = obj;
	ret->key = key;
	if (!value)
		return false;
	if (json_array_size(value) > max) {
		jread_fail(obj, key, "must have at most %u elements", max);
		return false;
	}
	ret->json = value;
	ret->n = json_array_size(value);
	return true;
}

bool jget_str(struct jobj *obj, const char *key, enum jneed need, size_t max,
	      const char **ret)
{
	json_t *value = get_typed(obj, key, need, JSON_STRING, "a string");

	if (!value)
		return false;
	if (json_string_length(value) > max) {
		jread_fail(obj, key, "must have at most %zu bytes", max);
		return false;
	}
	*ret = json_string_value(value);
	return true;
}

bool jget_int(struct jobj *obj, const char *key, enum jneed need, int64_t min,
	      int64_t max, int64_t *ret)
{
	json_t *value = get_typed(obj, key, need, JSON_INTEGER, "an integer");

	if (!value)
		return false;
	if (json_integer_value(value) < min || json_integer_value(value) > max) {
		jread_fail(obj, key, "must be %lld to %lld", (long long)min,
			   (long long)max);
		return false;
	}
	*ret = json_integer_value(value);
	return true;
}

bool jget_u32(struct jobj *obj, const char *key, enum jneed need, uint32_t min,
	      uint32_t max, uint32_t *ret)
{
	int64_t value;

	if (!jget_int(obj, key, need, min, max, &value))
		return false;
	*ret = value;
	return true;
}

bool jget_bool(struct jobj *obj, const char *key, enum jneed need, bool *ret)
{
	json_t *value = get(obj, key, need);

	if (!value)
		return false;
	if (!json_is_boolean(value)) {
		jread_fail(obj, key, "must be true or false");
		return false;
	}
	*ret = json_is_true(value);
	return true;
}

static const char *family_word(int family)
{
	switch (family) {
	case AF_INET:
		return "IPv4";
	case AF_INET6:
		return "IPv6";
	}
	return "IPv4 or IPv6";
}

bool jget_addr(struct jobj *obj, const char *key, enum jneed need, int family,
	       struct ip_addr *ret)
{
	struct ip_addr addr;
	const char *text;

	if (!jget_str(obj, key, need, IP_TEXT_MAX, &text))
		return false;
	if (!ip_parse(text, &addr) || (family && addr.family != family)) {
		jread_fail(obj, key, "must be an %s address",
			   family_word(family));
		return false;
	}
	*ret = addr;
	return true;
}

bool jget_prefix(struct jobj *obj, const char *key, enum jneed need,
		 int family, struct ip_prefix *ret)
{
	struct ip_prefix prefix;
	const char *text;

	if (!jget_str(obj, key, need, IP_TEXT_MAX, &text))
		return false;
	if (!ip_prefix_parse(text, &prefix) ||
	    (family && prefix.addr.family != family)) {
		jread_fail(obj, key,
			   "must be an %s prefix, address/length, without host bits",
			   family_word(family));
		return false;
	}
	*ret = prefix;
	return true;
}

bool jget_tag(struct jobj *obj, const char *key, enum jneed need,
	      char ret[TAG_MAX + 1])
{
	const char *text;

	if (!jget_str(obj, key, need, SIZE_MAX, &text))
		return false;
	if (!tag_valid(text)) {
		jread_fail(obj, key,
			   "must be a tag: 1 to %u of a-z 0-9 -, no - at the ends",
			   TAG_MAX);
		return false;
	}
	strcpy(ret, text);
	return true;
}

static bool name_valid(const char *text)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return strspn(text, set) == strlen(text);
}

bool jget_name(struct jobj *obj, const char *key, enum jneed need,
	       char ret[JNAME_MAX + 1])
{
	const char *text;

	if (!jget_str(obj, key, need, JNAME_MAX, &text))
		return false;
	if (!name_valid(text) || (need == JREQ && !*text)) {
		jread_fail(obj, key,
			   "must be a name: %s%u of letters, digits, . _ -",
			   need == JREQ ? "1 to " : "up to ", JNAME_MAX);
		return false;
	}
	strcpy(ret, text);
	return true;
}

bool jget_key(struct jobj *obj, const char *key, enum jneed need,
	      char ret[JKEY_MAX + 1])
{
	const char *text;

	if (!jget_str(obj, key, need, SIZE_MAX, &text))
		return false;
	if (strlen(text) != JKEY_MAX ||
	    strspn(text, "0123456789abcdef") != JKEY_MAX) {
		jread_fail(obj, key, "must be %u lower-case hexadecimal digits",
			   JKEY_MAX);
		return false;
	}
	strcpy(ret, text);
	return true;
}

bool jget_word(struct jobj *obj, const char *key, enum jneed need,
	       const char *const *words, unsigned int *ret)
{
	char list[128] = "";
	const char *text;
	unsigned int i;

	if (!jget_str(obj, key, need, SIZE_MAX, &text))
		return false;
	for (i = 0; words[i]; i++) {
		if (!strcmp(words[i], text)) {
			*ret = i;
			return true;
		}
		append(list, sizeof(list), "%s%s", i ? ", " : "", words[i]);
	}
	jread_fail(obj, key, "must be one of: %s", list);
	return false;
}

static bool port_read(const struct jarr *arr, unsigned int i,
		      struct jport *port)
{
	static const char *const protos[] = { "tcp", "udp", NULL };
	unsigned int proto = 0;
	uint32_t value = 0;
	uint32_t target;
	struct jobj obj;

	memset(port, 0, sizeof(*port));
	if (!jarr_obj(arr, i, &obj))
		return false;
	jget_name(&obj, "name", JOPT, port->name);
	jget_word(&obj, "proto", JREQ, protos, &proto);
	jget_u32(&obj, "port", JREQ, 1, 65535, &value);
	target = value;
	jget_u32(&obj, "target", JOPT, 1, 65535, &target);
	port->proto = proto ? IPPROTO_UDP : IPPROTO_TCP;
	port->port = value;
	port->target = target;
	return jobj_end(&obj);
}

bool jget_ports(struct jobj *obj, const char *key, enum jneed need,
		struct jport ret[JPORTS_MAX], unsigned int *nr)
{
	struct jarr arr;
	unsigned int i;
	unsigned int j;

	if (!jget_arr(obj, key, need, JPORTS_MAX, &arr))
		return false;
	for (i = 0; i < arr.n; i++) {
		if (!port_read(&arr, i, &ret[i]))
			return false;
		for (j = 0; j < i; j++)
			if (ret[j].proto == ret[i].proto &&
			    ret[j].port == ret[i].port) {
				jarr_fail(&arr, i,
					  "same protocol and port as element %u",
					  j);
				return false;
			}
	}
	*nr = arr.n;
	return true;
}

bool jarr_obj(const struct jarr *arr, unsigned int i, struct jobj *ret)
{
	bool list = json_is_array(arr->json);
	json_t *value = list ? json_array_get(arr->json, i) : arr->json;

	obj_init(ret, arr->rd, NULL, arr->up, arr->key, list ? (int)i : -1);
	if (arr->rd->failed)
		return false;
	if (!json_is_object(value)) {
		jarr_fail(arr, i, "must be an object");
		return false;
	}
	ret->json = value;
	return true;
}

bool jarr_str(const struct jarr *arr, unsigned int i, size_t max,
	      const char **ret)
{
	json_t *value = json_array_get(arr->json, i);

	if (arr->rd->failed)
		return false;
	if (!json_is_string(value) || json_string_length(value) > max) {
		jarr_fail(arr, i, "must be a string of at most %zu bytes", max);
		return false;
	}
	*ret = json_string_value(value);
	return true;
}

json_t *jports_pack(const struct jport *ports, unsigned int nr)
{
	json_t *list = json_array();
	unsigned int i;
	json_t *item;

	for (i = 0; list && i < nr; i++) {
		item = json_pack("{s:s, s:s, s:i, s:i}", "name", ports[i].name,
				 "proto",
				 ports[i].proto == IPPROTO_UDP ? "udp" : "tcp",
				 "port", ports[i].port, "target",
				 ports[i].target);
		if (json_array_append_new(list, item)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}
