# What src/network does to the kernel, without images and containers: build/tests/network-probe stands for a
# container. Root's tests have a host of their own, a pair of network namespaces; the user's share the cell's.

load helpers

setup() {
	PROBE=$DAVIT_BUILD/tests/network-probe
	HELPER=$DAVIT_BUILD/src/network/davit-pasta
	PEER=$BATS_TEST_DIRNAME/net-peer
	export PROBE HELPER PEER
	[ -x "$PROBE" ] || skip "network-probe is not built"
	RUN=$BATS_TEST_TMPDIR/run
	mkdir -p "$RUN"
	export RUN
}

# Runs the body (standard input) as root of a host 198.51.100.1 with the neighbour `out`, 198.51.100.2.
on_a_host() {
	{
		cat <<-'END'
			set -euo pipefail
			mount -t tmpfs tmpfs /run
			mkdir -p /run/netns
			ip link set lo up
			ip netns add out
			ip link add ext0 type veth peer name ext1 netns out
			ip addr add 198.51.100.1/24 dev ext0
			ip link set ext0 up
			ip -n out addr add 198.51.100.2/24 dev ext1
			ip -n out link set ext1 up
			ip -n out link set lo up
			probe() { "$PROBE" --run-dir "$RUN" "$@"; }
			outside() { ip netns exec out "$@"; }
			started=()
			begin() { "$@" & started+=($!); }
			trap 'kill "${started[@]}" 2>/dev/null || :; wait' EXIT
			want() { [ "$1" = "$2" ] || { echo "wanted '$2', got '$1'"; exit 1; }; }
			elements() { nft list map inet davit published; nft list map inet davit published-at; }
		END
		cat
	} >"$BATS_TEST_TMPDIR/body"
	run timeout 60 unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private bash "$BATS_TEST_TMPDIR/body"
	[ "$status" -eq 0 ] || fail "on the host"
}

# bats test_tags=root
@test "root: a published port answers from outside, from the host and on 127.0.0.1" {
	on_a_host <<-'END'
		begin probe -p 9000:80 -- "$PEER" serve tcp 80 web
		want "$(outside "$PEER" ask tcp 198.51.100.1 9000)" "web 80 198.51.100.2"
		want "$("$PEER" ask tcp 198.51.100.1 9000)" "web 80 198.51.100.1"
		want "$("$PEER" ask tcp 127.0.0.1 9000)" "web 80 10.88.0.1"
		want "$("$PEER" ask tcp 127.0.0.77 9000)" "web 80 10.88.0.1"
		! "$PEER" once tcp 127.0.0.1 80
	END
}

# bats test_tags=root
@test "root: udp ports are published too" {
	on_a_host <<-'END'
		begin probe -p 9001:81/udp -- "$PEER" serve udp 81 clock
		want "$(outside "$PEER" ask udp 198.51.100.1 9001)" "clock 81 198.51.100.2"
		want "$("$PEER" ask udp 198.51.100.1 9001)" "clock 81 198.51.100.1"
		want "$("$PEER" ask udp 127.0.0.1 9001)" "clock 81 10.88.0.1"
	END
}

# bats test_tags=root
@test "root: ranges go to ranges" {
	on_a_host <<-'END'
		begin probe -p 9000-9005:80-85 -- "$PEER" serve tcp 80-85 web
		want "$(outside "$PEER" ask tcp 198.51.100.1 9000)" "web 80 198.51.100.2"
		want "$(outside "$PEER" ask tcp 198.51.100.1 9005)" "web 85 198.51.100.2"
		# The largest there is: one transaction.
		timeout 20 "$PROBE" --run-dir "$RUN" --id big --address 10.88.0.7 -p 20000-29999:20000-29999 -- true
		[[ $(elements) != *20000* ]]
	END
}

