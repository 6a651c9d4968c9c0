// SPDX-License-Identifier: GPL-2.0-or-later
/* Prints TAP. */

#include <stdio.h>

#include "checks.h"
#include "tap.h"

unsigned int tests, failures;

int main(void)
{
	test_conf();
	test_secret();
	test_tcp();
	test_redis();
	test_postgres();
	test_mysql();
	test_noise();
	test_http_judge();
	test_grpc_judge();
	test_damping();
	test_held_time();
	test_late();
	test_failures_tcp();
	test_failures_http();
	test_failures_udp();
	test_udp_answers();
	test_exec();
	test_groups();
	test_role();
	test_trust();
	test_endless();
	test_ttl();
	test_suspicion();
	test_cert();
	printf("1..%u\n", tests);
	return failures ? 1 : 0;
}
