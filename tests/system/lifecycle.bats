# create, start, stop, kill, wait, ps, logs, inspect, rm, port.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

detached() { # NAME COMMAND...: prints the ID
	local name=$1
	shift
	davit run -d --name "$name" --network none "$BUSYBOX" "$@"
}

# Until the container's command has its traps; it says so.
is_ready() { [ "$(davit logs "$1")" = ready ]; }

@test "create prints the ID, start runs it, wait prints its status" {
	run_davit create --name c --network none "$BUSYBOX" sh -c 'exit 3'
	[[ $output =~ ^[0-9a-f]{64}$ ]] || fail "the full ID"
	run_davit inspect -f '{{.State.Status}}' c
	assert_output created
	run_davit start c
	assert_output c
	run_davit wait c
	assert_output 3
	run_davit inspect --format '{{.State.Status}} {{.State.ExitCode}}' c
	assert_output "exited 3"
}

@test "start -a attaches and gives the exit status" {
	davit create --name c --network none "$BUSYBOX" sh -c 'echo hi; exit 4' >/dev/null
	run_status 4 davit start -a c
	assert_output hi
	run_status 4 davit start -a c
	assert_output hi
}

@test "run -d prints the ID and leaves it running; unique prefixes name it" {
	id=$(detached c sleep 100)
	[[ $id =~ ^[0-9a-f]{64}$ ]] || fail "ID"
	run_davit inspect -f '{{.Id}} {{.Name}} {{.State.Running}}' "${id:0:6}"
	assert_output "$id c true"
	run_davit ps -q --no-trunc
	assert_output "$id"
}

@test "stop: the signal first, KILL when it does not help, 0 kills at once" {
	detached polite sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done' >/dev/null
	wait_until 10 is_ready polite
	run_davit stop polite
	assert_output polite
	run_davit inspect -f '{{.State.ExitCode}}' polite
	assert_output 5
	detached stubborn sleep 100 >/dev/null
	begin=$SECONDS
	run_davit stop -t 1 stubborn
	[ $((SECONDS - begin)) -le 4 ] || fail "too slow"
	run_davit inspect -f '{{.State.ExitCode}}' stubborn
	assert_output 137
	davit start stubborn >/dev/null
	run_davit stop -t 0 stubborn
	run_davit inspect -f '{{.State.Status}}' stubborn
	assert_matches 'exited|stopped'
}

@test "stop uses the image's signal" {
	have_image $REGISTRY/busybox:labelled
	davit run -d --name c --network none --entrypoint '["sh","-c","trap \"exit 9\" INT; echo ready; while :; do sleep 0.05; done"]' $REGISTRY/busybox:labelled >/dev/null
	wait_until 10 is_ready c
	run_davit stop -t 5 c
	run_davit wait c
	assert_output 9
}

@test "kill takes names, numbers and SIG names; the container's command gets it" {
	detached c sh -c 'trap "exit 8" USR2; echo ready; while :; do sleep 0.05; done' >/dev/null
	wait_until 10 is_ready c
	run_davit kill -s SIGUSR2 c
	run_davit wait c
	assert_output 8
	run_error 125 kill -s NOSUCH c -- "NOSUCH"
	detached d sleep 100 >/dev/null
	run_davit kill d
	run_davit wait d
	assert_output 137
	run_error 125 kill d -- "d" "(running|state)"
}

@test "ps: columns, states, filters, formats" {
	detached up sleep 100 >/dev/null
	davit run --name down --network none "$BUSYBOX" sh -c 'exit 2' || :
	run_davit ps
	[[ ${lines[0]} =~ ^CONTAINER\ ID\ +IMAGE\ +COMMAND\ +CREATED\ +STATUS\ +PORTS\ +NAMES ]] || fail "headings"
	assert_contains " up"
	assert_not_contains "down"
	run_davit ps -a --format '{{.Names}} {{.ExitCode}}'
	assert_line "down 2"
	assert_line "up 0"
	run_davit ps --format '{{.Status}}'
	assert_matches '^Up '
	run_davit ps -a --filter status=exited --format '{{.Names}}'
	assert_output down
	run_davit ps -a --filter name=up -q --no-trunc
	[[ $output =~ ^[0-9a-f]{64}$ ]] || fail "one ID"
	run_davit ps -a --noheading --format 'table {{.Names}}'
	assert_not_contains NAMES
	run_davit ps -a --format json
	jq -e 'length == 2 and (map(.Names[0]) | sort == ["down", "up"]) and (.[0] | has("Id") and has("Image") and has("State"))' <<<"$output" >/dev/null || fail "JSON"
	run_davit ps -a -n 1 --format '{{.Names}}'
	assert_output down
	run_error 125 ps --filter nosuch=1 -- nosuch
}

@test "logs: everything, the tail, since when, with times, following" {
	davit run --name c --network none "$BUSYBOX" sh -c 'echo one; echo two >&2; sleep 0.2; echo three' >/dev/null 2>&1
	run_davit logs c
	assert_output $'one\nthree'
	[ "$stderr" = two ] || fail "stderr"
	run_davit logs --tail 1 c
	assert_output three
	run_davit logs -t c
	[[ ${lines[0]} =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T.*\ one$ ]] || fail "a time before the line"
	run_davit logs --since 10m c
	assert_contains one
	run_davit logs --until 2001-01-01T00:00:00Z c
	assert_output ""
	run_error 125 logs nosuch -- nosuch
}

