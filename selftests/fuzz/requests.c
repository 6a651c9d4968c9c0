// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A client's requests, as the bytes of its connection. With the first byte
 * even they come from an administrator; with it odd the server has TLS and the
 * rest is what comes before any handshake is done.
 * fuzz: coordinator
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api.h"
#include "change.h"
#include "fuzz.h"
#include "init.h"
#include "judge.h"
#include "lease.h"
#include "note.h"
#include "tls.h"
#include "trigger.h"

/* Turns of the loop, of which the server is part, without anything to read. */
#define QUIET		16

static struct config plain = {
	.listen = { .family = AF_INET, .b = { 127, 0, 0, 1 } },
	.lease_ms = 3600000,
	.rate = 1000000,
	.connections = CONNECTIONS_PER_CLIENT,
	.mesh = {
		.id = 77, .port = 6081, .block4 = 24, .block6 = 64, .vni_block = 256,
		.prefix4 = { { AF_INET, { 10, 77 } }, 16 },
		.prefix6 = { { AF_INET6, { 0xfd, 0x77 } }, 48 },
		.service4 = { { AF_INET, { 10, 96 } }, 16 },
		.service6 = { { AF_INET6, { 0xfd, 0x77, 0, 0, 0, 0, 0xff } }, 64 },
	},
};
static struct config secure;
static struct tls *tls;

static void ended(void)
{
	tls_free(tls);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char err[512];

	(void)argc;
	(void)argv;
	secure = plain;
	snprintf(secure.tls_dir, sizeof(secure.tls_dir), "%s", fuzz_dir());
	must(tls_init(secure.tls_dir, "6f1e5a3c-0000-4000-8000-000000000001",
		      err, sizeof(err)));
	tls = tls_load(&secure, err, sizeof(err));
	must(tls);
	atexit(ended);
	return 0;
}

struct talk {
	struct loop *loop;
	struct source *io, *timer;
	const uint8_t *data;
	size_t len;
	int fd;
	unsigned int quiet;
	char head[5];
	size_t got;
};

/* Sends all there is, then only reads. */
static void on_io(void *data, int fd, uint32_t events)
{
	static char buf[1 << 16];
	struct talk *t = data;
	ssize_t n;

	if (events & EPOLLOUT) {
		n = send(fd, t->data, t->len, MSG_NOSIGNAL);
		if (n > 0) {
			t->data += n;
			t->len -= n;
		}
		if (!t->len || (n < 0 && errno != EAGAIN)) {
			source_io_events(t->io, EPOLLIN);
			source_timer_set(t->timer, loop_now());
		}
	}
	if (!(events & ~EPOLLOUT))
		return;
	n = recv(fd, buf, sizeof(buf), 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		loop_exit(t->loop, 0);
		return;
	}
	if (t->got < sizeof(t->head))
		memcpy(t->head + t->got, buf, (size_t)n < sizeof(t->head) -
		       t->got ? (size_t)n : sizeof(t->head) - t->got);
	t->got += n;
	t->quiet = 0;
}

/* All was said and heard: what still waits, for a change or for more of a body,
 * does so for ever. Then the server sees us go.
 */
static void on_turn(void *data, uint64_t now_us)
{
	struct talk *t = data;

	source_timer_set(t->timer, now_us);
	if (++t->quiet < QUIET)
		return;
	if (t->fd < 0) {
		loop_exit(t->loop, 0);
		return;
	}
	source_free(&t->io);
	close(t->fd);
	t->fd = -1;
	t->quiet = 0;
}

static void talk(struct loop *loop, uint16_t port, bool clear,
		 const uint8_t *data, size_t len)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct talk t = { .loop = loop, .data = data, .len = len };

	in.sin_port = htons(port);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	t.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(t.fd >= 0);
	must(!connect(t.fd, (struct sockaddr *)&in, sizeof(in)));
	must(!fcntl(t.fd, F_SETFL, O_NONBLOCK));
	must(!loop_io(loop, &t.io, t.fd, EPOLLIN | EPOLLOUT, on_io, &t));
	must(!loop_timer(loop, &t.timer, on_turn, &t));
	must(!loop_run(loop));
	source_free(&t.io);
	source_free(&t.timer);
	if (t.fd >= 0)
		close(t.fd);
	if (t.got >= sizeof(t.head) && clear)
		must(!memcmp(t.head, "HTTP/", sizeof(t.head)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct config *cfg;
	struct triggers *triggers;
	struct watches *watches;
	struct leases *leases;
	struct judge *judge;
	struct notes *notes;
	struct registry reg;
	struct store *store;
	struct loop *loop;
	struct http *http;
	char err[512];

	if (!len)
		return 0;
	cfg = data[0] & 1 ? &secure : &plain;
	must(!loop_new(&loop));
	store = store_open(fuzz_store(), &cfg->etcd, err, sizeof(err));
	must(store && registry_init(&reg, cfg, store, err, sizeof(err)));
	must(!watches_new(&watches, loop, &reg));
	must(!notes_new(&notes, loop, &reg));
	must(!judge_new(&judge, loop, &reg));
	must(!triggers_new(&triggers, loop, &reg));
	must(!leases_new(&leases, loop, &reg));
	api_init(watches, leases, judge, triggers, cfg->lease_ms);
	must(!store_follow(store, loop, NULL, NULL));
	http = http_start(loop, cfg, data[0] & 1 ? tls : NULL, &reg,
			  api_routes, err, sizeof(err));
	must(http);
	talk(loop, http_port(http), cfg == &plain, data + 1, len - 1);
	watches_close(watches);
	change_stop(&reg);
	http_stop(http);
	leases_free(leases);
	triggers_free(triggers);
	judge_free(judge);
	notes_free(notes);
	watches_free(watches);
	registry_free(&reg);
	store_close(store);
	loop_free(loop);
	return 0;
}
