# What a container may not do by default, and what options change about it.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

status_of() { davit run --rm --network none "$@" "$BUSYBOX" cat /proc/self/status; }
# Capability set $1 (e.g. CapEff) of /proc/self/status on standard input, as a number.
capability_set() { sed -n "s/^$1:\s*//p"; }

@test "the default capability set is the containers project's" {
	need_davit # podman takes another one when it is given a containers.conf
	run status_of
	# chown dac_override fowner fsetid kill net_bind_service setfcap setgid setpcap setuid sys_chroot
	for set in CapPrm CapEff CapBnd; do
		[ "$(capability_set $set <<<"$output")" = 00000000800405fb ] || fail "$set"
	done
	[ "$(capability_set CapInh <<<"$output")" = 0000000000000000 ] || fail "inheritable"
	[ "$(capability_set CapAmb <<<"$output")" = 0000000000000000 ] || fail "ambient"
}

@test "an ordinary user in the container has none" {
	run status_of -u ann
	[ "$(capability_set CapEff <<<"$output")" = 0000000000000000 ] || fail "effective"
}

@test "--cap-add and --cap-drop" {
	run status_of --cap-drop all --cap-add net_bind_service
	[ "$(capability_set CapEff <<<"$output")" = 0000000000000400 ] || fail "one"
	is_podman || run status_of --cap-drop CAP_CHOWN,kill
	is_podman || [ "$(capability_set CapEff <<<"$output")" = 00000000800405da ] || fail "without two"
	run_error 125 run --rm --cap-add nosuch "$BUSYBOX" true -- nosuch
}

@test "a seccomp filter is there, and --security-opt takes it away" {
	run status_of
	grep -qE '^Seccomp:\s*2' <<<"$output" || fail "filter"
	run status_of --security-opt seccomp=unconfined
	grep -qE '^Seccomp:\s*0' <<<"$output" || fail "no filter"
	run --separate-stderr davit run --rm --network none "$BUSYBOX" mount -t tmpfs x /tmp
	[ "$status" -ne 0 ] || fail "mounted"
	run_error 125 run --rm --security-opt seccomp=/no/such/file "$BUSYBOX" true -- "/no/such/file"
}

