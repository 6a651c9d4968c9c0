/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: /etc/vnimesh/vnimeshd.json and the services of this host,
 * services_dir/(*).json. vnimeshd(8) describes both.
 *
 * Strict: an unknown field, a wrong type or value refuses the file, and the
 * error names file and field. What was read is owned by the caller and freed
 * with services_free().
 */
#ifndef VNIMESHD_CONFIG_H
#define VNIMESHD_CONFIG_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "check_conf.h"
#include "defaults.h"
#include "facts.h"
#include "limits.h"

#define CONFIG_FILE		"/etc/vnimesh/vnimeshd.json"
#define CONFIG_DEVICE		"mesh0"
#define CONFIG_STATE_DIR	"/var/lib/vnimesh"
#define CONFIG_SERVICES_DIR	"/etc/vnimesh/services.d"
/* A third of the coordinator's default lease. */
#define CONFIG_REPORT_MS	1000
/* Three lost echoes are a second: below TCP's first retransmission of data
 * after some, and below what people notice.
 */
#define CONFIG_ECHO_MS		300
#define CONFIG_ECHO_LOST	3
#define CONFIG_TEXT_MAX		511
#define CONFIG_URL_MAX		127
#define COORDINATORS_MAX	8
/* What the coordinator takes of one node, and in one report. */
#define SERVICES_MAX		2048
#define SERVICES_BYTES		(1U << 20)

#define CONFIG_CONTROL		VNM_CONTROL_SOCKET
#define CONFIG_CONTROL_MAX	107	/* what a socket's address holds */

/* A user of this host may act on this VNI. */
struct grant {
	uid_t uid;
	uint32_t vni;
};

struct config {
	char coordinator[CONFIG_TEXT_MAX + 1];	/* URL without final slash */
	/* All of them, interchangeable; the one above is in use. */
	char coordinators[COORDINATORS_MAX][CONFIG_URL_MAX + 1];
	unsigned int nr_coordinators;
	bool tls;		/* it is https: we have a certificate */
	char device[IFNAMSIZ];
	char name[JNAME_MAX + 1];
	char zone[JNAME_MAX + 1];
	struct ip_addr underlay;
	uint16_t port;
	uint16_t peer_port;
	char state_dir[CONFIG_TEXT_MAX + 1];
	char services_dir[CONFIG_TEXT_MAX + 1];
	uint32_t report_ms;
	uint32_t echo_ms;
	uint32_t echo_lost;
	struct check_allow allow;
	char control[CONFIG_CONTROL_MAX + 1];	/* "": no control socket */
	struct grant grants[GRANTS_MAX];
	unsigned int n_grants;
	int log;		/* level of syslog */
};

struct service_conf {
	char tag[TAG_MAX + 1];
	uint32_t vni;
	uint32_t weight;
	uint8_t policy;
	uint8_t on_down;
	uint8_t load;
	uint8_t priority;
	uint32_t drain_time_ms;
	struct ports ports;
	struct check_conf check;
};

struct services_conf {
	struct service_conf *v;
	size_t n;
	bool missing;		/* there is no such directory */
};

/* Use the next coordinator. False: there is one only. */
bool config_next(struct config *c);

/* Whether that user may act on any VNI. */
bool config_has_grant(const struct config *c, uid_t uid);

/* On false, @error is one line for the log. */
bool config_read(const char *file, struct config *ret, char *error,
		 size_t len);

/* All *.json of the directory in the order of their names; no directory is no
 * services. All or nothing.
 */
bool services_read(const char *dir, const struct check_allow *allow,
		   struct services_conf *ret, char *error, size_t len);
void services_free(struct services_conf *s);
void service_free(struct service_conf *s);

/* One service; false with an error in the reader, and *s is empty. */
bool service_read(struct jobj *o, const struct check_allow *allow,
		  struct service_conf *s);
/* What it takes of a report at most, the answer of its check left out. */
size_t service_bytes(const struct service_conf *s);

#endif
