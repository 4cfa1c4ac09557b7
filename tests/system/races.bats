#!/usr/bin/env bats
# Several commands at one container at once, and processes of davit's that are killed: every command tells the truth, and
# the last one leaves nothing behind.
load helpers

setup() { default_setup; }
teardown() { default_teardown; }

state() { davit inspect -f "{{.State.$1}}" "$2"; }
is_running() { [ "$(state Running "$1" 2>/dev/null)" = true ]; }

@test "signals to a foreground run reach the container" {
	davit_background run --name c "$BUSYBOX" sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done' >"$BATS_TEST_TMPDIR/out"
	pid=$!
	wait_until 10 grep -q ready "$BATS_TEST_TMPDIR/out"
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	[ $status -eq 5 ] || fail "the container's own exit code"
}

@test "rm -f of a container that is being started waits and removes it" {
	for delay in 0.001 0.003 0.005 0.008; do
		davit_background run -d --name c "$BUSYBOX" sleep 100 >/dev/null
		pid=$!
		wait_until 10 davit inspect c
		sleep $delay
		run_davit rm -f -t 0 c
		wait $pid || :
		davit rm -f -t 0 c >/dev/null
		run_davit ps -aq
		assert_output ""
	done
}

@test "a monitor that is killed ends the foreground run with an error that says so" {
	need_davit
	davit_background run --name c "$BUSYBOX" sleep 100 2>"$BATS_TEST_TMPDIR/err"
	pid=$!
	wait_until 10 is_running c
	kill -KILL "$(state ConmonPid c)"
	status=0
	wait $pid || status=$?
	[ $status -eq 125 ] || fail "status $status"
	grep -q "container 'c': its monitor was killed" "$BATS_TEST_TMPDIR/err" || fail "names container and cause"
	run_davit rm -f -t 0 c
}

@test "what a killed run left is put away before the next start" {
	need_davit
	davit run -d --name c "$BUSYBOX" sleep 100 >/dev/null
	init=$(state Pid c)
	kill -KILL "$(state ConmonPid c)"
	kill -KILL "$init"
	wait_until 5 eval '! kill -0 $init'
	echo "9 0 1" >"$RUNDIR/containers/$(davit inspect -f '{{.Id}}' c)/exit"
	run_davit start c
	is_running c || fail "runs, although the last run's exit file was there"
	run_davit rm -f -t 0 c
}

@test "a pid file that cannot be written leaves no container" {
	run_error 125 run --rm --pidfile /nonexistent/pid "$BUSYBOX" sleep 100 -- /nonexistent/pid
	run_davit ps -aq
	assert_output ""
	# Without --rm it stays as one that was never started, and nothing runs.
	run_error 125 run --name c --pidfile /nonexistent/pid "$BUSYBOX" sleep 100 -- /nonexistent/pid
	run_davit ps -a --format '{{.Names}} {{.Status}}'
	assert_output "c Created"
	run_davit rm c
	[ -z "$(processes '^sleep 100')" ] || fail "it runs"
}

@test "the pid file is there before the command, at each start, from wherever that is" {
	need_davit
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here"
	davit create --name c --network none --pidfile pid "$BUSYBOX" sleep 100 >/dev/null
	cd /
	for _ in 1 2; do
		run_davit start c
		[ "$(cat "$BATS_TEST_TMPDIR/here/pid")" = "$(state Pid c)" ] || fail "$(cat "$BATS_TEST_TMPDIR/here/pid")"
		davit stop -t 0 c >/dev/null
	done
	davit rm c >/dev/null
	run_error 127 run --name c --network none --pidfile "$BATS_TEST_TMPDIR/none" "$BUSYBOX" no-such-command -- no-such-command
	[ ! -e "$BATS_TEST_TMPDIR/none" ] || fail "a process ID of nobody"
}

@test "a container ID file that cannot be written leaves no container" {
	need_davit
	run_error 125 run --cidfile /nonexistent/cid "$BUSYBOX" sleep 100 -- /nonexistent/cid
	run_error 125 create --cidfile /dev/full "$BUSYBOX" sleep 100 -- /dev/full
	run_davit ps -aq
	assert_output ""
}

@test "a launcher that is killed leaves no control group, port or process" {
	need_davit
	port=$(free_port)
	for delay in 0 0.001 0.002 0.004; do
		davit_background run -d --name c -p "127.0.0.1:$port:80" "$BUSYBOX" sleep 100 >/dev/null 2>&1
		pid=$!
		python3 - $pid $delay <<'PYTHON'
import os, sys, time
end = time.time() + 2
while time.time() < end:
    try:
        children = open(f"/proc/{sys.argv[1]}/task/{sys.argv[1]}/children").read().split()
    except OSError:
        break
    if children:
        time.sleep(float(sys.argv[2]))
        try:
            os.kill(int(children[0]), 9)
        except ProcessLookupError:
            pass
        break
PYTHON
		wait $pid || :
		run_davit rm -f -t 0 c
	done
	run_davit run --rm -p "127.0.0.1:$port:80" "$BUSYBOX" true
	[ -z "$(find /sys/fs/cgroup -path '*/davit[-/][0-9a-f]*' -type d | head -n 1)" ] || fail "control groups are left"
}

