# What any OCI runtime has to do, seen from outside and inside, without its words: the claims that the validation
# programs of the specification's own tools check, one test a program, with its name. Another runtime is tried by
#
#	RUNTIME=runc tests/system/run root validation
#
# See docs/oci-conformance.md for who fails what.

load helpers

# bats file_tags=root

setup_file() {
	# crun takes a host with both kinds of control groups for one that it cannot use.
	[ "${RUNTIME##*/}" != crun ] || [ ! -e /sys/fs/cgroup/unified/cgroup.controllers ] ||
		mount --bind /dev/null /sys/fs/cgroup/unified/cgroup.controllers
}

setup() {
	need_davit
	RUNTIME=${RUNTIME:-$DAVIT_BUILD/src/oci-runtime/davit-runtime}
	cd "$BATS_TEST_TMPDIR"
	BUNDLE=$PWD/bundle
	mkdir -p "$BUNDLE"/{bin,etc,tmp,proc,dev,sys}
	cp /bin/busybox "$BUNDLE/bin/busybox"
	local applet
	for applet in sh cat ls id mount umount stat touch mkdir mktemp grep sed awk pwd hostname sleep true false readlink test wc dd tr cut; do
		ln -s busybox "$BUNDLE/bin/$applet"
	done
	chmod 755 . "$BUNDLE"
	base_config
}

