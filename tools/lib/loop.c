// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "loop.h"

/* The library's default lets it move a timer by 250 ms, and 0 means just
 * that default: one microsecond is as exact as it gets.
 */
#define TIMER_ACCURACY_US	1

struct loop {
	sd_event *event;
};

struct source {
	sd_event_source *ev;
	void *data;
	union {
		loop_io_fn io;
		loop_timer_fn timer;
		loop_signal_fn signal;
		loop_defer_fn defer;
	} fn;
};

int loop_new(struct loop **ret)
{
	struct loop *loop;
	int err;

	loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;

	err = sd_event_new(&loop->event);
	if (err < 0) {
		free(loop);
		return err;
	}

	*ret = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	sd_event_unref(loop->event);
	free(loop);
}

int loop_run(struct loop *loop)
{
	return sd_event_loop(loop->event);
}

void loop_exit(struct loop *loop, int code)
{
	sd_event_exit(loop->event, code);
}

uint64_t loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * LOOP_USEC_PER_SEC + ts.tv_nsec / 1000;
}

/* The callbacks below may free their source: nothing of it is read after. */

static int on_io(sd_event_source *ev, int fd, uint32_t events, void *data)
{
	struct source *source = data;

	(void)ev;
	source->fn.io(source->data, fd, events);
	return 0;
}

static int on_timer(sd_event_source *ev, uint64_t at_us, void *data)
{
	struct source *source = data;

	(void)ev;
	(void)at_us;
	source->fn.timer(source->data, loop_now());
	return 0;
}

static int on_signal(sd_event_source *ev, const struct signalfd_siginfo *si,
		     void *data)
{
	struct source *source = data;

	(void)ev;
	source->fn.signal(source->data, si->ssi_signo);
	return 0;
}

static int on_defer(sd_event_source *ev, void *data)
{
	struct source *source = data;

	(void)ev;
	source->fn.defer(source->data);
	return 0;
}

static struct source *source_new(void *data)
{
	struct source *source;

	source = calloc(1, sizeof(*source));
	if (source)
		source->data = data;
	return source;
}

/* Hands @source to the caller, or frees it when its creation failed. */
static int source_finish(struct source *source, int err, struct source **ret)
{
	if (err < 0) {
		source_free(&source);
		return err;
	}
	*ret = source;
	return 0;
}

int loop_io(struct loop *loop, struct source **ret, int fd, uint32_t events,
	    loop_io_fn fn, void *data)
{
	struct source *source = source_new(data);
	int err;

	if (!source)
		return -ENOMEM;
	source->fn.io = fn;
	err = sd_event_add_io(loop->event, &source->ev, fd, events, on_io,
			      source);
	return source_finish(source, err, ret);
}

int loop_io_of_library(struct loop *loop, struct source **ret, int fd,
		       uint32_t events, loop_io_fn fn, void *data)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int err;

	if (own < 0)
		return -errno;
	err = loop_io(loop, ret, own, events, fn, data);
	if (err)
		close(own);
	else
		sd_event_source_set_io_fd_own((*ret)->ev, 1);
	return err;
}

int source_io_events(struct source *source, uint32_t events)
{
	int err = sd_event_source_set_io_events(source->ev, events);

	return err < 0 ? err : 0;
}

int loop_timer(struct loop *loop, struct source **ret, loop_timer_fn fn,
	       void *data)
{
	struct source *source = source_new(data);
	int err;

	if (!source)
		return -ENOMEM;
	source->fn.timer = fn;
	err = sd_event_add_time(loop->event, &source->ev, CLOCK_MONOTONIC, 0,
				TIMER_ACCURACY_US, on_timer, source);
	if (err >= 0)
		err = sd_event_source_set_enabled(source->ev, SD_EVENT_OFF);
	return source_finish(source, err, ret);
}

int source_timer_set(struct source *source, uint64_t at_us)
{
	int err;

	err = sd_event_source_set_time(source->ev, at_us);
	if (err < 0)
		return err;
	err = sd_event_source_set_enabled(source->ev, SD_EVENT_ONESHOT);
	return err < 0 ? err : 0;
}

int source_timer_stop(struct source *source)
{
	int err = sd_event_source_set_enabled(source->ev, SD_EVENT_OFF);

	return err < 0 ? err : 0;
}

int loop_signal(struct loop *loop, struct source **ret, int signo,
		loop_signal_fn fn, void *data)
{
	struct source *source = source_new(data);
	sigset_t set;
	int err;

	if (!source)
		return -ENOMEM;
	source->fn.signal = fn;
	sigemptyset(&set);
	sigaddset(&set, signo);
	err = sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
	if (!err)
		err = sd_event_add_signal(loop->event, &source->ev, signo,
					  on_signal, source);
	return source_finish(source, err, ret);
}

int loop_defer(struct loop *loop, struct source **ret, loop_defer_fn fn,
	       void *data)
{
	struct source *source = source_new(data);
	int err;

	if (!source)
		return -ENOMEM;
	source->fn.defer = fn;
	err = sd_event_add_defer(loop->event, &source->ev, on_defer, source);
	if (err >= 0)
		err = sd_event_source_set_enabled(source->ev, SD_EVENT_OFF);
	return source_finish(source, err, ret);
}

int source_defer(struct source *source)
{
	int err = sd_event_source_set_enabled(source->ev, SD_EVENT_ONESHOT);

	return err < 0 ? err : 0;
}

void source_free(struct source **source)
{
	if (!*source)
		return;
	sd_event_source_disable_unref((*source)->ev);
	free(*source);
	*source = NULL;
}

void loop_notify(const char *state)
{
	sd_notify(0, state);
}
