# What is seen of and done with the processes of a running container: top, stats, pause, unpause.

load helpers

setup() {
	need_davit # the tables are podman's, the details are not
	default_setup
}
teardown() { default_teardown; }

can_pause() {
	is_root && return
	[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] && [ -w "/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/cgroup.procs" ]
}
ticks() { davit logs beat | wc -l; }
more_ticks() { [ "$(ticks)" -gt "$1" ]; }

@test "top shows the container's processes as the container counts them" {
	run_davit run -d --name tops --network none --user 33:33 --init "$BUSYBOX" sh -c 'sleep 4321 & wait'
	shown() { davit top tops args | grep -qx 'sleep 4321'; }
	wait_until 10 shown
	run_davit top tops
	[[ ${lines[0]} =~ ^USER\ +PID\ +PPID\ +%CPU\ +ELAPSED\ +TTY\ +TIME\ +COMMAND$ ]] || fail "headings"
	[ ${#lines[@]} -eq 4 ] || fail "not three processes"
}

@test "top: columns by name, and what is no column" {
	run_davit run -d --name tops --network none --user 33:33 "$BUSYBOX" sleep 4321
	run_davit top tops pid,ppid,user,group seccomp comm
	[[ ${lines[1]} =~ ^1\ +0\ +[a-z0-9-]+\ +[a-z0-9-]+\ +filter\ +sleep$ ]] || fail "row"
	run_davit top tops huser hpid
	[ "$(tail -n 1 <<<"$output" | awk '{ print $2 }')" = "$(davit inspect -f '{{.State.Pid}}' tops)" ] || fail "host's number"
	run_error 125 top tops pid nonsense -- "nonsense" "known are"
	run_davit stop -t 0 tops
	run_error 125 top tops -- "not running" "davit start"
	run_error 125 top nobody -- "nobody"
}

@test "top: users have the names that the container's own files give them" {
	run_davit run -d --name named --network none --user ann "$BUSYBOX" sleep 4321
	run_davit top named user
	[ "${lines[1]}" = ann ] || fail "the name"
}

@test "top of a container with the host's process namespace shows its own only" {
	run_davit run -d --name tops --network none --pid host "$BUSYBOX" sh -c 'sleep 4322 & wait'
	shown() { davit top tops args | grep -qx 'sleep 4322'; }
	wait_until 10 shown
	run_davit top tops args
	[ ${#lines[@]} -eq 3 ] || fail "others"
}

@test "a name in a container's /etc/passwd cannot move the cursor, nor lead outside" {
	run_davit run -d --name tops --network none --user 4711 "$BUSYBOX" sh -c 'sleep 4323; true'
	run_davit run -d --name liar --network none "$BUSYBOX" sh -c 'ln -sf /proc/1/environ /etc/group; mkfifo /etc/x; rm -f /etc/passwd; ln -s /etc/x /etc/passwd; exec sleep 4324'
	ready() { davit top liar args | grep -q '^sleep'; }
	wait_until 10 ready
	run timeout 10 "$DAVIT" --root "$STORE" --runroot "$RUNDIR" top liar user,group
	[ "$status" -eq 0 ] || fail "hangs on a pipe"
	run_davit top tops user
	assert_line 4711
}

@test "stats: one sample, as table, JSON and template" {
	run_davit run -d --name used --network none -e FOO=1 "$BUSYBOX" sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 1000'
	run_davit stats --no-stream used
	[[ ${lines[0]} =~ ^ID\ +NAME\ +CPU\ %\ +MEM\ USAGE\ /\ LIMIT\ +MEM\ %\ +NET\ IO\ +BLOCK\ IO\ +PIDS ]] || fail "headings"
	[[ ${lines[1]} =~ used ]] || fail "row"
	run_davit stats --no-stream --format json
	jq -e '.[0] | .name == "used" and (.pids | tonumber) >= 1 and (.cpu_percent | endswith("%")) and (.mem_usage | test("^[0-9.]+[kM]?B / [0-9.]+[kMGT]?B$"))' <<<"$output" || fail "JSON"
	run_davit stats --no-stream --format '{{.Name}} {{.PIDs}}' used
	assert_output "used 1"
	run_davit stop -t 0 used
	run_davit stats --no-stream --format '{{.Name}}'
	assert_output ""
	run_davit stats --no-stream -a --format '{{.Name}} {{.PIDs}}'
	assert_output "used 0"
	run_error 125 stats --no-stream nobody -- "nobody"
	run_error 125 stats -i 0 -- "interval"
}

@test "stats go on until the container has ended" {
	run_davit run -d --name used --network none "$BUSYBOX" sh -c 'sleep 1.5'
	run timeout 60 "$DAVIT" --root "$STORE" --runroot "$RUNDIR" stats --interval 1 --format '{{.Name}}' used
	[ "$status" -eq 0 ] || fail "did not end"
	[ "${lines[0]}" = used ] || fail "no sample"
}

@test "a paused container stands still, and goes on" {
	can_pause || skip "no group of cgroup v2 is delegated to this user"
	run_davit run -d --name beat --network none "$BUSYBOX" sh -c 'while :; do echo tick; sleep 0.05; done'
	wait_until 10 more_ticks 2
	run_davit pause beat
	assert_output beat
	local before
	before=$(ticks)
	run_davit ps --format '{{.State}} {{.Status}}'
	assert_matches '^paused Up .* \(Paused\)$'
	run_davit inspect -f '{{.State.Status}} {{.State.Paused}}' beat
	assert_output "paused true"
	run_davit ps -q --filter status=paused
	[ -n "$output" ] || fail "not found as paused"
	run_error 125 pause beat -- "paused already"
	run_error 255 exec beat true -- "paused" "davit unpause" || run_error 125 exec beat true -- "paused" "davit unpause"
	[ "$(ticks)" -le $((before + 1)) ] || fail "it went on" # a line may have been under way
	run_davit unpause beat
	wait_until 10 more_ticks "$before"
	run_error 125 unpause beat -- "not paused"
	run_davit ps --format '{{.State}}'
	assert_output running
}

@test "paused containers can be stopped, killed and removed" {
	can_pause || skip "no group of cgroup v2 is delegated to this user"
	run_davit run -d --name one --network none "$BUSYBOX" sh -c 'trap "exit 3" TERM; while :; do sleep 0.05; done'
	run_davit pause one
	run_davit stop one
	run_davit inspect -f '{{.State.ExitCode}} {{.State.Status}}' one
	assert_output "3 exited"
	run_davit start one
	run_davit ps --format '{{.State}}'
	assert_output running
	run_davit pause --all
	run_davit kill one
	run_davit wait one
	assert_output 137
	run_davit start one
	run_davit pause one
	run_davit rm -f -t 0 one
	run_davit pause --all
	assert_output ""
	run_error 125 pause nobody -- "nobody"
}

@test "who has no control group cannot be paused, and hears why" {
	run_davit run -d --name free --network none --cgroups disabled "$BUSYBOX" sleep 1000
	run_error 125 pause free -- "no control group"
	run_davit ps --format '{{.State}}'
	assert_output running
	run_davit top free
	[ ${#lines[@]} -eq 2 ] || fail "processes"
	run_davit stats --no-stream --format '{{.PIDs}}' free
	assert_output 1
}
