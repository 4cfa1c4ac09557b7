# kill -9 of everybody at several moments: the next command tells the truth and cleans up.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

running() { [ "$(davit inspect -f '{{.State.Running}}' "$1" 2>/dev/null)" = true ]; }
init_of() { davit inspect -f '{{.State.Pid}}' "$1"; }
monitor_of() { davit inspect -f '{{.State.ConmonPid}}' "$1"; }
gone() { ! kill -0 "$1" 2>/dev/null; }

@test "the command line: a detached container does not care, one with --rm is still put away" {
	need_davit
	davit_background run --rm --name c --network none "$BUSYBOX" sleep 2
	pid=$!
	wait_until 10 running c
	kill -KILL $pid
	wait_status 137 $pid
	running c || fail "it goes on"
	wait_until 10 eval '! container_exists c'
}

@test "the command line, early: after any number of milliseconds nothing half-made stays" {
	need_davit
	before=$(leaks)
	for delay in 0.000 0.001 0.002 0.003 0.004 0.005 0.006 0.008 0.010 0.012 0.015 0.020 0.030 0.050; do
		davit_background run --rm --name c --network none "$BUSYBOX" true 2>/dev/null
		pid=$!
		sleep $delay
		kill -KILL $pid 2>/dev/null || :
		wait $pid 2>/dev/null || :
		# Whatever is left of it is named truthfully and can be removed.
		davit rm -f c >/dev/null || fail "after $delay"
		run_davit ps -aq
		assert_output ""
	done
	check_nothing_left "$before"
}

@test "the container's init: 137, and everything is put away" {
	davit run -d --name c --network none "$BUSYBOX" sleep 100 >/dev/null
	kill -KILL "$(init_of c)" 2>/dev/null || davit unshare kill -KILL "$(init_of c)"
	wait_until 10 eval '! running c'
	run_davit inspect -f '{{.State.Status}} {{.State.ExitCode}}' c
	assert_output "exited 137"
	run_davit start c
	wait_until 10 running c
}

@test "the container's init in the foreground" {
	davit_background run --rm --name c --network none "$BUSYBOX" sleep 100
	pid=$!
	wait_until 10 running c
	kill -KILL "$(init_of c)"
	wait_status 137 $pid
	wait_until 5 eval '! container_exists c'
}

@test "the monitor: the next command says what became of the container" {
	need_davit
	davit run -d --name c --network none "$BUSYBOX" sleep 100 >/dev/null
	init=$(init_of c)
	monitor=$(monitor_of c)
	[ "$monitor" -gt 1 ] || fail "the monitor's number"
	kill -KILL "$monitor"
	wait_until 5 gone "$monitor"
	run_davit ps -a --format '{{.Names}} {{.Status}}'
	[[ $output == "c Up"* || $output == "c Exited"* ]] || fail "the truth"
	run_davit rm -f -t 0 c
	wait_until 5 gone "$init"
	run_davit ps -aq
	assert_output ""
}

@test "the monitor in the foreground: run ends and says so" {
	need_davit
	davit_background run --rm --name c --network none "$BUSYBOX" sleep 100 2>"$BATS_TEST_TMPDIR/err"
	pid=$!
	wait_until 10 running c
	init=$(init_of c)
	kill -KILL "$(monitor_of c)"
	status=0
	wait $pid || status=$?
	[ $status -ne 0 ] || fail "not success"
	davit rm -f -t 0 c >/dev/null
	wait_until 5 gone "$init"
}

@test "everything at once, with network and port: the port is free again" {
	need_davit
	port=$(free_port)
	davit run -d --name c -p "127.0.0.1:$port:80" "$BUSYBOX" sleep 100 >/dev/null
	init=$(init_of c)
	kill -KILL "$(monitor_of c)" "$init" 2>/dev/null || :
	wait_until 5 gone "$init"
	run_davit ps --format '{{.Names}}'
	assert_output ""
	run_davit rm -f c
	run_davit run -d --name c -p "127.0.0.1:$port:80" "$BUSYBOX" sleep 100
}

@test "after a reboot: nothing runs, stopped containers are there, started again they run" {
	need_davit
	davit run -d --name c --network none "$BUSYBOX" sleep 100 >/dev/null
	init=$(init_of c)
	kill -KILL "$(monitor_of c)" "$init"
	wait_until 5 gone "$init"
	rm -rf "${RUNDIR:?}"/* # a tmpfs is empty after a boot
	run_davit ps -a --format '{{.Names}} {{.Status}}'
	assert_matches '^c (Exited|Created)'
	run_davit start c
	running c || fail "runs"
}

@test "a pull that is killed goes on where it stopped" {
	need_davit
	own_store
	curl -s -X DELETE http://127.0.0.1:5008/_log
	for part in 1 2; do
		davit_background pull -q 127.0.0.1:5008/slow:latest >/dev/null 2>&1
		pid=$!
		sleep 0.6
		kill -KILL $pid
		wait_status 137 $pid
		wait_until 10 eval '[ -z "$(pgrep -f "[d]avit-registry")" ]'
		run_davit images -q
		assert_output ""
	done
	run_davit pull -q 127.0.0.1:5008/slow:latest
	id=$output
	curl -s http://127.0.0.1:5008/_log >"$BATS_TEST_TMPDIR/log"
	grep -qE '^GET .*/blobs/.* bytes=[1-9][0-9]*-' "$BATS_TEST_TMPDIR/log" || fail "$(cat "$BATS_TEST_TMPDIR/log")"
	run_davit run --rm --network none "$id" echo whole
	assert_output whole
	[ -z "$(find "$STORE/tmp" -type f 2>/dev/null)" ] || fail "$(find "$STORE/tmp")"
	remove_store
}

@test "a pull that is killed while it unpacks leaves no half layer" {
	need_davit
	need_debian
	own_store
	for delay in 0.05 0.2 0.4 0.7; do
		davit_background pull -q "$DEBIAN" >/dev/null 2>&1
		pid=$!
		sleep $delay
		kill -KILL $pid 2>/dev/null || :
		wait $pid 2>/dev/null || :
	done
	run_davit pull -q "$DEBIAN"
	run_davit run --rm --network none "$DEBIAN" python3 -c 'print("whole")'
	assert_output whole
	[ -z "$(find "$STORE/layers" "$STORE/tmp" -maxdepth 1 -mindepth 1 -name '*tmp*' 2>/dev/null)" ] || fail "$(ls "$STORE/layers" "$STORE/tmp")"
	remove_store
}

@test "another run root: what runs is not taken for dead" {
	need_davit
	own_store
	davit run -d --name runs --network none davit/helloweb >/dev/null
	there=$RUNDIR RUNDIR=$BATS_TEST_TMPDIR/other
	run_error 125 ps -- "$there" "$RUNDIR" "stop them"
	run_error 125 rm -f runs -- "$there"
	if ! is_root; then # another login: as the option says nothing, it finds them
		XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/login run_status 0 "$DAVIT" --root "$STORE" ps --format '{{.Names}} {{.State}}'
		assert_output "runs running"
	fi
	ln -s "$there" "$BATS_TEST_TMPDIR/link"
	RUNDIR=$BATS_TEST_TMPDIR/link
	running runs || fail "by another way"
	RUNDIR=$there
	running runs || fail "it was ended"
	davit rm -f -t 0 runs >/dev/null
	RUNDIR=$BATS_TEST_TMPDIR/other
	run_davit ps -a # nothing runs, so any will do
	remove_store
}