# bats test_tags=root
@test "root: a port on one address is only there" {
	on_a_host <<-'END'
		begin probe -p 127.0.0.1:9000:80 -p 198.51.100.1:9001:80 -- "$PEER" serve tcp 80 web
		want "$("$PEER" ask tcp 127.0.0.1 9000)" "web 80 10.88.0.1"
		! outside "$PEER" once tcp 198.51.100.1 9000
		want "$(outside "$PEER" ask tcp 198.51.100.1 9001)" "web 80 198.51.100.2"
		! "$PEER" once tcp 127.0.0.1 9001
	END
}

# bats test_tags=root
@test "root: containers reach published ports, each other and themselves" {
	on_a_host <<-'END'
		begin probe -p 9000:80 --id one --address 10.88.0.2 -- bash -c '"$PEER" serve tcp 80 web & until [ -e /run/now ]; do sleep 0.05; done
			"$PEER" ask tcp 198.51.100.1 9000 >/run/self; touch /run/done; until [ -e /run/again ]; do sleep 0.05; done
			"$PEER" ask tcp 198.51.100.1 9000 >/run/self2; wait'
		want "$("$PEER" ask tcp 198.51.100.1 9000)" "web 80 198.51.100.1"
		two() { probe --id two --address 10.88.0.3 -- "$PEER" ask tcp "$@"; }
		filter=/proc/sys/net/bridge/bridge-nf-call-iptables
		# Once with and once without the bridge itself asking netfilter, which is a setting of the host.
		[ ! -e $filter ] || echo 1 >$filter
		want "$(two 198.51.100.1 9000)" "web 80 10.88.0.1"
		want "$(two 10.88.0.1 9000)" "web 80 10.88.0.1"
		want "$(two 10.88.0.2 80)" "web 80 10.88.0.3"
		touch /run/now
		until [ -e /run/done ]; do sleep 0.05; done
		want "$(cat /run/self)" "web 80 10.88.0.1"
		[ ! -e $filter ] || echo 0 >$filter
		want "$(two 198.51.100.1 9000)" "web 80 10.88.0.1"
		want "$(two 10.88.0.2 80)" "web 80 10.88.0.3"
		touch /run/again
		until [ -s /run/self2 ]; do sleep 0.05; done
		want "$(cat /run/self2)" "web 80 10.88.0.1"
	END
}

# bats test_tags=root
@test "root: containers reach the world as the host, and the world does not reach them" {
	on_a_host <<-'END'
		begin outside "$PEER" serve tcp 7000 world
		begin outside "$PEER" serve udp 7000 world
		want "$(probe -- "$PEER" ask tcp 198.51.100.2 7000)" "world 7000 198.51.100.1"
		want "$(probe -- "$PEER" ask udp 198.51.100.2 7000)" "world 7000 198.51.100.1"
		begin probe -p 127.0.0.1:9000:80 -- "$PEER" serve tcp 80 hidden
		want "$("$PEER" ask tcp 127.0.0.1 9000)" "hidden 80 10.88.0.1"
		ip -n out route add 10.88.0.0/16 via 198.51.100.1
		! outside "$PEER" once tcp 10.88.0.2 80
	END
}

# bats test_tags=root
@test "root: a container does not reach the host's loopback through the bridge" {
	on_a_host <<-'END'
		begin "$PEER" serve tcp 6000 secret
		want "$("$PEER" ask tcp 127.0.0.1 6000)" "secret 6000 127.0.0.1"
		! probe -- sh -c 'ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1/32 via 10.88.0.1 src 10.88.0.2
			echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet; "$PEER" once tcp 127.0.0.1 6000'
	END
}

# bats test_tags=root
@test "root: ports go with their container, also with one that was killed" {
	on_a_host <<-'END'
		probe -p 9000:80 --id gone -- true
		[[ $(elements) != *comment* ]]
		probe --keep -p 9000:80 -p 127.0.0.1:9001:80 --id dead -- true
		probe --keep -p 9002:80 --id live -- true
		[[ $(elements) == *9000*dead* ]]
		error=$(probe -p 9000:81 --id other -- true 2>&1) && exit 1
		[[ $error == *"port 0.0.0.0:9000/tcp is already published by container dead"* ]]
		# The dead one itself may start again.
		probe --keep -p 9000:80 -p 127.0.0.1:9001:80 --id dead -- true
		"$PROBE" --sweep live
		[[ $(elements) == *9002*live* && $(elements) != *dead* ]]
		probe -p 9000:81 --id other -- true
	END
}

