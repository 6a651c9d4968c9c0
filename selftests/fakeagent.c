// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fakeagent - answers the misses of a mesh as it is told, so that the kernel's
 * half is tested alone.
 *
 *   fakeagent [-d DEV] [-D DELAY_MS] [-a ANSWER] [-t TTL_MS] [-L] [-b] [RULE]...
 *
 * ANSWER to what no RULE is about: no-service (the default), coordinator-away,
 * or never. RULE := TAG,ADDR4,ADDR6,VNI[,VNI]... ("-": no such address): this
 * service exists, with these members. -L: loads it in parts, as the real agent
 * does for a large one. -b: its socket takes as little as there can be.
 * Says on stdout "bound PORTID", then for each miss "miss ADDR|TAG VNI".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "genl.h"
#include "record.h"

#define MAX	256

struct rule {
	char		tag[VNIMESH_TAG_MAX + 1];
	struct ip_addr	addr4, addr6;
	unsigned int	n;
	uint32_t	vnis[32];
};

static struct rule rules[MAX];
static unsigned int n_rules;

static struct due {
	double		at;
	struct vnm_miss	miss;
} queue[MAX];
static unsigned int n_queue;

static struct vnm_genl *bound, *setter;
static const char *answer = "no-service";
static uint32_t ifindex, ttl;
static int delay, loading, tiny;

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int fail(const char *what, const struct vnm_error *e)
{
	char buf[512];

	vnm_error_text(e, buf, sizeof(buf));
	fprintf(stderr, "fakeagent: %s: %s\n", what, buf);
	return 1;
}

static int add_rule(char *text)
{
	struct rule *r = &rules[n_rules++];
	char *word = strtok(text, ",");
	int i;

	for (i = 0; word; word = strtok(NULL, ","), i++) {
		if (i == 0)
			snprintf(r->tag, sizeof(r->tag), "%s", word);
		else if (i < 3 && strcmp(word, "-") &&
			 !ip_parse(word, i == 1 ? &r->addr4 : &r->addr6))
			return 2;
		else if (i >= 3)
			r->vnis[r->n++] = (uint32_t)atoi(word);
	}
	return i < 3 ? 2 : 0;
}

static int take(const struct vnm_genl_msg *m, void *arg)
{
	struct due *d = &queue[n_queue];
	char text[IP_TEXT_MAX];

	(void)arg;
	if (m->cmd != VNIMESH_CMD_MISS || n_queue == MAX ||
	    vnm_record_parse(&vnm_miss_type, &d->miss, m->attrs, m->attrlen))
		return 0;
	d->at = now_ms() + delay;
	n_queue++;
	printf("miss %s %u\n", VNM_HAS(&d->miss, VNIMESH_A_MISS_TAG) ?
	       d->miss.tag : ip_text(&d->miss.address, text), d->miss.vni);
	fflush(stdout);
	return 0;
}

static const struct rule *rule_of(const struct vnm_miss *miss)
{
	unsigned int i;

	for (i = 0; i < n_rules; i++)
		if (VNM_HAS(miss, VNIMESH_A_MISS_TAG) ?
		    !strcmp(miss->tag, rules[i].tag) :
		    !memcmp(&miss->address, &rules[i].addr4,
			    sizeof(miss->address)) ||
		    !memcmp(&miss->address, &rules[i].addr6,
			    sizeof(miss->address)))
			return &rules[i];
	return NULL;
}

static int send_row(uint8_t cmd, const struct vnm_type *type, const void *row)
{
	struct nl_msg *msg = vnm_genl_msg_new(setter, cmd, NLM_F_CREATE);
	struct vnm_error e;

	if (!msg || vnm_record_fill(type, row, msg))
		abort();
	if (vnm_genl_request(setter, msg, NULL, NULL, &e))
		return fail("set", &e);
	return 0;
}

static int set_service(const struct rule *r, uint8_t load)
{
	struct vnm_service s = { 0 };

	VNM_SET(&s, ifindex, VNIMESH_A_SERVICE_IFINDEX, ifindex);
	strcpy(s.tag, r->tag);
	s.present |= VNM_BIT(VNIMESH_A_SERVICE_TAG);
	if (r->addr4.family)
		VNM_SET(&s, address4, VNIMESH_A_SERVICE_ADDR4, r->addr4);
	if (r->addr6.family)
		VNM_SET(&s, address6, VNIMESH_A_SERVICE_ADDR6, r->addr6);
	VNM_SET(&s, loading, VNIMESH_A_SERVICE_LOADING, load);
	VNM_SET(&s, meta.origin, VNIMESH_A_SERVICE_ORIGIN,
		VNIMESH_ORIGIN_AGENT);
	return send_row(VNIMESH_CMD_SERVICE_SET, &vnm_service_type, &s);
}