@test "logs -f follows to the end" {
	detached c sh -c 'for i in 1 2 3; do echo $i; sleep 0.2; done' >/dev/null
	run_status 0 davit_within 20 logs -f c
	assert_output $'1\n2\n3'
}

@test "a line without an end and binary output come back as they were" {
	davit run --name c --network none "$BUSYBOX" printf 'no newline' >/dev/null
	run_davit logs c
	assert_output "no newline"
}

@test "inspect: JSON with what everybody looks for, templates, several, unknown names" {
	davit run -d --name c --network none -e A=b -l colour=red -l shape=round "$BUSYBOX" sleep 100 >/dev/null
	run_davit inspect c
	jq -e '.[0] | .Name == "c" and .State.Status == "running" and .State.Pid > 1 and .Config.Labels.colour == "red"
		and (.Config.Env | index("A=b")) and .Config.Cmd == ["sleep", "100"] and .ImageName == "'$BUSYBOX'"
		and .HostConfig.NetworkMode == "none" and (.Created | length > 10) and .Path == "sleep" and .Args == ["100"]' <<<"$output" >/dev/null || fail "JSON"
	run_davit inspect -f '{{.Name}}:{{json .Config.Labels}}' c
	assert_output 'c:{"colour":"red","shape":"round"}'
	run_davit inspect -f '{{range .Config.Cmd}}[{{.}}]{{end}}{{if .State.Running}} on{{end}} {{len .Config.Cmd}} {{index .Config.Cmd 1}} {{upper .Name}}' c
	assert_output '[sleep][100] on 2 100 C'
	run_davit inspect --type image -f '{{.Os}}/{{.Architecture}}' "$BUSYBOX"
	assert_output linux/amd64
	run --separate-stderr davit inspect nosuch
	assert_error 125 nosuch
	[ "$output" = "[]" ] || fail "an empty list"
	run --separate-stderr davit inspect -f '{{.Nosuch}}' c
	assert_error 125 Nosuch
	run --separate-stderr davit inspect -f '{{.Name' c
	assert_error 125
}

@test "rm: stopped, running, forced, unknown" {
	detached c sleep 100 >/dev/null
	run_error 2 rm c -- "c" "running" "(stop|force|-f)"
	run_davit rm -f -t 0 c
	assert_output c
	container_gone c
	run_error 1 rm nosuch -- "nosuch" "no (such )?container|not found"
	run_davit rm -f nosuch
	detached d true >/dev/null
	davit wait d >/dev/null
	run_davit rm d
}

@test "--rm removes it when it ends, also detached" {
	davit run -d --rm --name c --network none "$BUSYBOX" sleep 0.3 >/dev/null
	wait_until 10 eval '! container_exists c'
}

@test "restart policies: on-failure counts, always starts again" {
	davit run -d --name c --restart on-failure:2 --network none "$BUSYBOX" sh -c 'echo again; exit 1' >/dev/null
	wait_until 15 eval '[ "$(davit inspect -f "{{.RestartCount}} {{.State.Status}}" c)" = "2 exited" ]'
	run_davit logs c
	assert_output $'again\nagain\nagain'
}

@test "port lists what is published" {
	port=$(free_port)
	davit run -d --name c -p 127.0.0.1:$port:80 "$BUSYBOX" sleep 100 >/dev/null
	run_davit port c
	assert_output "80/tcp -> 127.0.0.1:$port"
	run_davit port c 80
	assert_output "127.0.0.1:$port"
}

@test "a prefix of several IDs is refused" {
	for i in $(seq 17); do davit create --network none "$BUSYBOX" true >/dev/null; done
	prefix=$(davit ps -a -q | cut -c1 | sort | uniq -d | head -n 1)
	run_error 125 inspect --type container "$prefix" -- "$prefix"
}

@test "one with --rm whose start fails is gone" {
	davit create --rm --name c --network none "$BUSYBOX" no-such-command >/dev/null
	run --separate-stderr davit start c
	[ "$status" -ne 0 ] || fail "it cannot start"
	container_gone c
}

@test "start -a of one that runs goes to it, start of one that runs is no error" {
	davit run -d --name c --network none "$BUSYBOX" sh -c 'while [ ! -e /go ]; do sleep 0.02; done; echo late; exit 6' >/dev/null
	run_davit start c
	davit_background start -a c >"$BATS_TEST_TMPDIR/said"
	pid=$!
	# It is there when the monitor has two ends of its socket open: its own and ours.
	wait_until 10 eval '[ "$(grep -c "$RUNDIR/containers/.*/attach\|/attach$" /proc/net/unix)" -ge 2 ]'
	davit exec c touch /go
	is_podman || wait_status 6 $pid
	grep -qx late "$BATS_TEST_TMPDIR/said" || fail "$(cat "$BATS_TEST_TMPDIR/said")"
}

@test "a start that fails is 125, whatever the reason" {
	davit create --name c --network none "$BUSYBOX" no-such-command >/dev/null
	run_error 125 start c -- no-such-command
	run_error 125 start -a c -- no-such-command
	run_davit ps -a --format '{{.Names}} {{.Status}}'
	assert_output "c Created"
}

@test "an empty name is none" {
	run_davit create --name "" --network none "$BUSYBOX" true
	run_davit ps -a --format '{{.Names}}'
	assert_matches '^[a-z]+_[a-z]+$'
}