teardown() {
	local id
	for id in $(runtime list -q); do
		runtime kill "$id" KILL || :
		runtime delete --force "$id" || :
	done >/dev/null 2>&1
	rm -rf "${BATS_TEST_TMPDIR:?}"/*
}

# The bundle is the root, as in the specification's tools: config.json can be seen inside.
base_config() {
	jq -n '["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE",
			"CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"] as $caps |
		{ociVersion: "1.0.2", hostname: "box", root: {path: "."},
		 process: {cwd: "/", args: ["true"], env: ["PATH=/bin", "TERM=xterm"], user: {uid: 0, gid: 0},
			capabilities: {bounding: $caps, effective: $caps, permitted: $caps, inheritable: $caps, ambient: $caps},
			rlimits: [{type: "RLIMIT_NOFILE", soft: 1024, hard: 1024}]},
		 mounts: [{destination: "/proc", type: "proc", source: "proc"},
			{destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"]},
			{destination: "/dev/pts", type: "devpts", source: "devpts",
				options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
			{destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
			{destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]},
			{destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]}],
		 linux: {namespaces: [{type: "pid"}, {type: "network"}, {type: "ipc"}, {type: "uts"}, {type: "mount"}],
			resources: {devices: [{allow: false, access: "rwm"}]}}}' >"$BUNDLE/config.json"
}

runtime() { timeout -k 5 30 "$RUNTIME" --root "$BATS_TEST_TMPDIR/states" "$@" 3>&-; }
config() {
	jq "$@" <"$BUNDLE/config.json" >new.json
	mv new.json "$BUNDLE/config.json"
}
script_is() { config --arg script "$1" '.process.args = ["sh", "-c", $script]'; }
create() { runtime create --bundle "$BUNDLE" "${1-c}" >said 2>&1; }
start() { runtime start "${1-c}"; }
status_is() { [ "$(runtime state "${2-c}" | jq -r .status)" = "$1" ]; }
wait_stopped() { wait_until 10 status_is stopped "$@"; }
pid_of() { runtime state "${1-c}" | jq .pid; }
# Runs it through; what it said is in the file "said".
run_through() {
	create || fail "create: $(<said)"
	start
	wait_stopped
	output=$(<said)
	runtime delete c
}
refused() {
	if create; then
		start || return 0
		fail "not refused: $*"
	fi
	[ -z "$(runtime list -q)" ] || runtime delete --force c
}
hook() {
	local point=$1
	shift
	config --arg p "$point" '.hooks[$p] += [{path: "/bin/sh", args: ["sh", "-c", $ARGS.positional[0]]}]' --args "$*"
}
file_of_group() { # CONTROLLER FILE, by what the kernel says of the container's process
	local at
	at=$(sed -n "s/^[0-9]*:\(.*,\)\?$1\(,.*\)\?:\(.*\)/\3/p" "/proc/$(pid_of)/cgroup")
	cat "/sys/fs/cgroup/$1$at/$2"
}
need_controller() { [ -e "/sys/fs/cgroup/$1/tasks" ] || skip "no cgroup v1 hierarchy of $1 here"; }
need_v1_file() { [ -e "/sys/fs/cgroup/$1" ] || ls "/sys/fs/cgroup/${1%%/*}"/*/"${1#*/}" >/dev/null 2>&1 || skip "this kernel has no $1"; }
at_both_paths() { # runs "$@" with an absolute and with a relative path of the group
	local path
	for path in /davit-validation davit-validation/below/container; do
		config --arg path "$path" '.linux.cgroupsPath = $path'
		create || fail "create: $(<said)"
		"$@" "$path"
		runtime kill c KILL
		wait_stopped
		runtime delete c
		[ -z "$(find /sys/fs/cgroup/*/davit-validation/below/container -maxdepth 0 2>/dev/null)" ]
		find /sys/fs/cgroup/*/davit-validation -depth -type d -exec rmdir {} + 2>/dev/null || :
	done
}

# --- operations

@test "create: needs a name that is not in use" {
	! runtime create --bundle "$BUNDLE" >said 2>&1
	create
	[ "$(runtime state c | jq -r .id)" = c ]
	! create
	status_is created
}

@test "start: runs the program, once, of a created container only" {
	script_is 'echo called >>/output'
	! start 2>/dev/null
	! runtime start 2>/dev/null
	create
	[ ! -e "$BUNDLE/output" ]
	start
	wait_stopped
	[ "$(<"$BUNDLE/output")" = called ]
	! start
	[ "$(<"$BUNDLE/output")" = called ]
}

@test "start: without a process is an error" {
	config 'del(.process)'
	create || return 0 # may be found out at once
	! start
}

@test "state: needs the name of a container that exists" {
	! runtime state 2>/dev/null
	! runtime state c 2>/dev/null
	create
	runtime state c | jq -e '.ociVersion and .id == "c" and .status == "created" and .pid > 0 and .bundle == $bundle' \
		--arg bundle "$BUNDLE"
}

@test "kill: needs a name, and a container that is created or running" {
	script_is 'sleep 60'
	! runtime kill '' KILL 2>/dev/null
	! runtime kill c KILL 2>/dev/null
	create
	runtime kill c KILL
	wait_stopped
	! runtime kill c KILL 2>/dev/null
	runtime delete c
	create
	start
	runtime kill c KILL
	wait_stopped
}

@test "kill_no_effect: a stopped container stays as it is" {
	create
	start
	wait_stopped
	before=$(runtime state c)
	runtime kill c KILL || :
	[ "$(runtime state c)" = "$before" ]
}

@test "killsig: the signal arrives" {
	local signal
	for signal in TERM USR1 USR2; do
		script_is "trap 'touch /$signal; exit' $signal; touch /ready; sleep 60 & wait"
		create
		start
		wait_until 10 test -e "$BUNDLE/ready"
		runtime kill c $signal
		wait_stopped
		[ -e "$BUNDLE/$signal" ]
		rm "$BUNDLE/ready"
		runtime delete c
	done
}

@test "delete: of a container that is not stopped is an error without effect" {
	! runtime delete 2>/dev/null
	script_is 'sleep 60'
	create
	! runtime delete c || fail "a created one was deleted"
	status_is created
	start
	! runtime delete c
	status_is running
}

@test "delete_resources: the control group goes with the container" {
	need_controller pids
	config '.linux.cgroupsPath = "/davit-validation" | .linux.resources.pids = {limit: 100}'
	create
	[ "$(cat /sys/fs/cgroup/pids/davit-validation/pids.max)" = 100 ]
	start
	wait_stopped
	runtime delete c
	[ ! -e /sys/fs/cgroup/pids/davit-validation ]
}

@test "delete_only_create_resources: what others have made stays" {
	need_controller pids
	mkdir /sys/fs/cgroup/pids/davit-validation-other
	create
	pid_of >/sys/fs/cgroup/pids/davit-validation-other/tasks
	start
	wait_stopped
	runtime delete c
	rmdir /sys/fs/cgroup/pids/davit-validation-other
}

@test "pidfile: it has the number that the state has" {
	runtime create --bundle "$BUNDLE" --pid-file "$PWD/pid" c >said
	[ "$(<pid)" = "$(pid_of)" ]
}

@test "config_updates_without_affect: what changes after create changes nothing" {
	script_is 'echo first >/output'
	create
	script_is 'echo second >/output'
	start
	wait_stopped
	[ "$(<"$BUNDLE/output")" = first ]
}

@test "misc_props: unknown annotations and members are no errors, invalid values are" {
	config '.annotations = {"org.example.unknown": ""} | .unknown = "unknown"'
	run_through
	config '.ociVersion = "invalid"'
	refused
}

# --- hooks

@test "hooks: all in order" {
	hook prestart "echo prestart1 >>$BUNDLE/output"
	hook prestart "echo prestart2 >>$BUNDLE/output"
	hook poststart "echo poststart1 >>$BUNDLE/output"
	hook poststart "echo poststart2 >>$BUNDLE/output"
	hook poststop "echo poststop1 >>$BUNDLE/output"
	hook poststop "echo poststop2 >>$BUNDLE/output"
	run_through
	[ "$(tr '\n' ' ' <"$BUNDLE/output")" = "prestart1 prestart2 poststart1 poststart2 poststop1 poststop2 " ]
}

@test "hooks_stdin: each is told the state" {
	local point
	for point in prestart poststart poststop; do hook $point "cat >$BUNDLE/$point"; done
	config '.annotations = {"org.example": "hook stdin"}'
	script_is 'sleep 60'
	create
	start
	runtime kill c KILL
	wait_stopped
	runtime delete c
	for point in prestart poststart poststop; do
		jq -e --arg bundle "$BUNDLE" '.id == "c" and .bundle == $bundle and (.ociVersion | length > 0)' "$BUNDLE/$point"
	done
	[ "$(jq -r .status "$BUNDLE/prestart")" = created ]
	[ "$(jq .pid "$BUNDLE/prestart")" = "$(jq .pid "$BUNDLE/poststart")" ]
	[ "$(jq -r '.annotations["org.example"]' "$BUNDLE/prestart")" = "hook stdin" ]
	[ "$(jq -r .status "$BUNDLE/poststart")" = running ]
	[ "$(jq -r .status "$BUNDLE/poststop")" = stopped ]
	[ "$(jq .pid "$BUNDLE/poststart")" -gt 0 ]
}

@test "prestart, poststart: before and after the program" {
	hook prestart "echo prestart >>$BUNDLE/output"
	hook poststart "echo poststart >>$BUNDLE/other"
	script_is 'echo program >>/output; sleep 60'
	create
	[ "$(<"$BUNDLE/output")" = prestart ]
	[ ! -e "$BUNDLE/other" ]
	start
	wait_until 10 test -e "$BUNDLE/other"
	wait_until 10 grep -q program "$BUNDLE/output"
}

@test "prestart_fail: the container is stopped, with an error" {
	hook prestart false
	script_is 'echo called >/output'
	refused
	[ ! -e "$BUNDLE/output" ]
}

@test "poststart_fail, poststop_fail: the other hooks are called all the same" {
	hook poststart false
	hook poststart "echo poststart >>$BUNDLE/output"
	hook poststop false
	hook poststop "echo poststop >>$BUNDLE/output"
	run_through
	[ "$(tr '\n' ' ' <"$BUNDLE/output")" = "poststart poststop " ]
}

# --- what the process sees

@test "default: links, file systems and devices" {
	script_is 'for name in fd stdin stdout stderr; do readlink /dev/$name; done
		for name in null zero full random urandom tty ptmx; do test -c /dev/$name || echo "no $name"; done
		awk "{ print \$2, \$3 }" /proc/mounts'
	run_through
	[ "$(head -4 <<<"$output" | tr '\n' ' ')" = "/proc/self/fd /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 " ]
	assert_not_contains "no "
	local line
	for line in "/proc proc" "/sys sysfs" "/dev/pts devpts" "/dev/shm tmpfs"; do assert_line "$line"; done
}

@test "process: directory, environment, arguments" {
	mkdir -m 700 "$BUNDLE/test"
	config '.process.cwd = "/test" | .process.env += ["testa=valuea", "testb=123"]'
	script_is 'pwd; echo $testa $testb; tr "\0" "," </proc/1/cmdline; :'
	run_through
	assert_line /test
	assert_line "valuea 123"
	assert_contains 'sh,-c,pwd; echo'
}

@test "process_user: IDs, additional groups, umask" {
	config '.process.user = {uid: 10, gid: 10, additionalGids: [5, 20], umask: 2}'
	script_is 'id -u; id -g; id -G; umask'
	run_through
	assert_output $'10\n10\n10 5 20\n0002'
}

@test "process_capabilities: the five sets are those asked for" {
	config '.process.capabilities = {bounding: ["CAP_SYS_CHROOT", "CAP_KILL"], permitted: ["CAP_KILL", "CAP_SYS_CHROOT"],
		effective: ["CAP_SYS_CHROOT"], inheritable: ["CAP_KILL"], ambient: []}'
	script_is 'grep ^Cap /proc/1/status | tr -d "\t"'
	run_through
	# What a program of root's user ID has, after execve(2): all of the bounding set.
	assert_line CapBnd:0000000000040020
	assert_line CapInh:0000000000000020
	assert_line CapAmb:0000000000000000
	config '.process.user = {uid: 10, gid: 10} | .process.capabilities.ambient = ["CAP_KILL"]'
	run_through
	assert_line CapPrm:0000000000000020
	assert_line CapAmb:0000000000000020
}

@test "process_oom_score_adj" {
	config '.process.oomScoreAdj = 500'
	script_is 'cat /proc/self/oom_score_adj'
	run_through
	assert_output 500
}

@test "process_rlimits: those given, however large or small" {
	config '(1024 * 1024 * 1024) as $g | .process.rlimits = [
		{type: "RLIMIT_AS", soft: $g, hard: (2 * $g)}, {type: "RLIMIT_CORE", soft: (3 * $g), hard: (4 * $g)},
		{type: "RLIMIT_DATA", soft: (5 * $g), hard: (6 * $g)}, {type: "RLIMIT_FSIZE", soft: (7 * $g), hard: (8 * $g)},
		{type: "RLIMIT_STACK", soft: (9 * $g), hard: (10 * $g)}, {type: "RLIMIT_CPU", soft: 60, hard: 120},
		{type: "RLIMIT_NOFILE", soft: 3000, hard: 4000}]'
	script_is 'sed "s/  */ /g" /proc/self/limits'
	run_through
	assert_contains "Max address space 1073741824 2147483648"
	assert_contains "Max core file size 3221225472 4294967296"
	assert_contains "Max stack size 9663676416 10737418240"
	assert_contains "Max cpu time 60 120"
	assert_contains "Max open files 3000 4000"
}

