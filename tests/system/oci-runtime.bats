# davit-runtime against the OCI runtime specification 1.2; tests are named after its sections.

load helpers

setup() {
	need_davit
	RUNTIME=$DAVIT_BUILD/src/oci-runtime/davit-runtime
	cd "$BATS_TEST_TMPDIR"
	STATES=$PWD/states
	BUNDLE=$PWD/bundle
	mkdir -p "$BUNDLE/rootfs/bin" "$BUNDLE/rootfs/etc" "$BUNDLE/rootfs/tmp" "$BUNDLE/rootfs/proc"
	cp /bin/busybox "$BUNDLE/rootfs/bin/busybox"
	for applet in sh cat ls id mount stat touch mkdir grep sed pwd hostname sleep true readlink stty echo kill test ps tr cut; do
		ln -s busybox "$BUNDLE/rootfs/bin/$applet"
	done
	chmod 755 . "$BUNDLE" "$BUNDLE/rootfs" "$BUNDLE/rootfs/tmp"
	if is_root; then runtime spec -b "$BUNDLE"; else runtime spec --rootless -b "$BUNDLE"; fi
	config '.process.terminal = false | .root.readonly = false'
}

teardown() {
	local id
	for id in $(runtime list -q); do runtime delete --force "$id"; done
	rmdir /sys/fs/cgroup{,/*}/davit-oci-test 2>/dev/null || :
	rm -rf "${BATS_TEST_TMPDIR:?}"/*
}

# A runtime process that stays would keep bats' descriptor 3.
runtime() { timeout -k 5 30 "$RUNTIME" --root "$STATES" "$@" 3>&-; }
config() {
	jq "$@" <"$BUNDLE/config.json" >"$BUNDLE/new.json"
	mv "$BUNDLE/new.json" "$BUNDLE/config.json"
}
command_is() { config '.process.args = $words' --argjson words "$(printf '%s\037' "$@" | jq -Rs 'split("\u001f")[:-1]')"; }
script_is() { command_is sh -c "$1"; }
# Writes a hook script $1 with body $2; its log is $PWD/log.
hook() {
	printf '#!/bin/sh\n%s\n' "$2" >"$PWD/hook-$1"
	chmod 755 "$PWD/hook-$1"
}
need_pids() { [ -e /sys/fs/cgroup/pids/tasks ] || grep -qw pids /sys/fs/cgroup/cgroup.controllers 2>/dev/null || skip "no pids controller here"; }
status_of() { runtime state "$1" | jq -r .status; }
status_is() { [ "$(status_of "$1")" = "$2" ]; }
create() { runtime create -b "$BUNDLE" "$@"; }
# A container that is made against expectation would hold what `run` waits for.
create_fails() {
	status=0
	create c >said 2>errors || status=$?
	output=$(<said) stderr=$(<errors)
	assert_error 1 "$@"
}
run_it() { run_status 0 runtime run -b "$BUNDLE" "${1-c}"; }

# --- runtime.md

@test "runtime: State: it has version, ID, status, pid, bundle and annotations" {
	config '.annotations = {"org.example": "a=b"}'
	command_is sleep 50
	create c
	run_status 0 runtime state c
	[ "$(jq -r '.ociVersion, .id, .status, .bundle, .annotations["org.example"]' <<<"$output")" = $'1.2.0\nc\ncreated\n'"$BUNDLE"$'\na=b' ]
	[ -e "/proc/$(jq -r .pid <<<"$output")" ]
}

@test "runtime: Lifecycle: create does not run the command, start does, and its end stops the container" {
	script_is 'echo ran >/tmp/out; sleep 50'
	create c
	status_is c created
	[ ! -e "$BUNDLE/rootfs/tmp/out" ]
	runtime start c
	wait_until 5 test -s "$BUNDLE/rootfs/tmp/out"
	status_is c running
	runtime kill c KILL
	wait_until 5 status_is c stopped
	runtime delete c
	run_status 1 runtime state c
	assert_error 1 "container 'c' does not exist"
}

@test "runtime: Create: an ID that is in use is an error, and the first container stays" {
	command_is sleep 50
	create c
	create_fails "container 'c' exists already"
	status_is c created
}

@test "runtime: Create: changes of config.json afterwards have no effect" {
	script_is 'echo first >/tmp/out'
	create c
	script_is 'echo second >/tmp/out'
	runtime start c
	wait_until 5 status_is c stopped
	[ "$(cat "$BUNDLE/rootfs/tmp/out")" = first ]
}

@test "runtime: Start: of a container that is not created is an error" {
	run_status 1 runtime start nosuch
	assert_error 1 "container 'nosuch' does not exist"
	command_is sleep 50
	create c
	runtime start c
	run_status 1 runtime start c
	assert_error 1 "'c' is running already"
	runtime kill c 9
	wait_until 5 status_is c stopped
	run_status 1 runtime start c
	assert_error 1 "'c' has stopped"
}

@test "runtime: Kill: the signal arrives; without a running container it is an error" {
	script_is 'trap "echo got >/tmp/out; exit" USR1; touch /tmp/ready; while :; do sleep 0.1; done'
	create c
	runtime start c
	wait_until 5 test -e "$BUNDLE/rootfs/tmp/ready"
	runtime kill c SIGUSR1
	wait_until 5 status_is c stopped
	[ "$(cat "$BUNDLE/rootfs/tmp/out")" = got ]
	run_status 1 runtime kill c TERM
	assert_error 1 "'c' is not running"
	run_status 1 runtime kill c NOSUCH
	assert_error 1 "unknown signal 'NOSUCH'"
}

@test "runtime: Kill: a created container can be killed" {
	command_is sleep 50
	create c
	runtime kill c KILL
	wait_until 5 status_is c stopped
}

@test "runtime: Delete: of a container that is not stopped is an error and has no effect" {
	command_is sleep 50
	create c
	run_status 1 runtime delete c
	assert_error 1 "'c' is created"
	runtime start c
	run_status 1 runtime delete c
	assert_error 1 "'c' is running"
	status_is c running
	runtime delete --force c
	run_status 1 runtime delete c
	run_status 0 runtime delete --force c
}

@test "runtime: Operations: an unknown property of config.json is no error" {
	config '.davit = {"unknown": true} | .linux.unknown = 1 | .process.unknown = "x"'
	command_is true
	run_it
}

@test "runtime: Errors: what is wrong in config.json is named, and nothing stays" {
	config '.linux.namespaces += [{"type": "foo"}]'
	create_fails "config.json: linux.namespaces\[[0-9]+\].type: unknown namespace 'foo'"
	run_status 0 runtime list -q
	assert_output ""
}

@test "runtime: a command that does not exist is found out by create" {
	command_is nosuch
	create_fails "executable file 'nosuch' not found"
	command_is /tmp
	create_fails "permission denied"
	run_status 0 runtime list -q
	assert_output ""
}

# What a killed `create` has left goes with `delete --force`: states, groups, processes, mounts.
clean_after_kill() {
	runtime delete --force c || return 1
	[ -z "$(runtime list -q)" ] || fail "$1: a state"
	[ -z "$(find /sys/fs/cgroup -name 'davit-killed*' 2>/dev/null)" ] || fail "$1: a control group"
	[ -z "$(processes 'sleep 54[3]21')" ] || fail "$1: a process"
}

@test "runtime: create that is killed at any moment leaves nothing that delete --force does not remove" {
	local moment pid before
	command_is sleep 54321
	config '.linux.cgroupsPath = "/davit-killed"'
	is_root || config 'del(.linux.cgroupsPath)'
	before=$(wc -l </proc/self/mountinfo)
	for moment in 0.002 0.005 0.01 0.02 0.03 0.05; do
		"$RUNTIME" --root "$STATES" create -b "$BUNDLE" c 3>&- &
		pid=$!
		sleep $moment
		kill -9 $pid 2>/dev/null || :
		wait $pid || :
		clean_after_kill "after $moment s"
	done
	[ "$(wc -l </proc/self/mountinfo)" = "$before" ] || fail "a mount"
	create c
}

@test "runtime: create that is killed at any of its system calls leaves nothing that delete --force does not remove" {
	command -v strace >/dev/null || skip "strace is missing"
	strace -o calls true 2>/dev/null || skip "strace may not trace here"
	local calls at
	command_is sleep 54321
	config '.linux.cgroupsPath = "/davit-killed"'
	is_root || config 'del(.linux.cgroupsPath)'
	strace -o calls "$RUNTIME" --root "$STATES" create -b "$BUNDLE" c 3>&-
	runtime delete --force c
	# The first ones are the dynamic linker's.
	calls=$(grep -c '(' calls)
	for ((at = 40; at < calls; at += 3)); do
		strace -o calls -e inject=all:signal=KILL:when=$at "$RUNTIME" --root "$STATES" create -b "$BUNDLE" c >said 2>&1 3>&- || :
		clean_after_kill "at system call $at of $calls, $(tail -2 calls | head -1)"
	done
}

# --- runtime.md, hooks

@test "runtime: Hooks: all six are called in order, where they should be, and are told the state" {
	local point mnt
	for point in prestart createRuntime createContainer poststart poststop; do
		hook $point "state=\$(cat); echo $point \$(readlink /proc/self/ns/mnt) \$state >>'$PWD/log'"
		config '.hooks[$p] = [{"path": $path, "args": ["hook", $p]}]' --arg p $point --arg path "$PWD/hook-$point"
	done
	printf '#!/bin/sh\necho startContainer inside $(cat) >>/tmp/log\n' >"$BUNDLE/rootfs/bin/hook"
	chmod 755 "$BUNDLE/rootfs/bin/hook"
	config '.hooks.startContainer = [{"path": "/bin/hook", "env": ["PATH=/bin"]}]'
	script_is 'echo command >>/tmp/log'
	mnt=$(readlink /proc/self/ns/mnt)
	create c
	[ "$(cut -d' ' -f1 log)" = $'prestart\ncreateRuntime\ncreateContainer' ] || fail "$(cat log)"
	[ "$(sed -n '1p;2p' log | cut -d' ' -f2)" = "$mnt"$'\n'"$mnt" ]
	[ "$(sed -n 3p log | cut -d' ' -f2)" != "$mnt" ]
	[ "$(cut -d' ' -f3- log | jq -r '.id + " " + .status' | sort -u)" = "c created" ]
	[ ! -e "$BUNDLE/rootfs/tmp/log" ]
	runtime start c
	wait_until 5 status_is c stopped
	[ "$(cut -d' ' -f1 "$BUNDLE/rootfs/tmp/log")" = $'startContainer\ncommand' ]
	[ "$(sed -n 4p log | cut -d' ' -f1)" = poststart ]
	[ "$(sed -n 4p log | cut -d' ' -f3- | jq -r .status)" = running ]
	runtime delete c
	[ "$(tail -1 log | cut -d' ' -f1)" = poststop ]
	[ "$(tail -1 log | cut -d' ' -f3- | jq -r .status)" = stopped ]
}

@test "runtime: Hooks: one that fails before the start ends the container, and poststop is called" {
	local point
	command_is sleep 50
	hook stop "echo stop >>'$PWD/log'"
	hook bad 'exit 3'
	config '.hooks.poststop = [{"path": $path}]' --arg path "$PWD/hook-stop"
	for point in prestart createRuntime createContainer; do
		rm -f log
		config 'del(.hooks.prestart, .hooks.createRuntime, .hooks.createContainer) | .hooks[$p] = [{"path": $path}]' \
			--arg p $point --arg path "$PWD/hook-bad"
		create_fails "hook $point\[0\] '.*hook-bad': exit status 3"
		[ "$(cat log)" = stop ]
		[ -z "$(runtime list -q)" ]
	done
}

@test "runtime: Hooks: a failure of poststart or poststop is a warning" {
	command_is true
	hook bad 'exit 3'
	config '.hooks.poststart = [{"path": $path}] | .hooks.poststop = .hooks.poststart' --arg path "$PWD/hook-bad"
	run_status 0 runtime run -b "$BUNDLE" c
	[[ $stderr == *"hook poststart[0]"*"exit status 3"* ]]
	[[ $stderr == *"hook poststop[0]"*"exit status 3"* ]]
}

@test "config: Hooks: args, env and timeout" {
	command_is true
	hook say "echo \"\$0 \$1 \$A \$HOME\" >'$PWD/log'; exec sleep 20"
	config '.hooks.createRuntime = [{"path": $path, "args": ["me", "one"], "env": ["A=b", "PATH=/bin:/usr/bin"], "timeout": 1}]' \
		--arg path "$PWD/hook-say"
	create_fails "not done within 1 seconds"
	[ "$(cut -d' ' -f2- log)" = "one b " ]
}

# --- config.md

@test "config: Specification version: another major one is an error" {
	config '.ociVersion = "2.0.0"'
	create_fails "ociVersion: '2.0.0' is not supported"
}

@test "config: Root: readonly" {
	config '.root.readonly = true'
	script_is 'touch /tmp/x 2>&1'
	run_status 1 runtime run -b "$BUNDLE" c
	assert_contains "Read-only file system"
}

@test "config: Mounts: in order, with options; a bind source is relative to the bundle" {
	mkdir "$BUNDLE/data"
	echo here >"$BUNDLE/data/file"
	config '.mounts += [{"destination": "/mnt", "type": "tmpfs", "source": "x", "options": ["size=64k", "nosuid"]},
		{"destination": "/mnt/data", "source": "data", "options": ["bind", "ro"]}]'
	script_is 'cat /mnt/data/file; touch /mnt/data/x 2>/dev/null || echo refused; grep " /mnt " /proc/mounts'
	run_it
	assert_line here
	assert_line refused
	assert_contains "x /mnt tmpfs rw,nosuid"
}

@test "config: Process: cwd, env, args, user, additional groups, umask" {
	config '.process.cwd = "/tmp" | .process.env += ["A=b"] | .process.user.umask = 63'
	script_is 'pwd; echo $A; umask; id -u'
	run_it
	assert_output $'/tmp\nb\n0077\n0'
	is_root || return 0
	config '.process.user = {"uid": 5, "gid": 6, "additionalGids": [7, 8]}'
	script_is 'id -u; id -g; id -G'
	run_it
	assert_output $'5\n6\n6 7 8'
}

@test "config: POSIX process: rlimits; a type given twice, or unknown, is an error" {
	config '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 33, "hard": 44}]'
	script_is 'ulimit -Sn; ulimit -Hn'
	run_it
	assert_output $'33\n44'
	config '.process.rlimits += .process.rlimits'
	create_fails "process.rlimits\[1\].type"
	config '.process.rlimits = [{"type": "RLIMIT_FOO", "soft": 1, "hard": 1}]'
	create_fails "process.rlimits\[0\].type: unknown limit"
}

@test "config: Linux process: capabilities in all five sets, noNewPrivileges, oomScoreAdj" {
	config '.process.capabilities = {"bounding": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_KILL"], "effective": ["CAP_KILL"],
		"inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]} | .process.oomScoreAdj = 500'
	script_is 'grep -E "^(Cap|NoNewPrivs)" /proc/self/status; cat /proc/self/oom_score_adj'
	run_it
	assert_line $'CapBnd:\t0000000000000021'
	assert_line $'CapAmb:\t0000000000000020'
	assert_line $'CapInh:\t0000000000000020'
	assert_line $'NoNewPrivs:\t1'
	assert_line 500
}

@test "config: Linux process: a capability that cannot be granted is warned about" {
	config '.process.capabilities.bounding += ["CAP_NOSUCH"] | .process.capabilities.ambient = ["CAP_KILL"]'
	command_is true
	run_status 0 runtime run -b "$BUNDLE" c
	[[ $stderr == *CAP_NOSUCH* ]]
	# Ambient is what is inheritable as well.
	[[ $stderr == *"process.capabilities.ambient: CAP_KILL cannot be granted"* ]]
	create c
	run_status 0 runtime state c
	[ -z "$stderr" ]
}

@test "config: Hostname and domain name" {
	config '.hostname = "box" | .domainname = "example.org"'
	script_is 'hostname; cat /proc/sys/kernel/domainname'
	run_it
	assert_output $'box\nexample.org'
}

# --- config-linux.md

@test "linux: Namespaces: new ones, none, and those of another process" {
	command_is sleep 50
	create first
	local pid
	pid=$(runtime state first | jq .pid)
	config 'del(.linux.namespaces[] | select(.type == "uts")) | del(.hostname)'
	script_is 'readlink /proc/self/ns/uts; readlink /proc/self/ns/ipc'
	run_it
	assert_line "$(readlink /proc/self/ns/uts)"
	assert_not_contains "$(readlink /proc/self/ns/ipc)"
	is_root || return 0
	config '(.linux.namespaces[] | select(.type == "ipc")).path = $path' --arg path "/proc/$pid/ns/ipc"
	run_it
	assert_line "$(readlink "/proc/$pid/ns/ipc")"
}

@test "linux: Namespaces: one given twice, or whose path is of another kind, is an error" {
	config '.linux.namespaces += [{"type": "ipc"}]'
	command_is true
	create_fails "'ipc' is given twice"
	config 'del(.linux.namespaces[-1]) | (.linux.namespaces[] | select(.type == "ipc")).path = "/proc/self/ns/uts"'
	create_fails "'/proc/self/ns/uts' is not a namespace of type 'ipc'"
	# setns(2) cannot tell another kind from our own.
	config 'del(.linux.namespaces[] | select(.type == "ipc" or .type == "user")) | .linux.namespaces += [{"type": "user", "path": "/proc/self/ns/uts"}]'
	create_fails "'/proc/self/ns/uts' is not a namespace of type 'user'"
}

@test "linux: Default devices and file systems are there" {
	script_is 'for d in null zero full random urandom tty; do test -c /dev/$d || echo no $d; done
		for d in fd stdin stdout stderr ptmx; do readlink /dev/$d; done'
	run_it
	assert_not_contains "no "
	assert_line /proc/self/fd/0
	assert_contains pts/ptmx
}

# bats test_tags=root
@test "linux: Devices: mode, owner and numbers" {
	config '.linux.devices = [{"type": "c", "path": "/dev/mine", "major": 1, "minor": 3, "fileMode": 416, "uid": 5, "gid": 6},
		{"type": "p", "path": "/dev/pipe", "fileMode": 384}]'
	script_is 'stat -c "%F %t:%T %a %u:%g" /dev/mine; stat -c "%F %a" /dev/pipe'
	run_it
	assert_output $'character special file 1:3 640 5:6\nfifo 600'
}

@test "linux: Sysctl: of the container's namespaces, no other" {
	config '.linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096"}'
	script_is 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax'
	run_it
	assert_output $'1\n4096'
	config '.linux.sysctl = {"kernel.panic": "1"}'
	run_status 1 create c
	assert_error 1 kernel.panic
}

@test "linux: Masked paths cannot be read, readonly paths cannot be written" {
	echo secret >"$BUNDLE/rootfs/etc/secret"
	mkdir "$BUNDLE/rootfs/etc/dir"
	echo x >"$BUNDLE/rootfs/etc/dir/file"
	config '.linux.maskedPaths = ["/etc/secret", "/etc/dir"] | .linux.readonlyPaths = ["/tmp"]'
	script_is 'cat /etc/secret; ls /etc/dir; touch /tmp/x 2>/dev/null || echo refused'
	run_it
	assert_output refused
}

# Starts an agent that answers with errno $1, 0: the calls go on. It writes the states it gets to $PWD/agent-states.
agent() {
	coproc AGENT { exec "$BATS_TEST_DIRNAME/seccomp-agent.py" "$PWD/agent" "$PWD/agent-states" "$1" 3>&-; }
	AGENT_ID=$AGENT_PID
	read -r -t 20 -u "${AGENT[0]}"
}
stop_agent() {
	kill "$AGENT_ID"
	wait "$AGENT_ID" || true
}
notify_is() {
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": $path, "listenerMetadata": "meta=1",
		"flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], "syscalls": [{"names": $calls, "action": "SCMP_ACT_NOTIFY"}]}' \
		--arg path "$PWD/agent" --argjson calls "$1"
}

@test "linux: Seccomp: listenerPath: an agent gets the container process state and answers" {
	local privileges
	for privileges in true false; do
		rm -f agent agent-states
		agent 95
		notify_is '["mkdir", "mkdirat"]'
		config '.process.noNewPrivileges = $on | .annotations = {"org.example": "a=b"}' --argjson on "$privileges"
		script_is 'mkdir /tmp/a; echo said'
		run_it
		[[ $stderr == *"Operation not supported"* ]]
		assert_contains said
		[ ! -e "$BUNDLE/rootfs/tmp/a" ]
		stop_agent
		[ "$(jq -r '.ociVersion, .fds[0], .metadata, .state.id, .state.status, .state.bundle, .state.annotations["org.example"]' agent-states)" = \
			$'1.2.0\nseccompFd\nmeta=1\nc\ncreated\n'"$BUNDLE"$'\na=b' ]
		[ "$(jq '.pid == .state.pid and .pid > 1' agent-states)" = true ]
	done
}

@test "linux: Seccomp: listenerPath: every call of a process may be notified, and exec has a listener of its own" {
	agent 0
	notify_is '[]'
	config '.linux.seccomp.defaultAction = "SCMP_ACT_NOTIFY"'
	script_is 'mkdir /tmp/a; while [ ! -e /tmp/stop ]; do sleep 0.1; done'
	create c
	[ ! -e agent-states ]
	runtime start c
	run_status 0 runtime exec c mkdir /tmp/b
	wait_until 20 test -e "$BUNDLE/rootfs/tmp/a"
	[ -e "$BUNDLE/rootfs/tmp/b" ]
	[ "$(jq -s -r '.[].state.status' agent-states)" = $'created\nrunning' ]
	[ "$(jq -s '.[0].pid == .[1].state.pid and .[0].pid != .[1].pid' agent-states)" = true ]
	touch "$BUNDLE/rootfs/tmp/stop"
	wait_until 20 status_is c stopped
	runtime delete c
	stop_agent
}

@test "linux: Seccomp: listenerPath: without an agent the start fails" {
	notify_is '["mkdir"]'
	run_status 1 runtime run -b "$BUNDLE" c
	assert_error 1 "listenerPath '$PWD/agent'" "is the agent running"
	[ -z "$(runtime list -q)" ]
	run_status 0 runtime features
	[ "$(jq '.linux.seccomp.actions | index("SCMP_ACT_NOTIFY") != null' <<<"$output")" = true ]
}

@test "linux: Seccomp: actions, errno and arguments" {
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}'
	script_is 'mkdir /tmp/x 2>&1 || :'
	run_it
	assert_contains "No space left"
	config '.linux.seccomp.defaultAction = "SCMP_ACT_NOSUCH"'
	create_fails "linux.seccomp.defaultAction: unknown action"
}

@test "linux: User namespace mappings" {
	config '.linux.namespaces += [{"type": "user"}] | .linux.namespaces |= unique_by(.type)'
	is_root && config '.linux.uidMappings = [{"containerID": 0, "hostID": 500000, "size": 10}] | .linux.gidMappings = .linux.uidMappings'
	is_root && chown -R 500000:500000 "$BUNDLE/rootfs"
	script_is 'id -u; cat /proc/self/uid_map | tr -s " "'
	run_it
	assert_line 0
	is_root && assert_contains "0 500000 10" || assert_contains "0 $(id -u) 1"
}

# bats test_tags=root
@test "linux: Cgroups path and limits" {
	need_pids
	config '.linux.cgroupsPath = "/davit-oci-test/c" | .linux.resources.pids = {"limit": 20}'
	command_is sleep 50
	create c
	local pid
	pid=$(runtime state c | jq .pid)
	grep -q ':/davit-oci-test/c$' "/proc/$pid/cgroup"
	[ "$(cat /sys/fs/cgroup{,/pids}/davit-oci-test/c/pids.max 2>/dev/null)" = 20 ]
	runtime delete --force c
	! ls -d /sys/fs/cgroup{,/*}/davit-oci-test/c 2>/dev/null || fail "the group is still there"
}

@test "config: Linux process: scheduler, I/O priority; linux: personality" {
	config '.process.scheduler = {"policy": "SCHED_BATCH", "nice": 19} | .process.ioPriority = {"class": "IOPRIO_CLASS_IDLE"} |
		.linux.personality = {"domain": "LINUX32"}'
	command_is sleep 50
	create c
	local pid
	pid=$(runtime state c | jq .pid)
	runtime start c
	[ "$(cut -d' ' -f19,41 "/proc/$pid/stat")" = "19 3" ] # 19: tests may run at a nice value themselves, which an ordinary user cannot lower
	[ "$(ionice -p "$pid")" = idle ]
	[ "$(cat "/proc/$pid/personality")" = 00000008 ]
	config '.linux.personality.domain = "BSD"'
	runtime delete -f c
	create_fails "linux.personality.domain: 'BSD'"
}

@test "config: Linux process: execCPUAffinity is of exec only" {
	config '.process.execCPUAffinity = {"initial": "0", "final": "0"}'
	script_is 'grep Cpus_allowed_list /proc/self/status >/tmp/first; sleep 50'
	create c
	runtime start c
	wait_until 5 test -s "$BUNDLE/rootfs/tmp/first"
	[ "$(cat "$BUNDLE/rootfs/tmp/first")" = "$(grep Cpus_allowed_list /proc/self/status)" ]
	run_status 0 runtime exec c grep Cpus_allowed_list /proc/self/status
	assert_output $'Cpus_allowed_list:\t0'
	jq '.process | .args = ["true"] | .execCPUAffinity = {"final": "1-"}' "$BUNDLE/config.json" >process.json
	run_status 1 runtime exec --process process.json c
	assert_error 1 "execCPUAffinity.final: '1-'"
}

@test "linux: Namespaces: clocks of a time namespace have offsets" {
	config '.linux.namespaces += [{"type": "time"}] | .linux.timeOffsets = {"boottime": {"secs": 1000000}}'
	script_is 'cut -d. -f1 /proc/uptime'
	run_it
	[ "$output" -ge 1000000 ]
}

@test "linux: intelRdt, mountLabel and a listener are errors that say what to do" {
	command_is true
	config '.linux.intelRdt = {"closID": "x"}'
	create_fails "linux.intelRdt: not supported"
	config 'del(.linux.intelRdt) | .linux.mountLabel = "system_u:object_r:x:s0"'
	[ -e /sys/fs/selinux/enforce ] || create_fails "linux.mountLabel"
	config 'del(.linux.mountLabel) | .linux.seccomp = {"defaultAction": "SCMP_ACT_NOTIFY"}'
	create_fails "linux.seccomp.listenerPath: SCMP_ACT_NOTIFY needs it"
}

@test "linux: Rootfs mount propagation" {
	config '.linux.rootfsPropagation = "slave"'
	script_is 'grep " / " /proc/self/mountinfo'
	run_it
	config '.linux.rootfsPropagation = "shared"'
	run_it
	assert_contains " shared:"
	config '.linux.rootfsPropagation = "unbindable"'
	run_it
	assert_contains " unbindable"
}

@test "config: Mounts: attributes of whole trees, and tmpcopyup" {
	mkdir -p "$BUNDLE/rootfs/etc/keep"
	echo kept >"$BUNDLE/rootfs/etc/keep/file"
	config '.mounts += [{"destination": "/etc/keep", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]},
		{"destination": "/mnt", "source": "/sys/fs", "options": ["rbind", "rro"]}]'
	script_is 'cat /etc/keep/file; grep " /mnt" /proc/mounts | grep -v " ro,"'
	run_status 1 runtime run -b "$BUNDLE" c
	assert_output kept
}

@test "config: Mounts: IDs mapped otherwise than the container's" {
	mkdir data
	touch data/file
	config '.mounts += [{"destination": "/mnt", "source": $data, "options": ["bind", "idmap"],
		"uidMappings": [{"containerID": 0, "hostID": 7, "size": 1}, {"containerID": 5, "hostID": 0, "size": 1}],
		"gidMappings": [{"containerID": 0, "hostID": 8, "size": 1}]}]' --arg data "$PWD/data"
	if ! is_root; then
		command_is true
		create_fails "mount '/mnt'" "root of the host"
		return
	fi
	chown 5 data
	script_is 'stat -c %u:%g /mnt/file; stat -c %u /mnt; mount -t tmpfs tmpfs /mnt 2>/dev/null; :'
	run_it
	assert_output $'7:8\n0'
	# In a user namespace on top of that.
	config '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 500000, "size": 10}] |
		.linux.gidMappings = .linux.uidMappings | .mounts[-1].uidMappings[0].hostID = 500003 | .mounts[-1].gidMappings[0].hostID = 500004'
	chown -R 500000:500000 "$BUNDLE/rootfs"
	script_is 'stat -c %u:%g /mnt/file'
	run_it
	assert_output 3:4
	config '.mounts[-1].source = "/proc"'
	create_fails "mount '/mnt': map the IDs of '/proc'"
}

# --- runtime-linux.md

@test "runtime-linux: File descriptors: only standard streams, and as many more as asked for" {
	script_is 'ls /proc/self/fd | tr "\n" " "'
	run_status 0 runtime run -b "$BUNDLE" c 5</etc/passwd
	assert_output "0 1 2 3 "
	echo kept >file
	script_is 'cat <&4; ls /proc/self/fd | tr "\n" " "'
	run_status 0 bash -c '"$@" 3</dev/null 4<file 9</etc/passwd' - "$RUNTIME" --root "$STATES" run --preserve-fds 2 -b "$BUNDLE" c
	assert_output $'kept\n0 1 2 3 4 5 '
	run_status 1 bash -c '"$@" 3</dev/null 4<&-' - "$RUNTIME" --root "$STATES" run --preserve-fds 2 -b "$BUNDLE" c
	assert_error 1 "descriptor 4 is not open"
}

@test "runtime-linux: the terminal's master side goes to the console socket, with its size" {
	config '.process.terminal = true | .process.consoleSize = {"height": 33, "width": 99}'
	script_is 'stty size; readlink /proc/self/fd/0; test -c /dev/console && echo console'
	create_fails "console-socket"
	python3 - "$PWD/console" >said <<-'END' 3>&- &
		import array, os, socket, sys
		listener = socket.socket(socket.AF_UNIX)
		listener.bind(sys.argv[1])
		listener.listen()
		connection, _ = listener.accept()
		_, fds, _, _ = socket.recv_fds(connection, 100, 1)
		while True:
		    try:
		        data = os.read(fds[0], 1000)
		    except OSError:
		        break
		    if not data:
		        break
		    sys.stdout.write(data.decode())
	END
	local reader=$!
	wait_until 5 test -S console
	create --console-socket "$PWD/console" c
	runtime start c
	wait $reader
	grep -q '^33 99' said
	grep -q '^/dev/pts/0' said
	grep -q '^console' said
}

# --- the command line that engines rely on

@test "command line: exit codes of run, and the pid file" {
	script_is 'exit 7'
	run_status 7 runtime run -b "$BUNDLE" c
	script_is 'kill -9 $$'
	run_status 0 runtime run --detach --pid-file "$PWD/pid" -b "$BUNDLE" d
	[ "$(cat pid)" -gt 1 ]
}

@test "command line: exec with options, and with --process" {
	command_is sleep 50
	create c
	runtime start c
	run_status 0 runtime exec -e A=b --cwd /tmp c sh -c 'pwd; echo $A; readlink /proc/self/ns/pid; exit 0'
	assert_line /tmp
	assert_line b
	assert_line "$(readlink "/proc/$(runtime state c | jq .pid)/ns/pid")"
	run_status 9 runtime exec c sh -c 'exit 9'
	run_status 1 runtime exec c nosuch
	assert_error 1 "executable file 'nosuch' not found"
	jq '.process | .args = ["sh", "-c", "echo from process; grep CapEff /proc/self/status"] | .capabilities = {}' "$BUNDLE/config.json" >process.json
	run_status 0 runtime exec --process process.json c
	assert_output $'from process\nCapEff:\t0000000000000000'
	runtime exec --detach --pid-file "$PWD/pid" c sleep 40
	[ "$(tr '\0' ' ' <"/proc/$(cat pid)/cmdline")" = "sleep 40 " ]
	run_status 1 runtime exec c
	assert_error 1 "no command"
	run_status 1 runtime exec nosuch true
	assert_error 1 "does not exist"
}

# bats test_tags=root
@test "command line: pause, resume, ps and list" {
	command_is sleep 50
	create c
	runtime start c
	runtime pause c
	status_is c paused
	run_status 1 runtime exec c true
	assert_error 1 "paused"
	runtime resume c
	status_is c running
	run_status 1 runtime resume c
	[ "$(runtime ps -f json c | jq length)" = 1 ]
	run_status 0 runtime ps c
	assert_contains "sleep 50"
	[ "$(runtime list -f json | jq -r '.[0].id, .[0].status')" = $'c\nrunning' ]
	runtime pause c
	runtime delete --force c
}

# bats test_tags=root
@test "command line: update and events" {
	need_pids
	config '.linux.resources.pids = {"limit": 20}'
	command_is sleep 50
	create c
	runtime start c
	runtime update --pids-limit 30 c
	[ "$(runtime events --stats c | jq -c '[.type, .id, .data.pids.current, .data.pids.limit]')" = '["stats","c",1,30]' ]
	echo '{"pids": {"limit": 40}}' | runtime update -r - c
	[ "$(runtime events --stats c | jq .data.pids.limit)" = 40 ]
	echo '{"pids": {"limit": "many"}}' >bad
	run_status 1 runtime update -r bad c
	assert_error 1 "resources: pids.limit: not a whole number"
	runtime kill c KILL
	wait_until 5 status_is c stopped
	run_status 1 runtime update --pids-limit 30 c
	assert_error 1 "not running"
}

@test "command line: errors go to the log file as JSON" {
	run_status 1 runtime --log "$PWD/log" --log-format json start nosuch
	[ "$(jq -r '.level + " " + .msg' log)" = "error container 'nosuch' does not exist" ]
	run_status 1 runtime nosuch
	assert_error 1 "unknown command 'nosuch'"
	run_status 1 runtime create --nosuch c
	assert_error 1 "nosuch"
}

@test "command line: features and version" {
	runtime features | jq -e '.ociVersionMax == "1.2.0" and (.hooks | length) == 6 and (.linux.namespaces | index("time"))'
	[[ $(runtime --version) == "davit-runtime version "*"spec: 1.2.0"* ]]
}

@test "command line: every option is in the manual page" {
	local page=$BATS_TEST_DIRNAME/../../doc/davit-runtime.8.scd verb option
	for verb in "" update events create run exec kill delete list ps state spec features pause resume start; do
		for option in $(runtime $verb --help | grep -o -- '--[a-z-]*' | sort -u); do
			grep -q -- "\*$option\*" "$page" || [ "$option" = --help ] || fail "$verb $option is not in the manual page"
		done
	done
}
