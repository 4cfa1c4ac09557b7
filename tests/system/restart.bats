# Restart policies: the monitor waits, and starts the container again.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

count_of() { davit inspect -f '{{.RestartCount}}' "$1"; }
state_of() { davit inspect -f '{{.State.Status}}' "$1"; }
init_of() { davit inspect -f '{{.State.Pid}}' "$1"; }
monitor_of() { davit inspect -f '{{.State.ConmonPid}}' "$1"; }
is() { [ "$("${@:2}")" = "$1" ]; }
at_least() { [ "$("${@:2}")" -ge "$1" ]; }
# An ordinary user may not signal processes of the container's other users.
kill_init() { kill "$@" 2>/dev/null || davit unshare kill "$@"; }

@test "on-failure counts, and stops counting after a success" {
	davit run -d --name c --restart on-failure:2 --network none "$BUSYBOX" sh -c 'echo again; exit 1' >/dev/null
	wait_until 15 is "2 exited" davit inspect -f '{{.RestartCount}} {{.State.Status}}' c
	run_davit logs c
	assert_output $'again\nagain\nagain'
	run_davit inspect -f '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}' c
	assert_output "on-failure 2"
	davit run -d --name d --restart on-failure --network none "$BUSYBOX" sh -c 'echo x >>/x; [ $(wc -l </x) = 3 ]' >/dev/null
	run_davit wait d
	assert_output 0
	is 2 count_of d
	# Started by the user it counts from the beginning.
	davit start c >/dev/null
	run_davit wait c
	assert_output 1
	is 2 count_of c
}

@test "in the foreground one stays attached through all of it" {
	need_davit
	run_status 3 davit run --name c --restart on-failure:2 --network none "$BUSYBOX" sh -c 'echo again; exit 3'
	assert_output $'again\nagain\nagain'
	run_status 4 davit run --rm --restart on-failure:1 --network none "$BUSYBOX" sh -c 'echo out; echo err >&2; exit 4'
	assert_output $'out\nout'
	[ "$stderr" = $'err\nerr' ] || fail "standard error"
	# Input that has ended has ended for the next run too.
	run_status 5 davit run -i --rm --restart on-failure:1 --network none "$BUSYBOX" sh -c 'cat; exit 5' <<<typed
	assert_output typed
	run_davit ps -aq --filter name='^[^c]'
	assert_output ""
}

@test "always: a success is followed by another start, until the user stops it" {
	davit run -d --name c --restart always --network none "$BUSYBOX" echo run >/dev/null
	wait_until 15 at_least 3 count_of c
	run_davit stop c
	assert_output c
	is exited state_of c
	lines=$(davit logs c | wc -l)
	sleep 1
	is exited state_of c
	[ "$(davit logs c | wc -l)" = "$lines" ] || fail "it went on"
}

@test "unless-stopped: the end of its process is followed by another start, kill by the user is not" {
	davit run -d --name c --restart unless-stopped --network none "$BUSYBOX" sleep 100 >/dev/null
	old=$(init_of c)
	kill_init -KILL "$old"
	# Asked once for each look: between two questions the old process may go, and the new one not be there yet.
	wait_until 15 eval '[[ $(davit inspect -f "{{.RestartCount}} {{.State.Pid}}" c) == "1 "[1-9]* ]]'
	[ "$(init_of c)" != "$old" ] || fail "the same process"
	davit kill c >/dev/null
	run_davit wait c
	assert_output 137
	is exited state_of c
}

@test "a signal that does not ask to end leaves the policy alone" {
	need_davit
	davit run -d --name c --restart always --network none "$BUSYBOX" sh -c 'trap "" HUP; sleep 100' >/dev/null
	davit kill -s HUP c >/dev/null
	kill_init -KILL "$(init_of c)"
	wait_until 15 is 1 count_of c
	davit kill -s TERM c >/dev/null
}

@test "waiting for the next start: ps and inspect tell, rm refuses, rm -f ends it" {
	need_davit
	davit run -d --name c --restart always --network none "$BUSYBOX" false >/dev/null
	wait_until 15 at_least 3 count_of c
	wait_until 15 is restarting state_of c
	run_davit ps --filter status=restarting --format '{{.Names}} {{.Status}}'
	assert_matches '^c Restarting \(1\)'
	wait_until 15 is true davit inspect -f '{{.State.Restarting}}' c
	wait_until 15 is restarting state_of c
	run_error 2 rm c -- "c" "restarting|running"
	run_davit rm -f c
	container_gone c
	# start does not wait
	davit run -d --name d --restart on-failure --network none "$BUSYBOX" false >/dev/null
	wait_until 15 at_least 4 count_of d
	wait_until 15 is restarting state_of d
	run_davit start d
	[ "$(count_of d)" -lt 4 ] || fail "it counts from the beginning"
}

