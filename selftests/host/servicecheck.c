// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usage: servicecheck DIR
 *
 * For each line on stdin: reads the services of DIR as vnimeshd does, and prints
 * "ok" or what is wrong, in one line.
 */

#include <stdio.h>

#include "config.h"

int main(int argc, char **argv)
{
	const struct check_allow allow = { .exec = true };
	struct services_conf services;
	char error[1024], line[16];

	if (argc != 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		if (services_read(argv[1], &allow, &services, error,
				  sizeof(error))) {
			services_free(&services);
			puts("ok");
		} else {
			puts(error);
		}
	}
	return 0;
}
