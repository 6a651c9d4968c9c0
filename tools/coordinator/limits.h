/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every default, interval and cap of the coordinator, each with its reason. */
#ifndef COORDINATOR_LIMITS_H
#define COORDINATOR_LIMITS_H

/* Three reports of an agent that reports once a second. */
#define LEASE_DEFAULT_MS	3000
#define LEASE_MIN_MS		100
#define LEASE_MAX_MS		3600000

/* The lease clock ticks eight times in a lease. One tick of delay is normal on
 * a busy host; more means that reports are waiting unread in the sockets. What
 * can go unnoticed is below two ticks, a quarter of a lease.
 */
#define LEASE_TICKS		8

/* Silent agents that are too many to be all at fault, within one lease; below
 * that number each is (two hosts of three may well be off). After the time
 * they are gone for good.
 */
#define PRESERVE_MIN		4
#define PRESERVE_PERCENT	15
#define PRESERVE_MAX_MS		300000

/* A released service address may still be in some client's cache. */
#define REST_MS			600000

/* Service addresses set free in one tick, so that no lease waits for them; any
 * etcd takes so many at once.
 */
#define WAKE_MAX		100

/* Below the usual idle limits of what stands between agent and coordinator. */
#define WAIT_MAX_MS		60000
#define WAIT_DEFAULT_MS		30000

/* How often watchers wake: scores move all the time, so they are gathered;
 * registrations and state changes go out almost at once, but a burst of them
 * (a host that comes up) makes a few answers and not hundreds.
 */
#define SOFT_GAP_MS		50
#define HARD_GAP_MS		5

#define BODY_MAX		(1 << 20)

/* A full report always fits: a member has at most some 4 KiB (16 ports with
 * long names, every byte of its output escaped), a definition some 2 KiB.
 */
#define REPORT_MAX		(16 << 20)
#define NODE_MEMBERS_MAX	2048

/* A body whose length was not announced is read on and thrown away beyond
 * its limit, so that the refusal can be sent; but not without end.
 */
#define BODY_DRAIN_MAX		(8 << 20)

/* Of bodies that are under way, all together. Small ones are taken beyond it, so
 * that who sends large ones and does not end keeps nobody else out; there are
 * as many as connections at most.
 */
#define BODIES_MAX		(256 << 20)
/* ... of one node, token, or address: two of the largest reports. */
#define BODIES_SHARE		(BODIES_MAX / 8)
#define BODY_SMALL		(64 << 10)

/* The tags of a watch stand in its URL, perhaps once more as fresh ones: 4096
 * short ones, or 512 of the longest. Other headers have room, too.
 */
#define WATCH_TAGS_MAX		4096
#define WATCH_TAGS_BYTES	(32 << 10)
#define CONNECTION_MEMORY	(96 << 10)

/* An agent keeps two connections. Many nodes may have one address, so those that
 * showed a certificate count for its node; all others for their address, and so
 * does who has not come that far. Of an address one more takes the place of one
 * that asked before: it may be a node's. Those that wait for changes stay, so they
 * are not all; of two connections of an agent one waits. Streams are half at most,
 * as they never end. Fewer than the minimum would leave nothing of this.
 */
#define CONNECTIONS_MAX		4096
#define CONNECTIONS_PER_CLIENT	1024
#define CLIENT_MIN		4
#define CLIENT_WAITING(max)	((max) * 3 / 4)
#define CLIENT_STREAMS(max)	((max) / 2)
#define CONNECTION_IDLE_S	90
/* Above the maximum the one that was not heard of for longest has to go, and
 * until it is gone the new one is there, too.
 */
#define CONNECTIONS_SPARE	64
#define WATCHERS_MAX		2048
/* Event streams stay; they leave connections to agents. */
#define STREAMS_MAX		1024
/* ... and where each client has one, another one takes the place of one that had it
 * for so long: who comes back at once makes no wheel of them that turns all the time.
 */
#define STREAM_TURN_MS		3000
/* Of either, once three quarters are taken, one client has no more than that. */
#define CLIENT_SHARE(max)	((max) / 4)
#define CLIENT_TIGHT(max)	((max) / 4 * 3)
#define BEAT_MIN_MS		100
#define BEAT_MAX_MS		60000
/* Below the idle limits of proxies and address translators. */
#define BEAT_DEFAULT_MS		15000

/* At the end clients get their last answers, those that take them. */
#define STOP_MAX_MS		1000
#define STOP_STEP_MS		20

/* How often within a lease an agent may come back with an epoch that another
 * one had replaced: a join that was under way for long does it once or twice,
 * two agents of one name do it for ever.
 */
#define EPOCH_SWAPS_MAX		3
#define EPOCHS_KEPT		4

/* Every node knows every node: beyond this the tables would be the problem. */
#define NODES_MAX		65535

/* A member that is asked again before its agent took the first request is
 * asked once; an agent that is away need not run what is a minute old.
 */
