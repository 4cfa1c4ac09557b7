# Networks: none, host, the default one, published ports.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

# A web server in a container on port 80.
serve() { davit run -d --name "$1" "${@:2}" "$BUSYBOX" httpd -f -p 80 -h /var/www >/dev/null; }
answers() { [ "$(curl -s -m 2 "$1")" = "hello from busybox" ]; }

@test "none: a loopback device and nothing else" {
	run_davit run --rm --network none "$BUSYBOX" sh -c 'ip -o link | grep -c .; ip -o -4 addr show lo | grep -c 127.0.0.1'
	assert_output $'1\n1'
}

@test "host: the caller's network" {
	run_davit run --rm --network host "$BUSYBOX" readlink /proc/self/ns/net
	assert_output "$(readlink /proc/self/ns/net)"
}

@test "default: an address, a route, and the registry on the host is reached" {
	run_davit run --rm "$BUSYBOX" sh -c 'ip -4 route | grep -c default; ip -o -4 addr | grep -vc " lo "'
	assert_output $'1\n1'
	host=$(ip -o -4 addr show uplink0 | awk '{ sub("/.*", "", $4); print $4 }')
	python3 -m http.server -b 0.0.0.0 -d "$BATS_TEST_DIRNAME" 8099 >/dev/null 2>&1 3>&- &
	server=$!
	wait_until 5 curl -so /dev/null "http://$host:8099/"
	# The way to the host that the container's own hosts file names. (The static busybox cannot resolve names.)
	# (And pasta of Debian 12 loses an answer to a connection that is half closed.)
	run_davit run --rm "$BUSYBOX" sh -c '(printf "GET /helpers.bash HTTP/1.0\r\n\r\n"; sleep 1) | nc -w 5 $(sed -n "s/^\([0-9.]*\).*host.containers.internal.*/\1/p" /etc/hosts) 8099'
	kill $server
	assert_contains "What every .bats file loads"
}

@test "publish: address and port, answered and released" {
	port=$(free_port)
	serve c -p "127.0.0.1:$port:80"
	wait_until 10 answers "http://127.0.0.1:$port/"
	davit rm -f -t 0 c >/dev/null
	run curl -s -m 2 "http://127.0.0.1:$port/"
	[ "$status" -ne 0 ] || fail "still answers"
	serve c -p "127.0.0.1:$port:80"
	wait_until 10 answers "http://127.0.0.1:$port/"
}

@test "publish: on all addresses, reached through the machine's own" {
	port=$(free_port)
	serve c -p "$port:80"
	wait_until 10 answers "http://127.0.0.1:$port/"
	answers "http://192.0.2.2:$port/" || fail "by the machine's address"
}

@test "publish: ranges, and a port that davit picks" {
	serve c -p 127.0.0.1:18100-18102:80-82
	wait_until 10 answers http://127.0.0.1:18100/
	run_davit port c
	assert_line "82/tcp -> 127.0.0.1:18102"
	davit rm -f -t 0 c >/dev/null
	serve c -p 127.0.0.1::80
	run_davit port c 80
	assert_matches '^127\.0\.0\.1:[0-9]+$'
	wait_until 10 answers "http://$output/"
}

@test "publish: udp" {
	port=$(free_port)
	need_debian
	have_image "$DEBIAN"
	davit run -d --name c -p "127.0.0.1:$port:53/udp" "$DEBIAN" python3 -u -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 53))
while True: print(s.recv(99))' >/dev/null
	run_davit port c
	assert_output "53/udp -> 127.0.0.1:$port"
	heard() {
		echo datagram >"/dev/udp/127.0.0.1/$port"
		davit logs c | grep -q datagram
	}
	wait_until 10 heard
}

@test "publish all exposed ports: -P" {
	have_image $REGISTRY/busybox:labelled
	davit run -d --name c -P --entrypoint httpd --user 0 $REGISTRY/busybox:labelled -f -p 80 -h /var/www >/dev/null
	run_davit port c 80
	wait_until 10 answers "http://127.0.0.1:${output##*:}/"
}

