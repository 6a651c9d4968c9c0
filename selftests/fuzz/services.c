// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A file of services.d, and vnimeshd.json; the first byte says which.
 * fuzz: agent
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "fuzz.h"
#include "log.h"

static char dir[128], file[160];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_level = -1;
	snprintf(dir, sizeof(dir), "%s/services.d", fuzz_dir());
	snprintf(file, sizeof(file), "%s/a.json", dir);
	must(!mkdir(dir, 0755));
	return 0;
}

static void services(const uint8_t *data, size_t len, bool exec)
{
	struct check_allow allow = { .exec = exec };
	struct services_conf s;
	char error[1024] = "";
	size_t i, bytes = 0;
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	must(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	close(fd);
	if (!services_read(dir, &allow, &s, error, sizeof(error))) {
		must(error[0]);
		return;
	}
	must(s.n <= SERVICES_MAX);
	for (i = 0; i < s.n; i++) {
		must(tag_valid(s.v[i].tag) && s.v[i].vni);
		must(exec || s.v[i].check.type != CHECK_EXEC);
		must(check_conf_same(&s.v[i].check, &s.v[i].check));
		bytes += service_bytes(&s.v[i]);
	}
	must(bytes <= SERVICES_BYTES);
	services_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char error[1024] = "";
	struct config conf;

	if (!len)
		return 0;
	if (data[0] & 1)
		services(data + 1, len - 1, data[0] & 2);
	else if (!config_read(fuzz_file(data + 1, len - 1), &conf, error,
			      sizeof(error)))
		must(error[0]);
	else
		config_next(&conf);
	return 0;
}
