// SPDX-License-Identifier: GPL-2.0-or-later
/* What the targets share. */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

const char *fuzz_file(const uint8_t *data, size_t len)
{
	static char name[64];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("input", MFD_CLOEXEC);
		must(fd >= 0);
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	}
	must(!ftruncate(fd, 0) && pwrite(fd, data, len, 0) == (ssize_t)len);
	return name;
}

static char dir[64];

static int drop(const char *path, const struct stat *st, int type,
		struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static void drop_dir(void)
{
	nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_dir(void)
{
	if (!dir[0]) {
		strcpy(dir, "/tmp/vnimesh-fuzz.XXXXXX");
		must(mkdtemp(dir));
		atexit(drop_dir);
	}
	return dir;
}

const char *fuzz_store(void)
{
	static const char *const ends[] = { "-wal", "-shm", "-journal", ".lock", "" };
	static char name[96];
	char beside[128];
	size_t i;

	snprintf(name, sizeof(name), "%s/store.db", fuzz_dir());
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(beside, sizeof(beside), "%s%s", name, ends[i]);
		unlink(beside);
	}
	return name;
}

char *fuzz_text(const uint8_t *data, size_t len)
{
	char *ret = malloc(len + 1);

	must(ret);
	memcpy(ret, data, len);
	ret[len] = '\0';
	return ret;
}
