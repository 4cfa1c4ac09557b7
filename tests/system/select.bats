#!/usr/bin/env bats
# Naming containers other than by name, and what lists and inspect tell about them.
load helpers

setup() {
	default_setup
}
teardown() {
	default_teardown
}

@test "ps -s and inspect -s tell how much a container wrote" {
	davit run --name small --network none "$BUSYBOX" true
	davit run --name large --network none "$BUSYBOX" sh -c 'mkdir -m 700 /d && head -c 3000000 /dev/zero >/d/f && ln /d/f /d/g && chown 7:7 /d && chmod 0 /d'
	run_davit ps -a -s --filter name=large
	assert_matches 'SIZE'
	assert_matches '3MB \(virtual [0-9.]+MB\)'
	run_davit ps -a --size --sort size --format '{{.Names}} {{.Size}}'
	assert_matches '^small [0-9.]+k?B \(virtual .*large 3MB \(virtual '
	run_davit ps -a --size --filter name=large --format json
	assert_matches '"rwSize": 300[0-9]{4}'
	assert_matches '"rootFsSize": [1-9]'
	run_davit inspect -s --format '{{.SizeRw}}' large
	assert_matches '^300[0-9]{4}$'
	run_davit inspect --format json large
	assert_not_contains SizeRw
	run_error 125 ps -q --size -- quiet
	run_error 125 inspect --size --type image "$BUSYBOX" -- size
}

@test "ps --ns shows the namespaces of the process" {
	davit run -d --name up --network none "$BUSYBOX" sleep 1000
	pid=$(davit inspect --format '{{.State.Pid}}' up)
	number=$(readlink "/proc/$pid/ns/ipc" | tr -dc 0-9)
	run_davit ps --ns
	assert_matches 'CONTAINER ID +NAMES +PID +CGROUPNS +IPC +MNT +NET +PIDNS +USERNS +UTS'
	assert_matches "up +$pid +[0-9]+ +$number "
	run_davit ps --ns --format '{{.IPC}}'
	assert_output "$number"
	run_davit ps --ns --format json
	assert_contains "\"Ipc\": \"$number\""
}

@test "ps: fields are podman's, and nothing else" {
	davit create --name made -l a=b -l c=d -v /tmp:/there "$BUSYBOX" true
	run_davit ps -a --format '{{.Labels}} {{.Mounts}} {{.StartedAt}} {{.ExitedAt}} {{.Exited}}'
	assert_output 'map[a:b c:d] [/there] -62135596800 -62135596800 false'
	run_davit ps -a --format '{{.Created}}'
	assert_matches '^20[0-9]{2}-[0-9-]{5} [0-9:.]+ [+-][0-9]{4} [A-Z]'
	run_davit ps -a --format '{{json .}}'
	assert_contains '"Id": "'
	[ "${lines[0]}" = '[' ]
	if ! is_podman; then
		run_davit ps -a --format '{{.created_nsec}}'
		assert_output '<no value>'
		run_davit ps -a --format '{{.Label "c"}}'
		assert_output d
	fi
}

@test "ps --watch lists again until it is interrupted" {
	davit_background ps -a --watch 1 >"$BATS_TEST_TMPDIR/out"
	watcher=$!
	davit run -d --name later --network none "$BUSYBOX" sleep 1000
	wait_until 20 grep -q later "$BATS_TEST_TMPDIR/out"
	kill $watcher
	wait $watcher || :
	run_error 125 ps --watch 0 -- watch
}

@test "--latest names the container that was made last" {
	davit create --name older "$BUSYBOX" true
	davit create --name newer --network none "$BUSYBOX" sleep 1000
	id=$(davit inspect --format '{{.Id}}' newer)
	run_davit inspect -l --format '{{.Name}}'
	assert_output newer
	run_davit start --latest
	assert_contains "${id:0:12}"
	run_davit kill -l -s TERM
	run_davit stop -t 0 -l
	run_davit wait -l
	assert_output 137
	run_davit rm --latest
	run_davit ps -a --format '{{.Names}}'
	assert_output older
	run_error 125 rm --latest older -- latest
	run_error 125 inspect --latest older -- latest
}

@test "--filter chooses what start, stop and rm work on" {
	for name in one two three; do
		davit create --name "$name" -l "of=$name" --network none "$BUSYBOX" sleep 1000
	done
	davit start --filter label=of=one --filter label=of=one >/dev/null
	davit start two >/dev/null
	run_davit ps --format '{{.Names}}' --sort names
	assert_output $'one\ntwo'
	davit stop -t 0 --filter label=of=two
	run_davit ps --format '{{.Names}}'
	assert_output one
	davit rm --filter status=created >/dev/null
	run_davit ps -a --format '{{.Names}}' --sort names
	assert_output $'one\ntwo'
	run_error 125 stop --filter nosuch=1 -- nosuch
	run_error 125 rm --filter name=one one -- filter
}

@test "wait --ignore prints -1 for one that is missing" {
	run_davit wait --ignore nosuch
	assert_output -1
}

@test "inspect shows the environment as the process gets it" {
	davit run --name env --network none -e A=1 -u nobody "$BUSYBOX" true
	id=$(davit inspect --format '{{.Id}}' env)
	run_davit inspect --format '{{range .Config.Env}}{{println .}}{{end}}' env
	assert_line A=1
	assert_line "HOSTNAME=${id:0:12}"
	assert_matches $'(^|\n)HOME=/'
	assert_matches $'(^|\n)container='
}

@test "-e and --env-file take over variables that begin alike" {
	printf 'FROMFILE*\n' >"$BATS_TEST_TMPDIR/env"
	FOO1=a FOO2=b FROMFILE_X=c OTHER=d run_davit run --rm --network none -e 'FOO*' --env-file "$BATS_TEST_TMPDIR/env" "$BUSYBOX" env
	assert_line FOO1=a
	assert_line FOO2=b
	assert_line FROMFILE_X=c
	assert_not_contains OTHER
}

@test "wait --condition waits for other states" {
	davit create --name later --network none "$BUSYBOX" sleep 1000
	run_davit wait --condition created later
	assert_output -1
	davit_background wait --condition running --interval 20ms later >"$BATS_TEST_TMPDIR/out"
	waiting=$!
	davit start later
	wait_status 0 $waiting
	[ "$(cat "$BATS_TEST_TMPDIR/out")" = -1 ]
	run_error 125 wait --condition frob later -- frob
}

@test "info and version answer templates written for podman" {
	run_davit info --format '{{.Host.CgroupsVersion}} {{.Host.OCIRuntime.Name}} {{.Store.GraphRoot}} {{.Host.MemTotal}}'
	assert_matches '^(v1|v2|hybrid) [a-z]+ /.* [0-9]+$'
	run_davit version --format '{{.Client.Version}} {{.Client.APIVersion}} {{.Client.OsArch}}'
	assert_matches '^[0-9.]+ [0-9.]+ linux/'
}