# bats test_tags=root
@test "root: a port that the host uses is refused by number" {
	on_a_host <<-'END'
		begin "$PEER" serve tcp 9000 host
		"$PEER" ask tcp 127.0.0.1 9000
		error=$(probe -p 9000:80 -- true 2>&1) && exit 1
		[[ $error == *":9000/tcp is already in use"* ]]
		probe -p 9000:80/udp -- true
	END
}

# bats test_tags=root
@test "root: the default subnet gives way to one that is in use" {
	on_a_host <<-'END'
		ip link add other0 type bridge
		ip addr add 10.88.7.1/24 dev other0
		ip link set other0 up
		ip route add 10.89.0.0/24 via 198.51.100.2
		[[ $(probe -- ip -4 -br addr show eth0) == *10.90.0.2/16* ]]
		[[ $(probe -- ip route) == *"default via 10.90.0.1"* ]]
	END
}

# bats test_tags=root
@test "root: what iptables drops is let through for containers" {
	on_a_host <<-'END'
		nft -f - <<-'NFT'
			table ip filter {
				chain FORWARD { type filter hook forward priority 0; policy drop; }
			}
		NFT
		begin probe -p 9000:80 -- "$PEER" serve tcp 80 web
		want "$(outside "$PEER" ask tcp 198.51.100.1 9000)" "web 80 198.51.100.2"
		begin outside "$PEER" serve tcp 7000 world
		want "$(probe --id two --address 10.88.0.3 -- "$PEER" ask tcp 198.51.100.2 7000)" "world 7000 198.51.100.1"
	END
}

# bats test_tags=root
@test "root: rules that somebody flushed are loaded again" {
	on_a_host <<-'END'
		probe -- true
		nft flush ruleset
		begin probe -p 9000:80 -- "$PEER" serve tcp 80 web
		want "$(outside "$PEER" ask tcp 198.51.100.1 9000)" "web 80 198.51.100.2"
	END
}

# bats test_tags=root
@test "root: many containers at once get the network made once" {
	on_a_host <<-'END'
		for i in $(seq 2 13); do begin probe --id "c$i" --address "10.88.0.$i" -p "$((9000 + i)):80" -- true; done
		for pid in "${started[@]}"; do wait "$pid"; done
		[ "$(ip -br link show type bridge | wc -l)" -eq 1 ]
		[[ $(elements) != *comment* ]]
	END
}

# --- an ordinary user

# A probe in the background is a shell's child; when it dies, so does its command.
end_probe() {
	pkill -KILL -P "$1"
	wait "$1" || :
}

user_probe() { "$PROBE" --run-dir "$RUN" --helper "$HELPER" "$@"; }

need_pasta() {
	command -v pasta >/dev/null || skip "pasta is missing"
	HOST=$(ip -4 route get 192.0.2.99 | sed -n 's/.* src \([^ ]*\).*/\1/p')
}

# Processes by their names; pgrep(1) takes short patterns only.
pasta_runs() { grep -qxE "${1-passt|passt.avx2|pasta}" /proc/[0-9]*/comm 2>/dev/null; }
export -f pasta_runs

no_helper_left() {
	local i
	for i in $(seq 100); do
		pasta_runs 'davit-pasta|passt|passt.avx2|pasta' || return 0
		sleep 0.05
	done
	fail "left: $(ps -eo pid,stat,args | grep -E '[p]ass?t')"
}

