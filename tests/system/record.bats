# --seccomp-record and --cap-record: what a container did becomes what it may do.

load helpers

setup() {
	need_davit
	default_setup
	cd "$BATS_TEST_TMPDIR"
	chmod 755 .
}
teardown() {
	rm -f calls.json caps
	default_teardown
}

names() { jq -r '.syscalls[] | select(.action == "SCMP_ACT_ALLOW") | .names[]' calls.json | sort -u; }
allows() { names | grep -qx "$1" || fail "the profile does not allow $1"; }
refuses() { ! names | grep -qx "$1" || fail "the profile allows $1"; }

@test "record: nginx serves under what it did when it served, root's capabilities included" {
	need_debian
	have_image nginx
	local net=() ask
	# Without a network of the host's: nginx is asked from inside.
	ask='exec 3<>/dev/tcp/127.0.0.1/80; printf "GET / HTTP/1.0\r\n\r\n" >&3; cat <&3'
	davit run -d --name web --network none --seccomp-record calls.json --cap-record caps nginx >/dev/null
	wait_until 20 davit exec web bash -c "$ask"
	davit stop web >/dev/null
	davit rm web >/dev/null
	[ "$(names | wc -l)" -lt 120 ]
	[ "$(names | wc -l)" -gt 30 ]
	allows accept4
	allows setuid
	refuses mount
	refuses ptrace
	grep -q -- '--cap-drop=all --cap-add=.*CAP_SETUID' caps
	grep -q CAP_NET_BIND_SERVICE caps
	! grep -q CAP_SETFCAP caps
	# shellcheck disable=SC2046
	davit run -d --name web --network none --security-opt seccomp=calls.json $(cat caps) nginx >/dev/null
	wait_until 20 davit exec web bash -c "$ask"
	run_davit exec web bash -c "$ask"
	assert_contains "Welcome to nginx"
	[ "$(davit exec web sed -n 's/^CapBnd:[^0-9a-f]*//p' /proc/1/status)" != "$(davit run --rm --network none "$BUSYBOX" sed -n 's/^CapBnd:[^0-9a-f]*//p' /proc/1/status)" ]
}

@test "record: one more call than recorded is refused" {
	davit run --rm --network none --seccomp-record calls.json "$BUSYBOX" sh -c 'echo hello; cat /etc/passwd | true'
	allows write
	refuses mkdir
	run_davit run --rm --network none --security-opt seccomp=calls.json "$BUSYBOX" sh -c 'echo hello; cat /etc/passwd | true'
	assert_output hello
	run_status 1 davit run --rm --network none --security-opt seccomp=calls.json "$BUSYBOX" mkdir /tmp/x
	[[ $stderr == *"not implemented"* ]]
	run_davit run --rm --network none --security-opt no-new-privileges --security-opt seccomp=calls.json "$BUSYBOX" sh -c 'echo hello'
	assert_output hello
}

@test "record: the profile in force stays in force, and its conditions are kept" {
	echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["rmdir"], "action": "SCMP_ACT_ERRNO"},
		{"names": ["chmod", "fchmodat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
		"args": [{"index": 1, "value": 511, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 511, "op": "SCMP_CMP_EQ"}]}]}' >force.json
	run_davit run --rm --network none --security-opt seccomp=force.json --seccomp-record calls.json "$BUSYBOX" \
		sh -c 'mkdir /tmp/x; rmdir /tmp/x; ls -d /tmp/x; chmod 700 /tmp/x'
	assert_output /tmp/x
	allows mkdir
	refuses rmdir
	[ "$(jq -c '[.syscalls[] | select(.args | length > 0) | [.action, .names[]]] | length > 0' calls.json)" = true ]
	davit run --rm --network none --security-opt seccomp=unconfined --seccomp-record calls.json "$BUSYBOX" rmdir /nosuch || :
	allows rmdir
}

@test "record: with no_new_privs, a user, a terminal, and all of its processes" {
	local options
	for options in "--security-opt no-new-privileges" "--user 1000" "-t" "--init" "--privileged"; do
		# shellcheck disable=SC2086
		run_davit run --rm --network none $options --seccomp-record calls.json "$BUSYBOX" sh -c 'sh -c "rmdir /nosuch" & wait; echo said'
		assert_contains said
		allows rmdir
	done
}

