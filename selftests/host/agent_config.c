// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agent's configuration and its services' files: part of agent_unit.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_unit.h"
#include "config.h"
#include "tap.h"

static char dir[] = "/tmp/agent_unit.XXXXXX";

static const char *put(const char *name, const char *text)
{
	static char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (f) {
		fputs(text, f);
		fclose(f);
	}
	return path;
}

static void refuses(const char *text, const char *field, const char *name)
{
	const char *path = put("vnimeshd.json", text);
	char error[1024] = "";
	struct config c;
	bool bad = !config_read(path, &c, error, sizeof(error));

	ok(bad && strstr(error, path) && strstr(error, field), name);
	if (!bad || !strstr(error, field))
		printf("# error: %s\n", error);
	unlink(path);
}

#define NODE	"\"node\":{\"name\":\"h\",\"underlay\":\"192.0.2.1\"}"
#define URL	"\"coordinator\":\"http://127.0.0.1:7900\""

static void test_agent(void)
{
	char error[1024] = "";
	const char *path;
	struct config c;

	path = put("vnimeshd.json", "{" URL "/," NODE "}");
	unlink(path);
	path = put("vnimeshd.json", "{\"coordinator\":\"http://[::1]:1//\"," NODE "}");
	ok(config_read(path, &c, error, sizeof(error)) &&
	   !strcmp(c.coordinator, "http://[::1]:1") && c.report_ms == 1000 &&
	   c.port == 6081 && !strcmp(c.device, "mesh0"),
	   "the least configuration, and its defaults");
	unlink(path);
	refuses("{" URL "," NODE ",\"extra\":1}", "\"extra\"",
		"an unknown field is named");
	refuses("{" URL ",\"node\":{\"name\":\"h\",\"underlay\":\"::g\"}}",
		"\"node.underlay\"", "a wrong value is named by its path");
	refuses("{" NODE "}", "\"coordinator\"", "a missing field is named");
	refuses("{\"coordinator\":\"ftp://x\"," NODE "}", "\"coordinator\"",
		"a wrong URL");
	refuses("{\"coordinator\":\"http://host:1\"," NODE "}",
		"\"coordinator\"", "a name, which somebody must resolve");
	refuses("{\"coordinator\":\"http://10.0.0.1:70000\"," NODE "}",
		"\"coordinator\"", "a port that is none");
	refuses("{\"coordinator\":\"http://10.0.0.1:1/x\"," NODE "}",
		"\"coordinator\"", "a path");
	refuses("{\"coordinator\":\"http://::1:1\"," NODE "}",
		"\"coordinator\"", "an IPv6 address without brackets");
	refuses("{" URL "," NODE ",\"echo_ms\":1}", "\"echo_ms\"",
		"a value out of range");
	refuses("{" URL "," NODE ",\"device\":\"a/b\"}", "\"device\"",
		"a name that no device can have");
	refuses("{\n" URL ",\n", ":3:", "a syntax error, with its line");
	refuses("[]", "object", "no object at all");
}

static const struct check_allow allow;

static void refuses_service(const char *text, const char *field,
			    const char *name)
{
	const char *path = put("s.json", text);
	struct services_conf s;
	char error[1024] = "";
	bool bad = !services_read(dir, &allow, &s, error, sizeof(error));

	ok(bad && strstr(error, path) && strstr(error, field), name);
	if (!bad || !strstr(error, field))
		printf("# error: %s\n", error);
	if (!bad)
		services_free(&s);
	unlink(path);
}

