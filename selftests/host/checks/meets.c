// SPDX-License-Identifier: GPL-2.0-or-later
/* Attempts against servers of this process that fail in each way users meet. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check_probe.h"
#include "checks.h"
#include "tap.h"

struct loop *loop;
struct check_env env;

static void hang_up(struct server *s)
{
	while (s->n)
		close(s->conns[--s->n]);
}

static void on_drip(void *data, uint64_t now_us)
{
	struct server *s = data;
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (send(s->conns[i], s->say + s->dripped % s->len, 1,
			 MSG_NOSIGNAL) < 0)
			continue;
	s->dripped++;
	source_timer_set(s->drip, now_us + s->drip_ms * 1000ULL);
}

static void on_accept(void *data, int fd, uint32_t events)
{
	struct server *s = data;
	int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	char buf[4096];

	(void)events;
	if (c < 0)
		return;
	if (s->n == 64)
		hang_up(s);
	if (s->drip_ms) {
		s->dripped = 0;
		source_timer_set(s->drip, 0);
	} else if (s->len && send(c, s->say, s->len, MSG_NOSIGNAL) < 0) {
		perror("# send");
	}
	if (s->close) {
		/* Unread bytes would make a reset of the end. */
		while (recv(c, buf, sizeof(buf), 0) > 0)
			;
		shutdown(c, SHUT_WR);
	}
	s->conns[s->n++] = c;
}

void serve(struct server *s, int type)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(in);

	memset(s, 0, sizeof(*s));
	s->fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(s->fd, (struct sockaddr *)&in, len) ||
	    getsockname(s->fd, (struct sockaddr *)&in, &len))
		exit(1);
	s->port = ntohs(in.sin_port);
	if (type != SOCK_STREAM)
		return;
	if (listen(s->fd, 64) ||
	    loop_io(loop, &s->io, s->fd, EPOLLIN, on_accept, s) ||
	    loop_timer(loop, &s->drip, on_drip, s))
		exit(1);
}

void serve_end(struct server *s)
{
	hang_up(s);
	source_free(&s->io);
	source_free(&s->drip);
	close(s->fd);
}

struct loop *renew(void)
{
	struct loop *l;

	if (loop_new(&l))
		exit(1);
	return l;
}

struct got {
	bool done;
	enum health_result result;
	bool timeout;
	char text[OUTPUT_MAX + 1];
};

static void on_probe(void *data, const struct probe_result *r)
{
	struct got *g = data;

	g->done = true;
	g->result = r->result;
	g->timeout = r->timeout;
	snprintf(g->text, sizeof(g->text), "%s", r->text);
	loop_exit(loop, 0);
}

/* One attempt; what came of it. The loop ends once with each run. */
static enum health_result attempt(const char *def, uint16_t port,
				  const char *address, char *text, size_t len,
				  uint64_t *took_us)
{
	struct check_conf *c = conf(def);
	struct got got = { 0 };
	struct probe_want want = {
		.loop = loop, .http = env.http, .conf = c, .tag = "t",
		.vni = 1, .timeout_ms = c->health.timeout_ms, .password = "",
		.fd = -1,
	};
	struct tls_trust trust = { 0 };
	struct tls_creds *creds = NULL;
	struct probe *p = NULL;
	char error[256];
	uint64_t start = loop_now();

	ip_parse(address, &want.addr);
	c->port = port;
	if (c->tls && tls_creds_get(&trust, c, &creds, false, error,
				    sizeof(error)))
		exit(1);
	want.creds = creds;
	if (probe_start(&p, &want, on_probe, &got))
		exit(1);
	if (!got.done)
		loop_run(loop);
	*took_us = loop_now() - start;
	snprintf(text, len, "%s", got.text);
	tls_creds_put(&creds);
	tls_trust_free(&trust);
	conf_end(c);
	return got.result;
}

/* As many servers as loops, as an ended loop does not run again. */
static void meets(const char *def, struct server *script, const char *address,
		  enum health_result result, const char *text,
		  const char *name)
{
	struct server s = { .fd = -1 };
	char said[256] = "";
	enum health_result got;
	uint64_t took;

	loop = renew();
	if (http_new(&env.http, loop))
		exit(1);
	serve(&s, SOCK_STREAM);
	if (script) {
		s.say = script->say;
		s.len = script->len;
		s.close = script->close;
		s.drip_ms = script->drip_ms;
	} else {
		source_free(&s.io);
		close(s.fd);
		s.fd = -1;
	}
	got = attempt(def, s.port, address, said, sizeof(said), &took);
	if (!ok(got == result && strstr(said, text), name))
		printf("# %d \"%s\" after %u ms\n", got, said,
		       (unsigned int)(took / 1000));
	http_free(env.http);
	if (s.fd >= 0)
		serve_end(&s);
	else
		source_free(&s.drip);
	loop_free(loop);
}

