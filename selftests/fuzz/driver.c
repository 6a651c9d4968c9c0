// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What libFuzzer is to the targets where there is none: takes the seeds as they
 * are, then changes them at random, keeps what reaches new code, and goes on from
 * there. The same options make the same run.
 *
 *	TARGET [-runs=N] [-seed=N] [-max_len=N] FILE|DIRECTORY...
 *
 * The input at hand lies in the file crash-TARGET of the current directory when
 * a run ends badly.
 */

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sanitizer/common_interface_defs.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define KEPT_MAX	20000
#define MAP_BITS	16

struct input {
	uint8_t *v;
	size_t n;
};

static struct input kept[KEPT_MAX];
static size_t n_kept;
static size_t max_len = 4096;
static uint64_t rng;

static uint8_t seen[1U << MAP_BITS];
static unsigned int news, places;
static uintptr_t last;

static const char *target = "";
static struct input now;

__attribute__((no_sanitize("address"), no_sanitize("undefined")))
void __sanitizer_cov_trace_pc(void)
{
	uintptr_t at = (uintptr_t)__builtin_return_address(0) -
		       (uintptr_t)&__executable_start;
	uint32_t edge = (uint32_t)(at ^ last) * 2654435761U >> (32 - MAP_BITS);

	last = at >> 1;
	if (seen[edge])
		return;
	seen[edge] = 1;
	news++;
	places++;
}

static uint64_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static size_t below(size_t n)
{
	return n ? rnd() % n : 0;
}

static void on_death(void)
{
	char name[256];
	int fd;

	snprintf(name, sizeof(name), "crash-%s", target);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, now.v, now.n) != (ssize_t)now.n)
		return;
	close(fd);
	fprintf(stderr, "the input, %zu bytes, is in %s\n", now.n, name);
}

static void on_signal(int signo)
{
	on_death();
	signal(signo, SIG_DFL);
	raise(signo);
}

static void keep(const uint8_t *v, size_t n)
{
	struct input *in;

	if (n_kept == KEPT_MAX)
		return;
	in = &kept[n_kept++];
	in->v = malloc(n + 1);
	must(in->v);
	memcpy(in->v, v, n);
	in->n = n;
}

static bool run(const uint8_t *v, size_t n)
{
	/* Of its own size, so that a step behind it is seen. */
	uint8_t *copy = malloc(n);

	must(copy || !n);
	if (n)
		memcpy(copy, v, n);
	now.v = copy;
	now.n = n;
	news = 0;
	last = 0;
	alarm(120);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	return news;
}

static void read_file(const char *name)
{
	static uint8_t buf[1 << 20];
	int fd = open(name, O_RDONLY);
	ssize_t n;

	must(fd >= 0);
	n = read(fd, buf, sizeof(buf));
	must(n >= 0);
	close(fd);
	keep(buf, n);
}

static void read_seeds(const char *name)
{
	struct dirent **names;
	char path[1024];
	struct stat st;
	int i, n;

	must(!stat(name, &st));
	if (!S_ISDIR(st.st_mode)) {
		read_file(name);
		return;
	}
	n = scandir(name, &names, NULL, alphasort);
	must(n >= 0);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", name, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			read_file(path);
		free(names[i]);
	}
	free(names);
}

/* Room for @n more bytes at @at, or as many as fit. */
static size_t widen(uint8_t *v, size_t *len, size_t at, size_t n)
{
	if (n > max_len - *len)
		n = max_len - *len;
	memmove(v + at + n, v + at, *len - at);
	*len += n;
	return n;
}

static const uint64_t odd[] = {
	0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000,
	0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, INT64_MAX, UINT64_MAX
};

static const char *const words[] = {
	"0", "-1", "1e99", "65536", "4294967296", "9007199254740992",
	"99999999999999999999", "null", "true", "{}", "[]", "\"\"", "\\u0000",
	"\xff", "\xc3\xa9", "%00", "%2f", "::", "0.0.0.0/0", "::/0", "..",
	"\r\n", "\r\n\r\n"
};