@test "process_rlimits_fail: an unknown limit is an error" {
	config '.process.rlimits = [{type: "RLIMIT_TEST", soft: 1024, hard: 1024}]'
	refused
}

@test "linux_process_apparmor_profile: applied, or an error" {
	config '.process.apparmorProfile = "davit-validation-nosuch"'
	[ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] || skip "this kernel has no AppArmor, where runtimes differ"
	refused
}

@test "root_readonly_true, root_readonly_false" {
	script_is 'touch /x 2>/dev/null && echo written || echo refused'
	run_through
	assert_output written
	config '.root.readonly = true'
	run_through
	assert_output refused
}

@test "hostname" {
	config '.hostname = "hostname-specific"'
	script_is hostname
	run_through
	assert_output hostname-specific
}

@test "mounts: in the order given, with type, source and options" {
	config '.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=4k"]}]'
	script_is 'cat /proc/mounts; stat -c "mode %a" /tmp'
	run_through
	[ "$(awk '{ print $1, $2, $3 }' <<<"$output" | grep -nxE \
		'proc /proc proc|tmpfs /dev tmpfs|devpts /dev/pts devpts|shm /dev/shm tmpfs|mqueue /dev/mqueue mqueue|sysfs /sys sysfs|tmpfs /tmp tmpfs' |
		cut -d: -f2 | cut -d' ' -f2 | tr '\n' ' ')" = "/proc /dev /dev/pts /dev/shm /dev/mqueue /sys /tmp " ] || fail order
	assert_matches 'tmpfs /tmp tmpfs rw,nosuid[^ ]*size=4k'
	assert_line "mode 755"
}

