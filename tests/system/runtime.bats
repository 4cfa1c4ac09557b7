# What the runtime makes of a configuration, and that no root file system, however hostile, reaches the host.

load helpers

setup() {
	need_davit
	PROBE=$DAVIT_BUILD/tests/runtime-probe
	cd "$BATS_TEST_TMPDIR"
	ROOT=$PWD/root
	mkdir -p "$ROOT/bin" "$ROOT/etc" "$ROOT/tmp" upper work outside
	cp /bin/busybox "$ROOT/bin/busybox"
	for applet in sh cat ls id mount stat touch mkdir ln grep sed tr pwd hostname sleep true readlink chmod dd head ps stty unshare; do
		ln -s busybox "$ROOT/bin/$applet"
	done
	chmod 755 . "$ROOT" upper work
}

teardown() {
	if is_root; then rm -rf "${BATS_TEST_TMPDIR:?}"/*; else
		unshare --map-auto --map-root-user rm -rf "${BATS_TEST_TMPDIR:?}"/*
	fi
}

probe() { "$PROBE" --lower "$ROOT" --upper "$PWD/upper" --work "$PWD/work" "$@"; }
probe_sh() {
	local script=${*: -1}
	probe "${@:1:$#-1}" -- sh -c "$script"
}
outside_is_untouched() { [ -z "$(ls -A outside)" ] || fail "outside: $(ls -A outside)"; }

# --- the command

@test "a missing command is 127 and named" {
	run_status 127 probe -- nosuch
	[[ $stderr == *"executable file 'nosuch' not found in \$PATH"* ]]
	run_status 127 probe -- /nosuch
	[[ $stderr == *"'/nosuch'"* ]]
}

@test "a directory, a file without permission, and no program are 126" {
	echo text >"$ROOT/etc/plain"
	printf 'no program' >"$ROOT/etc/junk"
	chmod 755 "$ROOT/etc/junk"
	run_status 126 probe -- /etc
	run_status 126 probe -- /etc/plain
	run_status 126 probe -- /etc/junk
	[[ $stderr == *"exec format error"* ]]
}

@test "a missing interpreter is told from a missing command" {
	printf '#!/no/such\n' >"$ROOT/bin/script"
	chmod 755 "$ROOT/bin/script"
	run_status 127 probe -- script
	[[ $stderr == *interpreter* ]]
}

@test "exit codes and signals come through" {
	run_status 7 probe -- sh -c 'exit 7'
	run_status 137 probe --share pid -- sh -c 'kill -9 $$'
}

@test "the command starts with nothing but its own" {
	run_status 0 probe_sh 'echo pid=$$; grep -E "^(SigBlk|SigIgn)" /proc/self/status; ls /proc/self/fd | tr "\n" " "; readlink /proc/1/exe'
	assert_line "pid=1"
	assert_contains "SigBlk:	0000000000000000"
	assert_contains "SigIgn:	0000000000000000"
	assert_line "0 1 2 3 /bin/busybox" # 3 is the directory that ls reads
}

@test "ignored signals of the caller do not reach the command" {
	trap '' PIPE HUP
	run_status 0 probe -- grep ^SigIgn /proc/self/status
	trap - PIPE HUP
	assert_output "SigIgn:	0000000000000000"
}

@test "a missing working directory is made" {
	run_status 0 probe --cwd /a/b/c -- pwd
	assert_output /a/b/c
}

@test "umask, user and groups are as asked for" {
	run_status 0 probe --umask 0077 --user 12:34 --group 56 -- sh -c 'umask; id'
	assert_line 0077
	assert_contains "uid=12 gid=34 groups=56"
}

@test "capabilities are those given, and none for a user" {
	run_status 0 probe --caps 401 -- grep ^Cap /proc/self/status
	assert_line "CapBnd:	0000000000000401"
	assert_line "CapEff:	0000000000000401"
	run_status 0 probe --caps 401 --user 5:5 -- grep ^Cap /proc/self/status
	assert_line "CapBnd:	0000000000000401"
	assert_line "CapEff:	0000000000000000"
	assert_line "CapPrm:	0000000000000000"
}

@test "a filter is set with and without new privileges, for root and for users" {
	for user in 0:0 7:7; do
		for more in "" --new-privileges; do
			run_status 0 probe $more --forbid 83 --user $user -- sh -c 'mkdir /tmp/x; grep ^Seccomp: /proc/self/status'
			assert_line "Seccomp:	2"
			[[ $stderr == *"Operation not permitted"* ]] || fail "mkdir was not forbidden"
		done
	done
}

@test "a filter need not allow what starts the command" {
	run_status 0 probe --forbid 322 -- true # execveat
	run_status 0 probe --new-privileges --forbid 322 -- true
}

@test "limits of the command do not hinder its start" {
	run_status 0 probe --rlimit RLIMIT_FSIZE=0:0 --rlimit RLIMIT_NPROC=4096:4096 -- sh -c 'ulimit -f'
	assert_output 0
}

# bats test_tags=user
@test "a limit above what is allowed names the limit" {
	run_status 125 probe --rlimit RLIMIT_NOFILE=999999999:999999999 -- true
	[[ $stderr == *RLIMIT_NOFILE* ]]
}

@test "a terminal has a size, a name and a controlling session" {
	run_status 0 probe --tty -- sh -c 'stty size; echo to-tty >/dev/tty; readlink /proc/self/fd/0; ls -l /dev/console'
	assert_contains "30 100"
	assert_contains "to-tty"
	assert_contains "/dev/pts/0"
}

# --- namespaces, mounts, settings

@test "host name and sysctl are the container's own" {
	local before
	before=$(cat /proc/sys/net/ipv4/ip_forward)
	run_status 0 probe --hostname box --sysctl net.ipv4.ip_forward=1 -- sh -c 'hostname; cat /proc/sys/net/ipv4/ip_forward'
	assert_line box
	assert_line 1
	[ "$(cat /proc/sys/net/ipv4/ip_forward)" = "$before" ]
}

@test "a sysctl of the host is refused" {
	run_status 125 probe --sysctl kernel.panic=1 -- true
	[[ $stderr == *kernel.panic* ]]
	run_status 125 probe --share net --sysctl net.ipv4.ip_forward=1 -- true
	[[ $stderr == *"network namespace"* ]]
}

@test "masked and read-only paths are so" {
	run_status 0 probe_sh 'for f in /proc/keys /proc/timer_list; do [ ! -e $f ] || cat $f; done; ls -A /sys/firmware; touch /proc/sys/kernel/hostname || echo refused'
	assert_line refused
	[ "$(wc -l <<<"$output")" -eq 1 ] || fail "something shows"
}

@test "a read-only bind mount cannot be written to" {
	echo there >outside/file
	run_status 0 probe --bind "$PWD/outside:/mnt:rbind,ro" --bind "$PWD/outside/file:/etc/file:bind,ro" -- sh -c 'cat /mnt/file /etc/file; touch /mnt/new || echo refused'
	assert_line there
	assert_line refused
}

@test "a layer used as it is stays as it is" {
	mkdir -p "$ROOT/proc" "$ROOT/sys" "$ROOT/dev"
	run_status 0 "$PROBE" --lower "$ROOT" -- sh -c 'touch /new || echo refused'
	assert_output refused
	run_status 125 "$PROBE" --lower "$ROOT" --bind "$PWD/outside:/no/such" -- true
	[[ $stderr == *"/no/such"* && $stderr == *read-only* ]]
	[ ! -e "$ROOT/no" ]
}

@test "a missing bind source is named" {
	run_status 125 probe --bind "$PWD/none:/mnt" -- true
	[[ $stderr == *"/mnt"* && $stderr == *"none"* ]]
}

@test "a file system's option that it does not know is named" {
	run_status 125 probe --mount tmpfs:tmpfs:/mnt:nonsense=1 -- true
	[[ $stderr == *"/mnt"* && $stderr == *nonsense* ]]
}

@test "a tmpfs can begin with what the image has" {
	mkdir -p "$ROOT/data/sub"
	echo kept >"$ROOT/data/sub/file"
	chmod 751 "$ROOT/data"
	run_status 0 probe --mount tmpfs:tmpfs:/data:tmpcopyup -- sh -c 'cat /data/sub/file; stat -c %a /data; grep " /data " /proc/mounts'
	assert_line kept
	assert_line 751
	assert_contains "tmpfs /data tmpfs"
}

@test "namespaces can be shared with the host" {
	run_status 0 probe --share net,pid,ipc,uts,cgroup -- sh -c 'readlink /proc/self/ns/net; readlink /proc/self/ns/uts'
	assert_line "$(readlink /proc/self/ns/net)"
	assert_line "$(readlink /proc/self/ns/uts)"
}

@test "namespaces of another process can be joined" {
	"$PROBE" --lower "$ROOT" --upper "$PWD/upper" --work "$PWD/work" -- sleep 30 3>&- &
	local outer=$! pid
	wait_until 5 pgrep -P $outer -x sleep
	pid=$(pgrep -P $outer -x sleep)
	local join="pid=/proc/$pid/ns/pid,net=/proc/$pid/ns/net,ipc=/proc/$pid/ns/ipc"
	if is_root; then
		mkdir -p upper2 work2
		run_status 0 "$PROBE" --lower "$ROOT" --upper "$PWD/upper2" --work "$PWD/work2" --share "$join" -- sh -c 'readlink /proc/self/ns/net; ps'
	else
		mkdir -p upper2 work2
		run_status 0 "$PROBE" --lower "$ROOT" --upper "$PWD/upper2" --work "$PWD/work2" --join-user "$pid" --share "$join" -- sh -c 'readlink /proc/self/ns/net; ps'
	fi
	assert_line "$(readlink /proc/$pid/ns/net)"
	assert_contains "sleep 30"
	kill "$pid"
	wait $outer || :
}

@test "the OOM score is set, and refused where it may not be lowered" {
	run_status 0 probe --oom 500 -- cat /proc/self/oom_score_adj
	assert_output 500
	is_root && return
	run_status 125 probe --oom -900 -- true
	[[ $stderr == *"-900"* ]]
}

# bats test_tags=user
@test "a user namespace that a container's process made itself is not joined" {
	"$PROBE" --lower "$ROOT" --upper "$PWD/upper" --work "$PWD/work" --caps 1ffffffffff -- sh -c 'unshare -U sleep 30' 3>&- &
	local outer=$! pid
	wait_until 5 pgrep -f -x "sleep 30"
	pid=$(pgrep -n -f -x "sleep 30")
	mkdir -p upper2 work2
	run_status 125 "$PROBE" --lower "$ROOT" --upper "$PWD/upper2" --work "$PWD/work2" --join-user "$pid" -- true
	[[ $stderr == *"user namespace"* ]]
	kill "$pid"
	wait $outer || :
}

# bats test_tags=root
@test "other IDs see the same layers through ID-mapped mounts" {
	echo mine >"$ROOT/etc/mine"
	run_status 0 probe --map 0:500000:65536 -- sh -c 'stat -c %u /etc/mine; echo new >/etc/new; stat -c %u /etc/new; cat /proc/self/uid_map'
	assert_line 0
	assert_contains 500000
	[ "$(stat -c %u upper/etc/new)" = 0 ] || fail "not the image's ID on disk"
}

# bats test_tags=user
@test "one ID is enough" {
	run_status 0 probe --single-id -- sh -c 'id -u; echo x >/etc/new; stat -c %u /etc/new'
	assert_output $'0\n0'
}

# --- hostile root file systems

@test "an absolute link as a mount point stays inside" {
	ln -s "$PWD/outside" "$ROOT/data"
	run_status 0 probe --bind "$ROOT/etc:/data/sub" -- true
	outside_is_untouched
}

@test "a climbing link as a mount point stays inside" {
	ln -s ../../../../../../../../../..$PWD/outside "$ROOT/data"
	run_status 0 probe --bind "$ROOT/etc:/data/sub" -- true
	outside_is_untouched
}

@test "a dangling link as a file's mount point is made inside" {
	ln -s "$PWD/outside/victim" "$ROOT/etc/resolv.conf"
	echo nameserver >file
	run_status 0 probe --bind "$PWD/file:/etc/resolv.conf:rbind,ro" -- cat /etc/resolv.conf
	assert_output nameserver
	outside_is_untouched
}

@test "/proc, /sys and /dev as links are refused" {
	for name in proc sys dev; do
		rm -rf upper/*
		ln -s /tmp "$ROOT/$name"
		run_status 125 probe -- true
		[[ $stderr == *"/$name"* && $stderr == *"symbolic link"* ]] || fail "$name"
		rm "$ROOT/$name"
	done
}

@test "links inside /dev do not lead devices and links elsewhere" {
	# Without a tmpfs on /dev the image's own directory is used.
	mkdir -p "$ROOT/dev"
	ln -s "$PWD/outside/null" "$ROOT/dev/null"
	ln -s "$PWD/outside/fd" "$ROOT/dev/fd"
	run --separate-stderr probe --plain -- true
	outside_is_untouched
}

@test "a link to a device of the host is not a terminal" {
	mkdir -p "$ROOT/dev/pts"
	ln -s /dev/ptmx "$ROOT/dev/pts/ptmx"
	run_status 125 probe --plain --tty -- true
	[[ $stderr == *devpts* ]]
}

# bats test_tags=root
@test "a device where the terminal belongs is not opened" {
	mkdir -p "$ROOT/dev/pts"
	mknod "$ROOT/dev/pts/ptmx" c 5 2
	run_status 125 probe --plain --tty -- true
}

@test "links under masked paths do not mask the host" {
	mkdir -p "$ROOT/etc/x"
	ln -s "$PWD/outside" "$ROOT/etc/x/link"
	echo visible >outside/file
	run_status 0 probe --mask /etc/x/link/file -- true
	[ "$(cat outside/file)" = visible ]
}

@test "a working directory outside is refused or inside" {
	for cwd in /proc/self/fd/3 /proc/self/fd/4 /proc/self/fd/5 /proc/self/fd/7 /proc/self/fd/9/.. /proc/self/cwd/../../..; do
		run --separate-stderr probe --cwd $cwd -- sh -c 'pwd; ls /bin/busybox'
		[[ $status -eq 125 || $status -eq 126 ]] || assert_line /bin/busybox
	done
	ln -s /proc/self/fd/5 "$ROOT/work"
	run --separate-stderr probe --cwd /work -- sh -c 'ls /bin/busybox; ls ..'
	[ "$status" -ne 0 ] || assert_line /bin/busybox
}

@test "the runtime's own program cannot be executed by an image" {
	ln -s /proc/self/exe "$ROOT/bin/direct"
	printf '#!/proc/self/exe\n' >"$ROOT/bin/script"
	chmod 755 "$ROOT/bin/script"
	for name in direct script /proc/self/exe; do
		run --separate-stderr probe -- $name
		[ "$status" -ne 0 ] || fail "$name ran"
		[[ $output$stderr != *usage* ]]
	done
}

@test "descriptors of the caller do not leak" {
	exec 9<outside
	run_status 0 probe_sh 'ls /proc/self/fd/9 2>/dev/null || echo closed'
	exec 9<&-
	assert_output closed
}

@test "mounts of the container do not reach the host" {
	local before
	before=$(wc -l </proc/self/mountinfo)
	run_status 0 probe --bind "$PWD/outside:/mnt:rbind,rslave" --mount tmpfs:tmpfs:/mnt/x -- true
	[ "$(wc -l </proc/self/mountinfo)" -eq "$before" ]
	rmdir outside/x # the mount point was made in the volume, as asked for
}

@test "device nodes cannot be made beyond the given ones" {
	run_status 0 probe --caps 0 -- sh -c 'ls /dev | tr "\n" " "'
	assert_output "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "
}