@test "a profile of one's own" {
	cat >"$BATS_TEST_TMPDIR/profile.json" <<-'JSON'
		{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
	JSON
	run_status 1 davit run --rm --network none --security-opt "seccomp=$BATS_TEST_TMPDIR/profile.json" "$BUSYBOX" mkdir /x
	echo '{' >"$BATS_TEST_TMPDIR/bad.json"
	run --separate-stderr davit run --rm --network none --security-opt "seccomp=$BATS_TEST_TMPDIR/bad.json" "$BUSYBOX" true
	[ "$status" -ne 0 ] || fail "refused"
	is_podman || assert_error 125 "bad.json"
}

@test "no_new_privs with the option" {
	run status_of --security-opt no-new-privileges
	grep -qE '^NoNewPrivs:\s*1' <<<"$output" || fail "set"
}

@test "masked and read-only paths" {
	run_davit run --rm --network none "$BUSYBOX" sh -c 'for f in /proc/kcore /proc/keys /proc/timer_list; do [ ! -e $f ] || wc -c <$f; done; ls -A /sys/firmware 2>/dev/null | wc -l'
	[ -z "$(grep -v '^0$' <<<"$output")" ] || fail "something to read"
	for path in /proc/sys/kernel/domainname /proc/sysrq-trigger /proc/irq/0/smp_affinity; do
		run --separate-stderr davit run --rm --network none "$BUSYBOX" sh -c "echo x >$path"
		[ "$status" -ne 0 ] || fail "$path is writable"
	done
	is_podman || run_status 1 davit run --rm --network none "$BUSYBOX" mkdir /sys/fs/cgroup/x
}

@test "namespaces are the container's own; options share them" {
	for kind in mnt pid ipc uts net; do
		ours=$(readlink /proc/self/ns/$kind)
		run_davit run --rm --network none "$BUSYBOX" readlink /proc/self/ns/$kind
		[ "$output" != "$ours" ] || fail "$kind is shared"
	done
	for kind in pid uts; do
		[ $kind != pid ] || ! is_podman || continue # not without cgroups
		ours=$(readlink /proc/self/ns/$kind)
		run_davit run --rm --network none --$kind host "$BUSYBOX" readlink /proc/self/ns/$kind
		[ "$output" = "$ours" ] || fail "--$kind host"
	done
	is_root || {
		run_davit run --rm --network none "$BUSYBOX" readlink /proc/self/ns/user
		[ "$output" != "$(readlink /proc/self/ns/user)" ] || fail "user"
	}
}

@test "--ipc host" {
	run_davit run --rm --network none --ipc host "$BUSYBOX" readlink /proc/self/ns/ipc
	assert_output "$(readlink /proc/self/ns/ipc)"
}

@test "only the container's processes are seen" {
	run_davit run --rm --network none "$BUSYBOX" sh -c 'ps -o pid | grep -c "[0-9]"'
	[ "$output" -le 4 ] || fail "processes"
}

@test "devices: none of the host's, one given is there" {
	run_status 1 davit run --rm --network none "$BUSYBOX" ls /dev/kmsg /dev/mem /dev/sda /dev/vda
	[ -z "$output" ] || fail "a device"
	[ -e /dev/fuse ] || skip "there is no /dev/fuse to give"
	run_davit run --rm --network none --device /dev/fuse "$BUSYBOX" ls /dev/fuse
	run_davit run --rm --network none --device /dev/fuse:/dev/other "$BUSYBOX" ls /dev/other
	run --separate-stderr davit run --rm --network none --device /dev/no-such-device "$BUSYBOX" true
	[ "$status" -ne 0 ] || fail "refused"
	[[ $stderr == *no-such-device* ]] || fail "named"
}

@test "--privileged gives capabilities, devices and a writable /proc" {
	run_davit run --rm --network none --privileged "$BUSYBOX" sh -c 'grep CapEff /proc/self/status; mount -t tmpfs x /tmp && echo mounted'
	assert_line mounted
	assert_not_contains 00000000800405fb
}

# bats test_tags=user
@test "--userns keep-id: one's own ID inside, files written are one's own" {
	mkdir "$BATS_TEST_TMPDIR/dir"
	run_davit run --rm --network none --userns keep-id -v "$BATS_TEST_TMPDIR/dir:/mnt" "$BUSYBOX" sh -c 'id -u; touch /mnt/file'
	assert_output "$(id -u)"
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/dir/file")" = "$(id -u)" ] || fail "owner"
}

@test "limits: pids" {
	is_podman && skip "cgroups are off for podman here"
	run --separate-stderr davit run --rm --network none --pids-limit 20 "$BUSYBOX" sh -c 'for i in $(seq 60); do sleep 1 & done; wait'
	if is_root || [ -w /sys/fs/cgroup/cgroup.procs ]; then
		[ "$status" -ne 0 ] || [[ $stderr == *"fork"* ]] || fail "more than 20 processes"
	elif [ "$status" -eq 125 ]; then # a limit that was asked for and cannot be set is an error that says so
		assert_error 125 "(pids|process) limit" "(delegat|cgroup|root)"
	fi
}

# bats test_tags=root
@test "limits: memory" {
	is_podman && skip "cgroups are off for podman here"
	run --separate-stderr davit run --rm --network none -m 32m "$BUSYBOX" sh -c 'dd if=/dev/zero of=/dev/null bs=134217728 count=1'
	if [ "$status" -eq 125 ]; then # a host that keeps the controller from us
		assert_error 125 "memory" "(controller|control group)"
		return
	fi
	[ "$status" -eq 137 ] || fail "128 MiB in 32"
	davit run --name c --network none -m 32m "$BUSYBOX" sh -c 'exec dd if=/dev/zero of=/dev/null bs=134217728 count=1' >/dev/null 2>&1 || :
	run_davit inspect -f '{{.HostConfig.Memory}}' c
	assert_output 33554432
	run_davit inspect -f '{{.State.OOMKilled}} {{.HostConfig.Memory}}' c
	assert_output "true 33554432"
}

