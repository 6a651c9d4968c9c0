/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines on stderr with the "<N>" prefixes that the service manager
 * understands. The level is that of syslog: smaller is graver.
 */
#ifndef VNIMESHD_LOG_H
#define VNIMESHD_LOG_H

#include <syslog.h>

extern int log_level;

void log_line(int level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_err(...)	log_line(LOG_ERR, __VA_ARGS__)
#define log_warn(...)	log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...)	log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	log_line(LOG_DEBUG, __VA_ARGS__)

#endif