#define CHECKS_PER_NODE		256
#define CHECK_KEEP_MS		60000
/* How often a critical service may be checked besides what its agents do. */
#define CHECK_MS_MIN		1000
#define CHECK_MS_MAX		86400000
#define TRIGGER_TICK_MS		250
/* A thousand hosts see one member fail at the same time. */
#define EVIDENCE_GAP_MS		1000
/* The log has the first of many requests for one service, and their number. */
#define TRIGGER_NOTE_MS		10000
/* Of each kind in one request of an agent. */
#define OBSERVATIONS_MAX	64

/* Removed services remembered for watchers; who is further behind relists. */
#define TOMBSTONES_MAX		1024

/* An etcd that works answers in milliseconds; a leader that was lost is
 * replaced in one or two seconds. A probe each second finds a quorum lost or
 * there again, and a watch that is silent while it should not be.
 */
#define ETCD_ASK_MS		2000
/* What is loaded at the start comes in pages; who is waited for then may be
 * as busy as the start of everything makes it. An AUDIT_PAGE, and the entry before
 * it, fit in one.
 */
#define ETCD_LOAD_MS		20000
#define ETCD_PAGE		(AUDIT_PAGE + 1)
#define ETCD_CONNECT_MS		500
#define ETCD_TICK_MS		1000
#define ETCD_AWAY_MS		3000
#define ETCD_SILENT_MS		3000
/* That a coordinator hears the agent of a node, others know for so long after
 * its own end; renewed about three times in it, so many nodes told at once.
 */
#define ETCD_LEASE_S		10
#define ETCD_LEASE_TICKS	3
#define ETCD_LIVE_MAX		100
/* A report of NODE_MEMBERS_MAX members, twice: the member and the log's entry,
 * and an old entry goes. etcd's own default is 128.
 */
#define ETCD_OPS_WANTED		8192
/* Nobody reads how it was; who is that far behind begins anew. Below a tick
 * everybody would be.
 */
#define ETCD_HISTORY_MS		300000
#define ETCD_HISTORY_MIN_MS	1000
#define ETCD_HISTORY_MAX_MS	86400000
/* A second apart, while there is a quorum: then who asks begins anew. */
#define ETCD_GAP_TRIES		10
#define ETCD_ANSWER_MAX		(256 << 20)
/* Checks that agents of other coordinators are to make: that wait, and that are
 * passed on at once; a member is among them once.
 */
#define ETCD_ASKED_MAX		1024
#define ETCD_ASKED_AT_ONCE	256

/* How often a change is tried anew from what others changed meanwhile. */
#define CHANGE_TRIES		20

/* Half a year of a quiet mesh; a busy one has its last hours. */
#define AUDIT_MAX		10000
#define AUDIT_PAGE		1000

/* Entries of the log that wait for the store. */
#define NOTES_MAX		1024
/* ... and go there at once: an entry comes, an old one goes, any etcd takes it. */
#define NOTES_AT_ONCE		30
#define NOTE_GATHER_MS		20
#define NOTE_AGAIN_MS		1000
/* At the end, while others change what is there, too. */
#define NOTES_END_TRIES		10

/* What a client may take its time for: the head of a request, its body, our
 * answer (a slow line may bring 100 KiB in a second), and being idle.
 */
#define CLIENT_HEAD_MS		10000
#define CLIENT_BODY_MS		30000
#define CLIENT_ANSWER_MS	60000
#define CLIENT_IDLE_MS		120000
/* One event of a stream: its client would be shown the past. */
#define CLIENT_PIECE_MS		10000
#define STREAM_BLOCK		16384

/* Turns in which the library may work on without any event, and the time
 * until the next one then.
 */
#define KICKS_MAX		16
#define KICK_MS			10

/* An agent asks a few times in a second, and has a rate of its own by its
 * certificate; a burst of this many seconds is what a restart of everything else
 * behind one address brings.
 */
#define RATE_DEFAULT		500
#define RATE_MAX		1000000
#define RATE_BURST_S		4

/* Of answers that wait for their clients to read them. */
#define PENDING_MAX		(256 << 20)

/* A token's id is for logs and for taking it back; the secret is longer. */
#define TOKEN_ID_LEN		12
#define TOKENS_MAX		1024
#define GRANT_TAGS_MAX		16
/* Services that one node may create unless its grant says otherwise. */
#define GRANT_SERVICES		256
/* Long enough to walk to the next host, and for a lunch. */
#define JOIN_TTL_S		86400
#define TOKEN_TTL_MAX_S		(10 * 366 * 86400LL)

/* The authority outlives the hosts; a node's certificate is renewed when a
 * third of its life is left, so that a host may be off for months.
 */
#define CERT_CA_DAYS		7300
#define CERT_SERVER_DAYS	3650
#define CERT_NODE_DAYS		365
#define CERT_BACK_S		86400
#define CSR_MAX			8192
#define ADDRESSES_MAX		8

/* What the kernel takes: a day. */
#define DRAIN_TIME_MAX		86400000

/* A check's answer in words is for a person's eyes. */
#define OUTPUT_MAX		255

#endif
