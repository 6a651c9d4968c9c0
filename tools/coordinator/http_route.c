// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "http_priv.h"
#include "mem.h"
#include "problem.h"

static const struct {
	const char *name;
	unsigned int bit;
} methods[] = {
	{ "GET", HTTP_GET },
	{ "HEAD", HTTP_GET },
	{ "POST", HTTP_POST },
	{ "PUT", HTTP_PUT },
	{ "DELETE", HTTP_DELETE },
};

#define NR_METHODS	(sizeof(methods) / sizeof(methods[0]))

/* Compares @path with a route's; the "*" segment goes to *arg (allocated). */
static bool path_matches(const char *route, const char *path, char **arg)
{
	const char *from = NULL;
	size_t n = 0;

	while (*route) {
		if (*route == '*') {
			from = path;
			n = strcspn(path, "/");
			if (!n)
				return false;
			path += n;
			route++;
		} else if (*route++ != *path++) {
			return false;
		}
	}
	if (*path)
		return false;
	if (from)
		*arg = mem_checked(strndup(from, n));
	return true;
}

static void list_methods(unsigned int bits, char *buf, size_t len)
{
	size_t used = 0;
	size_t i;

	buf[0] = '\0';
	for (i = 0; i < NR_METHODS; i++)
		if (methods[i].bit & bits && used < len)
			used += snprintf(buf + used, len - used, "%s%s",
					 used ? ", " : "", methods[i].name);
}

int http_find_route(struct request *rq, const char *path, const char *method)
{
	const struct route *route;
	unsigned int bit = 0;
	unsigned int allowed = 0;
	char buf[64];
	size_t i;

	for (i = 0; i < NR_METHODS; i++)
		if (!strcmp(methods[i].name, method))
			bit = methods[i].bit;
	for (route = rq->http->routes; route->path; route++) {
		if (!path_matches(route->path, path, &rq->arg))
			continue;
		allowed |= route->method;
		if (route->method == bit) {
			rq->route = route;
			return 0;
		}
		free(rq->arg);
		rq->arg = NULL;
	}
	if (!allowed)
		return problem(rq, 404, NULL, "there is no such path");
	list_methods(allowed, buf, sizeof(buf));
	rq->allow = mem_checked(strdup(buf));
	return problem(rq, 405, NULL, "this path takes %s", buf);
}

/* "localhost" or an address, IPv6 in brackets, with or without a port. */
static bool host_is_address(const char *host)
{
	char name[IP_TEXT_MAX];
	struct ip_addr addr;
	const char *end;
	size_t n;

	end = *host == '[' ? strchr(host, ']') : strchrnul(host, ':');
	if (!end)
		return false;
	n = end - host;
	if (*host == '[') {
		host++;
		n--;
		end++;
	}
	if (*end == ':')
		end += 1 + strspn(end + 1, "0123456789");
	if (*end || n >= sizeof(name))
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	return !strcasecmp(name, "localhost") || ip_parse(name, &addr);
}

/* Pages in a browser that can reach us must not speak for its user: no agent
 * and no tool sends an Origin, and a name that somebody else's DNS may point
 * at us is none of ours.
 */
int http_check_sender(struct request *rq)
{
	const char *origin = http_header(rq, MHD_HTTP_HEADER_ORIGIN);
	const char *host = http_header(rq, MHD_HTTP_HEADER_HOST);

	if (origin)
		return problem(rq, 403, "Origin",
			       "Origin: requests of web pages are not served");
	if (host && !host_is_address(host))
		return problem(rq, 403, "Host",
			       "Host: must be an address or localhost");
	return 0;
}

static int digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %HH in place, but what would end the text or divide a path stays as
 * it is: neither is part of any name, and decoded it would make another one.
 */
size_t http_unescape(void *cls, struct MHD_Connection *conn, char *text)
{
	char *from = text;
	char *to = text;
	int high;
	int low;
	char c;

	(void)cls;
	(void)conn;
	while (*from) {
		c = *from++;
		high = c == '%' ? digit(from[0]) : -1;
		low = high >= 0 ? digit(from[1]) : -1;
		if (low >= 0 && high * 16 + low && high * 16 + low != '/') {
			c = high * 16 + low;
			from += 2;
		}
		*to++ = c;
	}
	*to = '\0';
	return to - text;
}

const char *http_arg(const struct request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->conn, MHD_GET_ARGUMENT_KIND,
					   name);
}

struct each_arg {
	struct request *rq;
	const char *name;
	int (*fn)(struct request *rq, const char *value, void *data);
	void *data;
	int status;
};

static enum MHD_Result on_arg(void *cls, enum MHD_ValueKind kind,
			      const char *key, const char *value)
{
	struct each_arg *each = cls;

	(void)kind;
	if (strcmp(key, each->name))
		return MHD_YES;
	each->status = each->fn(each->rq, value ? value : "", each->data);
	return each->status ? MHD_NO : MHD_YES;
}

int http_each_arg(struct request *rq, const char *name,
		  int (*fn)(struct request *rq, const char *value, void *data),
		  void *data)
{
	struct each_arg each = {
		.rq = rq, .name = name, .fn = fn, .data = data,
	};

	MHD_get_connection_values(rq->conn, MHD_GET_ARGUMENT_KIND, on_arg,
				  &each);
	return each.status;
}

int http_arg_int(struct request *rq, const char *name, int64_t min, int64_t max,
		 int64_t *ret)
{
	const char *text = http_arg(rq, name);
	int64_t value;

	if (!text)
		return 0;
	errno = 0;
	value = strtoll(text, NULL, 10);
	if (!*text || text[strspn(text, "0123456789")] || errno ||
	    value < min || value > max) {
		problem(rq, 400, name, "%s: must be %" PRId64 " to %" PRId64,
			name, min, max);
		return -1;
	}
	*ret = value;
	return 1;
}