# bats test_tags=root
@test "limits: cpus" {
	is_podman && skip "cgroups are off for podman here"
	run --separate-stderr davit run -d --name c --network none --cpus 0.5 "$BUSYBOX" sleep 100
	if [ "$status" -eq 125 ]; then # a host that keeps the controller from us
		assert_error 125 "cpu" "(controller|control group)"
		return
	fi
	run_davit inspect -f '{{.HostConfig.NanoCpus}}' c
	assert_output 500000000
}

@test "bad sizes and numbers are named" {
	run_error 125 run --rm -m 12xyz "$BUSYBOX" true -- "12xyz"
	run_error 125 run --rm --cpus many "$BUSYBOX" true -- "many"
	run_error 125 run --rm --shm-size -5 "$BUSYBOX" true --
}

@test "sysctls: those of a namespace of its own" {
	run_davit run --rm --network none --sysctl net.ipv4.ip_forward=1 "$BUSYBOX" cat /proc/sys/net/ipv4/ip_forward
	assert_output 1
}

@test "--security-opt: patterns of unmask, options of /proc, and what cannot be" {
	run_status 1 davit run --rm --network none --security-opt 'unmask=/proc/*' "$BUSYBOX" grep ' /proc/' /proc/mounts
	run_davit run --rm --network none "$BUSYBOX" grep -c ' /proc/' /proc/mounts
	run_davit run --rm --network none --security-opt proc-opts=subset=pid "$BUSYBOX" sh -c 'ls /proc; test ! -e /proc/meminfo && echo hidden'
	assert_contains hidden
	if ! is_podman; then
		run_davit run --rm --network none --security-opt systempaths=unconfined "$BUSYBOX" true
		run_error 125 run --rm --security-opt proc-opts=frob=1 "$BUSYBOX" true -- "proc-opts=frob" "hidepid"
		run_error 125 run --rm --security-opt label=frob "$BUSYBOX" true -- "label=frob"
	fi
	[ -e /sys/fs/selinux/enforce ] || run_davit run --rm --network none --security-opt label=type:spc_t "$BUSYBOX" true
	[ -e /sys/module/apparmor ] || run_error 125 run --rm --security-opt apparmor=ours "$BUSYBOX" true -- "ours" "apparmor"
	run_error 125 create --security-opt seccomp=/no/such "$BUSYBOX" true -- "/no/such"
}

@test "--privileged and --device DIRECTORY: the host's devices" {
	mkdir "$BATS_TEST_TMPDIR/none"
	run_davit run --rm --network none --privileged "$BUSYBOX" ls /dev/full /dev/pts/ptmx /dev/shm
	[ ! -e /dev/fuse ] || run_davit run --rm --network none --privileged "$BUSYBOX" test -c /dev/fuse
	run_error 125 run --rm --network none --device "$BATS_TEST_TMPDIR/none" "$BUSYBOX" true -- "none"
	[ -c /dev/net/tun ] || return 0
	run_davit run --rm --network none --device /dev/net:/dev/other "$BUSYBOX" ls /dev/other
	assert_contains tun
}

@test "--ulimit host keeps the caller's limits, unknown ones are named" {
	limited() { (ulimit -S -n 321 && "$@"); }
	run_status 0 limited davit run --rm --network none --ulimit host "$BUSYBOX" sh -c 'ulimit -n'
	assert_output 321
	run_error 125 run --rm --ulimit frob=1 "$BUSYBOX" true -- "frob"
}

@test "the container does not see our program nor its memory" {
	run_davit run --rm --network none "$BUSYBOX" sh -c 'readlink /proc/1/exe; ls /proc/1/fd | wc -l'
	[ "${lines[0]}" = /bin/busybox ] || fail "exe"
}