@test "mounts_recursive: attributes of a whole tree" {
	local option file
	[ "${RUNTIME##*/}" != runc ] || skip "Debian's runc is older than these options"
	mkdir -p tree/sub
	mount -t tmpfs tmpfs tree/sub
	file=$PWD/tree
	for option in rro rnosuid rnodev rnoexec; do
		config --arg tree "$file" --arg o $option '.mounts = .mounts[:6] + [{destination: "/mnt", source: $tree, options: ["rbind", $o]}]'
		script_is 'grep " /mnt/sub " /proc/mounts'
		run_through
		assert_matches "[ ,]${option#r}[, ]" || { umount tree/sub; return 1; }
	done
	umount tree/sub
}

# --- Linux

@test "linux_devices: type, numbers, mode, owner" {
	config '.linux.devices = [{path: "/dev/test1", type: "c", major: 10, minor: 666, fileMode: 432, uid: 0, gid: 0},
		{path: "/dev/test2", type: "b", major: 8, minor: 666, fileMode: 432, uid: 0, gid: 0},
		{path: "/dev/test3", type: "p", major: 8, minor: 666, fileMode: 432, uid: 0, gid: 0}]'
	script_is 'stat -c "%F %t %T %a %u %g" /dev/test1 /dev/test2; stat -c "%F %a" /dev/test3'
	run_through
	assert_output $'character special file a 29a 660 0 0\nblock special file 8 29a 660 0 0\nfifo 660'
}

