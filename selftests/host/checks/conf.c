// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading definitions of checks, and passwords. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checks.h"
#include "secret.h"
#include "tap.h"

static const struct check_allow allow_all = { .exec = true };

static bool conf_of(const char *text, struct check_conf *c, char *error,
		    size_t len)
{
	struct jobj root;
	struct jread rd;
	char buf[4096];
	bool good;

	snprintf(buf, sizeof(buf), "{\"check\":%s}", text);
	jread_buf(&rd, buf, strlen(buf), JREAD_STRICT);
	memset(c, 0, sizeof(*c));
	if (jread_root(&rd, &root)) {
		check_conf_read(&root, "check", 80, &allow_all, c);
		jobj_end(&root);
	}
	good = jread_ok(&rd);
	if (!good)
		jread_error(&rd, error, len);
	jread_free(&rd);
	return good;
}

/* The definition must be right. */
struct check_conf *conf(const char *text)
{
	struct check_conf *c = calloc(1, sizeof(*c));
	char error[1024] = "";

	if (!conf_of(text, c, error, sizeof(error))) {
		printf("Bail out! %s: %s\n", text, error);
		exit(1);
	}
	return c;
}

void conf_end(struct check_conf *c)
{
	check_conf_free(c);
	free(c);
}

static void refuses(const char *text, const char *field, const char *name)
{
	char error[1024] = "", want[128];
	struct check_conf c;
	bool good = !conf_of(text, &c, error, sizeof(error));

	snprintf(want, sizeof(want), "field \"check%s%s\"", *field ? "." : "",
		 field);
	if (!ok(good && strstr(error, want), name))
		printf("# %s\n", error);
	check_conf_free(&c);
}

void test_conf(void)
{
	struct check_conf *c;

	c = conf("{\"type\":\"tcp\",\"send_hex\":\"0d0A\",\"expect\":\"+OK\"}");
	ok(c->port == 80 && c->send.n == 2 && c->send.v[1] == 10 &&
	   c->expect.n == 3 && c->health.interval_ms == 1000,
	   "tcp: bytes as text and in hexadecimal, defaults");
	conf_end(c);
	c = conf("{\"type\":\"https\",\"status\":[\"200-204\",\"401\"],"
		 "\"headers\":{\"X-A\":\"b\"},\"expect_headers\":{\"Server\":\"n\"},"
		 "\"body\":\"ok\",\"tls\":{\"name\":\"db.example\",\"verify\":false}}");
	ok(c->n_status == 2 && c->status[1].max == 401 && c->n_headers == 1 &&
	   c->n_expected == 1 && c->tls && c->tls_insecure &&
	   !strcmp(c->tls_name, "db.example"), "https: all its fields");
	conf_end(c);
	c = conf("{\"type\":\"all-of\",\"checks\":[{\"type\":\"tcp\"},{\"type\":"
		 "\"any-of\",\"checks\":[{\"type\":\"ttl\",\"ttl_ms\":1000}]}]}");
	ok(c->n_subs == 2 && c->subs[0].port == 80 && c->subs[1].n_subs == 1 &&
	   c->subs[1].subs[0].ttl_ms == 1000, "groups of groups");
	conf_end(c);
	c = conf("{\"type\":\"tcp\",\"where\":\"inside\"}");
	ok(c->inside && ip_loopback(&c->inside_addr),
	   "from inside, to its loopback");
	conf_end(c);
	c = conf("{\"type\":\"redis\",\"where\":\"inside\",\"address\":\"fd00::1\"}");
	ok(c->inside && c->inside_addr.family == AF_INET6,
	   "from inside, to another address");
	conf_end(c);
	refuses("{\"type\":\"tcp\",\"address\":\"127.0.0.1\"}", "address",
		"an address, but from outside");
	refuses("{\"type\":\"tcp\",\"where\":\"here\"}", "where",
		"a place that is none");
	refuses("{\"type\":\"ttl\",\"ttl_ms\":1000,\"where\":\"inside\"}",
		"where", "a place of what does not look");
	refuses("{\"type\":\"postgres\",\"where\":\"inside\",\"tls\":true,"
		"\"password_file\":\"/x\"}", "tls",
		"TLS that the library could not make");
	refuses("{}", "type", "no type");
	refuses("{\"type\":\"telnet\"}", "type", "a type that is none");
	refuses("{\"type\":\"tcp\",\"path\":\"/\"}", "path",
		"a field of another type");
	refuses("{\"type\":\"tcp\",\"send_hex\":\"0\"}", "send_hex",
		"half a byte");
	refuses("{\"type\":\"tcp\",\"send\":\"a\",\"send_hex\":\"00\"}",
		"send_hex", "two things to send");
	refuses("{\"type\":\"http\",\"status\":[\"200-\"]}", "status[0]",
		"half a range");
	refuses("{\"type\":\"http\",\"status\":[\"299-200\"]}", "status[0]",
		"a range upside down");
	refuses("{\"type\":\"http\",\"headers\":{\"A\":\"b\\r\\nC: d\"}}",
		"headers.A", "a header in a header");
	refuses("{\"type\":\"http\",\"headers\":{\"A b\":\"c\"}}", "headers",
		"a header's name with a space");
	refuses("{\"type\":\"http\",\"tls\":true}", "tls",
		"TLS where the type says there is none");
	refuses("{\"type\":\"ttl\"}", "ttl_ms", "a ttl without time");
	refuses("{\"type\":\"ttl\",\"ttl_ms\":1000,\"interval_ms\":100}",
		"interval_ms", "an interval of what is not asked");
	refuses("{\"type\":\"exec\",\"argv\":[\"true\"]}", "argv[0]",
		"a program of whatever PATH");
	refuses("{\"type\":\"all-of\",\"checks\":[]}", "checks", "all of none");
	refuses("{\"type\":\"all-of\",\"checks\":[{\"type\":\"tcp\",\"x\":1}]}",
		"checks[0].x", "an unknown field deep inside has its path");
	refuses("{\"type\":\"any-of\",\"checks\":[{\"type\":\"any-of\",\"checks\":"
		"[{\"type\":\"any-of\",\"checks\":[{\"type\":\"any-of\",\"checks\":"
		"[{\"type\":\"none\"}]}]}]}]}",
		"checks[0].checks[0].checks[0].checks", "too deep");
	refuses("{\"type\":\"postgres\",\"primary_tag\":\"db-primary\"}",
		"primary_tag", "a role without a login");
	refuses("{\"type\":\"redis\",\"timeout_ms\":0}", "timeout_ms",
		"no time at all");
}

void test_secret(void)
{
	char file[] = "/tmp/vnimesh-secret.XXXXXX", error[256] = "";
	char secret[SECRET_MAX + 1];
	int fd = mkstemp(file);

	if (fd < 0 || write(fd, "pass word\nrest", 14) != 14)
		exit(1);
	close(fd);
	ok(secret_read(file, secret, error, sizeof(error)) &&
	   !strcmp(secret, "pass word"), "a password is a file's first line");
	chmod(file, 0640);
	ok(!secret_read(file, secret, error, sizeof(error)) &&
	   strstr(error, "0600"), "a file that a group can read is refused");
	unlink(file);
	ok(!secret_read(file, secret, error, sizeof(error)) &&
	   strstr(error, file), "so is none, by name");
	ok(!secret_read("/dev/null", secret, error, sizeof(error)),
	   "and what is no file");
}
