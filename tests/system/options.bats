#!/usr/bin/env bats
# What is asked of run is done, or refused with a word on what would be right; nothing is taken and then left out.
load helpers

setup() { default_setup; }
teardown() { default_teardown; }

# run_refused OPTION VALUE PATTERN...: exit status 125, nothing stays.
run_refused() {
	run --separate-stderr davit run --rm "$1" "$2" "$BUSYBOX" true
	assert_error 125 "${@:3}"
}

@test "values that mean nothing are refused" {
	need_davit
	run_refused --security-opt no-new-privileges=maybe maybe
	run_refused --security-opt label=disabled label
	run_refused --stop-timeout -5 stop-timeout
	run_refused --timeout -1 timeout
	run_refused --oom-score-adj 2000 2000
	run_refused --device-cgroup-rule bogus bogus
	run_refused --ulimit nofile=1x nofile=1x
	run_refused --hostname "$(printf 'a%.0s' $(seq 65))" 'too long'
	run_refused --volumes-from nosuch nosuch
	run_refused --detach-keys bogus,x bogus
	run_error 125 run --rm --no-hosts --add-host a:1.2.3.4 "$BUSYBOX" true -- contradict
	run_error 125 run --rm --cap-add chown --cap-drop chown "$BUSYBOX" true -- chown
	run_error 125 run -d --detach-keys bogus,x "$BUSYBOX" true -- bogus
	davit create --name other "$BUSYBOX" true >/dev/null
	run_error 125 run --rm --volumes-from other:bogus "$BUSYBOX" true -- bogus
	davit rm other >/dev/null
	run_davit ps -aq
	assert_output ""
}

@test "--pull takes its value as the next word too" {
	run_davit run --rm --pull never "$BUSYBOX" echo here
	assert_output here
	run --separate-stderr davit run --rm --pull never 127.0.0.1:5000/never-here true
	assert_error 125 never-here
}

@test "an image for another platform is not run in its place" {
	need_davit
	run --separate-stderr davit run --rm --pull never --platform linux/s390x "$BUSYBOX" true
	assert_error 125 busybox
}

@test "--privileged gives what davit itself has" {
	run_davit run --rm --privileged "$BUSYBOX" sh -c 'grep CapBnd /proc/self/status'
	is_root || return 0
	[ "$(grep CapBnd /proc/self/status)" = "$output" ] || fail "the bounding set of the caller"
}

@test "--ipc host works where the host has no /dev/mqueue" {
	run_davit run --rm --ipc host "$BUSYBOX" ls -d /dev/shm
}

@test "HOSTNAME is set, and -e wins" {
	run_davit run --rm --hostname box "$BUSYBOX" sh -c 'echo $HOSTNAME'
	assert_output box
	run_davit run --rm -e HOSTNAME=mine "$BUSYBOX" sh -c 'echo $HOSTNAME'
	assert_output mine
	run_davit run --rm "$BUSYBOX" sh -c '[ "$HOSTNAME" = "$(hostname)" ] && echo same'
	assert_output same
}

@test "--dns none leaves resolv.conf to the image" {
	run_davit run --rm --dns none "$BUSYBOX" sh -c 'grep -c resolv /proc/mounts || :'
	assert_output 0
}

@test "a container that cannot be made leaves no anonymous volume" {
	local before
	davit create --name taken "$BUSYBOX" true >/dev/null
	before=$(davit volume ls -q)
	run_error 125 run --name taken -v /data "$BUSYBOX" true -- taken
	run_davit volume ls -q
	assert_output "$before"
}

@test "how a container ended is known as soon as its process is gone" {
	for _ in 1 2 3 4 5; do
		davit run -d --name c "$BUSYBOX" sleep 100 >/dev/null
		init=$(davit inspect -f '{{.State.Pid}}' c)
		kill -KILL "$init"
		while kill -0 "$init" 2>/dev/null; do :; done
		run_davit inspect -f '{{.State.ExitCode}}' c
		assert_output 137
		run_davit rm c
	done
}