@test "linux_masked_paths: files, directories, what lies in them, devices; relative ones are errors" {
	mkdir -p "$BUNDLE/masked-dir/sub"
	echo secret | tee "$BUNDLE"/masked-{file,dir/file} >"$BUNDLE/masked-dir/sub/file"
	config '.linux.maskedPaths = ["/masked-dir", "/masked-file", "/masked-dir/sub", "/masked-dir/file", "/masked-dir/sub/file", "/nosuch"]'
	script_is 'cat /masked-file; ls /masked-dir; cat /masked-dir/file /masked-dir/sub/file 2>/dev/null'
	run_through
	assert_output ""
	mknod "$BUNDLE/b" b 1 1
	mknod "$BUNDLE/c" c 1 5
	mkfifo "$BUNDLE/p"
	config '.linux.maskedPaths = ["/b", "/c", "/p"]'
	script_is 'cat /b /c /p && echo empty'
	run_through
	assert_output empty
	config '.linux.maskedPaths = ["masked-file"]'
	refused
	ln -s ../loop "$BUNDLE/loop"
	config '.linux.maskedPaths = ["/loop"]'
	script_is 'cat /loop && echo read >/output'
	refused || [ ! -e "$BUNDLE/output" ]
}

@test "linux_readonly_paths: files, directories, what lies in them, devices; relative ones are errors" {
	mkdir -p "$BUNDLE/ro-dir/sub"
	echo x | tee "$BUNDLE"/ro-{file,dir/file} >"$BUNDLE/ro-dir/sub/file"
	mkfifo "$BUNDLE/p"
	config '.linux.readonlyPaths = ["/ro-dir", "/ro-file", "/ro-dir/sub", "/ro-dir/file", "/ro-dir/sub/file", "/p", "/nosuch"]'
	script_is 'for name in /ro-dir/new /ro-dir/sub/new /ro-dir/file /ro-dir/sub/file /ro-file; do
		(echo y >>$name) 2>/dev/null && echo "written $name"; done; stat -c %F /p'
	run_through
	assert_output fifo
	config '.linux.readonlyPaths = ["ro-file"]'
	refused
}

