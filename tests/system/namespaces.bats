# Namespaces of the host, of other containers, and behind paths.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

# The namespaces of container $1, one line each.
namespaces_of() {
	local pid kind
	pid=$(davit inspect -f '{{.State.Pid}}' "$1")
	for kind in net pid ipc uts cgroup; do readlink "/proc/$pid/ns/$kind"; done
}
# The same, said by a container that is run with the options given.
namespaces_with() {
	davit run --rm "$@" "$BUSYBOX" sh -c 'for kind in net pid ipc uts cgroup; do readlink /proc/self/ns/$kind; done'
}
# Line $1: 1 network, 2 process, 3 IPC, 4 UTS, 5 cgroup.
line() { sed -n "$1p"; }

sleeper() { davit run -d --name "$@" "$BUSYBOX" sleep 1000 >/dev/null; }

@test "private: all are new; host: all are the caller's" {
	namespaces_with --network none --pid private --ipc private --uts private --cgroupns private >"$BATS_TEST_TMPDIR/private"
	for kind in net pid ipc uts cgroup; do readlink "/proc/self/ns/$kind"; done >"$BATS_TEST_TMPDIR/own"
	run grep -xFf "$BATS_TEST_TMPDIR/own" "$BATS_TEST_TMPDIR/private"
	[ -z "$output" ] || fail "shared"
	run namespaces_with --network host --pid host --ipc host --uts host --cgroupns host
	assert_output "$(cat "$BATS_TEST_TMPDIR/own")"
}

@test "container:NAME, each by itself and all at once" {
	sleeper c --network none
	number=0
	for option in network pid ipc uts cgroupns; do
		number=$((number + 1))
		[ $option = network ] && others=() || others=(--network none)
		got=$(namespaces_with "${others[@]}" "--$option=container:c")
		[ "$(line $number <<<"$got")" = "$(namespaces_of c | line $number)" ] || fail "$option is shared"
		# podman on cgroup v1 shares the host's cgroup namespace by default.
		is_podman || [ "$(grep -cxFf <(namespaces_of c) <<<"$got")" = 1 ] || fail "only $option is shared"
	done
	run namespaces_with --network container:c --pid container:c --ipc container:c --uts container:c --cgroupns container:c
	assert_output "$(namespaces_of c)"
}

@test "container:NAME of one that shares the host's" {
	sleeper c --network host --pid host --ipc host --uts host
	run_davit run --rm --network container:c --pid container:c --ipc container:c --uts container:c "$BUSYBOX" sh -c \
		'for kind in net pid ipc uts; do readlink /proc/self/ns/$kind; done'
	assert_output "$(for kind in net pid ipc uts; do readlink /proc/self/ns/$kind; done)"
}

@test "ns:PATH" {
	sleeper c --network none
	pid=$(davit inspect -f '{{.State.Pid}}' c)
	is_root || is_podman || { run namespaces_with --network ns:/proc/self/ns/net; [ "$(line 1 <<<"$output")" = "$(readlink /proc/self/ns/net)" ]; }
	run namespaces_with --network "ns:/proc/$pid/ns/net" --ipc "ns:/proc/$pid/ns/ipc" --uts "ns:/proc/$pid/ns/uts"
	for number in 1 3 4; do
		[ "$(line $number <<<"$output")" = "$(namespaces_of c | line $number)" ] || fail "namespace $number"
	done
	run_error 125 run --rm --network ns:/nonexistent "$BUSYBOX" true -- /nonexistent "network namespace"
	is_podman || run_error 125 run --rm --network none --pid ns:/etc/passwd "$BUSYBOX" true -- /etc/passwd "no process namespace" "/proc/PID/ns/pid"
	run_error 125 run --rm --network none --uts ns: "$BUSYBOX" true -- "ns:PATH"
}

