# Control groups: limits hold, are told of, and nothing of them stays.

load helpers

setup() {
	need_davit # podman runs without cgroups in these tests
	default_setup
}
teardown() { default_teardown; }

# Whether this user's containers have groups here: root's, and those of users who were given a group that hands on
# what limits need.
have_groups() {
	local own=
	[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] || { is_root; return; }
	is_root || own=$(sed -n 's/^0:://p' /proc/self/cgroup)
	[ -w "/sys/fs/cgroup$own/cgroup.subtree_control" ] && grep -qw memory "/sys/fs/cgroup$own/cgroup.controllers" &&
		grep -qw pids "/sys/fs/cgroup$own/cgroup.controllers"
}
has_controller() { [ -d "/sys/fs/cgroup/$1" ] || grep -qw "$1" "/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/cgroup.controllers" 2>/dev/null; }
need_groups() { have_groups || skip "no group of cgroup v2 with the controllers memory and pids is delegated to this user"; }
# The directories of container $1's groups, on any hierarchy.
groups_of() { find /sys/fs/cgroup -type d -path "*$1*" 2>/dev/null; }
# The value of file $1 of the container's own group: in the directory of controller $2 on v1.
show() { echo "cat /sys/fs/cgroup/$1 2>/dev/null || cat /sys/fs/cgroup/$2/$3"; }

@test "a fork bomb stops at --pids-limit" {
	need_groups
	run --separate-stderr timeout 60 "$DAVIT" --root "$STORE" --runroot "$RUNDIR" run --rm --network none --pids-limit 25 \
		"$BUSYBOX" sh -c 'bomb() { bomb | bomb & }; bomb; sleep 1; echo survived'
	[ "$status" -ne 124 ] || fail "the bomb has won"
	[[ $stderr == *"can't fork"* ]] || fail "no fork was refused"
}

# bats test_tags=user
@test "a user's own group stays fit for processes" {
	local own
	own=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
	[ -w "$own/cgroup.subtree_control" ] || skip "no group of cgroup v2 was delegated"
	run_davit run --rm --network none "$BUSYBOX" echo works
	assert_output works
	[ "$(cat "$own/cgroup.type")" = domain ] || fail "the group is $(cat "$own/cgroup.type") now"
}

@test "there is a pids limit and a memory limit by default" {
	need_groups
	: >"$BATS_TEST_TMPDIR/empty.conf"
	export CONTAINERS_CONF=$BATS_TEST_TMPDIR/empty.conf
	run_davit run --rm --network none "$BUSYBOX" sh -c "$(show pids.max pids pids.max)"
	assert_output 2048
	run_davit run --rm --network none "$BUSYBOX" sh -c "$(show memory.max memory memory.limit_in_bytes)"
	[ "$output" -lt $(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) * 1024)) ] || fail "all of the host's memory"
}

@test "who is over the memory limit is killed, and inspect says so" {
	need_groups
	run_status 137 davit run --name hog --network none -m 20m "$BUSYBOX" sh -c 'a=x; while :; do a=$a$a; done'
	run_davit inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Status}}' hog
	assert_output "true 137 exited"
	run_davit rm hog
	run_davit run -d --name hog --network none -m 20m "$BUSYBOX" sh -c 'a=x; while :; do a=$a$a; done'
	run_davit wait hog
	assert_output 137
	run_davit inspect -f '{{.State.OOMKilled}}' hog
	assert_output true
}

@test "the monitor that would have said so was killed: the group still knows" {
	need_groups
	davit run -d --name hog --network none -m 20m "$BUSYBOX" sh -c 'while [ ! -e /go ]; do sleep 0.05; done; a=x; while :; do a=$a$a; done' >/dev/null
	local monitor
	monitor=$(davit inspect -f '{{.State.ConmonPid}}' hog)
	kill -KILL "$monitor"
	wait_until 10 eval '[ ! -e "/proc/$monitor" ]'
	davit exec hog touch /go
	wait_until 30 eval '[ "$(davit inspect -f "{{.State.Running}}" hog)" = false ]'
	run_davit ps -a --format '{{.Names}} {{.Status}}'
	assert_matches '^hog Exited \(-1\)'
	run_davit inspect -f '{{.State.OOMKilled}}' hog
	assert_output true
}

@test "who is not over it has not been killed by it" {
	run_status 137 davit run --name victim --network none "$BUSYBOX" sh -c 'sh -c "kill -9 \$\$"; exit 137'
	run_davit inspect -f '{{.State.OOMKilled}}' victim
	assert_output false
}

@test "only what was killed inside counts: the container goes on" {
	need_groups
	run_davit run --name part --network none -m 30m "$BUSYBOX" sh -c 'sh -c "a=x; while :; do a=\$a\$a; done"; echo "child $?"'
	assert_output "child 137"
	run_davit inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' part
	assert_output "true 0"
}

@test "limits of a stopped container come back with it" {
	need_groups
	run_davit create --name again --network none --pids-limit 33 "$BUSYBOX" sh -c "$(show pids.max pids pids.max)"
	run_davit start -a again
	assert_output 33
	run_davit start -a again
	assert_output 33
}

@test "processor limits are set" {
	need_groups
	has_controller cpuset || skip "this host has no cpuset controller"
	run_davit run --rm --network none --cpus 0.5 --cpuset-cpus 0 "$BUSYBOX" sh -c \
		'grep Cpus_allowed_list /proc/self/status; cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us'
	[[ ${lines[0]} =~ ^Cpus_allowed_list:[[:space:]]*0$ ]] || fail "processors"
	[[ ${lines[1]} =~ ^50000 ]] || fail "quota"
}