/* More than one report has room for, in number and in bytes. */
static void test_services_room(void)
{
	char *text = malloc(4 << 20), *p = text;
	struct services_conf s;
	char error[1024] = "";
	char fifo[128];
	bool bad;
	int i, j;

	if (!text)
		exit(1);
	p += sprintf(p, "[");
	for (i = 1; i <= SERVICES_MAX + 1; i++)
		p += sprintf(p, "%s{\"tag\":\"t\",\"vni\":%d}",
			     i > 1 ? "," : "", i);
	sprintf(p, "]");
	refuses_service(text, "more than 2048", "too many services");
	p = text + sprintf(text, "[");
	for (i = 1; i <= 1000; i++) {
		p += sprintf(p, "%s{\"tag\":\"t\",\"vni\":%d,\"ports\":[",
			     i > 1 ? "," : "", i);
		for (j = 1; j <= 16; j++)
			p += sprintf(p, "%s{\"proto\":\"tcp\",\"port\":%d}",
				     j > 1 ? "," : "", j);
		p += sprintf(p, "]}");
	}
	sprintf(p, "]");
	refuses_service(text, "fit in a report", "too many ports for a report");
	free(text);

	snprintf(fifo, sizeof(fifo), "%s/f.json", dir);
	if (mkfifo(fifo, 0600))
		exit(1);
	alarm(5);
	bad = !services_read(dir, &allow, &s, error, sizeof(error));
	alarm(0);
	ok(bad && strstr(error, fifo) && strstr(error, "regular"),
	   "a FIFO is refused, not waited for");
	unlink(fifo);
}

static void test_services(void)
{
	struct services_conf s;
	char error[1024] = "";
	char a[128], b[128];

	ok(services_read("/nonexistent/dir", &allow, &s, error, sizeof(error)) &&
	   s.n == 0 && s.missing, "no directory is no services, and told");
	strcpy(a, put("a.json", "{\"tag\":\"db\",\"vni\":5,\"ports\":"
		      "[{\"proto\":\"tcp\",\"port\":80,\"target\":8080}],"
		      "\"check\":{\"type\":\"http\",\"path\":\"/up\"}}"));
	strcpy(b, put("b.json", "[{\"tag\":\"db\",\"vni\":6},"
		      "{\"tag\":\"web\",\"vni\":6}]"));
	put("ignored.txt", "not JSON");
	ok(services_read(dir, &allow, &s, error, sizeof(error)) && s.n == 3 &&
	   s.v[0].check.port == 8080 && s.v[0].check.type == CHECK_HTTP &&
	   s.v[1].check.type == CHECK_NONE && s.v[1].weight == 100 &&
	   !s.missing,
	   "files in order, one object or a list, defaults");
	services_free(&s);
	refuses_service("{\"tag\":\"db\",\"vni\":5}", "\"tag\"",
			"the same member in two files");
	refuses_service("{\"tag\":\"Db\",\"vni\":5}", "\"tag\"", "a bad tag");
	refuses_service("[{\"tag\":\"x\",\"vni\":5},{\"tag\":\"y\",\"vni\":0}]",
			"\"[1].vni\"", "an error in a list has its place");
	refuses_service("{\"tag\":\"x\",\"vni\":5,\"check\":{\"type\":\"tcp\"}}",
			"\"check.port\"", "a check without a port");
	refuses_service("{\"tag\":\"x\",\"vni\":5,\"check\":{\"type\":\"tcp\","
			"\"port\":1,\"path\":\"/\"}}", "\"check.path\"",
			"a field of another check");
	refuses_service("{\"tag\":\"x\",\"vni\":5,\"check\":{\"type\":\"http\","
			"\"port\":1,\"host\":\"a\\r\\nb\"}}", "\"check.host\"",
			"a header in a header");
	refuses_service("{\"tag\":\"x\",\"vni\":5,\"check\":{\"type\":\"http\","
			"\"port\":1,\"status_min\":300,\"status_max\":200}}",
			"\"check.status_min\"", "a range upside down");
	unlink(a);
	unlink(b);
	snprintf(a, sizeof(a), "%s/ignored.txt", dir);
	unlink(a);
}

void test_config(void)
{
	if (!mkdtemp(dir))
		exit(1);
	test_agent();
	test_services();
	test_services_room();
	rmdir(dir);
}
