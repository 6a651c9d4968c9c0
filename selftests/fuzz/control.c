// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines of the control socket: of root, of a user with a grant, of one without,
 * as the first byte says. And what lies in state_dir at the start: state.json
 * (first byte 4) and local.json (8).
 * fuzz: agent
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control_ops.h"
#include "fuzz.h"
#include "local.h"
#include "log.h"
#include "state.h"

static const char services[] =
	"[{\"tag\": \"web\", \"vni\": 257, \"check\": {\"type\": \"ttl\", \"ttl_ms\": 1000}},"
	" {\"tag\": \"db\", \"vni\": 258}]";

static char state[160], local[160], dir[128];
static struct config conf;
static struct loop *loop;

static void put(const char *file, const void *data, size_t len)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	must(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	close(fd);
}

static void ended(void)
{
	loop_free(loop);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char list[160];

	(void)argc;
	(void)argv;
	log_level = -1;
	snprintf(state, sizeof(state), "%s/%s", fuzz_dir(), STATE_FILE);
	snprintf(local, sizeof(local), "%s/%s", fuzz_dir(), DURABLE_FILE);
	snprintf(dir, sizeof(dir), "%s/services.d", fuzz_dir());
	snprintf(list, sizeof(list), "%s/a.json", dir);
	must(!mkdir(dir, 0755));
	put(list, services, sizeof(services) - 1);
	strcpy(conf.coordinator, "http://127.0.0.1:1");
	strcpy(conf.device, "mesh0");
	strcpy(conf.name, "host1");
	strcpy(conf.state_dir, fuzz_dir());
	conf.grants[0].uid = 1000;
	conf.grants[0].vni = 257;
	conf.n_grants = 1;
	must(!loop_new(&loop));
	atexit(ended);
	return 0;
}

static void ask(struct mesh *m, uid_t uid, const uint8_t *data, size_t len)
{
	const uint8_t *end;
	json_t *answer;
	char *line;
	size_t n;

	while (len) {
		end = memchr(data, '\n', len);
		n = end ? (size_t)(end - data) : len;
		line = fuzz_text(data, n);
		answer = control_answer(m, uid, line, n);
		must(json_is_boolean(json_object_get(answer, "ok")));
		must(json_is_true(json_object_get(answer, "ok")) ||
		     json_is_string(json_object_get(answer, "error")));
		json_decref(answer);
		free(line);
		data += n + (end ? 1 : 0);
		len -= n + (end ? 1 : 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uid_t uids[] = { 0, 1000, 1001, 0 };
	struct services_conf s;
	struct config c = conf;
	char error[1024];
	struct mesh *m;

	if (!len)
		return 0;
	unlink(state);
	unlink(local);
	if (data[0] & 4)
		put(state, data + 1, len - 1);
	else if (data[0] & 8)
		put(local, data + 1, len - 1);
	must(services_read(dir, &c.allow, &s, error, sizeof(error)));
	m = mesh_new(loop, "", &c, &s, -1);
	must(m);
	if (data[0] & 12)
		ask(m, 0, (const uint8_t *)"{\"op\": \"list\"}", 14);
	else
		ask(m, uids[data[0] & 3], data + 1, len - 1);
	state_save(m->state);
	mesh_free(m);
	return 0;
}