@test "a processor quota takes the time away" {
	need_groups
	has_controller cpu || skip "this host has no cpu controller"
	# At 0.2 a process gets no more than 0.2 s of each second, however busy the host is; 0.1 for what rounding adds.
	run_davit run --rm --network none --cpus 0.2 "$BUSYBOX" sh -c \
		'timeout 3 sh -c "while :; do :; done"; cat /sys/fs/cgroup/cpu.stat 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.stat; cut -d" " -f16,17 /proc/1/stat'
	[[ $output =~ nr_throttled\ ([0-9]+) ]] || fail "no numbers"
	[ "${BASH_REMATCH[1]}" -gt 10 ] || fail "throttled ${BASH_REMATCH[1]} times only"
	local user system
	read -r user system <<<"${lines[-1]}"
	[ $((user + system)) -lt 90 ] || fail "$((user + system)) hundredths of a second in three seconds"
}

@test "a container's group is removed with its end" {
	need_groups
	run_davit run -d --name one --network none "$BUSYBOX" sleep 100
	local id=$output
	[ -n "$(groups_of "$id")" ] || fail "no group while it runs"
	run_davit rm -f -t 0 one
	[ -z "$(groups_of "$id")" ] || fail "left: $(groups_of "$id")"
}

@test "processes that outlive the monitor and the init go with the group" {
	need_groups
	run_davit run -d --name left --network none --pid host "$BUSYBOX" sh -c 'sleep 1234567 & sleep 7654321 & wait'
	local id=$output
	wait_until 5 pgrep -f 'sleep 1234567'
	run_davit rm -f -t 0 left
	[ -z "$(groups_of "$id")" ] || fail "left: $(groups_of "$id")"
	[ -z "$(pgrep -f 'sleep (1234567|7654321)')" ] || fail "a process is left"
}

@test "groups that were made inside are removed, too" {
	need_groups
	run_davit run -d --name nested --network none "$BUSYBOX" sleep 100
	local id=$output group
	for group in $(groups_of "$id"); do
		mkdir -p "$group/inner/innermost"
	done
	run_davit rm -f -t 0 nested
	[ -z "$(groups_of "$id")" ] || fail "left: $(groups_of "$id")"
}

@test "the container sees its own group and no other" {
	run_davit run --rm --network none "$BUSYBOX" sh -c 'cat /proc/self/cgroup; find /sys/fs/cgroup -type d | grep -c davit || :'
	[ "${lines[-1]}" = 0 ] || fail "others are seen"
	assert_not_contains davit
	run --separate-stderr davit run --rm --network none "$BUSYBOX" sh -c 'find /sys/fs/cgroup -type d -exec mkdir {}/x \; 2>/dev/null; find /sys/fs/cgroup -name x'
	[ -z "$output" ] || fail "writable"
}

# Others cannot make nodes at all.
# bats test_tags=root
@test "a device that was not given cannot be opened, whatever node there is" {
	run_davit run --rm --network none --cap-add mknod "$BUSYBOX" sh -c 'mknod /tmp/mem c 1 1 && (cat /tmp/mem; echo $?) 2>&1 | tail -n 2'
	assert_contains "Operation not permitted"
	run_davit run --rm --network none --cap-add mknod "$BUSYBOX" sh -c 'mknod /tmp/zero c 1 5 && head -c 3 /tmp/zero | wc -c'
	assert_output 3
}

# bats test_tags=user
@test "a limit that cannot be set is an error with a remedy, a default is a warning once" {
	have_groups && skip "they can be set here"
	: >"$BATS_TEST_TMPDIR/empty.conf"
	export CONTAINERS_CONF=$BATS_TEST_TMPDIR/empty.conf
	rm -f "$RUNDIR/warned-limits"
	run_davit run --rm --network none "$BUSYBOX" true
	[[ $stderr == *"default limits"*pids* ]] || fail "no warning"
	run_davit run --rm --network none "$BUSYBOX" true
	[ -z "$stderr" ] || fail "a second warning"
	run_error 125 run --rm --network none -m 50m "$BUSYBOX" true -- "memory limit" "davit-rootless\(7\)"
	run_error 125 run --rm --network none --pids-limit 50 "$BUSYBOX" true -- "pids limit" "davit-rootless\(7\)"
	run_error 125 run --rm --network none --cpus 0.5 "$BUSYBOX" true -- "CPU (quota|period)" "davit-rootless\(7\)"
}

@test "limits that contradict each other, or the host" {
	run_error 125 run --rm --network none -m 50m --memory-swap 20m "$BUSYBOX" true -- "swap"
	need_groups
	! has_controller cpuset || run_error 125 run --rm --network none --cpuset-cpus 999 "$BUSYBOX" true -- "processor list '999'"
}

@test "what fails to start leaves no group" {
	need_groups
	local before
	groups() { find /sys/fs/cgroup -type d -not -name davit -not -name monitors -not -name '*.slice' | sort; } # those stay
	before=$(groups)
	run_status 127 davit run --rm --network none -m 50m --cpus 0.5 "$BUSYBOX" /no/such/command
	run_error 125 run --rm --network none -m 50m --cpuset-cpus 999 "$BUSYBOX" true --
	[ "$before" = "$(groups)" ] || fail "left: $(diff <(echo "$before") <(groups))"
}
