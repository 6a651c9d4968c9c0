// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the store has, key and value on a line each, as another coordinator
 * may have written it; with the first byte odd an agent's report instead.
 * fuzz: coordinator
 */

#include "fuzz.h"
#include "registry.h"
#include "report.h"

static const struct config conf = {
	.lease_ms = 3000,
	.mesh = {
		.id = 77, .port = 6081, .block4 = 24, .block6 = 64, .vni_block = 256,
		.prefix4 = { { AF_INET, { 10, 77 } }, 16 },
		.prefix6 = { { AF_INET6, { 0xfd, 0x77 } }, 48 },
		.service4 = { { AF_INET, { 10, 96 } }, 16 },
		.service6 = { { AF_INET6, { 0xfd, 0x77, 0, 0, 0, 0, 0xff } }, 64 },
	},
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void stored(char *text)
{
	struct registry reg;
	struct store *store;
	char *key, *value;
	char err[512];

	store = store_open(fuzz_store(), &conf.etcd, err, sizeof(err));
	must(store && registry_init(&reg, &conf, store, err, sizeof(err)));
	while ((key = strsep(&text, "\n"))) {
		value = strsep(&text, "\n");
		if (!registry_apply(&reg, key, value && *value ? value : NULL))
			break;
	}
	registry_free(&reg);
	store_close(store);
}

static void report(const char *text, size_t len)
{
	struct node_def node = {
		.id = 1, .vni = 256, .vni_first = 256, .vni_count = 256,
		.prefix4 = { { AF_INET, { 10, 77, 1 } }, 24 },
		.prefix6 = { { AF_INET6, { 0xfd, 0x77, 0, 0, 0, 0, 0, 1 } }, 64 },
	};
	char field[64], why[128], error[1024];
	struct report rep;
	struct jread rd;

	jread_buf(&rd, text, len, JREAD_LENIENT);
	if (report_read(&rep, &rd)) {
		if (!report_owned(&rep, &node, field, why))
			must(*field && *why);
	} else {
		must(*jread_error(&rd, error, sizeof(error)));
	}
	report_free(&rep);
	jread_free(&rd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text;

	if (!len)
		return 0;
	text = fuzz_text(data + 1, len - 1);
	if (data[0] & 1)
		report(text, len - 1);
	else
		stored(text);
	free(text);
	return 0;
}