static void change(uint8_t *v, size_t *len)
{
	const struct input *other = &kept[below(n_kept)];
	size_t at = below(*len + 1), n, from;
	const char *word;
	uint64_t value;

	switch (below(9)) {
	case 0:
		if (*len)
			v[below(*len)] ^= 1 << below(8);
		break;
	case 1:
		if (*len)
			v[below(*len)] = rnd();
		break;
	case 2:		/* a number, either way round */
		n = 1 << below(4);
		value = odd[below(sizeof(odd) / sizeof(odd[0]))];
		if (at + n > *len)
			break;
		if (below(2))
			value = __builtin_bswap64(value) >> (64 - 8 * n);
		memcpy(v + at, &value, n);
		break;
	case 3:		/* take out */
		n = below(*len - at + 1);
		if (below(4))
			n = n > 8 ? below(8) : n;
		memmove(v + at, v + at + n, *len - at - n);
		*len -= n;
		break;
	case 4:		/* twice */
		n = below(*len - at + 1);
		n = widen(v, len, at, n > 64 ? below(64) : n);
		break;
	case 5:		/* of another */
		from = below(other->n + 1);
		n = below(other->n - from + 1);
		n = widen(v, len, at, n);
		memcpy(v + at, other->v + from, n);
		break;
	case 6:		/* the end of another */
		from = below(other->n + 1);
		n = other->n - from;
		if (n > max_len - at)
			n = max_len - at;
		memcpy(v + at, other->v + from, n);
		*len = at + n;
		break;
	case 7:
		word = words[below(sizeof(words) / sizeof(words[0]))];
		n = widen(v, len, at, strlen(word));
		memcpy(v + at, word, n);
		break;
	case 8:
		*len = at;
		break;
	}
}

static void mutate(uint64_t runs)
{
	uint8_t *v = malloc(max_len);
	const struct input *from;
	uint64_t i, steps;
	size_t len;

	must(v);
	for (i = 0; i < runs; i++) {
		/* What came last is what was not tried much. */
		from = &kept[below(2) ? below(n_kept) :
			     n_kept - 1 - below(n_kept < 16 ? n_kept : 16)];
		len = from->n < max_len ? from->n : max_len;
		memcpy(v, from->v, len);
		for (steps = 1 + below(6); steps; steps--)
			change(v, &len);
		if (run(v, len))
			keep(v, len);
	}
	free(v);
}

int main(int argc, char **argv)
{
	uint64_t runs = 0, seed = 1;
	size_t i, seeds;
	int a;

	target = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	signal(SIGABRT, on_signal);
	signal(SIGALRM, on_signal);
	__sanitizer_set_death_callback(on_death);
	LLVMFuzzerInitialize(&argc, &argv);
	for (a = 1; a < argc; a++) {
		if (!strncmp(argv[a], "-runs=", 6))
			runs = strtoull(argv[a] + 6, NULL, 10);
		else if (!strncmp(argv[a], "-seed=", 6))
			seed = strtoull(argv[a] + 6, NULL, 10);
		else if (!strncmp(argv[a], "-max_len=", 9))
			max_len = strtoull(argv[a] + 9, NULL, 10);
		else
			read_seeds(argv[a]);
	}
	rng = seed * 0x9e3779b97f4a7c15ULL | 1;
	if (!n_kept)
		keep((const uint8_t *)"", 0);
	seeds = n_kept;
	for (i = 0; i < seeds; i++)
		run(kept[i].v, kept[i].n);
	mutate(runs);
	alarm(0);
	printf("%zu seeds, %llu runs, %u edges, %zu kept\n", seeds,
	       (unsigned long long)runs, places, n_kept);
	for (i = 0; i < n_kept; i++)
		free(kept[i].v);
	return 0;
}
