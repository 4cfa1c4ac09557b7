#!/usr/bin/env bats
# Options about the process: its variables, who it is, its time zone, and what is written down about it.
load helpers

setup() {
	default_setup
}
teardown() {
	default_teardown
}

@test "--env-merge changes variables of the image, -e wins" {
	run_davit run --rm --network none --env-merge 'PATH=$PATH:/x' --env-merge 'A=${PATH}+$NOSUCH-${PATH' --env-merge 'B=$' -e B=mine "$BUSYBOX" env
	assert_matches $'(^|\n)PATH=/[^\n]*:/bin[^\n]*:/x(\n|$)'
	assert_matches $'\nA=/[^\n]*\+-'
	assert_line B=mine
	is_podman || run_error 125 run --rm --env-merge nothing "$BUSYBOX" true -- "env-merge 'nothing'"
}

@test "--unsetenv takes a variable away, --unsetenv-all all of them" {
	run_davit run --rm --network none --unsetenv container "$BUSYBOX" env
	assert_not_contains container=
	run_davit run --rm --network none --unsetenv-all -e PATH=/bin -e KEPT=1 "$BUSYBOX" env
	assert_line KEPT=1
	assert_line PATH=/bin
	assert_not_contains container=
}

@test "a user that the image lacks gets a name, a home and a group" {
	run_davit run --rm --network none -u 1234:5678 -w /tmp "$BUSYBOX" sh -c 'tail -n 1 /etc/passwd; tail -n 1 /etc/group; echo $HOME; whoami; stat -c "%U %a" /etc/passwd'
	assert_output $'1234:*:1234:5678:container user:/tmp:/bin/sh\n5678:x:5678:1234\n/tmp\n1234\nroot 644'
	run_davit run --rm --network none --read-only -u 1234 --passwd-entry 'me:x:$UID:$GID:My Self:/srv/me:/bin/false' "$BUSYBOX" sh -c 'tail -n 1 /etc/passwd; echo $HOME; whoami'
	assert_output $'me:x:1234:0:My Self:/srv/me:/bin/false\n/srv/me\nme'
	run_davit run --rm --network none -u 1234 --passwd=false "$BUSYBOX" grep -c 1234 /etc/passwd || :
	run_davit run --rm --network none -u ann "$BUSYBOX" sh -c 'mount | grep -c passwd || :'
	assert_output 0
	if ! is_podman; then
		run_davit run --rm --network none -u 1234:5678 --group-entry 'ours:x:$GID:' "$BUSYBOX" id -gn
		assert_output ours
		run_error 125 run --rm --passwd-entry $'two\nlines' "$BUSYBOX" true -- passwd-entry
	fi
}

# bats test_tags=user
@test "--userns keep-id: the user has its own name" {
	run_davit run --rm --network none --userns keep-id "$BUSYBOX" sh -c 'id -un; id -gn; stat -c %u /etc/passwd'
	assert_output "$(id -un)"$'\n'"$(id -un)"$'\n0'
}

@test "a user's own /etc/passwd stays" {
	printf 'root:x:0:0::/:/bin/sh\n' >"$BATS_TEST_TMPDIR/passwd"
	run_davit run --rm --network none -u 1234 -v "$BATS_TEST_TMPDIR/passwd:/etc/passwd:ro" "$BUSYBOX" cat /etc/passwd
	assert_output 'root:x:0:0::/:/bin/sh'
}

@test "the primary group is among the groups, keep-groups keeps the caller's" {
	run_davit run --rm --network none -u 1000:50 "$BUSYBOX" grep Groups /proc/self/status
	assert_matches 'Groups:[[:space:]]*50'
	run_davit run --rm --network none --group-add keep-groups "$BUSYBOX" true
	is_podman || run_error 125 run --rm --group-add keep-groups --group-add 5 "$BUSYBOX" true -- "keep-groups"
}

# bats test_tags=root
@test "keep-groups: a file that only an additional group may read" {
	echo secret >"$BATS_TEST_TMPDIR/file"
	chown 0:4321 "$BATS_TEST_TMPDIR/file"
	chmod 040 "$BATS_TEST_TMPDIR/file"
	as_member() { setpriv --groups 4321 "$@"; }
	run_status 0 as_member "$DAVIT" --root "$STORE" --runroot "$RUNDIR" run --rm --network none -u 1234 --group-add keep-groups -v "$BATS_TEST_TMPDIR/file:/file" "$BUSYBOX" cat /file
	assert_output secret
	run_status 1 as_member "$DAVIT" --root "$STORE" --runroot "$RUNDIR" run --rm --network none -u 1234 -v "$BATS_TEST_TMPDIR/file:/file" "$BUSYBOX" cat /file
}

@test "--tz: a zone by name, the host's, and none" {
	[ -e /usr/share/zoneinfo/Asia/Tokyo ] || skip "the host has no time zones"
	run_davit run --rm --network none --tz Asia/Tokyo "$BUSYBOX" date +%Z
	assert_output JST
	run_davit run --rm --network none --tz local "$BUSYBOX" date +%Z
	assert_output "$(TZ='' date +%Z)"
	run_error 125 run --rm --tz Nowhere/Land "$BUSYBOX" true -- "Nowhere/Land" zoneinfo
	run_error 125 run --rm --tz ../../../etc/passwd "$BUSYBOX" true -- "time zone|zoneinfo"
}

@test "--pidfile and --conmon-pidfile are written at each start" {
	cd "$BATS_TEST_TMPDIR"
	davit run -d --name pids --network none --pidfile pid --conmon-pidfile monitor "$BUSYBOX" sleep 1000
	cd /
	[ "$(cat "$BATS_TEST_TMPDIR/pid")" = "$(davit inspect --format '{{.State.Pid}}' pids)" ]
	[ "$(cat "$BATS_TEST_TMPDIR/monitor")" = "$(davit inspect --format '{{.State.ConmonPid}}' pids)" ]
	davit stop -t 0 pids
	davit start pids
	[ "$(cat "$BATS_TEST_TMPDIR/pid")" = "$(davit inspect --format '{{.State.Pid}}' pids)" ]
}

@test "--rmi removes the image with the container, unless others use it" {
	davit tag "$BUSYBOX" localhost/goes:1
	run_davit run --rmi --network none localhost/goes:1 true
	run_status 1 davit image exists localhost/goes:1
	[ -z "$(davit ps -aq)" ] || fail "the container is still there"
	davit tag "$BUSYBOX" localhost/goes:2
	davit run -d --name job --rmi --network none localhost/goes:2 sleep 1000
	davit stop -t 0 job
	wait_until 20 eval '! davit image exists localhost/goes:2'
	davit image exists "$BUSYBOX"
}
