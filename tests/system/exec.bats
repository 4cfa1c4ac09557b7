# davit exec: one more command in a container that runs.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

# A container c that runs until it is told to end.
running() { davit run -d --name c --network none "$@" "$BUSYBOX" sleep 1000 >/dev/null; }

@test "exec: output, error output, exit status" {
	running
	run_status 7 davit exec c sh -c 'echo out; echo err >&2; exit 7'
	assert_output out
	[ "$stderr" = err ] || fail "standard error"
	run_status 137 davit exec c sh -c 'kill -9 $$'
}

@test "exec: it is in the container: processes, files, host name, control group" {
	running --hostname inside
	run_davit exec c sh -c 'hostname; cat /proc/1/comm; ls /proc/self/ns >/dev/null && for n in pid mnt uts ipc net; do
		[ "$(readlink /proc/1/ns/$n)" = "$(readlink /proc/self/ns/$n)" ] && echo "$n"; done'
	assert_output $'inside\nsleep\npid\nmnt\nuts\nipc\nnet'
	run_davit exec c sh -c '[ "$(cat /proc/1/cgroup)" = "$(cat /proc/self/cgroup)" ] && echo same'
	assert_output same
}

@test "exec: confined as the container is, --privileged is not" {
	running --cap-drop chown
	run_davit exec c sh -c 'grep -E "^(CapBnd|CapEff|Seccomp):" /proc/1/status'
	first=$output
	run_davit exec c sh -c 'grep -E "^(CapBnd|CapEff|Seccomp):" /proc/self/status'
	assert_output "$first"
	run_davit exec --privileged c sh -c 'grep -E "^CapBnd:" /proc/self/status'
	[[ $first != *"$output"* ]] || fail "no more capabilities"
}

@test "exec: a filter that forbids all that making the process takes" {
	local calls='"clone", "clone3", "fork", "vfork", "setsid", "ioctl", "sendmsg", "prctl", "socket"'
	echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ['"$calls"'], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]}' >"$BATS_TEST_TMPDIR/narrow.json"
	local option
	for option in seccomp=unconfined no-new-privileges; do
		davit run -d --name box --network none --security-opt "$option" --security-opt seccomp="$BATS_TEST_TMPDIR/narrow.json" "$BUSYBOX" sleep 100 >/dev/null
		run_status 0 davit exec box cat /proc/self/stat
		# Its own session and process group, in the PID namespace of the container.
		grep -E '^([0-9]+) \(cat\) R 0 \1 \1 ' <<<"$output"
		run_status 0 davit exec -t box grep Seccomp: /proc/self/status
		assert_contains 2
		run_status 2 davit exec box sh -c 'true | true'
		davit rm -f -t 0 box >/dev/null
	done
}

@test "exec: input ends, is not read without -i" {
	running
	run_davit exec -i c wc -c < <(head -c 300000 /dev/zero)
	assert_output 300000
	echo text >"$BATS_TEST_TMPDIR/in"
	run_davit exec c cat <"$BATS_TEST_TMPDIR/in"
	assert_output ""
}

@test "exec: user, directory, environment" {
	running -e A=1 -e B=2
	printf 'C=file\nD=file\n' >"$BATS_TEST_TMPDIR/env"
	run_davit exec -u nobody -w /tmp -e B=3 --env-file "$BATS_TEST_TMPDIR/env" -e D=4 c sh -c 'id -un; pwd; echo $A $B $C $D'
	assert_output $'nobody\n/tmp\n1 3 file 4'
	davit exec c sh -c 'echo new:x:1234:1234::/tmp/new:/bin/sh >>/etc/passwd'
	run_davit exec -u new c sh -c 'id -u; echo $HOME'
	assert_output $'1234\n/tmp/new'
	run_error 125 exec -u nosuch c true -- "nosuch"
}

@test "exec: a terminal of its own" {
	running
	run_davit exec -t c sh -c 'tty >/dev/null && echo "$TERM"'
	assert_matches '^xterm'
}

@test "exec: -d does not wait, and ends with the container" {
	running
	run_davit exec -d c sh -c 'echo $$ >/tmp/pid; exec sleep 1000'
	wait_until 10 davit exec c test -s /tmp/pid
	run_davit exec c sh -c 'cat /proc/$(cat /tmp/pid)/comm'
	assert_output sleep
	davit rm -f -t 0 c
}

@test "exec: signals are passed on" {
	running
	davit_background exec c sh -c 'trap "exit 9" TERM; echo ready >/tmp/ready; while :; do sleep 0.1; done'
	pid=$!
	wait_until 10 davit exec c test -e /tmp/ready
	kill -TERM $pid
	wait_status 9 $pid
}

@test "exec: --latest" {
	running
	run_davit exec --latest hostname
	[ "$output" = "$(davit exec c hostname)" ]
	run_error 125 exec -l -- "at least 1"
}

@test "exec: what cannot be executed" {
	running
	run_error 127 exec c nosuch -- "nosuch"
	run_error 126 exec c /etc/passwd -- "/etc/passwd"
	run_error 127 exec -w /nosuch c true -- "/nosuch"
	run_error 125 exec nosuch true -- "nosuch"
	run_error 255 exec c -- "no command"
	davit stop -t 0 c
	run_error 255 exec c true -- "c" "start"
}

@test "exec: many at once, and nothing stays" {
	running
	pids=()
	for i in $(seq 20); do
		davit_background exec c sh -c "exit $i"
		pids+=($!)
	done
	for i in $(seq 20); do wait_status "$i" "${pids[i - 1]}"; done
	run_davit exec c sh -c 'ls -d /proc/[0-9]* | wc -l'
	[ "$output" -le 4 ] || fail "processes stay"
}

@test "inspect tells the IDs of commands that exec has started" {
	need_davit
	davit run -d --name c --network none "$BUSYBOX" sleep 1000 >/dev/null
	run_davit inspect -f '{{json .ExecIDs}}' c
	assert_output '[]'
	first=$(davit exec -d c sleep 1001)
	second=$(davit exec -d c sh -c 'sleep 1002 & sleep 1003')
	run_davit inspect -f '{{json .ExecIDs}}' c
	[ "$(jq -r 'sort | join(" ")' <<<"$output")" = "$(printf '%s\n' $first $second | sort | paste -sd ' ')" ] || fail "$first $second"
	davit stop -t 0 c >/dev/null
	run_davit inspect -f '{{json .ExecIDs}}' c
	assert_output '[]'
}