static int exists(const struct rule *r)
{
	struct vnm_member m;
	struct timespec pause = { 0, 20000000 };
	unsigned int i;

	if (set_service(r, 1))
		return 1;
	for (i = 0; i < r->n; i++) {
		memset(&m, 0, sizeof(m));
		VNM_SET(&m, ifindex, VNIMESH_A_MEMBER_IFINDEX, ifindex);
		strcpy(m.tag, r->tag);
		m.present |= VNM_BIT(VNIMESH_A_MEMBER_TAG);
		VNM_SET(&m, vni, VNIMESH_A_MEMBER_VNI_ID, r->vnis[i]);
		VNM_SET(&m, meta.origin, VNIMESH_A_MEMBER_ORIGIN,
			VNIMESH_ORIGIN_AGENT);
		if (send_row(VNIMESH_CMD_MEMBER_SET, &vnm_member_type, &m))
			return 1;
		if (loading)
			nanosleep(&pause, NULL);
	}
	return set_service(r, 0);
}

static int negative(const struct vnm_miss *miss)
{
	struct vnm_miss a = { 0 };

	VNM_SET(&a, ifindex, VNIMESH_A_MISS_IFINDEX, ifindex);
	a.address = miss->address;
	strcpy(a.tag, miss->tag);
	a.present |= miss->present & (VNM_BIT(VNIMESH_A_MISS_ADDR) |
				      VNM_BIT(VNIMESH_A_MISS_TAG));
	VNM_SET(&a, verdict, VNIMESH_A_MISS_VERDICT,
		(uint8_t)vnm_word_value(VNM_WORDS_VERDICT, answer));
	VNM_SET(&a, ttl_ms, VNIMESH_A_MISS_TTL, ttl);
	return send_row(VNIMESH_CMD_MISS_ANSWER, &vnm_miss_type, &a);
}

static int bind_mesh(void)
{
	struct nl_msg *msg = vnm_genl_msg_new(bound, VNIMESH_CMD_AGENT_BIND, 0);
	struct vnm_error e;
	int least = 1;

	if (!msg || nla_put_u32(msg, VNIMESH_A_MISS_IFINDEX, ifindex))
		abort();
	if (tiny && setsockopt(vnm_genl_fd(bound), SOL_SOCKET, SO_RCVBUF,
			       &least, sizeof(least)))
		abort();
	if (vnm_genl_request(bound, msg, NULL, NULL, &e))
		return fail("bind", &e);
	printf("bound %u\n", vnm_genl_portid(bound));
	fflush(stdout);
	return 0;
}

static int run(void)
{
	struct pollfd pfd = { vnm_genl_fd(bound), POLLIN, 0 };
	const struct rule *r;
	double wait;
	int ret;

	for (;;) {
		wait = n_queue ? queue[0].at - now_ms() : 1e6;
		if (wait > 0 && !vnm_genl_backlog(bound))
			poll(&pfd, 1, (int)wait + 1);
		ret = vnm_genl_recv(bound, take, NULL);
		if (ret < 0) {
			fprintf(stderr, "fakeagent: recv: %s\n",
				strerror(-ret));
			if (ret != -ENOBUFS)
				return 1;
		}
		while (n_queue && queue[0].at <= now_ms()) {
			r = rule_of(&queue[0].miss);
			if (r)
				exists(r);
			else if (strcmp(answer, "never"))
				negative(&queue[0].miss);
			memmove(queue, queue + 1, --n_queue * sizeof(*queue));
		}
	}
}

int main(int argc, char **argv)
{
	const char *dev = "mesh0";
	struct vnm_error e;
	int opt;

	while ((opt = getopt(argc, argv, "d:D:a:t:Lb")) != -1)
		switch (opt) {
		case 'd':
			dev = optarg;
			break;
		case 'D':
			delay = atoi(optarg);
			break;
		case 'a':
			answer = optarg;
			break;
		case 't':
			ttl = (uint32_t)atoi(optarg);
			break;
		case 'L':
			loading = 1;
			break;
		case 'b':
			tiny = 1;
			break;
		default:
			return 2;
		}
	for (; argv[optind]; optind++)
		if (n_rules == MAX || add_rule(argv[optind]))
			return 2;
	ifindex = if_nametoindex(dev);
	if (!ifindex) {
		perror(dev);
		return 1;
	}
	if (vnm_genl_open(&bound, &e) || vnm_genl_open(&setter, &e))
		return fail("open", &e);
	return bind_mesh() || run();
}