@test "record: exec and another start add to what was recorded" {
	davit run -d --name c --network none --seccomp-record calls.json "$BUSYBOX" sh -c 'test -e /tmp/again && sync; touch /tmp/again; sleep 1000' >/dev/null
	davit exec c mkdir /tmp/x
	wait_until 20 davit exec c test -e /tmp/again
	wait_until 20 allows mkdir
	refuses sync
	davit stop -t 0 c >/dev/null
	refuses rmdir
	davit start c >/dev/null
	davit exec c rmdir /tmp/x
	wait_until 20 allows sync
	davit rm -f -t 0 c >/dev/null
	allows mkdir
	allows rmdir
	allows sync
	davit run --rm --network none --seccomp-record calls.json "$BUSYBOX" true
	refuses mkdir
}

@test "record: capabilities are those that were used" {
	used_by() {
		davit run --rm --network none --cap-record caps "$BUSYBOX" sh -c "$1" >/dev/null 2>&1
		sed 's/.*--cap-add=//; s/^--cap-drop=all$//' caps
	}
	[ "$(used_by 'ls -l /; touch /tmp/x; cat /tmp/x; cp /bin/busybox /tmp/y; rm /tmp/x; kill -0 $$')" = "" ]
	[ "$(used_by 'chown 5 /tmp')" = CAP_CHOWN ]
	[ "$(used_by 'chroot / true')" = CAP_SYS_CHROOT ]
	[ "$(used_by 'mkdir /tmp/d; chown 5 /tmp/d; chmod 700 /tmp/d; ls /tmp/d')" = CAP_CHOWN,CAP_DAC_OVERRIDE,CAP_FOWNER ]
	[ "$(used_by 'mkdir /tmp/d; chmod 2755 /tmp/d')" = CAP_FSETID ]
	[ "$(used_by 'timeout 1 nc -l -p 80; true')" = CAP_NET_BIND_SERVICE ]
	[ "$(used_by 'timeout 1 nc -l -p 1080; true')" = "" ]
	[ "$(used_by 'su -s /bin/sh daemon -c true || setuidgid daemon true')" = CAP_SETGID,CAP_SETUID ]
	davit run --rm --network none --cap-add SYS_ADMIN,NET_RAW --cap-record caps "$BUSYBOX" true
	[ "$(cat caps)" = "--cap-drop=all --cap-add=CAP_SYS_ADMIN" ]
	davit run --rm --network none --user 1000 --cap-record caps "$BUSYBOX" sh -c 'chown 5 /tmp || true' 2>/dev/null
	[ "$(cat caps)" = "--cap-drop=all" ]
}

@test "record: a killed recorder leaves a profile, and a container that does not hang" {
	davit run -d --name c --network none --seccomp-record calls.json "$BUSYBOX" sh -c 'mkdir /tmp/x; while :; do sleep 0.1; done' >/dev/null
	wait_until 20 allows mkdir
	recorder=$(processes "container record.*$PWD/calls.json")
	[ -n "$recorder" ]
	kill -9 "$recorder"
	wait_until 20 container_is_over
	allows mkdir
	run_error 255 exec c true -- "does not run"
	davit rm c >/dev/null
}
container_is_over() { [ "$(davit inspect -f '{{.State.Status}}' c)" = exited ]; }

@test "record: mistakes are told before there is a container" {
	run_error 125 run --seccomp-record "$PWD/no/file" "$BUSYBOX" true -- "--seccomp-record: directory '$PWD/no'" "No such file"
	run_error 125 run --cap-record "$PWD" "$BUSYBOX" true -- "--cap-record '$PWD'"
	echo '{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/nosuch/agent", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}' >notify.json
	run_error 125 run --rm --network none --security-opt "seccomp=$PWD/notify.json" "$BUSYBOX" true -- "listenerPath '/nosuch/agent'" "agent"
	run_error 125 run --rm --network none --security-opt "seccomp=$PWD/notify.json" --seccomp-record calls.json "$BUSYBOX" true -- "recorded"
	run_davit ps -aq
	assert_output ""
}