@test "a port already bound: the error names it, and no container runs" {
	port=$(free_port)
	python3 -m http.server -b 127.0.0.1 "$port" >/dev/null 2>&1 3>&- &
	server=$!
	wait_until 5 curl -so /dev/null "http://127.0.0.1:$port/"
	run --separate-stderr davit run -d --name c -p "127.0.0.1:$port:80" "$BUSYBOX" sleep 100
	kill $server
	assert_error 126 "$port" "in use" "choose another"
	run_davit ps -q
	assert_output ""
}

@test "two containers on one port: the second is told" {
	port=$(free_port)
	serve first -p "127.0.0.1:$port:80"
	run --separate-stderr davit run -d --name second -p "127.0.0.1:$port:80" "$BUSYBOX" sleep 100
	is_podman || assert_error 126 "$port" "choose another"
}

# bats test_tags=user
@test "an ordinary user and a privileged port" {
	run --separate-stderr davit run -d --name c -p 127.0.0.1:80:80 "$BUSYBOX" sleep 100
	[ "$status" -eq 126 ] || [ "$status" -eq 125 ] || fail "status"
	is_podman || [[ $stderr =~ ^Error:.*80 && $stderr =~ ip_unprivileged_port_start ]] || fail "port and remedy: $stderr"
}

@test "bad ports" {
	for port in x 70000:80 80:70000 80:80/nosuch 1-2:1-5 127.0.0.300:80:80 :; do
		run --separate-stderr davit run -d -p "$port" "$BUSYBOX" true
		assert_error 125 "port|address|protocol|range"
	done
}

# bats test_tags=root
@test "containers of one bridge reach each other, and the source address is theirs" {
	serve first
	address=$(davit inspect -f '{{.NetworkSettings.IPAddress}}' first)
	[[ $address =~ ^10\. ]] || fail "address '$address'"
	run_davit run --rm "$BUSYBOX" sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 5 $address 80"
	assert_contains "hello from busybox"
}

@test "/etc/hosts names the container and its host" {
	run_davit run --rm --hostname box --name c "$BUSYBOX" cat /etc/hosts
	assert_matches 'host\.containers\.internal'
	assert_matches '(^|[[:space:]])box([[:space:]]|$)'
	assert_contains localhost
}

@test "--network container:NAME shares it" {
	davit run -d --name c --network none "$BUSYBOX" sleep 100 >/dev/null
	ns=$(davit run --rm --network container:c "$BUSYBOX" readlink /proc/self/ns/net)
	[ "$ns" = "$(readlink "/proc/$(davit inspect -f '{{.State.Pid}}' c)/ns/net")" ] || is_podman || fail "the same namespace"
}

@test "an unknown network is named" {
	run --separate-stderr davit run --rm --network nosuch "$BUSYBOX" true
	assert_error 125 nosuch
}

# bats test_tags=root
@test "links and rules go with the container" {
	before=$(ip -o link | awk '{ print $2 }' | sed 's/@.*//' | grep -v -e podman -e davit | sort)
	port=$(free_port)
	serve c -p "127.0.0.1:$port:80"
	davit rm -f -t 0 c >/dev/null
	wait_until 5 eval '[ "$(ip -o link | awk "{ print \$2 }" | sed "s/@.*//" | grep -v -e podman -e davit | sort)" = "$before" ]'
}

# bats test_tags=root
@test "system reset takes the default network away when nobody is connected to it" {
	need_davit
	other() { "$DAVIT" --root "$BATS_TEST_TMPDIR/other" --runroot "$BATS_TEST_TMPDIR/other-run" "$@"; }
	davit run -d --name c "$BUSYBOX" sleep 100 >/dev/null
	other images >/dev/null
	other system reset -f
	ip link show davit0 >/dev/null || fail "somebody was connected"
	davit rm -f -t 0 c >/dev/null
	other images >/dev/null
	other system reset -f
	run ! ip link show davit0
	run ! nft list table inet davit
	run_davit run --rm "$BUSYBOX" ip route
	assert_matches '^default via '
}

