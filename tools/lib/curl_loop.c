// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "curl_loop.h"

struct curl_loop {
	struct loop *loop;
	CURLM *multi;
	struct source *timer;
	struct source *reap;		/* what came to its end, at the turn's */
	curl_loop_fn fn;
};

static void reap(void *data)
{
	struct curl_loop *cl = data;
	struct CURLMsg *msg;
	CURLcode code;
	char *owner;
	int left;

	while ((msg = curl_multi_info_read(cl->multi, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		/* The message is gone once its handle is taken out. */
		code = msg->data.result;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &owner);
		cl->fn(owner, code);
	}
}

static void action(struct curl_loop *cl, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(cl->multi, fd, what, &running);
	source_defer(cl->reap);
}

static void on_io(void *data, int fd, uint32_t events)
{
	int what = 0;

	if (events & EPOLLIN)
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		what |= CURL_CSELECT_ERR;
	action(data, fd, what);
}

static void on_timer(void *data, uint64_t now_us)
{
	(void)now_us;
	action(data, CURL_SOCKET_TIMEOUT, 0);
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *data,
		      void *sockp)
{
	struct source *src = sockp;
	struct curl_loop *cl = data;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		source_free(&src);
		curl_multi_assign(cl->multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	if (src)
		return source_io_events(src, events);
	if (loop_io(cl->loop, &src, fd, events, on_io, cl))
		return -1;
	curl_multi_assign(cl->multi, fd, src);
	return 0;
}

static int set_timer(CURLM *multi, long ms, void *data)
{
	struct curl_loop *cl = data;

	(void)multi;
	if (ms < 0)
		return source_timer_stop(cl->timer) ? -1 : 0;
	return source_timer_set(cl->timer, loop_now() +
				ms * LOOP_USEC_PER_MSEC) ? -1 : 0;
}

int curl_loop_new(struct curl_loop **ret, struct loop *loop, curl_loop_fn fn)
{
	struct curl_loop *cl;
	int err;

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	cl = calloc(1, sizeof(*cl));
	if (!cl)
		return -ENOMEM;
	cl->loop = loop;
	cl->fn = fn;
	err = loop_timer(loop, &cl->timer, on_timer, cl);
	if (!err)
		err = loop_defer(loop, &cl->reap, reap, cl);
	if (!err) {
		cl->multi = curl_multi_init();
		err = cl->multi ? 0 : -ENOMEM;
	}
	if (err) {
		curl_loop_free(cl);
		return err;
	}
	curl_multi_setopt(cl->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(cl->multi, CURLMOPT_SOCKETDATA, cl);
	curl_multi_setopt(cl->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(cl->multi, CURLMOPT_TIMERDATA, cl);
	*ret = cl;
	return 0;
}

void curl_loop_free(struct curl_loop *cl)
{
	if (!cl)
		return;
	if (cl->multi)
		curl_multi_cleanup(cl->multi);
	source_free(&cl->timer);
	source_free(&cl->reap);
	free(cl);
}

int curl_loop_add(struct curl_loop *cl, CURL *easy)
{
	return curl_multi_add_handle(cl->multi, easy) ? -ENOMEM : 0;
}

void curl_loop_del(struct curl_loop *cl, CURL *easy)
{
	curl_multi_remove_handle(cl->multi, easy);
}