#define SCRIPT(text, ...) (&(struct server) { \
	.say = text, .len = sizeof(text) - 1, __VA_ARGS__ })

void test_failures_tcp(void)
{
	static const char def[] =
		"{\"type\":\"tcp\",\"expect\":\"+OK\",\"timeout_ms\":300}";
	static char huge[200000];

	memset(huge, 'y', sizeof(huge));
	meets(def, SCRIPT("+OK\r\n"), LOCAL, HEALTH_PASS, "expected answer in",
	      "tcp meets: a good server");
	meets(def, NULL, LOCAL, HEALTH_DEFINITE, "refused", "tcp meets: refused");
	meets(def, SCRIPT("+OK\r\n"), "127.0.0.2", HEALTH_DEFINITE, "refused",
	      "tcp meets: bound to 127.0.0.1 alone");
	meets(def, SCRIPT(""), LOCAL, HEALTH_FAIL, "connected, but no answer",
	      "tcp meets: silence");
	meets(def, SCRIPT("x", .drip_ms = 20), LOCAL, HEALTH_FAIL, "incomplete",
	      "tcp meets: a slow drip, ended by the time for all of it");
	meets(def, SCRIPT("-ERR\r\n", .close = true), LOCAL, HEALTH_FAIL,
	      "expected \"+OK\"", "tcp meets: the wrong answer");
	meets(def, SCRIPT("", .close = true), LOCAL, HEALTH_FAIL,
	      "closed by the other side", "tcp meets: closed early");
	meets(def, (&(struct server) { .say = huge, .len = sizeof(huge) }),
	      LOCAL, HEALTH_FAIL, "65536", "tcp meets: a huge answer");
	meets("{\"type\":\"tcp\",\"tls\":{\"verify\":false},\"timeout_ms\":300}",
	      SCRIPT("HTTP/1.1 400 Bad Request\r\n\r\n"), LOCAL, HEALTH_FAIL,
	      "TLS", "tls meets: a server without it");
	meets("{\"type\":\"tcp\",\"tls\":{\"verify\":false},\"timeout_ms\":300}",
	      SCRIPT(""), LOCAL, HEALTH_FAIL, "no TLS handshake",
	      "tls meets: silence");
}

void test_failures_http(void)
{
	static const char def[] =
		"{\"type\":\"http\",\"body\":\"ready\",\"timeout_ms\":500}";
	static char huge[300000] = "HTTP/1.1 200 OK\r\n\r\n";

	memset(huge + 19, 'y', sizeof(huge) - 19);
	meets(def, SCRIPT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready"),
	      LOCAL, HEALTH_PASS, "status 200", "http meets: a good server");
	meets(def, NULL, LOCAL, HEALTH_DEFINITE, "", "http meets: refused");
	meets(def, SCRIPT(""), "127.0.0.2", HEALTH_DEFINITE, "",
	      "http meets: bound to 127.0.0.1 alone");
	meets(def, SCRIPT(""), LOCAL, HEALTH_FAIL, "no answer in 500 ms",
	      "http meets: silence");
	meets(def, SCRIPT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nread"),
	      LOCAL, HEALTH_FAIL, "answer incomplete after 500 ms",
	      "http meets: half a body");
	meets(def, SCRIPT("x", .drip_ms = 20), LOCAL, HEALTH_FAIL, "",
	      "http meets: a slow drip, ended by the time for all of it");
	meets(def, SCRIPT("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), LOCAL,
	      HEALTH_FAIL, "status 503", "http meets: an error");
	meets(def, SCRIPT("220 mail\r\n", .close = true), LOCAL, HEALTH_FAIL, "",
	      "http meets: a mail server");
	meets(def, SCRIPT("", .close = true), LOCAL, HEALTH_FAIL, "",
	      "http meets: closed early");
	meets(def, (&(struct server) { .say = huge, .len = sizeof(huge) }),
	      LOCAL, HEALTH_FAIL, "in the first 65536 bytes",
	      "http meets: a huge answer");
	meets("{\"type\":\"http\",\"timeout_ms\":500}",
	      SCRIPT("HTTP/1.1 302 Go\r\nLocation: http://x/\r\n"
		     "Content-Length: 0\r\n\r\n"), LOCAL, HEALTH_PASS, "302",
	      "http meets: a redirect, which it does not follow");
}

void test_failures_udp(void)
{
	static const char def[] = "{\"type\":\"udp\",\"send\":\"ping\","
		"\"expect\":\"pong\",\"timeout_ms\":200}";
	struct server s;
	char said[256];
	uint64_t took;

	loop = renew();
	serve(&s, SOCK_DGRAM);
	ok(attempt(def, s.port, LOCAL, said, sizeof(said), &took) ==
	   HEALTH_FAIL && strstr(said, "no answer"), "udp meets: silence");
	loop_free(loop);
	loop = renew();
	ok(attempt("{\"type\":\"udp\",\"timeout_ms\":100}", s.port, LOCAL, said,
		   sizeof(said), &took) == HEALTH_PASS &&
	   strstr(said, "nobody refused"),
	   "udp meets: silence, where nothing else is expected");
	loop_free(loop);
	close(s.fd);
	loop = renew();
	ok(attempt("{\"type\":\"udp\",\"timeout_ms\":2000}", s.port, LOCAL,
		   said, sizeof(said), &took) == HEALTH_DEFINITE &&
	   strstr(said, "unreachable"), "udp meets: nobody there");
	loop_free(loop);
}

static void on_datagram(void *data, int fd, uint32_t events)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char buf[64];

	(void)events;
	if (recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len) >= 0)
		sendto(fd, data, strlen(data), 0, (struct sockaddr *)&from, len);
}