# bats test_tags=root
@test "pasta for root: out, published ports, low ones too, and nothing of it stays" {
	need_davit
	host=$(ip -o -4 addr show uplink0 | awk '{ sub("/.*", "", $4); print $4 }')
	python3 -m http.server -b 0.0.0.0 -d "$BATS_TEST_DIRNAME" 8098 >/dev/null 2>&1 3>&- &
	server=$!
	wait_until 5 curl -so /dev/null "http://$host:8098/"
	run_davit run --rm --network pasta "$BUSYBOX" sh -c "(printf 'GET /helpers.bash HTTP/1.0\r\n\r\n'; sleep 1) | nc -w 5 $host 8098"
	kill $server
	assert_contains "What every .bats file loads"
	serve c --network pasta -p 127.0.0.1:81:80
	wait_until 10 answers http://127.0.0.1:81/
	run_davit inspect -f '{{.HostConfig.NetworkMode}} {{.NetworkSettings.IPAddress}}' c
	assert_output "pasta 10.0.2.100"
	davit rm -f -t 0 c >/dev/null
	run curl -s -m 2 http://127.0.0.1:81/
	[ "$status" -ne 0 ] || fail "still answers"
	run grep pasta.netns /proc/mounts
	assert_output ""
}

# bats test_tags=root
@test "--ip and --mac-address, by themselves and with the network" {
	run_davit run --rm --ip 10.88.7.7 --mac-address 02:00:5e:10:00:01 "$BUSYBOX" sh -c 'ip -o -4 addr show eth0; cat /sys/class/net/eth0/address'
	assert_contains "10.88.7.7/16"
	assert_contains "02:00:5e:10:00:01"
	davit run -d --name c --network bridge:ip=10.88.7.8,mac=02-00-5e-10-00-02,interface_name=lan0 "$BUSYBOX" sleep 1000 >/dev/null
	is_podman || {
		run_davit inspect -f '{{.NetworkSettings.IPAddress}} {{.NetworkSettings.MacAddress}}' c
		assert_output "10.88.7.8 02:00:5e:10:00:02"
		run_davit exec c ls /sys/class/net
		assert_line lan0
	}
	run_error 126 run --rm --ip 10.88.7.8 "$BUSYBOX" true -- "10.88.7.8" "already" "container c" "--ip"
	davit stop -t 0 c >/dev/null
	run_davit run --rm --ip 10.88.7.8 "$BUSYBOX" true
	davit start c >/dev/null
	[ "$(davit inspect -f '{{.NetworkSettings.IPAddress}}' c)" = 10.88.7.8 ] || fail "it has it back"
}

# bats test_tags=root
@test "an address with another MAC address than before is reached at once" {
	serve first --ip 10.88.7.9
	wait_until 10 answers http://10.88.7.9/
	davit rm -f -t 0 first >/dev/null
	serve second --ip 10.88.7.9 --mac-address 02:00:5e:10:00:09
	wait_until 2 answers http://10.88.7.9/
}

# bats test_tags=root
@test "addresses that cannot be" {
	need_davit
	run_error 125 run --rm --ip 10.99.9.9 "$BUSYBOX" true -- "10.99.9.9" "10.88.0.0/16"
	run_error 125 run --rm --ip 10.88.0.1 "$BUSYBOX" true -- "10.88.0.1"
	run_error 125 run --rm --ip x "$BUSYBOX" true -- '"x" is not' "10.88.0.7"
	run_error 125 run --rm --ip fd00::1 "$BUSYBOX" true -- "fd00::1" "IPv4"
	run_error 125 run --rm --mac-address x "$BUSYBOX" true -- "invalid MAC address"
	run_error 125 run --rm --mac-address 01:00:5e:10:00:01 "$BUSYBOX" true -- "group"
	run_error 125 run --rm --network bridge:interface_name=a/b "$BUSYBOX" true -- "a/b" "interface"
	run_error 125 run --rm --network bridge:vlan=1 "$BUSYBOX" true -- "unknown bridge network option" "interface_name=NAME"
}

