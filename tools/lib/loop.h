/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop of the daemons: file descriptors, timers, signals and work
 * put off to the next turn, on one thread. Times are microseconds of
 * CLOCK_MONOTONIC; no wall clock enters here.
 *
 * Ownership: a source belongs to whoever created it and is freed with
 * source_free(), also from within its own callback; all sources are freed
 * before loop_free(). The loop never closes a file descriptor of others, and
 * theirs must stay open until the source is freed: epoll(7) watches what is open,
 * not the number, and goes on for as long as any process holds it.
 *
 * Errors: functions returning int give 0 or a negative errno.
 */
#ifndef VNIMESH_LOOP_H
#define VNIMESH_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

#define LOOP_USEC_PER_MSEC	1000ULL
#define LOOP_USEC_PER_SEC	1000000ULL

struct loop;
struct source;

typedef void (*loop_io_fn)(void *data, int fd, uint32_t events);
typedef void (*loop_timer_fn)(void *data, uint64_t now_us);
typedef void (*loop_signal_fn)(void *data, int signo);
typedef void (*loop_defer_fn)(void *data);

int loop_new(struct loop **ret);
void loop_free(struct loop *loop);

/* Runs until loop_exit(); returns the code given there or a negative errno. */
int loop_run(struct loop *loop);
void loop_exit(struct loop *loop, int code);

/* The time now, not that of the turn's start. */
uint64_t loop_now(void);

/* @events: EPOLLIN, EPOLLOUT, EPOLLET; may be 0 and changed later. */
int loop_io(struct loop *loop, struct source **ret, int fd, uint32_t events,
	    loop_io_fn fn, void *data);
int source_io_events(struct source *source, uint32_t events);

/* The same for @fd of a library, which closes it when it likes: what is watched is
 * a second descriptor, the source's own.
 */
int loop_io_of_library(struct loop *loop, struct source **ret, int fd,
		       uint32_t events, loop_io_fn fn, void *data);

/* A one-shot timer, created disarmed. It fires at @at_us or, when that has
 * passed, on the next turn; setting it again moves it.
 */
int loop_timer(struct loop *loop, struct source **ret, loop_timer_fn fn,
	       void *data);
int source_timer_set(struct source *source, uint64_t at_us);
int source_timer_stop(struct source *source);

/* Blocks @signo for the thread; call before any other thread starts. */
int loop_signal(struct loop *loop, struct source **ret, int signo,
		loop_signal_fn fn, void *data);

/* Work for the end of the turn, created idle: any number of source_defer()
 * calls before it runs make one run.
 */
int loop_defer(struct loop *loop, struct source **ret, loop_defer_fn fn,
	       void *data);
int source_defer(struct source *source);

/* Frees *source, if any, and clears the pointer. */
void source_free(struct source **source);

/* Tells the service manager, if there is one; @state as in sd_notify(3). */
void loop_notify(const char *state);

#endif
