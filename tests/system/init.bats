# davit container init: a container that is made but for its command; and what davit says of checkpoints.

load helpers

setup() {
	need_davit
	default_setup
}
teardown() { default_teardown; }

has_state() { [ "$(state "$1")" "$2" "$3" ]; }
is_healthy() { [ "$(davit inspect --format '{{.State.Health.Status}}' "$1")" = healthy ]; }
state() { davit inspect --format '{{.State.Status}}' "$1"; }
made() { # NAME OPTION... -- COMMAND...
	local name=$1 options=()
	shift
	while [ "$1" != -- ]; do options+=("$1") && shift; done
	shift
	davit create -q --network none --name "$name" "${options[@]}" "$BUSYBOX" "$@"
	davit container init "$name"
	[ "$(state "$name")" = initialized ]
}

@test "init: an initialized container has a process and mounts, and its command has not run" {
	made c -v "$BATS_TEST_TMPDIR:/host:rw" -- touch /host/ran
	run -0 davit ps -a --format '{{.Names}} {{.Status}} {{.State}}'
	[ "$output" = "c Initialized initialized" ]
	run -0 davit ps -q
	[ -z "$output" ]
	run -0 davit ps -a --filter status=initialized --format '{{.Names}}'
	[ "$output" = c ]
	pid=$(davit inspect --format '{{.State.Pid}}' c)
	[ "$pid" -gt 1 ]
	run -0 davit inspect --format '{{.State.Running}} {{.State.StartedAt}}' c
	[ "$output" = "false 0001-01-01T00:00:00Z" ]
	grep -q ' /host ' "/proc/$pid/mountinfo"
	[ ! -e "$BATS_TEST_TMPDIR/ran" ]
	davit start c
	davit wait c
	[ -e "$BATS_TEST_TMPDIR/ran" ]
	[ "$(state c)" = exited ]
}

@test "init: start attaches before the command runs, so nothing of its output is lost" {
	for i in 1 2 3 4 5; do
		made c$i -- sh -c 'echo out; echo err >&2; exit 7'
		run -7 --separate-stderr davit start -a c$i
		[ "$output" = out ]
		[ "$stderr" = err ]
	done
	made t -t -- sh -c 'test -t 1 && echo terminal'
	run -0 davit start -a t
	[[ $output = terminal* ]]
}

@test "init: limits of processes hold for the command" {
	made c --ulimit nofile=77:77 --ulimit nproc=99 -- sh -c "awk '/Max (processes|open files)/ { print \$(NF - 1) }' /proc/self/limits"
	run -0 davit start -a c
	[ "$output" = $'99\n77' ]
}

@test "init: what needs a running command refuses it by its name" {
	made c -- sleep 1000
	run -125 davit container init c
	[[ $output = *"container c is initialized already; start it with 'davit start c'" ]]
	run -255 davit exec c true
	run -125 davit kill c
	[[ $output = *"initialized and does not run yet"* ]]
	run -125 davit pause c
	run -125 davit top c
	run -125 davit snapshot c
	davit start c
	run -125 davit init c
	[[ $output = *"container c runs already"* ]]
	davit rm -f -t 0 c
	run -125 davit init c
	[[ $output = *"no such container"* ]]
}

@test "init: stop, rm and restart know it" {
	made stopped -- sleep 1000
	run -0 davit_within 5 stop stopped
	[ "$(state stopped)" = exited ]
	davit container init stopped
	davit rm stopped
	made again -- sleep 1000
	davit restart -t 0 again
	[ "$(state again)" = running ]
	davit rm -f -t 0 again
	made gone --rm -- sleep 1000
	davit stop gone
	run -1 davit container exists gone
}

@test "init: --all takes those that do not run and are not initialized yet" {
	made first -- sleep 1000
	davit create -q --network none --name second "$BUSYBOX" sleep 1000
	davit run -d --network none --name third "$BUSYBOX" sleep 1000
	run -0 davit container init --all
	[ "${#lines[@]}" -eq 1 ]
	run -0 davit ps -a --sort names --format '{{.Names}} {{.State}}'
	[ "$output" = $'first initialized\nsecond initialized\nthird running' ]
	run -0 davit start --all
	[ "${#lines[@]}" -eq 2 ]
}

@test "init: a command that is not there is an error already, and leaves what was" {
	davit create -q --network none --name c "$BUSYBOX" /no/such/command
	run -125 davit container init c
	[[ $output = *"/no/such/command"* ]]
	[ "$(state c)" = created ]
}

@test "init: the restart policy and health checks begin with the command" {
	made c --restart on-failure:2 --health-cmd true --health-interval 1s \
		-v "$BATS_TEST_TMPDIR:/host:rw" -- sh -c 'echo run >>/host/runs; exit 3'
	davit start c
	run -0 davit wait c
	[ "$output" = 3 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/runs")" -eq 3 ]
	made h --health-cmd true --health-interval 1s -- sleep 1000
	davit start h
	wait_until 20 is_healthy h
}

@test "init: files can be copied in and looked at before the command runs" {
	made c -- cat /put
	echo there >"$BATS_TEST_TMPDIR/put"
	davit cp "$BATS_TEST_TMPDIR/put" c:/put
	run -0 davit diff c
	[[ $output = *"A /put"* ]]
	run -0 davit start -a c
	[ "$output" = there ]
}

@test "init: another container shares its network before the command runs" {
	made c -- sleep 1000
	run -0 davit run --rm --network container:c "$BUSYBOX" readlink /proc/self/ns/net
	[ "$output" = "$(readlink "/proc/$(davit inspect --format '{{.State.Pid}}' c)/ns/net")" ]
}

@test "init: killed processes leave a container that can be started, and nothing else" {
	made c -- sleep 1000
	read -r init _ monitor _ <"$RUNDIR/containers/$(davit inspect --format '{{.Id}}' c)/pid"
	kill -9 "$monitor" "$init"
	wait_until 20 has_state c != initialized
	davit start c
	[ "$(state c)" = running ]
}

@test "checkpoint: the commands say what is missing and what to do instead" {
	run -125 --separate-stderr davit container checkpoint --export /x --keep c
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr = "Error: container checkpoint: "*"CRIU"*"davit snapshot"* ]]
	run -125 --separate-stderr davit container restore c
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr = "Error: container restore: "*"CRIU"*"davit revert"* ]]
	run -0 davit container checkpoint --help
}
