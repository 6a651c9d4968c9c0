// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loaded before a program: time(2) tells the time of EARLIER seconds ago, as by a
 * clock that was set back.
 */

#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

time_t time(time_t *ret)
{
	const char *value = getenv("EARLIER");
	struct timespec now;
	time_t t;

	syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
	t = now.tv_sec - (value ? atoi(value) : 0);
	if (ret)
		*ret = t;
	return t;
}