@test "a shared IPC namespace has one /dev/shm and one /dev/mqueue" {
	davit run -d --name c --network none --shm-size 3m "$BUSYBOX" sh -c 'echo theirs >/dev/shm/file; exec sleep 1000' >/dev/null
	wait_until 10 eval '[ "$(davit run --rm --network none --ipc container:c "$BUSYBOX" cat /dev/shm/file)" = theirs ]'
	run_davit run --rm --network none --ipc container:c "$BUSYBOX" sh -c 'df -k /dev/shm | tail -n 1; : >/dev/mqueue/queue; : >/dev/shm/ours'
	assert_matches '3072'
	run_davit run --rm --network none --ipc container:c "$BUSYBOX" sh -c 'ls /dev/mqueue /dev/shm; mount | grep -E " /dev/(shm|mqueue) "'
	assert_line queue
	assert_line ours
	assert_matches 'shm type tmpfs \([^)]*nosuid,nodev,noexec'
}

@test "ipc: private is not shared, none has no /dev/shm, shareable is the default" {
	sleeper p --network none --ipc private
	run_error 125 run --rm --network none --ipc container:p "$BUSYBOX" true -- "not allowed" "shareable"
	run_davit run --rm --network none --ipc none "$BUSYBOX" sh -c 'mount | grep -c " /dev/shm " || :'
	assert_output 0
	sleeper n --network none --ipc none
	run_davit run --rm --network none --ipc container:n "$BUSYBOX" sh -c 'mount | grep -c " /dev/shm " || :'
	is_podman || assert_output 0 # podman gives it one of its own
	for mode in host none container:n; do
		run_error 125 run --rm --network none --ipc $mode --shm-size 3m "$BUSYBOX" true -- "shmsize" "--ipc $mode"
	done
	sleeper s --network none --ipc shareable
	run_davit inspect -f '{{.HostConfig.IpcMode}}' s
	assert_output shareable
}

@test "a shared process namespace: each sees the other, and the end of one leaves the other alone" {
	sleeper c --network none
	davit run -d --name guest --network none --pid container:c "$BUSYBOX" sh -c 'sleep 4321 & sleep 1234 & wait' >/dev/null
	seen() { davit run --rm --network none --pid container:c "$BUSYBOX" ps | grep -cE ' sleep (1000|4321|1234)$'; }
	wait_until 10 eval '[ "$(seen)" = 3 ]'
	davit rm -f -t 0 guest >/dev/null
	[ "$(seen)" = 1 ] || fail "only the first one's process is left: $(seen)"
	run_davit inspect -f '{{.State.Running}}' c
	assert_output true
}

@test "a shared process namespace: whose it is takes the others with it" {
	sleeper c --network none
	davit run -d --name guest --network none --pid container:c "$BUSYBOX" sleep 1000 >/dev/null
	davit stop -t 0 c >/dev/null
	run_davit wait guest
	assert_output 137
}

@test "--pid host: what a container leaves running is ended with it" {
	davit run -d --name c --network none --pid host "$BUSYBOX" sh -c 'sleep 7654321 & exec sleep 1000' >/dev/null
	wait_until 10 pgrep -f 'sleep 7654321'
	davit stop -t 0 c >/dev/null
	davit rm c >/dev/null
	run pgrep -f 'sleep 7654321'
	assert_output ""
}

@test "uts: the host name is the other's, and nobody renames it" {
	davit run -d --name c --network none --hostname first "$BUSYBOX" sleep 1000 >/dev/null
	is_podman || { run_davit run --rm --network none --uts container:c "$BUSYBOX" sh -c 'hostname; echo $HOSTNAME; cat /etc/hostname'; assert_output $'first\nfirst\nfirst'; }
	run_davit run --rm --network none --uts host "$BUSYBOX" sh -c 'hostname; echo $HOSTNAME'
	assert_output "$(hostname; hostname)"
	run_error 125 run --rm --network none --uts host --hostname x "$BUSYBOX" true -- "hostname" "the host"
	run_error 125 run --rm --network none --uts container:c --hostname x "$BUSYBOX" true -- "hostname" "other container"
}

@test "on the host's network a container has the host's name, unless it is given one" {
	run_davit run --rm --network host "$BUSYBOX" sh -c 'hostname; cat /etc/hostname; echo $HOSTNAME'
	[ "$(tr -d '\n' <<<"$output")" = "$(hostname)$(hostname)$(hostname)" ] || fail "the host's"
	run_davit run --rm --network host --hostname own "$BUSYBOX" hostname
	assert_output own
}

