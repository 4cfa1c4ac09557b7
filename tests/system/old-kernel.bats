# Kernels that lack something: what davit does then, tried by refusing it that. old-kernel.c has the words.

load helpers

setup() {
	need_davit
	default_setup
}
teardown() { default_teardown; }

# davit on a kernel that lacks the words of $KERNEL.
old() { OLD_KERNEL=$KERNEL LD_PRELOAD=$DAVIT_BUILD/tests/old-kernel.so davit "$@"; }

# A container under these options writes, is stopped, and has what it wrote when it runs again.
writes_twice() {
	run_status 0 old create --name c --network none "$@" "$BUSYBOX" sh -c 'echo x >>/etc/new; wc -l </etc/new; stat -c %u:%g /etc/new /bin'
	run_status 0 old start -a c
	assert_output $'1\n0:0\n0:0'
	run_status 0 old start -a c
	assert_output $'2\n0:0\n0:0'
	run_davit rm c
}

@test "an overlayfs that knows no lowerdir+ gets its layers in one string" {
	local kernel
	for kernel in lowerdir lowerdir-2; do
		KERNEL=$kernel
		writes_twice
	done
}

@test "the same under a mapping of the container's own" {
	local kernel options=(--uidmap 0:1:5000)
	is_root && options=(--uidmap 0:300000:65536)
	for kernel in lowerdir lowerdir-2; do
		KERNEL=$kernel
		writes_twice "${options[@]}"
	done
}

@test "a read-only container on such a kernel" {
	KERNEL=lowerdir
	run_status 0 old run --rm --network none --read-only "$BUSYBOX" sh -c 'touch /new || echo kept'
	assert_output kept
}

# More names of layers than fsconfig takes in one string, and nothing of them is left mounted.
@test "the layers of an image are seen as one: volumes, diff, commit, image mount" {
	local kernel i
	for i in 1 2 3 4 5 6; do
		davit run --name c --network none "$([ $i = 1 ] && echo "$BUSYBOX" || echo localhost/layers)" sh -c "mkdir -p /numbers; echo $i >/numbers/$i" || fail "layer $i"
		davit commit -q c localhost/layers >/dev/null
		davit rm c >/dev/null
	done
	for kernel in lowerdir lowerdir-2; do
		KERNEL=$kernel
		run_status 0 old run --name c --network none -v "filled:/numbers" localhost/layers sh -c 'ls /numbers; rm /etc/passwd; echo x >/new'
		assert_output $'1\n2\n3\n4\n5\n6'
		run_status 0 old diff c
		assert_line "D /etc/passwd"
		assert_line "A /new"
		run_status 0 old commit -q --squash c localhost/one
		run_status 0 old run --rm --network none localhost/one sh -c 'cat /new; ls /numbers; [ ! -e /etc/passwd ]'
		assert_output $'x\n1\n2\n3\n4\n5\n6'
		if [ "$(id -u)" = 0 ]; then
			run_status 0 old image mount localhost/layers
			run_status 0 cat "$output/numbers/5"
			assert_output 5
			davit image unmount localhost/layers >/dev/null
		fi
		davit rm -v c >/dev/null
		davit volume rm filled >/dev/null
		! grep -q "$STORE/layers" /proc/self/mountinfo || fail "a mount is left"
	done
	davit rmi localhost/one localhost/layers >/dev/null
}

# bats test_tags=root
@test "a file system without ID-mapped mounts: the error names the remedy" {
	KERNEL=idmap
	run_status 125 old run --rm --network none --uidmap 0:300000:65536 "$BUSYBOX" true
	[[ $stderr == *"ID-mapped"*"--userns=host"* ]] || fail "names the remedy"
	run_status 0 old run --rm --network none "$BUSYBOX" true
}
