// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A message of the kernel: the first byte is its command, the rest attributes.
 * fuzz: tool
 */

#include "fuzz.h"
#include "record.h"

static FILE *nowhere;

static void ended(void)
{
	fclose(nowhere);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	nowhere = fopen("/dev/null", "w");
	must(nowhere);
	atexit(ended);
	return 0;
}

/* What was read and is written again reads the same; a choice is only read. */
static void again(const struct vnm_type *t, const void *rec)
{
	void *back = malloc(vnm_type_size(t));
	struct nl_msg *msg = nlmsg_alloc_size(1 << 16);
	struct nlmsghdr *h;
	json_t *a, *b;

	must(back && msg);
	h = nlmsg_put(msg, 0, 0, 0, 0, 0);
	must(h);
	if (!vnm_record_fill(t, rec, msg)) {
		must(!vnm_record_parse(t, back, nlmsg_attrdata(h, 0),
				       nlmsg_attrlen(h, 0)));
		/* Counters are only read. */
		a = vnm_record_json(t, rec, 0);
		b = vnm_record_json(t, back, 0);
		must(a && b && json_equal(a, b));
		json_decref(a);
		json_decref(b);
		vnm_record_release(t, back);
	}
	nlmsg_free(msg);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct vnm_type *t;
	void *rec, *attrs;

	if (!len)
		return 0;
	t = vnm_type_of_cmd(data[0]);
	if (!t)
		return 0;
	data++;
	len--;
	rec = malloc(vnm_type_size(t));
	attrs = malloc(len);
	must(rec && (attrs || !len));
	memcpy(attrs, data, len);
	if (!vnm_record_parse(t, rec, attrs, len)) {
		vnm_record_text(t, rec, VNM_SHOW_STATS | VNM_SHOW_DETAIL,
				nowhere);
		if (t != &vnm_route_type)
			again(t, rec);
		vnm_record_release(t, rec);
	}
	free(attrs);
	free(rec);
	return 0;
}