@test "a shared network: the files of the other, and a line for the newcomer" {
	# podman shares the files of networks that it makes.
	davit run -d --name c --network "$(is_podman && echo bridge || echo none)" --hostname first --add-host there:192.0.2.7 "$BUSYBOX" sleep 1000 >/dev/null
	davit run -d --name guest --network container:c --hostname second "$BUSYBOX" sleep 1000 >/dev/null
	run_davit run --rm --name third --network container:c --hostname third "$BUSYBOX" sh -c 'cat /etc/hosts; hostname; cat /etc/hostname'
	assert_matches '192\.0\.2\.7[[:space:]]there'
	assert_matches '127\.0\.0\.1[[:space:]]second guest'
	assert_matches '127\.0\.0\.1[[:space:]]third'
	[ "$(tail -n 2 <<<"$output")" = $'third\nthird' ] || fail "the host name is its own"
	davit rm -f -t 0 guest >/dev/null
	run cat "$(davit inspect -f '{{.HostsPath}}' c)"
	assert_not_contains second
	assert_not_contains third
	assert_contains first
}

@test "a shared network: what was published there leads to the guest, too" {
	port=$(free_port)
	sleeper c -p "127.0.0.1:$port:80"
	davit run -d --name guest --network container:c "$BUSYBOX" httpd -f -p 80 -h /var/www >/dev/null
	wait_until 10 eval '[ "$(curl -s -m 2 "http://127.0.0.1:$port/")" = "hello from busybox" ]'
	run_davit port guest
	assert_output "80/tcp -> 127.0.0.1:$port"
	run_davit inspect -f '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}} {{len .HostConfig.PortBindings}}' guest
	is_podman || assert_output "$port 0"
	run_davit ps --filter name=guest --format '{{.Ports}}'
	assert_output "127.0.0.1:$port->80/tcp"
}

@test "renamed while it shares: its line goes all the same" {
	need_davit
	sleeper c --network none
	davit run -d --name guest --network container:c "$BUSYBOX" sleep 1000 >/dev/null
	davit rename guest other
	davit rm -f -t 0 other >/dev/null
	run cat "$(davit inspect -f '{{.HostsPath}}' c)"
	assert_not_contains guest
}

@test "--restart of a guest does not bring back what somebody has stopped" {
	need_davit
	sleeper c --network none
	davit run -d --restart always --name guest --network none --pid container:c "$BUSYBOX" sleep 1000 >/dev/null
	davit stop -t 0 c >/dev/null
	over() { [ "$(davit inspect -f '{{.State.Status}}' guest)" = exited ]; }
	wait_until 10 over
	run_davit inspect -f '{{.State.Status}}' c
	assert_output exited
}

@test "sharing with a container that has other user IDs" {
	need_davit
	mapping=(--userns keep-id)
	! is_root || mapping=(--uidmap 0:2000000:5000 --gidmap 0:2000000:5000)
	davit run -d --name c "${mapping[@]}" --network none "$BUSYBOX" sleep 1000 >/dev/null 2>&1
	if is_root; then
		run_davit run --rm --network container:c --pid container:c --ipc container:c "$BUSYBOX" sh -c 'readlink /proc/self/ns/net; ls /sys/class/net; ps | grep -c "sleep 1000$"'
		assert_output "$(namespaces_of c | line 1)"$'\nlo\n1'
	else
		run_error 125 run --rm --network container:c "$BUSYBOX" true -- "container c has other user IDs" "--userns"
		run --separate-stderr davit run --rm --network container:c --userns keep-id "$BUSYBOX" readlink /proc/self/ns/net
		assert_output "$(namespaces_of c | line 1)"
	fi
}

@test "a shared network takes no options of its own" {
	sleeper c --network none
	run_error 125 run --rm --network container:c --add-host x:192.0.2.1 "$BUSYBOX" true -- "extra host entries" "--add-host"
	run_error 125 run --rm --network container:c --dns 192.0.2.1 "$BUSYBOX" true -- "dns" "other container"
	run_error 125 run --rm --network container:c --dns-search example.org "$BUSYBOX" true -- "dns"
	is_podman || run_error 125 run --rm --network container:c --hosts-file none "$BUSYBOX" true -- "--hosts-file" "--no-hosts"
	run --separate-stderr davit run --rm --network container:c -p 80:80 "$BUSYBOX" true
	[ "$status" -eq 0 ] || fail "goes on"
	is_podman || [[ $stderr =~ "published ports are left out" ]] || fail "a warning"
}

