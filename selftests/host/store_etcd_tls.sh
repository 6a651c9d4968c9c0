#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The way to an etcd that asks for a client's certificate, a user and a
# password: each that is missing or wrong is named, and a token that is over is
# fetched anew.
set -u
. "$(dirname "$0")/../lib.sh"

coordinator=${COORDINATOR:-vnimesh-coordinator}
read -r -a coordinator <<<"$coordinator"
command -v "${coordinator[0]}" >/dev/null || skip_all "no ${coordinator[0]}"
for tool in curl jq openssl etcd etcdctl; do
	command -v "$tool" >/dev/null || skip_all "no $tool"
done
export ETCDCTL_API=3
tls=$work/tls
mkdir "$tls"

# --- certificates and a cluster ----------------------------------------------------

key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
authority() {
	openssl req -x509 "${key[@]}" -keyout "$tls/$1.key" -out "$tls/$1.pem" -days 30 -subj "/CN=$1" 2>/dev/null
}
# sign NAME EXTENSIONS
sign() {
	# No common name: etcd takes no client that has one by its gateway once users are known.
	openssl req "${key[@]}" -keyout "$tls/$1.key" -out "$tls/$1.csr" -subj "/O=$1" 2>/dev/null &&
		openssl x509 -req -in "$tls/$1.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial \
			-days 30 -out "$tls/$1.pem" -extfile <(printf '%s\n' "${@:2}") 2>/dev/null
}
check "an authority, a member's and a client's certificate" eval 'authority ca && authority other &&
	sign member "subjectAltName=IP:127.0.0.1" "extendedKeyUsage=serverAuth,clientAuth" &&
	sign client "extendedKeyUsage=clientAuth"'
pid=''
member() {
	etcd --name one --data-dir "$work/etcd" --listen-client-urls https://127.0.0.1:2379 \
		--advertise-client-urls https://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 \
		--initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster one=http://127.0.0.1:2380 \
		--client-cert-auth --trusted-ca-file "$tls/ca.pem" --cert-file "$tls/member.pem" \
		--key-file "$tls/member.key" >>"$work/etcd.log" 2>&1 &
	pid=$!
	disown
	waitfor 20 ctl endpoint health
}
ctl() {
	etcdctl --endpoints=https://127.0.0.1:2379 --cacert="$tls/ca.pem" --cert="$tls/client.pem" \
		--key="$tls/client.key" "$@" 2>&1
}
gone() { ! kill -0 "$pid" 2>/dev/null; }
# Its port is free then.
end_member() { kill -KILL "$pid" 2>/dev/null; waitfor 20 gone; }
defer end_member
check "an etcd that asks for certificates" member || skip_all "it does not run"

# --- what is wrong is named ----------------------------------------------------------

# config FILTER: what is there besides
config() {
	jq -n --arg ca "$tls/ca.pem" --arg cert "$tls/client.pem" --arg key "$tls/client.key" '{listen: "127.0.0.1:7901",
		store: "etcd://127.0.0.1:2379/mesh", etcd: {ca: $ca, cert: $cert, key: $key},
		mesh: {id: 77, prefix4: "10.77.0.0/16", prefix6: "fd77::/48", service_prefix4: "10.96.0.0/16",
		service_prefix6: "fd77:0:0:ffff::/64"}}' |
		jq --arg other "$tls/other.pem" --arg password "$work/password" "${1:-.}" >"$work/config.json"
}
# fails NAME PATTERN FILTER
fails() {
	config "$3"
	check_match "$1" "$2" bash -c '! timeout 60 "$@" 2>&1' bash "${coordinator[@]}" --config "$work/config.json"
}
fails "a certificate for whoever listens" 'field "etcd.ca": required' 'del(.etcd.ca)'
fails "half of a pair" 'field "etcd.key": required' 'del(.etcd.key)'
fails "a file that is not there" 'field "etcd.cert": cannot be read' '.etcd.cert += "x"'
fails "no https" 'etcd://127.0.0.1:2379/mesh: http://' 'del(.etcd)'
fails "another authority" 'https://127.0.0.1:2379: .*ertificate' '.etcd.ca = $other'
fails "no certificate" 'https://127.0.0.1:2379: .' '.etcd = {ca: .etcd.ca}'

# --- certificates ----------------------------------------------------------------------

server=''
start() {
	"${coordinator[@]}" --config "$work/config.json" 2>>"$work/log" &
	server=$!
	disown
	waitfor 20 curl -s -m 5 -o /dev/null http://127.0.0.1:7901/v1/status
}
stop() { [ -z "$server" ] || kill -KILL "$server" 2>/dev/null; server=''; }
defer stop
put() {
	curl -s -m 20 -o "$work/body" -w '%{http_code}' -X PUT -H 'Content-Type: application/json' -d '{}' \
		"http://127.0.0.1:7901/v1/services/$1"
}
config
check "with what it takes the coordinator starts" start
check_is "and makes changes" 200 "$(put a)"
stop

# --- a user -------------------------------------------------------------------------------

check "authentication is on" eval 'ctl user add root:rootpw && ctl user grant-role root root &&
	ctl role add mesh && ctl role grant-permission mesh --prefix=true readwrite mesh/ &&
	ctl user add vnimesh:secret && ctl user grant-role vnimesh mesh && ctl auth enable'
fails "no user" 'https://127.0.0.1:2379: .*user name is empty' '.'

fails "a user without a password" 'field "etcd.password_file": required' '.etcd.user = "vnimesh"'
user='.etcd.user = "vnimesh" | .etcd.password_file = $password | .etcd.history_ms = 1000'
(umask 077; echo secret >"$work/password")
chmod 644 "$work/password"
fails "a password that others may read" 'field "etcd.password_file": .*chmod 0600' "$user"
chmod 600 "$work/password"
fails "a prefix that the user may not touch" 'permission denied' "$user | .store += \"2\""
echo wrong >"$work/password"
fails "a wrong password" 'invalid user ID or password' "$user"
echo secret >"$work/password"
config "$user"
check "with the right one the coordinator starts" start
check_is "what was there is there" 200 "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:7901/v1/services/a)"
check_is "and it makes changes" 200 "$(put b)"
check_fails "the log has no password" grep -q secret "$work/log"

# A member's tokens end with it.
end_member
check "the member is started anew" member
works() { [ "$(put "$1")" = 200 ]; }
check "its token is over: another one is fetched" waitfor 20 works c
check_is "the audit log is read by it, too" 200 "$(curl -s -m 20 -o "$work/body" -w '%{http_code}' http://127.0.0.1:7901/v1/audit)"
other() {
	ctl --user vnimesh:secret put mesh/resting/x '{"tag": "x", "address4": "10.96.9.9"}' >/dev/null &&
		ctl --user vnimesh:secret get --prefix mesh/live/ >/dev/null
}
check "and the watch goes on" other
compacted() { ctl --user root:rootpw get --rev=2 x | grep -q "has been compacted"; }
check "what is over goes from etcd" waitfor 20 eval 'works c && compacted'
check_is "for changes that follow" 200 "$(put d)"
[ "$tap_failed" = 0 ] || tail -n 20 "$work/log" | sed 's/^/# /'