@test "logs -f and wait go on through restarts" {
	davit run -d --name c --restart on-failure:3 --network none "$BUSYBOX" sh -c 'sleep 0.3; echo end; exit 7' >/dev/null
	davit_background wait c >"$BATS_TEST_TMPDIR/wait"
	pid=$!
	run_status 0 davit_within 30 logs -f c
	assert_output $'end\nend\nend\nend'
	wait_status 0 $pid
	[ "$(cat "$BATS_TEST_TMPDIR/wait")" = 7 ] || fail "wait"
}

@test "a published port and a terminal are there again" {
	need_davit
	port=$(free_port)
	davit run -dt --name c --restart always -p 127.0.0.1:$port:80 "$BUSYBOX" sh -c 'test -t 1 && echo terminal; httpd -f -p 80 -h /var/www' >/dev/null
	wait_until 15 curl -sf -o /dev/null http://127.0.0.1:$port/
	kill_init -KILL "$(init_of c)"
	wait_until 15 is 1 count_of c
	wait_until 15 curl -sf -o /dev/null http://127.0.0.1:$port/
	[ "$(davit logs c | tr -d '\r')" = $'terminal\nterminal' ] || fail "the log"
	davit stop -t 1 c >/dev/null
}

@test "what ends at once backs off, and leaves nothing behind" {
	need_davit
	before=$(leaks)
	for i in $(seq 8); do davit run -d --name s$i --restart always --network none "$BUSYBOX" true >/dev/null; done
	sleep 4
	# 100 + 200 + 400 + 800 + 1600 ms is more than three seconds
	for i in $(seq 8); do [ "$(count_of s$i)" -le 6 ] || fail "s$i: $(count_of s$i) starts"; done
	davit stop --all -t 0 >/dev/null
	[ -z "$(davit ps -q)" ] || fail "something runs"
	davit rm --all >/dev/null
	check_nothing_left "$before"
}

# Ends the waiting of container $1 for as long as it goes on to fail: its monitor waits as long as this file says.
no_back_off() {
	local file=$RUNDIR/containers/$1/restart
	grep -qx 'always 0' "$file" || { printf 'always 0\n' >"$file.new" && mv "$file.new" "$file"; }
}
# What a container that runs has of the host: descriptors of its monitor, files of its run directory, threads and processes.
footprint() {
	local id monitor
	id=$(davit inspect -f '{{.Id}}' "$1")
	monitor=$(monitor_of "$1")
	ls -l "/proc/$monitor/fd" | sed -n 's/.* -> //p' | sed 's/[0-9a-f]\{60,\}//; s/[0-9]\+//g' | sort
	(cd "$RUNDIR/containers/$id" && ls -A)
	(cd "$STORE/containers/$id" && ls -A)
	pgrep -fc "$id"
	tr '\0' '\n' <"/proc/$monitor/cmdline" | grep -vc '^again=1$' # told to all but the first one
}

@test "a storm of forty starts leaks nothing: descriptors, files, processes, mounts, lines of the log" {
	need_davit
	before=$(leaks)
	count='echo x >>/runs; echo run; [ "$(wc -l </runs)" -le 40 ] || exec sleep 1000; exit 3'
	id=$(davit run -d --name c --restart always -p 127.0.0.1::80 "$BUSYBOX" sh -c "$count")
	davit run -d --name fresh --restart always -p 127.0.0.1::80 "$BUSYBOX" sleep 1000 >/dev/null
	# Written anew by each start, so one that comes in between is looked for again.
	for _ in $(seq 200); do
		no_back_off "$id" 2>/dev/null || :
		[ "$(count_of c)" -lt 40 ] || break
		sleep 0.2
	done
	is 40 count_of c || fail "$(count_of c) starts; $(davit inspect -f '{{.State.Status}} {{.State.Error}}' c); $(davit logs c | tail -n 3)"
	wait_until 15 is running state_of c
	[ "$(davit logs c | grep -c '^run$')" = 41 ] || fail "lines of the log: $(davit logs c | wc -l)"
	wait_until 10 eval '[ "$(footprint c)" = "$(footprint fresh)" ]' || fail "$(diff <(footprint fresh) <(footprint c))"
	[ "$(grep -c "$id" /proc/self/mountinfo)" -le "$(grep -c "$(davit inspect -f '{{.Id}}' fresh)" /proc/self/mountinfo)" ] || fail "mounts"
	davit rm -f -t 0 c fresh >/dev/null
	check_nothing_left "$before"
}

@test "between the runs of a storm it is restarting, at every moment" {
	need_davit
	davit run -d --name c --restart always --network none "$BUSYBOX" false >/dev/null
	until [ "$(davit inspect -f '{{.RestartCount}}' c)" -ge 4 ]; do
		davit inspect -f '{{.State.Status}} {{.State.Running}} {{.State.Restarting}}' c >>"$BATS_TEST_TMPDIR/states"
		davit ps --format '{{.Names}} {{.State}}' --filter name=c >>"$BATS_TEST_TMPDIR/rows"
	done
	run sort -u "$BATS_TEST_TMPDIR/states"
	[[ $output =~ ^"restarting false true"($'\n'"running true false")?$ ]] || fail "states"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/states")" = "$(wc -l <"$BATS_TEST_TMPDIR/rows")" ] || fail "ps without -a shows it: $(cat "$BATS_TEST_TMPDIR/rows")"
	run_davit stop c
	run_davit inspect -f '{{.State.Status}}' c
	assert_output exited
}