@test "linux_ns_itype: without a type the runtime's own namespace" {
	local type
	config 'del(.hostname) | .linux.namespaces = [{type: "mount"}] |
		del(.mounts[] | select(.type == "mqueue" or .type == "sysfs"))'
	create || fail "$(<said)"
	for type in net ipc uts pid user cgroup; do
		[ "$(readlink "/proc/$(pid_of)/ns/$type")" = "$(readlink "/proc/self/ns/$type")" ] || fail $type
	done
}

@test "linux_ns_nopath: a type without a path gives a new namespace" {
	local type
	config '.linux.namespaces += [{type: "cgroup"}]'
	create
	for type in net ipc uts pid mnt cgroup; do
		[ "$(readlink "/proc/$(pid_of)/ns/$type")" != "$(readlink "/proc/self/ns/$type")" ] || fail $type
	done
}

@test "linux_ns_path: the namespace at the path" {
	local type name other path
	for type in ipc:ipc mnt:mount net:network pid:pid uts:uts; do
		name=${type#*:} type=${type%:*}
		unshare --$([ $type = mnt ] && echo mount || echo $type) --fork --kill-child sleep 60 3>&- &
		other=$!
		path=/proc/$other/ns/$type
		[ $type != pid ] || path=${path}_for_children
		until [ "$(readlink "$path")" ] && [ "$(readlink "$path")" != "$(readlink "/proc/self/ns/$type")" ]; do sleep 0.05; done
		base_config
		config --arg type "$name" --arg path "$path" '(.linux.namespaces[] | select(.type == $type)).path = $path'
		create || { kill -9 $other; fail "$type: $(<said)"; }
		[ "$(readlink "/proc/$(pid_of)/ns/$type")" = "$(readlink "$path")" ] || fail $type
		runtime kill c KILL
		wait_stopped
		runtime delete c
		kill -9 $other
	done
}

@test "linux_ns_path_type: a namespace of another type is an error" {
	local pair
	for pair in cgroup:ipc ipc:mnt mount:net network:pid pid:user user:uts uts:cgroup; do
		base_config
		config --arg type "${pair%:*}" --arg path "/proc/self/ns/${pair#*:}" \
			'.linux.namespaces = [.linux.namespaces[] | select(.type != $type)] + [{type: $type, path: $path}]'
		refused "$pair"
	done
}

@test "linux_rootfs_propagation: shared, slave, private, unbindable" {
	local mode
	config '.process.capabilities[] += ["CAP_SYS_ADMIN"]'
	for mode in shared slave private; do
		config --arg mode $mode '.linux.rootfsPropagation = $mode'
		script_is 'mkdir -p /target /place /test; echo x >/test/example
			mount --rbind / /target && mount --rbind /test /place || exit
			test -e /target/place/example && echo propagated || echo apart'
		run_through
		[ $mode = shared ] && assert_output propagated || assert_output apart
	done
	config '.linux.rootfsPropagation = "unbindable"'
	script_is 'mkdir -p /target; mount --rbind / /target 2>/dev/null && echo bound || echo refused'
	run_through
	assert_output refused
}

@test "linux_seccomp: a refused call fails" {
	config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["getcwd"], action: "SCMP_ACT_ERRNO"}]}'
	script_is 'readlink -f . >/dev/null 2>&1 && echo done; pwd -P 2>&1'
	run_through
	assert_not_contains done
}

@test "linux_sysctl" {
	config '.linux.sysctl = {"net.ipv4.ip_forward": "1"}'
	script_is 'cat /proc/sys/net/ipv4/ip_forward'
	run_through
	assert_output 1
}

@test "linux_uid_mappings, linux_gid_mappings" {
	config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{hostID: 1000, containerID: 0, size: 2000}] |
		.linux.gidMappings = .linux.uidMappings'
	chown -R 1000:1000 "$BUNDLE"
	chmod 711 "$BATS_TEST_TMPDIR"
	script_is 'tr -s " " </proc/self/uid_map; tr -s " " </proc/self/gid_map; id -u'
	run_through
	assert_output $' 0 1000 2000\n 0 1000 2000\n0'
}