@test "addresses are for bridges only, networks without options take none, and there is one network" {
	run_error 125 run --rm --network none --ip 10.88.7.7 "$BUSYBOX" true -- "--ip can only be set when the network mode is bridge"
	run_error 125 run --rm --network host --mac-address 02:00:5e:10:00:01 "$BUSYBOX" true -- "--mac-address can only be set"
	run_error 125 run --rm --network host:x "$BUSYBOX" true -- "no options" ":x"
	run_error 125 run --rm --network none --network host "$BUSYBOX" true -- "multiple networks"
	run_davit run --rm --network private "$BUSYBOX" sh -c 'ip -4 route | grep -c default'
	assert_output 1
}

@test "a pasta that was killed is started again by the next packet, and until then nobody is busy" {
	need_davit
	davit run -d --name c --network pasta "$BUSYBOX" sleep 1000 5>&- 6>&- >/dev/null # numbers that it uses, or not
	keeper=$(pgrep -f '[d]avit-pasta later')
	for _ in 1 2; do
		[ -z "$(pgrep -P "$keeper")" ] || fail "runs before it is needed"
		davit exec c nc -w 1 192.0.2.77 9 || :
		wait_until 5 pgrep -P "$keeper"
		kill -KILL "$(pgrep -P "$keeper")"
		wait_until 5 eval '[ -z "$(pgrep -P "$keeper")" ]'
	done
	sleep 0.5 # in which it would be busy
	read -r -a stat <"/proc/$keeper/stat"
	[ $((stat[13] + stat[14])) -le 8 ] || fail "it has used $((stat[13] + stat[14])) ticks"
}

@test "what davit's caller has open is not kept open by a container that stays" {
	for network in pasta none; do
		exec 9>"$BATS_TEST_TMPDIR/lock"
		flock -n 9
		davit run -d --name $network --network $network "$BUSYBOX" sleep 1000 >/dev/null
		exec 9>&-
		flock -n "$BATS_TEST_TMPDIR/lock" true || fail "$network"
	done
}

@test "--hosts-file and --no-hostname" {
	need_davit
	printf '192.0.2.55\tfrom-a-file\n' >"$BATS_TEST_TMPDIR/hosts"
	run_davit run --rm --network none --hostname box --hosts-file "$BATS_TEST_TMPDIR/hosts" --add-host more:192.0.2.56 "$BUSYBOX" cat /etc/hosts
	assert_line $'192.0.2.55\tfrom-a-file'
	assert_line $'192.0.2.56\tmore'
	assert_matches '127\.0\.0\.1[[:space:]]box'
	assert_not_contains localhost
	run_davit run --rm --network none --hostname box --hosts-file none "$BUSYBOX" cat /etc/hosts
	[ "$(grep -c . <<<"$output")" = 1 ] || fail "the own line only"
	run_davit run --rm --network none --hosts-file image "$BUSYBOX" cat /etc/hosts
	assert_not_contains localhost
	run_davit run --rm --network none --no-hostname "$BUSYBOX" sh -c 'mount | grep -c " /etc/hostname " || :'
	assert_output 0
	run_error 125 run --rm --network none --hosts-file hosts "$BUSYBOX" true -- "absolute"
	run_error 125 run --rm --network none --hosts-file /nonexistent "$BUSYBOX" true -- "/nonexistent"
	run_error 125 run --rm --network none --hosts-file none --no-hosts "$BUSYBOX" true -- "contradict"
	run_error 125 run --rm --network none --add-host x:y "$BUSYBOX" true -- "x:y" "IP address"
}

# bats test_tags=root
@test "an nft that is missing or refuses: the error names it and the remedy" {
	local program
	printf '#!/bin/sh\necho "Error: Operation not supported" >&2\nexit 1\n' >"$BATS_TEST_TMPDIR/refuses"
	chmod 755 "$BATS_TEST_TMPDIR/refuses"
	for program in /dev/null "$BATS_TEST_TMPDIR/refuses"; do
		run -125 --separate-stderr unshare --mount --net bash -c 'mount --bind "$1" "$(command -v nft)" && shift && exec "$@"' - \
			"$program" "$DAVIT" --root "$STORE" --runroot "$RUNDIR" run --rm --network bridge "$BUSYBOX" true
		[[ $stderr == *nft* && $stderr == *"--network host"* ]] || fail "$program: $stderr"
	done
}