# bats test_tags=user
@test "user: no pasta runs before the network is used" {
	need_pasta
	run user_probe -- bash -c 'ip -4 -br addr show eth0; ip route; sleep 0.3; pasta_runs || echo none'
	[[ $output == *10.0.2.100/24* && $output == *"default via 10.0.2.2"* && $output == *none ]] || fail
	no_helper_left
}

# bats test_tags=user
@test "user: containers reach the host at its address, by tcp and udp" {
	need_pasta
	"$PEER" serve tcp 17000 host & local tcp=$!
	"$PEER" serve udp 17000 host & local udp=$!
	run user_probe -- "$PEER" ask tcp "$HOST" 17000
	local first=$output
	run user_probe -- "$PEER" ask udp "$HOST" 17000
	kill $tcp $udp
	[[ $first == "host 17000 "* ]] || fail "$first"
	[[ $output == "host 17000 "* ]] || fail
	no_helper_left
}

# bats test_tags=user
@test "user: a published port answers on the host's address and on 127.0.0.1" {
	need_pasta
	user_probe -p 19000:80 -p 127.0.0.1:19001:80 -- "$PEER" serve tcp 80 web & local pid=$!
	run "$PEER" ask tcp "$HOST" 19000
	[[ $output == "web 80 "* ]] || fail
	run "$PEER" ask tcp 127.0.0.1 19000
	[[ $output == "web 80 "* ]] || fail
	run "$PEER" ask tcp 127.0.0.1 19001
	[[ $output == "web 80 "* ]] || fail
	run "$PEER" once tcp "$HOST" 19001
	[ "$status" -ne 0 ] || fail
	end_probe $pid
	no_helper_left
}

# bats test_tags=user
@test "user: udp ports and ranges are published" {
	need_pasta
	user_probe -p 19000-19002:80-82/udp -- "$PEER" serve udp 80-82 clock & local pid=$!
	run "$PEER" ask udp "$HOST" 19002
	[[ $output == "clock 82 "* ]] || fail
	end_probe $pid
	no_helper_left
}

# bats test_tags=user
@test "user: published ports are there before the command runs, and free when it is over" {
	need_pasta
	local i
	for i in 1 2 3 4 5; do
		run user_probe -p 19000:80 -- sh -c 'grep -i ":4A38 " /proc/1/net/tcp'
		[ "$status" -eq 0 ] || fail "round $i"
	done
	no_helper_left
}

# bats test_tags=user
@test "user: a port in use is refused by number" {
	need_pasta
	"$PEER" serve tcp 19000 host & local pid=$!
	"$PEER" ask tcp 127.0.0.1 19000
	run user_probe -p 19000:80 -- true
	kill $pid
	[ "$status" -eq 125 ] || fail
	[[ $output == *"0.0.0.0:19000/tcp is already in use"* ]] || fail
	no_helper_left
}

# bats test_tags=user
@test "user: a privileged port is refused with the remedy" {
	need_pasta
	[ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 80 ] || skip "ports are not privileged here"
	run user_probe -p 80:80 -- true
	[ "$status" -eq 125 ] || fail
	[[ $output == *"port 80/tcp"*"net.ipv4.ip_unprivileged_port_start=80"* ]] || fail
}

# bats test_tags=user
@test "user: a pasta that dies is started again" {
	need_pasta
	"$PEER" serve tcp 17000 host & local server=$!
	run user_probe -- bash -c '"$PEER" ask tcp '"$HOST"' 17000; pasta_runs && pkill -KILL -x "passt.*|pasta"; sleep 0.2; "$PEER" ask tcp '"$HOST"' 17000'
	kill $server
	[ "$(grep -c '^host 17000' <<<"$output")" -eq 2 ] || fail
	no_helper_left
}

# bats test_tags=user
@test "user: names are resolved by the host's server" {
	need_pasta
	# A server of our own at the address of the first nameserver, where that is the host itself.
	run user_probe --names
	[[ $output == *"own 10.0.2.100"* && $output == *"host $HOST"* && $output == *"dns 169.254.1.1"* ]] || fail
}
