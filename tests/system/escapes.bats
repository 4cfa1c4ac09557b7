# Ways out of a container, known from other engines, one by one. Each is tried as the container's root, and where that
# matters with more rights than the defaults give. Above each test is what the naive code does that it fails on; that was seen
# with each protection taken out.

load helpers

setup() {
	default_setup
	cd "$BATS_TEST_TMPDIR"
	mkdir outside
	echo secret >outside/secret
	SECRET=$PWD/outside/secret
}
teardown() {
	default_teardown
	rm -rf "${BATS_TEST_TMPDIR:?}"/* 2>/dev/null || :
}

in_box() { run --separate-stderr davit run --rm --network none "$@"; }
# Makes an image's root file system here that davit runs as it is.
hostile_root() {
	mkdir -p root/bin root/etc root/tmp root/proc root/dev root/sys
	cp /bin/busybox root/bin/busybox
	local applet
	for applet in sh cat ls id echo readlink sleep true head wc; do ln -s busybox root/bin/$applet; done
}
# Descriptors that an exec'd or started process could hold and should not.
foreign_descriptors='for d in /proc/self/fd/*; do case $(readlink $d) in /dev/*|pipe:*|socket:*|/proc/*|"") ;; *) echo "leaked $d $(readlink $d)" ;; esac; done'

# --- our own program

# Naive: the command is executed by davit itself, or by a copy on the disk; exec is made inside the PID namespace.
@test "/proc/self/exe is never davit's, neither at the start nor in exec, so nothing can overwrite it" {
	hostile_root
	ln -s /proc/self/exe root/bin/again
	printf '#!/proc/self/exe\n' >root/bin/script
	chmod 755 root/bin/script
	local program
	program=$(stat -L -c %d:%i "$DAVIT")
	for command in again script /proc/self/exe /proc/1/exe /proc/thread-self/exe; do
		run --separate-stderr davit run --rm --network none --rootfs "$PWD/root" $command
		[ "$status" -ne 0 ] || fail "$command was executed"
		[[ $output != *"Usage"* && $stderr != *"davit --help"* ]] || fail "$command is davit"
	done
	# With a dynamic linker of the image's davit would run whatever the image likes, with davit as its /proc/self/exe.
	mkdir -p root/lib64
	cp /bin/busybox root/lib64/ld-linux-x86-64.so.2
	ln -s /proc/self/exe root/bin/stat
	run --separate-stderr davit run --rm --network none --rootfs "$PWD/root" stat -L -c %d:%i /proc/self/exe
	assert_not_contains "$program"
	[ "$status" -ne 0 ] || fail "stat was executed"
	davit run -d --name box --network none "$BUSYBOX" sh -c '
		while :; do for p in /proc/[0-9]*; do stat -L -c %d:%i $p/exe; (exec 9>>$p/exe) && echo "opened $p"; done; done' >/dev/null
	for _ in 1 2 3 4 5 6 7 8; do
		run_status 0 davit exec box true
		run --separate-stderr davit exec box /proc/self/exe
		[ "$status" -ne 0 ] || fail "exec of /proc/self/exe"
	done
	run_status 0 davit logs box
	assert_not_contains "$program"
	assert_not_contains opened
}

# --- descriptors and directories (CVE-2024-21626)

# Naive: what the caller had open stays open until the command, and the directory is entered without asking where it is.
@test "no descriptor of the host's is open, and no working directory leads out" {
	exec 8<outside 9<"$SECRET"
	in_box "$BUSYBOX" sh -c "$foreign_descriptors"
	[ "$status" -eq 0 ] && [ -z "$output" ] || fail "descriptors"
	davit run -d --name box --network none "$BUSYBOX" sleep 100 >/dev/null
	run_status 0 davit exec box sh -c "$foreign_descriptors"
	[ -z "$output" ] || fail "descriptors in exec"
	local fd
	for fd in $(seq 3 20); do
		in_box -w "/proc/self/fd/$fd" "$BUSYBOX" sh -c 'cat ../../../../../../../../../../..'"$SECRET"' secret 2>/dev/null; pwd -P'
		assert_not_contains secret
		run --separate-stderr davit exec -w "/proc/self/fd/$fd" box sh -c 'cat ../../../../../../../../../../..'"$SECRET"' secret 2>/dev/null'
		assert_not_contains secret
	done
	exec 8<&- 9<&-
}

# Naive: the same, with the name of the descriptor in the image.
@test "a working directory that is a link in the image to a descriptor leads nowhere" {
	hostile_root
	local fd
	for fd in 5 6 7 8 9 10; do
		ln -sfn "/proc/self/fd/$fd/../../../../../.." root/cwd
		run --separate-stderr davit run --rm --network none -w /cwd --rootfs "$PWD/root" sh -c "cat .$SECRET 2>/dev/null"
		assert_error 126 "working directory '/cwd'"
	done 9<"$SECRET" 8<outside
}

# --- masked paths and the terminal (CVE-2025-31133, CVE-2025-52565, CVE-2025-52881)

# Naive: masks with the container's own /dev/null, whatever that is.
@test "a /dev/null of the image's does not take part in masking" {
	# In place of the tmpfs that is there otherwise.
	mkdir devices
	ln -s /etc/hostname devices/null
	in_box -v "$PWD/devices:/dev" "$BUSYBOX" sh -c '
		for f in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug; do [ ! -e $f ] || head -c 10 $f; done'
	[ "$status" -eq 0 ] && [ -z "$output" ] || fail "something to read"
	ln -sfn /proc/keys devices/null
	in_box -v "$PWD/devices:/dev" "$BUSYBOX" sh -c 'head -c 10 /proc/keys'
	[ "$status" -eq 0 ] && [ -z "$output" ] || fail "something to read"
}

# Naive: the terminal is mounted on what /dev/console leads to, a file of /proc for instance.
@test "links in /dev do not move the terminal" {
	mkdir -p devices/pts
	ln -s /proc/sys/kernel/core_pattern devices/console
	in_box -t -v "$PWD/devices:/dev" "$BUSYBOX" cat /proc/self/mountinfo
	assert_error 125 terminal
	rm devices/console
	: >devices/console
	ln -s /proc/sys/kernel/core_pattern devices/pts/0
	in_box -t -v "$PWD/devices:/dev" "$BUSYBOX" sh -c '
		(echo x >/proc/sys/kernel/core_pattern) 2>/dev/null && echo written; cat /proc/self/mountinfo'
	assert_not_contains written
	assert_matches " /proc/sys ro,"
	assert_matches "/0 /dev/console .* - devpts"
	[[ $output != *core_pattern* ]] || fail "a mount on core_pattern"
}

# Naive: settings are written by names below the container's /proc.
@test "settings and limits are written to the kernel, not to what is mounted on /proc" {
	mkdir volume
	echo old | tee volume/msgmax volume/oom_score_adj >volume/core_pattern
	ln -s core_pattern volume/msgmnb
	in_box --sysctl kernel.msgmax=4096 --sysctl kernel.msgmnb=4096 -v "$PWD/volume:/proc/sys/kernel" "$BUSYBOX" true
	[ "$(cat volume/*)" = $'old\nold\nold\nold' ] || fail "written: $(cat volume/*)"
	in_box --sysctl kernel.msgmax=4096 --oom-score-adj 700 "$BUSYBOX" cat /proc/sys/kernel/msgmax /proc/self/oom_score_adj
	assert_output $'4096\n700'
}

# --- mounts

# Naive: targets are names joined to the path of the root, or are looked up once and mounted on by name later.
@test "mount targets that are links, and that change while a container starts, stay inside" {
	mkdir volume
	ln -s "$PWD/outside" volume/link
	in_box -v "$PWD/volume:/v" --tmpfs /v/link/x "$BUSYBOX" sh -c 'touch /v/link/x/y'
	[ ! -e outside/x/y ] && [ ! -e outside/x ] || fail "mounted outside"
	# Another container of the same volume exchanges directory and link all the time.
	davit run -d --name racer --network none -v "$PWD/volume:/v" "$BUSYBOX" sh -c "
		mkdir -p /v/dir; ln -sfn $PWD/outside /v/way; while :; do mv /v/dir /v/t; ln -s $PWD/outside /v/dir; rm /v/dir; mv /v/t /v/dir; done" >/dev/null
	for _ in $(seq 15); do
		in_box -v "$PWD/volume:/v" --tmpfs /v/dir/deep "$BUSYBOX" true
	done
	[ "$(ls outside)" = secret ] || fail "outside: $(ls outside)"
	! grep -q "$PWD/outside" /proc/self/mountinfo
}

# Naive: follows the link, and all that is masked and read-only in /proc is so elsewhere.
@test "/proc is not mounted on a link, and what is given for it is no other file system's" {
	hostile_root
	rmdir root/proc
	ln -s /tmp root/proc
	run --separate-stderr davit run --rm --network none --rootfs "$PWD/root" true
	assert_error 125 "/proc" "link"
}

# Naive: a device that is there already is taken for the one that is wanted, and made at the end of a link.
# bats test_tags=root
@test "a device in the way of a device, or exchanged for a link, is not the host's" {
	mkdir devices
	mknod devices/fuse b 7 0
	in_box -v "$PWD/devices:/dev/test" --device /dev/zero:/dev/test/fuse "$BUSYBOX" true
	assert_error 125 /dev/test/fuse "File exists"
	rm devices/fuse
	ln -s "$PWD/outside/made" devices/fuse
	in_box -v "$PWD/devices:/dev/test" --device /dev/zero:/dev/test/fuse "$BUSYBOX" true
	[ ! -e outside/made ]
	# Another container of the same volume exchanges the directory that the device is in.
	mkdir devices/dir
	davit run -d --name racer --network none -v "$PWD/devices:/v" "$BUSYBOX" sh -c "
		while :; do mv /v/dir /v/t; ln -s $PWD/outside /v/dir; rm /v/dir; mv /v/t /v/dir; done" >/dev/null
	for _ in $(seq 15); do
		in_box -v "$PWD/devices:/dev/test" --device /dev/zero:/dev/test/dir/made "$BUSYBOX" true
	done
	[ ! -e outside/made ] || fail "made outside"
}

# --- hostile files of users

# Naive: opens whatever /etc/passwd leads to, and reads it to its end.
@test "users and groups: an endless, a waiting, a giant file, links and devices do not stop or mislead the start" {
	hostile_root
	local database
	for database in passwd group; do
		rm -f root/etc/passwd root/etc/group
		ln -s /dev/zero root/etc/$database
		run --separate-stderr davit_within 20 run --rm --network none -u 5:6 --rootfs "$PWD/root" head -c 20 /proc/sys/kernel/ostype
		assert_output Linux
		rm root/etc/$database
		mkfifo root/etc/$database
		run --separate-stderr davit_within 20 run --rm --network none -u 5:6 --rootfs "$PWD/root" head -c 20 /proc/sys/kernel/ostype
		assert_output Linux
		rm root/etc/$database
		ln -s /proc/self/environ root/etc/$database
		run --separate-stderr davit_within 20 run --rm --network none -u nosuch --rootfs "$PWD/root" id -u
		assert_error 126 nosuch
		ln -sf "$PWD/outside/secret" root/etc/$database
		run --separate-stderr davit_within 20 run --rm --network none -u secret --rootfs "$PWD/root" id -u
		assert_error 126 secret
		rm root/etc/$database
		# Too much to look at: told, not read to its end.
		truncate -s 3G root/etc/$database
		run --separate-stderr davit_within 20 run --rm --network none -u 5:6 --rootfs "$PWD/root" head -c 20 /proc/sys/kernel/ostype
		[ "$status" -eq 0 ] || assert_error 125 "/etc/$database cannot be read"
	done
}

# Naive: strtoul() of a number too large is 4294967295, or cut off 0; a line has all fields.
@test "users and groups: lines without end, without fields, with numbers too large" {
	hostile_root
	{
		head -c 1000000 /dev/zero | tr '\0' a
		printf '\n:::::::\nbig:x:99999999999:4294967296::/:\nneg:x:-1:-1::/:\nok:x:7:8::/nosuch/home:\n\n\0nul:x:0:0\n'
	} >root/etc/passwd
	printf 'g:x:4294967295:ok\nok:x:8:\n::::\nh:x:9:ok,ok,,ok' >root/etc/group
	run --separate-stderr davit run --rm --network none -u ok --rootfs "$PWD/root" sh -c 'id -u; id -g; id -G'
	assert_output $'7\n8\n8 9'
	local name
	for name in big neg; do
		run --separate-stderr davit run --rm --network none -u $name --rootfs "$PWD/root" id -u
		[ "$status" -ne 0 ] || [ "$output" != 0 ] || fail "$name is root"
	done
}

# --- others' processes

# Naive: shares the PID namespace of the caller, and keeps capabilities when the user changes.
@test "no process of others is seen, traced or signalled" {
	sleep 1000 3>&- &
	local other=$!
	in_box --cap-add SYS_PTRACE,KILL "$BUSYBOX" sh -c "kill -9 $other; test -d /proc/$other && tr '\0' ' ' </proc/$other/cmdline"
	[[ $output != *"sleep 1000"* ]]
	kill -0 $other || fail "it was killed"
	# With the host's processes in sight it is the capabilities and the user that keep them apart.
	is_root && in_box --pid host -u 1234:1234 "$BUSYBOX" sh -c "kill -9 $other; cat /proc/$other/environ /proc/$other/mem; ls /proc/$other/root/"
	is_root || in_box --pid host -u 1234:1234 "$BUSYBOX" sh -c "kill -9 $other; cat /proc/$other/mem"
	[ -z "$output" ]
	kill -0 $other || fail "it was killed"
	kill $other
}

# Naive: the new process is like any other of the container's while it still has davit's descriptors and memory.
@test "a process that enters cannot be traced before it is the command" {
	davit run -d --name box --network none --security-opt seccomp=unconfined "$BUSYBOX" sh -c '
		while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] && continue
			for f in $p/fd/*; do case $(readlink $f) in /dev/*|/proc/*|pipe:*|socket:*|anon_inode:*|"") ;; *) echo "seen $(readlink $f)" ;; esac; done
			(exec 9<$p/mem) && case $(tr "\\0" " " <$p/cmdline) in true*|sh*|readlink*|tr*|"") ;; *) echo "seen $p" ;; esac; done; done' >/dev/null
	for _ in $(seq 10); do run_status 0 davit exec box true; done
	run_status 0 davit logs box
	assert_not_contains seen
}

# Naive: the new process is made inside with the rights of who enters, and drops them there.
@test "a process that enters has no more than its command, whoever may trace it" {
	local option
	for option in "" "--security-opt no-new-privileges" "--user 1234"; do
		# shellcheck disable=SC2086
		davit run -d --name box --network none --cap-add SYS_PTRACE $option -v "$DAVIT_BUILD/tests/onlooker:/onlooker:ro" "$BUSYBOX" /onlooker >/dev/null
		wait_until 10 log_has box ready
		for _ in $(seq 8); do
			davit exec box sleep 0.02
			davit exec -t box sleep 0.02 >/dev/null
		done
		run_status 0 davit logs box
		assert_not_contains seen
		assert_contains met
		davit rm -f -t 0 box >/dev/null
	done
}
log_has() { davit logs "$1" | grep -q "$2"; }

# --- the kernel's own programs and keys

# Naive: /proc/sys and the control groups can be written by the container's root, who is the host's.
@test "release_agent, core_pattern, modprobe, uevent_helper, binfmt_misc and sysrq cannot be written" {
	local before
	before=$(cat /proc/sys/kernel/core_pattern)
	in_box "$BUSYBOX" sh -c '
		for f in $(find / -xdev -name release_agent 2>/dev/null) $(find /sys/fs/cgroup -name release_agent -o -name notify_on_release 2>/dev/null) \
			/proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sysrq-trigger /sys/kernel/uevent_helper \
			/proc/sys/fs/binfmt_misc/register /proc/sys/vm/panic_on_oom /sys/kernel/debug/x /proc/sys/kernel/hotplug; do
			[ -e $f ] && (echo "|/tmp/x" >$f) 2>/dev/null && echo "written $f"; done
		mount -o remount,rw /proc/sys 2>/dev/null && echo remounted
		mount -t proc proc /tmp 2>/dev/null && echo "another proc"
		umount /proc/sys 2>/dev/null && echo unmounted
		mkdir /tmp/c && mount -t cgroup -o memory cgroup /tmp/c 2>/dev/null && echo cgroup
		unshare -Urm sh -c "mkdir -p /tmp/d; mount -t cgroup -o memory cgroup /tmp/d && echo \"cgroup from a user namespace\"
			(echo x >/proc/sys/kernel/core_pattern) && echo \"core_pattern from there\"
			mount -o remount,rw,bind /proc/sys && echo \"remounted there\"; umount /proc/sysrq-trigger && echo uncovered" 2>/dev/null; :'
	[ "$status" -eq 0 ] && [ -z "$output" ] || fail "written"
	[ "$(cat /proc/sys/kernel/core_pattern)" = "$before" ]
}

# Naive: would be a program with the setuid bit that does it for the user.
# bats test_tags=user
@test "a user's container cannot write them with all rights either" {
	in_box --privileged "$BUSYBOX" sh -c '
		for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sysrq-trigger /sys/kernel/uevent_helper; do
			[ -e $f ] && (echo "|/tmp/x" >$f) 2>/dev/null && echo "written $f"; done; :'
	[ -z "$output" ] || fail "written"
}

# --- davit inside a chroot

# Runs a command with a system as "/" that lies in a directory, or, with "mounted", is mounted there.
in_chroot() {
	unshare --mount --propagation private bash -euc '
		mkdir -p around
		mount -t tmpfs tmpfs around
		mkdir around/inner
		[ "$1" != mounted ] || mount -t tmpfs tmpfs around/inner
		shift
		for place in /*; do
			if [ -L "$place" ]; then
				cp -a "$place" around/inner
			elif [ -d "$place" ]; then
				mkdir "around/inner$place"
				mount --rbind "$place" "around/inner$place"
			fi
		done
		exec chroot around/inner "$@"' bash "$@"
}

# Where only the chroot is put aside, the tree around it is the root of the container's mount namespace: cp and exec write
# there, and so does every process that may call chroot.
@test "in a chroot: the container's mount namespace ends at the container's root" {
	need_root
	local kind name=planted-$$
	echo written >"$name"
	for kind in directory mounted; do
		run --separate-stderr in_chroot $kind env STORE="$STORE" RUNDIR="$RUNDIR" bash -euc '
			cd /
			davit() { "$DAVIT" --root "$STORE" --runroot "$RUNDIR" "$@"; }
			davit run -d --name box --network none "$1" sleep 1000
			trap "davit rm -f -t 0 box >/dev/null" EXIT
			davit cp "$2/$3" "box:/$3"
			davit exec box cat "/$3"
			nsenter --mount="/proc/$(davit inspect -f "{{.State.Pid}}" box)/ns/mnt" /bin/busybox cat "/$3"
			davit run --rm --network none -v "$2:/mnt" -w /mnt "$1" cat "$3"' bash "$BUSYBOX" "$PWD" "$name"
		[ ! -e "/$name" ] || { rm -f "/$name"; fail "written outside"; }
		[ "$status" -eq 0 ] || fail "in the chroot ($kind)"
		[ "$(tail -n +2 <<<"$output" | grep -c written)" -eq 3 ] || fail "the container's files"
	done
}