@test "a container that is unknown, or its own" {
	for option in network pid ipc uts cgroupns; do
		run_error 125 run --rm "--$option=container:nosuch" "$BUSYBOX" true -- "no such container" nosuch
		run_error 125 run --rm "--$option=container:" "$BUSYBOX" true -- "container:NAME"
	done
	run_error 125 run --rm --name self --network container:self "$BUSYBOX" true -- "no such container" self
	for option in pid ipc uts cgroupns; do
		run_error 125 run --rm "--$option=bogus" "$BUSYBOX" true -- bogus "$option" "private" "container:NAME"
	done
}

@test "who is needed is started first" {
	davit create --name c --network none "$BUSYBOX" sleep 1000 >/dev/null
	davit create --name guest --network container:c "$BUSYBOX" sleep 1000 >/dev/null
	davit start guest >/dev/null
	run davit ps --format '{{.Names}}'
	assert_line c
	assert_line guest
	davit stop -t 0 guest c >/dev/null
	run_davit run --rm --network container:c "$BUSYBOX" echo again
	assert_output again
}

@test "who is needed but ends at once: told, and nothing is left" {
	need_davit
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	run --separate-stderr davit run --rm --name guest --network container:c "$BUSYBOX" true
	# It may have lived long enough.
	[ "$status" -eq 0 ] || assert_error 125 "container c" "not running|ended"
	container_gone guest
}

@test "who is needed cannot be removed, but with --depend" {
	sleeper c --network none
	davit run -d --name guest --network container:c "$BUSYBOX" sleep 1000 >/dev/null
	run_error 2 rm c -- "running"
	run_error 125 rm -f -t 0 c -- "dependent" guest "--depend"
	run_davit inspect -f '{{.State.Running}}' c
	assert_output true
	run_davit rm -f -t 0 --depend c
	container_gone c
	container_gone guest
}

@test "rm --all -f removes those that need others first" {
	need_davit # podman 4 removes in the order of its list
	sleeper c --network none
	davit run -d --name guest --network container:c "$BUSYBOX" sleep 1000 >/dev/null
	davit run -d --name more --network none --pid container:guest "$BUSYBOX" sleep 1000 >/dev/null
	run_davit rm -f -a -t 0
	run_davit ps -aq
	assert_output ""
}

@test "container prune takes those that need others first, and leaves who is needed" {
	need_davit
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	davit create --name guest --network container:c "$BUSYBOX" true >/dev/null
	sleeper needed --network none
	davit run -d --name busy --network container:needed "$BUSYBOX" sleep 1000 >/dev/null
	davit stop -t 0 needed >/dev/null
	run_davit container prune -f
	run_davit ps -a --format '{{.Names}}'
	assert_output "$(printf 'needed\nbusy')"
}

@test "--rm of a container that others need waits for these" {
	need_davit
	davit run -d --rm --name c --network none "$BUSYBOX" sleep 1000 >/dev/null
	davit run -d --name guest --network container:c "$BUSYBOX" sleep 1000 >/dev/null
	davit stop -t 0 c >/dev/null
	run_davit inspect -f '{{.State.Status}}' c
	assert_output exited
}

@test "--requires" {
	davit create --name a --network none "$BUSYBOX" sleep 1000 >/dev/null
	davit create --name b --network none "$BUSYBOX" sleep 1000 >/dev/null
	davit create --name c --requires a,b --network none "$BUSYBOX" sleep 1000 >/dev/null
	run_davit inspect -f '{{.Dependencies}}' c
	assert_contains "$(davit inspect -f '{{.Id}}' a)"
	assert_contains "$(davit inspect -f '{{.Id}}' b)"
	davit start c >/dev/null
	run davit ps --format '{{.Names}}'
	for name in a b c; do assert_line $name; done
	run_error 125 create --requires nosuch "$BUSYBOX" true -- nosuch "no such container"
}

