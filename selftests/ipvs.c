// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A UDP service of IPVS with one server, by masquerading, in this network
 * namespace: what the benchmark compares with, without another package.
 *
 *	ipvs ADDR PORT SERVER
 */
#include <arpa/inet.h>
#include <err.h>
#include <linux/ip_vs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct {
		struct ip_vs_service_user service;
		struct ip_vs_dest_user dest;
	} arg = {
		.service = { .protocol = IPPROTO_UDP, .sched_name = "rr" },
		.dest = { .conn_flags = IP_VS_CONN_F_MASQ, .weight = 1 },
	};
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	if (argc != 4 ||
	    inet_pton(AF_INET, argv[1], &arg.service.addr) != 1 ||
	    inet_pton(AF_INET, argv[3], &arg.dest.addr) != 1)
		errx(2, "usage: ipvs ADDR PORT SERVER");
	arg.service.port = htons(atoi(argv[2]));
	arg.dest.port = arg.service.port;
	if (fd < 0)
		err(1, "socket");
	if (setsockopt(fd, IPPROTO_IP, IP_VS_SO_SET_ADD, &arg.service,
		       sizeof(arg.service)))
		err(1, "service");
	if (setsockopt(fd, IPPROTO_IP, IP_VS_SO_SET_ADDDEST, &arg, sizeof(arg)))
		err(1, "server");
	return 0;
}