@test "kill, then wait or inspect at once: 137 each time" {
	for _ in $(seq 20); do
		davit run -d --name c "$BUSYBOX" sleep 100 >/dev/null
		davit kill c >/dev/null
		run_davit inspect -f '{{.State.Status}} {{.State.ExitCode}}' c
		[[ $output == "running 0" || $output == "exited 137" ]] || fail "the truth"
		run_davit wait c
		assert_output 137
		run_davit rm -f -t 0 c
	done
}

@test "wait for several: each status, also of those with --rm that end before their turn" {
	davit run -d --name a --network none "$BUSYBOX" sleep 4 >/dev/null
	davit run -d --rm --name b --network none "$BUSYBOX" sh -c 'sleep 2; exit 3' >/dev/null
	davit run -d --rm --name c --network none "$BUSYBOX" sh -c 'sleep 1; i=0; while [ $i -lt 20000 ]; do echo "a line that nobody wants, $i"; i=$((i + 1)); done; exit 4' >/dev/null
	run_davit wait a b c
	assert_output $'0\n3\n4'
	container_gone b
	container_gone c
}

@test "wait for one that may end at any moment: its status, or that it is gone already" {
	for _ in $(seq 15); do
		davit run -d --rm --name c --network none "$BUSYBOX" sh -c 'sleep 0.01; exit 7' >/dev/null
		run --separate-stderr davit wait c
		[ "$output" = 7 ] || [[ $status -eq 125 && $stderr =~ "no such container"|"removed meanwhile" ]] || fail "a status, or it was over before"
		wait_until 10 eval '! container_exists c'
	done
}

@test "more who wait than a monitor has places for" {
	need_davit
	davit run -d --name c --network none "$BUSYBOX" sh -c 'sleep 1; exit 5' >/dev/null
	for i in $(seq 20); do
		davit_background wait c >"$BATS_TEST_TMPDIR/said.$i"
		pids[i]=$!
	done
	for i in $(seq 20); do
		wait_status 0 "${pids[i]}"
		[ "$(cat "$BATS_TEST_TMPDIR/said.$i")" = 5 ] || fail "number $i: $(cat "$BATS_TEST_TMPDIR/said.$i")"
	done
}

@test "wait for a container whose monitor was killed ends when it does" {
	need_davit
	davit run -d --name c --network none "$BUSYBOX" sleep 100 >/dev/null
	davit_background wait c >"$BATS_TEST_TMPDIR/said"
	pid=$!
	init=$(state Pid c)
	kill -KILL "$(state ConmonPid c)"
	kill -KILL "$init"
	wait_status 0 $pid
	[ "$(cat "$BATS_TEST_TMPDIR/said")" = -1 ] || fail "$(cat "$BATS_TEST_TMPDIR/said")"
}

@test "a new volume is whole for each of the containers that start with it at once" {
	count='find /usr/share | wc -l'
	run_davit run --rm --network none "$DEBIAN" sh -c "$count"
	expected=$output
	for round in 1 2 3; do
		pids=()
		for i in 1 2 3 4; do
			davit_background run --rm --network none -v "shared$round:/usr/share" "$DEBIAN" sh -c "$count" >"$BATS_TEST_TMPDIR/count$i"
			pids+=($!)
		done
		for i in 1 2 3 4; do
			wait "${pids[i - 1]}" || fail "container $i"
			[ "$(cat "$BATS_TEST_TMPDIR/count$i")" = "$expected" ] || fail "container $i saw $(cat "$BATS_TEST_TMPDIR/count$i") of $expected names"
		done
		davit volume rm "shared$round" >/dev/null
	done
}

@test "a volume that is made while one of its name is removed has its directory" {
	need_davit
	for ((i = 0; i < 30; i++)); do
		davit volume create racing >/dev/null
		davit_background volume rm racing >/dev/null 2>&1
		pid=$!
		until davit volume create racing >/dev/null 2>&1; do :; done
		wait $pid || fail "removed"
		[ -d "$(davit volume inspect -f '{{.Mountpoint}}' racing)" ] || fail "its directory, in round $i"
		davit volume rm racing >/dev/null
	done
	run_davit system check --quick
}
