// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For LD_PRELOAD, or linked in: a monotonic clock that can be moved on, and a count of the
 * writes that were waited for. Both are int64_t in $CLOCK_FILE: microseconds
 * to add, the count.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *words;

__attribute__((constructor)) static void map(void)
{
	int fd = open(getenv("CLOCK_FILE"), O_RDWR | O_CLOEXEC);
	void *p = mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd < 0 || p == MAP_FAILED)
		abort();
	words = p;
	close(fd);
}

/* @sign: 1 to shifted time, -1 from it. */
static void shift(struct timespec *ts, int sign)
{
	int64_t us = ts->tv_sec * 1000000LL + ts->tv_nsec / 1000 +
		     sign * (words ? words[0] : 0);

	ts->tv_nsec = us % 1000000 * 1000 + ts->tv_nsec % 1000;
	ts->tv_sec = us / 1000000;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int ret = syscall(SYS_clock_gettime, id, ts);

	if (!ret && id == CLOCK_MONOTONIC)
		shift(ts, 1);
	return ret;
}

/* 0 disarms, and what is past fires at once. */
int timerfd_settime(int fd, int flags, const struct itimerspec *new,
		    struct itimerspec *old)
{
	struct itimerspec spec = *new;

	if (flags & TFD_TIMER_ABSTIME &&
	    (spec.it_value.tv_sec || spec.it_value.tv_nsec)) {
		shift(&spec.it_value, -1);
		if (spec.it_value.tv_sec < 1) {
			spec.it_value.tv_sec = 1;
			spec.it_value.tv_nsec = 0;
		}
	}
	return syscall(SYS_timerfd_settime, fd, flags, &spec, old);
}

int fdatasync(int fd)
{
	words[1]++;
	return syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	words[1]++;
	return syscall(SYS_fsync, fd);
}
