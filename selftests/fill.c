// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fill - many rows, fast.
 *
 *   fill IFINDEX NODE ADDR N
 *	N VNI records of NODE, ids from 100000, all with address ADDR, and ten
 *	services s0 to s9, 10.96.0.100 to 10.96.0.109, of which they are members in
 *	turn.
 *   fill IFINDEX nodes|services|vnis N
 *	Rows of one kind alone, until N were added: nodes from 1000 on, with underlay
 *	addresses from 198.18.0.0; services t0, t1 ... with addresses of IPv6; VNI
 *	records of node 1000, from 300000 on.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "genl.h"
#include "record.h"

#define SERVICES	10
#define FIRST		100000
#define FIRST_NODE	1000
#define FIRST_VNI	300000
#define BATCH		1024

static struct vnm_genl *genl;
static uint32_t ifindex;

static int fail(const char *what, const struct vnm_error *e)
{
	char text[512];

	vnm_error_text(e, text, sizeof(text));
	fprintf(stderr, "fill: %s: %s\n", what, text);
	return 1;
}

static struct nl_msg *message(uint8_t cmd, const struct vnm_type *type,
			      const void *row)
{
	struct nl_msg *msg = vnm_genl_msg_new(genl, cmd, NLM_F_CREATE);

	if (!msg || vnm_record_fill(type, row, msg))
		abort();
	return msg;
}

static struct nl_msg *service(size_t i)
{
	struct vnm_service s = { 0 };
	char addr[32];

	snprintf(addr, sizeof(addr), "10.96.0.%zu", 100 + i);
	VNM_SET(&s, ifindex, VNIMESH_A_SERVICE_IFINDEX, ifindex);
	snprintf(s.tag, sizeof(s.tag), "s%zu", i);
	s.present |= VNM_BIT(VNIMESH_A_SERVICE_TAG) |
		     VNM_BIT(VNIMESH_A_SERVICE_ADDR4);
	if (!ip_parse(addr, &s.address4))
		abort();
	return message(VNIMESH_CMD_SERVICE_SET, &vnm_service_type, &s);
}

static struct nl_msg *vni(size_t i, uint32_t node, const struct ip_addr *addr)
{
	struct vnm_vni v = { 0 };

	VNM_SET(&v, ifindex, VNIMESH_A_VNI_IFINDEX, ifindex);
	VNM_SET(&v, vni, VNIMESH_A_VNI_ID, FIRST + (uint32_t)i);
	VNM_SET(&v, node, VNIMESH_A_VNI_NODE_ID, node);
	VNM_SET(&v, address4, VNIMESH_A_VNI_ADDR4, *addr);
	return message(VNIMESH_CMD_VNI_SET, &vnm_vni_type, &v);
}

static struct nl_msg *member(size_t i)
{
	struct vnm_member m = { 0 };

	VNM_SET(&m, ifindex, VNIMESH_A_MEMBER_IFINDEX, ifindex);
	snprintf(m.tag, sizeof(m.tag), "s%zu", i % SERVICES);
	m.present |= VNM_BIT(VNIMESH_A_MEMBER_TAG);
	VNM_SET(&m, vni, VNIMESH_A_MEMBER_VNI_ID, FIRST + (uint32_t)i);
	return message(VNIMESH_CMD_MEMBER_SET, &vnm_member_type, &m);
}

static void refused(size_t idx, const struct vnm_error *e, void *arg)
{
	(void)idx;
	(void)arg;
	if (e->err)
		fail("set", e);
}

static int send_all(struct nl_msg **msgs, size_t n)
{
	struct vnm_error e;
	int err = vnm_genl_bulk(genl, msgs, n, refused, NULL, &e);

	return err < 0 ? fail("bulk", &e) : err > 0;
}

static struct nl_msg *lone_node(size_t i)
{
	struct vnm_node n = { 0 };
	char addr[INET_ADDRSTRLEN];
	struct in_addr in = { htonl(0xc6120000 + (uint32_t)i) };

	VNM_SET(&n, ifindex, VNIMESH_A_NODE_IFINDEX, ifindex);
	VNM_SET(&n, node, VNIMESH_A_NODE_ID, FIRST_NODE + (uint32_t)i);
	if (!ip_parse(inet_ntop(AF_INET, &in, addr, sizeof(addr)), &n.underlay))
		abort();
	n.present |= VNM_BIT(VNIMESH_A_NODE_ADDR);
	return message(VNIMESH_CMD_NODE_SET, &vnm_node_type, &n);
}

static struct nl_msg *lone_service(size_t i)
{
	struct vnm_service s = { 0 };
	char addr[INET6_ADDRSTRLEN];

	snprintf(addr, sizeof(addr), "fd77:96::1:%zx:%zx", i >> 16, i & 0xffff);
	VNM_SET(&s, ifindex, VNIMESH_A_SERVICE_IFINDEX, ifindex);
	snprintf(s.tag, sizeof(s.tag), "t%zu", i);
	s.present |= VNM_BIT(VNIMESH_A_SERVICE_TAG) |
		     VNM_BIT(VNIMESH_A_SERVICE_ADDR6);
	if (!ip_parse(addr, &s.address6))
		abort();
	return message(VNIMESH_CMD_SERVICE_SET, &vnm_service_type, &s);
}

static struct nl_msg *lone_vni(size_t i)
{
	struct vnm_vni v = { 0 };

	VNM_SET(&v, ifindex, VNIMESH_A_VNI_IFINDEX, ifindex);
	VNM_SET(&v, vni, VNIMESH_A_VNI_ID, FIRST_VNI + (uint32_t)i);
	VNM_SET(&v, node, VNIMESH_A_VNI_NODE_ID, FIRST_NODE);
	return message(VNIMESH_CMD_VNI_SET, &vnm_vni_type, &v);
}

/* Each message has a page: not all of them at once. */
static int fill_alone(const char *what, size_t n)
{
	struct nl_msg *msgs[BATCH];
	size_t i = 0, k;

	while (i < n) {
		for (k = 0; k < BATCH && i < n; k++, i++)
			msgs[k] = !strcmp(what, "nodes") ? lone_node(i) :
				  !strcmp(what, "vnis") ? lone_vni(i) :
							  lone_service(i);
		if (send_all(msgs, k))
			return 1;
	}
	return 0;
}

/* What belongs together, see the head. */
static int fill(uint32_t node, const struct ip_addr *addr, size_t n)
{
	struct nl_msg **msgs = calloc(n + SERVICES, sizeof(*msgs));
	size_t i;

	if (!msgs)
		return 1;
	for (i = 0; i < SERVICES; i++)
		msgs[i] = service(i);
	for (i = 0; i < n; i++)
		msgs[SERVICES + i] = vni(i, node, addr);
	if (send_all(msgs, n + SERVICES))
		return 1;
	for (i = 0; i < n; i++)
		msgs[i] = member(i);
	return send_all(msgs, n);
}

int main(int argc, char **argv)
{
	struct ip_addr addr;
	struct vnm_error e;

	if (argc != 4 && (argc != 5 || !ip_parse(argv[3], &addr)))
		return 2;
	ifindex = (uint32_t)atoi(argv[1]);
	if (vnm_genl_open(&genl, &e))
		return fail("open", &e);
	if (argc == 4)
		return fill_alone(argv[2], (size_t)atoi(argv[3]));
	return fill((uint32_t)atoi(argv[2]), &addr, (size_t)atoi(argv[4]));
}