@test "inspect tells whose they are" {
	sleeper c --network none
	id=$(davit inspect -f '{{.Id}}' c)
	davit create --name guest --network container:c --pid container:c --ipc container:c --uts container:c "$BUSYBOX" true >/dev/null
	run_davit inspect -f '{{.HostConfig.NetworkMode}} {{.HostConfig.PidMode}} {{.HostConfig.IpcMode}} {{.HostConfig.UTSMode}}' guest
	is_podman || assert_output "container:$id container:$id container:$id container:$id"
	run_davit inspect -f '{{.HostConfig.NetworkMode}} {{.HostConfig.PidMode}} {{.HostConfig.IpcMode}} {{.HostConfig.UTSMode}} {{.Dependencies}}' c
	assert_output "none private shareable private []"
}

@test "killed in the middle, the line in the other's hosts file goes too" {
	need_davit
	sleeper c --network none
	davit run -d --name guest --network container:c "$BUSYBOX" sleep 1000 >/dev/null
	kill -9 "$(davit inspect -f '{{.State.ConmonPid}}' guest)" "$(davit inspect -f '{{.State.Pid}}' guest)"
	gone() { davit ps >/dev/null; ! grep -q guest "$(davit inspect -f '{{.HostsPath}}' c)"; }
	wait_until 10 gone
}

offsets() { davit run --rm --network none "$@" "$BUSYBOX" cat /proc/self/timens_offsets 2>/dev/null | tr -s ' ' | paste -sd,; }

@test "--time-offset: both clocks, one, and what they show" {
	need_davit
	run offsets --time-offset +1d
	assert_output 'monotonic 86400 0,boottime 86400 0'
	run offsets --time-offset -1.25s
	assert_output 'monotonic -2 750000000,boottime -2 750000000'
	run offsets --time-offset monotonic=1h,boottime=2h30m
	assert_output 'monotonic 3600 0,boottime 9000 0'
	run offsets --time-offset boottime=3
	assert_output 'monotonic 0 0,boottime 3 0'
	run_davit run --rm --network none --time-offset 1000d "$BUSYBOX" cat /proc/uptime
	[ "${output%%.*}" -ge 86400000 ] || fail "a thousand days"
	run_davit run --rm --network none "$BUSYBOX" readlink /proc/self/ns/time
	assert_output "$(readlink /proc/self/ns/time)"
}

@test "--time-offset with namespaces of others, with a mapping of its own, and in exec" {
	need_davit
	davit run -d --name c --network none --time-offset 7d "$BUSYBOX" sleep 1000 >/dev/null
	run_davit exec c cat /proc/uptime
	[ "${output%%.*}" -ge 604800 ] || fail "exec is in it"
	run offsets --time-offset 5 --pid container:c --ipc container:c
	assert_output 'monotonic 5 0,boottime 5 0'
	run offsets --time-offset 5 --pid host
	assert_output 'monotonic 5 0,boottime 5 0'
	is_root || { run offsets --time-offset 5 --userns keep-id; assert_output 'monotonic 5 0,boottime 5 0'; }
	davit stop -t 0 c >/dev/null
	davit start c >/dev/null
	run_davit exec c cat /proc/uptime
	[ "${output%%.*}" -ge 604800 ] || fail "it is kept"
	run_davit inspect -f '{{.HostConfig.TimeOffset}}' c
	assert_output 7d
}

@test "--time-offset that cannot be" {
	need_davit
	run_error 125 run --rm --network none --time-offset -10000d "$BUSYBOX" true -- "time offset" "smaller"
	run_error 125 run --rm --network none --time-offset x "$BUSYBOX" true -- "--time-offset 'x'" "duration"
	run_error 125 run --rm --network none --time-offset realtime=1s "$BUSYBOX" true -- "realtime" "monotonic=SPAN"
	run_error 125 run --rm --network none --time-offset boottime=1s,boottime=2s "$BUSYBOX" true -- "boottime" "twice"
	run_error 125 run --rm --network none --time-offset= "$BUSYBOX" true -- "time-offset"
}
