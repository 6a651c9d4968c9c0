// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "tool.h"

#define META \
	"FACTS    := [ origin { static | agent | learned } ] [ source NODE ]\n" \
	"            [ epoch N ] [ seq N ] [ gen N ]\n"
#define STATE	"STATE    := { up | drain | maint | down }\n"
#define TIME	"TIME     := number and unit: 400us, 20ms, 5s, 2m, 1h\n"
#define GRANT	"GRANT    := [ tag PATTERN ]... [ services-max N ] [ members-max N ]\n"
#define ACCESS \
	"ACCESS   := [ coordinator URL ] [ token-file FILE ] [ ca-file FILE ]\n" \
	"            or VNIMESH_COORDINATOR, VNIMESH_TOKEN_FILE, VNIMESH_CA_FILE\n"
#define RULE	"RULE     := { [NAME:]{ tcp | udp }/PORT[:TARGET] | none }\n"

static const struct {
	const char	*object;
	const char	*text;
} texts[] = {
	{ "", "Usage: vnimesh [ OPTIONS ] OBJECT { COMMAND | help }\n"
	"where  OBJECT  := { dev | vni | node | service | member | flow | route |\n"
	"                    ttl | peers | resolve | monitor | connect | join | token | grant }\n"
	"       OPTIONS := { -V[ersion] | -h[elp] | -j[son] | -p[retty] |\n"
	"                    -s[tatistics] | -d[etails] | -n[etns] NAME |\n"
	"                    -timeout TIME }\n" },
	{ "dev", "Usage: vnimesh dev [ show [ NAME ] ]\n"
	"       vnimesh dev add NAME mesh ID node NODE vni VNI local ADDR [ port PORT ]\n"
	"                   [ address ADDR[/LEN] ]... [ flow-max N ] [ mtu N ]\n"
	"       vnimesh dev set NAME [ service-prefix { PREFIX | none } ]...\n"
	"                   [ hold-max N ] [ hold-vni-max N ] [ miss-timeout TIME ]\n"
	"                   [ tcp-established TIME ] [ tcp-half-open TIME ]\n"
	"                   [ tcp-closing TIME ] [ udp-unreplied TIME ]\n"
	"                   [ udp-replied TIME ] [ resteer-max N ]\n"
	"                   [ eject-max TIME ]\n"
	"       vnimesh dev del NAME\n" TIME },
	{ "vni", "Usage: vnimesh vni [ show [ VNI ] ] [ dev MESH ]\n"
	"       vnimesh vni add VNI [ dev MESH ] [ netns { NAME | PID | PATH } ]\n"
	"                   [ name IFNAME ] [ address ADDR[/LEN] ]... [ mtu N ]\n"
	"       vnimesh vni { add | replace | set } VNI [ dev MESH ] node NODE\n"
	"                   [ address ADDR ]... [ state STATE ] [ health 0..100 ]\n"
	"                   [ latency TIME ] FACTS\n"
	"       vnimesh vni del VNI [ dev MESH ]\n"
	"Without node, add makes a device here; set needs no node.\n"
	STATE TIME META },
	{ "node", "Usage: vnimesh node [ show [ NODE ] ] [ dev MESH ]\n"
	"       vnimesh node { add | replace | set } NODE [ dev MESH ]\n"
	"                   [ underlay ADDR ] [ port PORT ] [ name NAME ] [ zone ZONE ]\n"
	"                   [ prefix { PREFIX | none } ]... [ state { up | down } ]\n"
	"                   [ latency TIME ] FACTS\n"
	"       vnimesh node del NODE [ dev MESH ]\n"
	"       vnimesh node forget { ID | NAME } [ force ] ACCESS\n" TIME META ACCESS },
	{ "service", "Usage: vnimesh service [ show [ TAG ] ] [ dev MESH ]\n"
	"       vnimesh service { add | replace | set } TAG [ dev MESH ]\n"
	"                   [ address ADDR ]... [ port RULE ]... [ policy optimal ]\n"
	"                   [ loading { on | off } ] [ on-down { abort | drain | keep } ]\n"
	"                   [ drain-time TIME ] FACTS\n"
	"       vnimesh service del TAG [ dev MESH ]\n"
	"of the agent of this host:\n"
	"       vnimesh service register { file { FILE | - } | TAG vni VNI [ weight 0..1000 ]\n"
	"                   [ port RULE ]... [ check TYPE | ttl TIME ] }\n"
	"       vnimesh service deregister TAG vni VNI\n"
	"       vnimesh service { drain | maint | ready } TAG [ vni VNI ] [ reason TEXT ]\n"
	"       vnimesh service status [ TAG ]\n" RULE TIME META },
	{ "peers", "Usage: vnimesh peers\n" },
	{ "ttl", "Usage: vnimesh ttl { pass | warn | fail } TAG vni VNI [ text TEXT ]\n" },
	{ "member", "Usage: vnimesh member [ show [ TAG ] ] [ vni VNI ] [ dev MESH ]\n"
	"       vnimesh member { add | replace | set } TAG vni VNI [ dev MESH ]\n"
	"                   [ weight 0..1000 ] [ state STATE ] [ health 0..100 ]\n"
	"                   [ latency TIME ] [ stale { on | off } ] [ port RULE ]... FACTS\n"
	"       vnimesh member del TAG vni VNI [ dev MESH ]\n"
	STATE RULE TIME META },
	{ "flow", "Usage: vnimesh flow { show | count | flush } [ tag TAG ] [ vni VNI ]\n"
	"                   [ dev MESH ]\n"
	"       vnimesh flow del { tag TAG | vni VNI | TUPLE } [ dev MESH ]\n"
	"TUPLE := proto { tcp | udp } src ADDR sport PORT dst ADDR dport PORT\n" },
	{ "route", "Usage: vnimesh route get { TAG | ADDR } [ dev MESH ] [ from ADDR ]\n"
	"                   [ proto { tcp | udp } ] [ dport PORT ]\n"
	"                   [ family { inet | inet6 } ] [ seed N ] [ count N ]\n"
	"       vnimesh route replay { FILE | - }\n" },
	{ "resolve", "Usage: vnimesh resolve TAG [ dev IFNAME ] [ family { inet | inet6 } ]\n" },
	{ "monitor", "Usage: vnimesh monitor [ all | config | events ]\n" },
	{ "join", "Usage: vnimesh join URL TOKEN [ name NAME ] [ underlay ADDR ]\n"
	"                   [ port PORT ] [ zone ZONE ] [ dev NAME ]\n"
	"                   [ config FILE ] [ state-dir DIR ]\n" },
	{ "token", "Usage: vnimesh token add [ role { join | read | register | admin } ]\n"
	"                   [ ttl-seconds N ] GRANT ACCESS\n"
	"       vnimesh token [ show ] ACCESS\n"
	"       vnimesh token del ID ACCESS\n" GRANT ACCESS },
	{ "grant", "Usage: vnimesh grant show { ID | NAME } ACCESS\n"
	"       vnimesh grant set { ID | NAME } GRANT ACCESS\n" GRANT ACCESS },
	{ "connect", "Usage: vnimesh connect TAG [ PORT ] [ -4 | -6 ] [ -u ] [ dev IFNAME ]\n"
	"                   [ timeout TIME ]\n"
	"PORT := number, or the name of a port of the service\n" },
};

void help_print(const char *object)
{
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(texts[i].object, object ? object : ""))
			fputs(texts[i].text, stdout);
}