@test "stop, kill and rm -f in the back-off end it at once" {
	for i in stop kill "rm -f"; do
		davit run -d --name c --restart always --network none "$BUSYBOX" false >/dev/null
		wait_until 20 at_least 4 count_of c
		wait_until 20 is restarting state_of c
		count=$(count_of c)
		start=$SECONDS
		davit $i c >/dev/null
		[ $((SECONDS - start)) -lt 5 ] || fail "$i waits"
		[ "$i" != "rm -f" ] || { container_gone c && break; }
		is exited state_of c
		is "$count" count_of c
		davit rm c >/dev/null
	done
	wait_until 10 eval '[ -z "$(pgrep davit-monitor)" ]'
}

@test "the monitor of a running container is killed: its policy ends, stop and rm work, the log is whole" {
	need_davit
	davit run -d --name c --restart always --network none "$BUSYBOX" sh -c 'i=0; while :; do i=$((i + 1)); echo line $i; sleep 0.02; done' >/dev/null
	wait_until 10 eval '[ "$(davit logs c | wc -l)" -ge 20 ]'
	kill -KILL "$(monitor_of c)"
	lines=$(davit logs c)
	[ "$(wc -l <<<"$lines")" -ge 20 ] || fail "the log is gone"
	[ "$lines" = "$(seq -f 'line %g' "$(wc -l <<<"$lines")")" ] || fail "$lines"
	run_davit stop -t 0 c
	is exited state_of c
	is 0 count_of c
	run_davit start c
	# One that says nothing lives on, and ps tells that nobody minds it.
	davit run -d --name d --restart always --network none "$BUSYBOX" sleep 1000 >/dev/null
	kill -KILL "$(monitor_of d)"
	run_davit inspect -f '{{.State.Status}} {{.State.ConmonPid}} {{.State.Error}}' d
	assert_matches '^running 0 .*monitor'
	run_davit ps --format '{{.Names}} {{.Status}}' --filter name=d
	assert_matches '^d Up .*no monitor'
	run_davit stop -t 0 d
	is exited state_of d
	davit start d >/dev/null
	kill -KILL "$(monitor_of d)"
	run_davit rm -f -t 0 c d
}

@test "the monitor is killed while it waits: it has ended, and can be started" {
	need_davit
	davit run -d --name c --restart always --network none "$BUSYBOX" false >/dev/null
	wait_until 15 at_least 4 count_of c
	wait_until 15 is restarting state_of c
	pkill -KILL -f "davit-monitor $(davit inspect -f '{{.Id}}' c)"
	wait_until 15 is exited state_of c
	run_davit inspect -f '{{.State.ExitCode}} {{.State.Restarting}}' c
	assert_output "1 false"
	run_davit start c
	run_davit rm -f c
}

@test "a start by the policy that fails ends it, and inspect tells why" {
	need_davit
	mkdir "$BATS_TEST_TMPDIR/source"
	davit run -d --name c --restart always --network none -v "$BATS_TEST_TMPDIR/source:/source" "$BUSYBOX" sleep 1000 >/dev/null
	davit run -d --name r --rm --restart on-failure --network none -v "$BATS_TEST_TMPDIR/source:/source" "$BUSYBOX" sleep 1000 >/dev/null
	rmdir "$BATS_TEST_TMPDIR/source"
	kill_init -KILL "$(init_of c)"
	kill_init -KILL "$(init_of r)"
	wait_until 15 eval 'davit inspect -f "{{.State.Error}}" c | grep -q "$BATS_TEST_TMPDIR/source"'
	run_davit inspect -f '{{.State.Status}} {{.State.ExitCode}}' c
	assert_output "exited 137"
	wait_until 15 eval '! container_exists r'
	mkdir "$BATS_TEST_TMPDIR/source"
	run_davit start c
	run_davit inspect -f '{{.State.Status}}{{.State.Error}}' c
	assert_output running
}

@test "what cannot be is refused" {
	run_error 125 run --rm --restart always "$BUSYBOX" true -- "--rm" "--restart"
	run_error 125 run --restart sometimes "$BUSYBOX" true -- "sometimes" "always"
	run_error 125 run --restart always:3 "$BUSYBOX" true -- "on-failure"
	run_error 125 run --restart on-failure:x "$BUSYBOX" true -- "x"
	run_error 125 run --restart on-failure:-1 "$BUSYBOX" true -- "-1"
	run_davit ps -aq
	assert_output ""
}
