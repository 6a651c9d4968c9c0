// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any JSON, read by every getter, strictly or not; the first byte says which.
 * fuzz: agent
 */

#include "fuzz.h"
#include "json.h"

static const char *const words[] = { "one", "two", NULL };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void all(struct jobj *o, unsigned int depth)
{
	char tag[TAG_MAX + 1], name[JNAME_MAX + 1], key[JKEY_MAX + 1];
	struct jport ports[JPORTS_MAX];
	struct ip_prefix prefix;
	unsigned int n, i;
	const char *text;
	struct jobj sub;
	struct jarr arr;
	int64_t number;
	uint32_t u;
	bool b;

	if (jget_tag(o, "tag", JOPT, tag))
		must(tag_valid(tag));
	jget_name(o, "name", JOPT, name);
	jget_key(o, "key", JOPT, key);
	if (jget_u32(o, "u", JOPT, 1, 65535, &u))
		must(u && u <= 65535);
	if (jget_int(o, "int", JOPT, -5, JINT_MAX, &number))
		must(number >= -5 && number <= JINT_MAX);
	jget_bool(o, "bool", JOPT, &b);
	if (jget_str(o, "text", JOPT, 20, &text))
		must(strlen(text) <= 20);
	jget_word(o, "word", JOPT, words, &n);
	jget_prefix(o, "prefix", JOPT, 0, &prefix);
	jget_addr(o, "addr", JOPT, AF_INET6, &prefix.addr);
	if (jget_ports(o, "ports", JOPT, ports, &n))
		json_decref(jports_pack(ports, n));
	if (jget_arr(o, "list", JOPT, 8, &arr)) {
		must(arr.n <= 8);
		for (i = 0; i < arr.n; i++)
			if (jarr_obj(&arr, i, &sub) && depth < 20)
				all(&sub, depth + 1);
	}
	if (jget_arr(o, "texts", JOPT, 8, &arr))
		for (i = 0; i < arr.n; i++)
			jarr_str(&arr, i, 10, &text);
	if (jget_obj(o, "sub", JOPT, &sub) && depth < 20)
		all(&sub, depth + 1);
	jobj_end(o);
}

static void end(struct jread *rd)
{
	char buf[800];

	if (!jread_ok(rd))
		must(*jread_error(rd, buf, sizeof(buf)));
	jread_free(rd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct jread rd;
	struct jobj o;
	struct jarr arr;
	unsigned int i;
	char *text;

	if (!len)
		return 0;
	text = fuzz_text(data + 1, len - 1);
	jread_buf(&rd, text, len - 1, data[0] & 1 ? JREAD_STRICT : JREAD_LENIENT);
	if (jread_root(&rd, &o))
		all(&o, 0);
	end(&rd);
	free(text);
	/* A file: errors have a line. */
	jread_file(&rd, fuzz_file(data + 1, len - 1), JREAD_STRICT);
	if (jread_root_list(&rd, &arr))
		for (i = 0; i < arr.n; i++)
			if (jarr_obj(&arr, i, &o))
				all(&o, 0);
	end(&rd);
	return 0;
}
