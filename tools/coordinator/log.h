/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to stderr, one line each, with the syslog level as "<N>" in front:
 * the journal reads it, a person can.
 */
#ifndef COORDINATOR_LOG_H
#define COORDINATOR_LOG_H

#include <stdio.h>

#define log_error(fmt, ...)	fprintf(stderr, "<3>" fmt "\n", ##__VA_ARGS__)
#define log_warning(fmt, ...)	fprintf(stderr, "<4>" fmt "\n", ##__VA_ARGS__)
#define log_info(fmt, ...)	fprintf(stderr, "<6>" fmt "\n", ##__VA_ARGS__)

#endif