void test_udp_answers(void)
{
	static const char def[] = "{\"type\":\"udp\",\"send\":\"ping\","
		"\"expect\":\"pong\",\"timeout_ms\":2000}";
	static const char *const says[] = { "a pong", "a bang" };
	struct server s;
	enum health_result r;
	char said[256];
	uint64_t took;
	int i;

	for (i = 0; i < 2; i++) {
		loop = renew();
		serve(&s, SOCK_DGRAM);
		if (loop_io(loop, &s.io, s.fd, EPOLLIN, on_datagram,
			    (void *)says[i]))
			exit(1);
		r = attempt(def, s.port, LOCAL, said, sizeof(said), &took);
		ok(i ? r == HEALTH_FAIL && strstr(said, "got \"a bang\"") :
		   r == HEALTH_PASS, i ? "udp meets: the wrong answer" :
		   "udp meets: a good server");
		source_free(&s.io);
		close(s.fd);
		loop_free(loop);
	}
}

void test_exec(void)
{
	struct {
		const char *argv, *text, *name;
		enum health_result result;
	} runs[] = {
		{ "\"/bin/true\"", "exit 0", "exec: passes", HEALTH_PASS },
		{ "\"/bin/false\"", "exit 1", "exec: 1 warns", HEALTH_WARN },
		{ "\"/bin/sh\",\"-c\",\"echo full; exit 2\"", "exit 2: full",
		  "exec: 2 fails, with what it said", HEALTH_FAIL },
		{ "\"/bin/sh\",\"-c\",\"kill -9 $$\"", "signal 9",
		  "exec: killed", HEALTH_FAIL },
		{ "\"/bin/sh\",\"-c\",\"echo up; sleep 100 & sleep 100\"",
		  "still running after 300 ms, killed: up",
		  "exec: one without end is killed with all that it started",
		  HEALTH_FAIL },
		{ "\"/nonexistent/program\"", "No such file", "exec: no program",
		  HEALTH_FAIL },
		{ "\"/bin/sh\",\"-c\",\"exit $((VNIMESH_PORT - 8000))\"",
		  "exit 0", "exec: knows the member", HEALTH_PASS },
	};
	char def[256], said[256];
	enum health_result r;
	unsigned int i;
	uint64_t took;

	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		loop = renew();
		snprintf(def, sizeof(def), "{\"type\":\"exec\",\"argv\":[%s],"
			 "\"timeout_ms\":%u}", runs[i].argv,
			 runs[i].result == HEALTH_FAIL && i == 4 ? 300 : 20000);
		r = attempt(def, 8000, LOCAL, said, sizeof(said), &took);
		if (!ok(r == runs[i].result && strstr(said, runs[i].text),
			runs[i].name))
			printf("# %d \"%s\"\n", r, said);
		loop_free(loop);
	}
}