# --- control groups (v1)

@test "linux_cgroups_pids, relative too" {
	need_controller pids
	config '.linux.resources.pids = {limit: 1000}'
	check() { [ "$(file_of_group pids pids.max)" = 1000 ] && at_path pids "$1"; }
	at_both_paths check
}
# The absolute path is below the hierarchy's mount point.
at_path() { [[ $2 != /* ]] || [ -d "/sys/fs/cgroup/$1$2" ]; }

@test "linux_cgroups_cpus, relative too" {
	need_controller cpu
	config '.linux.resources.cpu = {shares: 1024, period: 100000, quota: 50000, cpus: "0", mems: "0"}'
	check() {
		[ "$(file_of_group cpu cpu.shares)" = 1024 ] && at_path cpu "$1"
		[ "$(file_of_group cpu cpu.cfs_period_us)" = 100000 ]
		[ "$(file_of_group cpu cpu.cfs_quota_us)" = 50000 ]
		[ "$(file_of_group cpuset cpuset.cpus)" = 0 ]
		[ "$(file_of_group cpuset cpuset.mems)" = 0 ]
	}
	at_both_paths check
}

@test "linux_cgroups_memory, relative too" {
	need_controller memory
	config '.linux.resources.memory = {limit: 50593792, reservation: 50593792, swap: 50593792, kernel: 50593792,
		kernelTCP: 50593792, swappiness: 50, disableOOMKiller: true}'
	[ -e /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes ] || config 'del(.linux.resources.memory.swap)'
	check() {
		[ "$(file_of_group memory memory.limit_in_bytes)" = 50593792 ] && at_path memory "$1"
		[ "$(file_of_group memory memory.soft_limit_in_bytes)" = 50593792 ]
		[ "$(file_of_group memory memory.swappiness)" = 50 ]
		file_of_group memory memory.oom_control | grep -qx 'oom_kill_disable 1'
		file_of_group memory memory.kmem.tcp.limit_in_bytes | grep -qx 50593792
	}
	at_both_paths check
}

@test "linux_cgroups_devices, relative too" {
	need_controller devices
	config '.linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 10, minor: 229, access: "rwm"},
		{allow: true, type: "b", major: 8, minor: 20, access: "rw"}, {allow: true, type: "b", major: 10, minor: 200, access: "r"}]'
	check() {
		[ "$(file_of_group devices devices.list | head -3)" = $'c 10:229 rwm\nb 8:20 rw\nb 10:200 r' ] && at_path devices "$1"
	}
	at_both_paths check
}

@test "linux_cgroups_blkio, relative too" {
	need_controller blkio
	need_v1_file blkio/blkio.throttle.read_bps_device
	local device
	device=$(lsblk -dnro MAJ:MIN | head -1)
	[ -n "$device" ] || skip "no block device here"
	config --argjson major "${device%:*}" --argjson minor "${device#*:}" '{major: $major, minor: $minor, rate: 102400} as $t |
		.linux.resources.blockIO = {throttleReadBpsDevice: [$t], throttleWriteBpsDevice: [$t], throttleReadIOPSDevice: [$t],
			throttleWriteIOPSDevice: [$t]}'
	check() {
		local file
		for file in read_bps write_bps read_iops write_iops; do
			[ "$(file_of_group blkio blkio.throttle.${file}_device)" = "$device 102400" ] || fail $file
		done
		at_path blkio "$1"
	}
	at_both_paths check
}

@test "linux_cgroups_network, relative too" {
	[ -e /sys/fs/cgroup/net_cls/tasks ] || skip "no cgroup v1 hierarchy of net_cls here"
	config '.linux.resources.network = {classID: 255, priorities: [{name: "lo", priority: 10}]}'
	check() {
		[ "$(file_of_group net_cls net_cls.classid)" = 255 ]
		file_of_group net_prio net_prio.ifpriomap | grep -qx 'lo 10'
	}
	at_both_paths check
}

@test "linux_cgroups_hugetlb: a page size that the host does not have is an error" {
	config '.linux.resources.hugepageLimits = [{pageSize: "3MB", limit: 314572800}]'
	refused
}
