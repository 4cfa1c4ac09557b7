# One more process in a container that runs, by the runtime alone.

load helpers

setup() {
	need_davit
	PROBE=$DAVIT_BUILD/tests/runtime-probe
	cd "$BATS_TEST_TMPDIR"
	ROOT=$PWD/root
	mkdir -p "$ROOT/bin" "$ROOT/etc" "$ROOT/tmp" upper work
	cp /bin/busybox "$ROOT/bin/busybox"
	for applet in sh cat ls id touch mkdir grep pwd hostname sleep true readlink stty mount; do
		ln -s busybox "$ROOT/bin/$applet"
	done
	chmod 755 . "$ROOT" upper work
}

teardown() {
	if is_root; then rm -rf "${BATS_TEST_TMPDIR:?}"/*; else
		unshare --map-auto --map-root-user rm -rf "${BATS_TEST_TMPDIR:?}"/*
	fi
}

# Starts a container that stays, with options $@; its first process is $PEER.
peer() {
	"$PROBE" --lower "$ROOT" --upper "$PWD/upper" --work "$PWD/work" "$@" -- sh -c 'touch /tmp/up; sleep 50' 3>&- &
	RUNNER=$!
	wait_until 5 test -e upper/tmp/up
	PEER=$(pgrep -P "$RUNNER" | head -1)
}
end_peer() { kill -9 "$PEER"; wait "$RUNNER" || :; }
enter() { "$PROBE" --enter "$PEER" "$@"; }
enter_sh() { enter "${@:1:$#-1}" -- sh -c "${*: -1}"; }

@test "a second process is in all namespaces, the root and the IDs of the first" {
	peer --hostname box
	local kind
	for kind in user mnt pid net ipc uts cgroup; do
		[ "$(enter_sh "readlink /proc/self/ns/$kind")" = "$(enter_sh "readlink /proc/1/ns/$kind")" ]
	done
	[ "$(enter_sh 'ls /tmp; id -u; id -g; pwd')" = $'up\n0\n0\n/' ]
	end_peer
}

@test "a second process has its own user, directory, environment, limits, umask, and capabilities" {
	peer
	[ "$(enter_sh --user 7:8 --cwd /tmp --env A=b --umask 077 --rlimit NOFILE=33:44 --caps 0 \
		'id -u; id -g; pwd; echo $A; umask; ulimit -n; grep -E "Cap(Bnd|Eff)|NoNew" /proc/self/status')" = \
		$'7\n8\n/tmp\nb\n0077\n33\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1' ]
	end_peer
}

@test "a second process has its filter, also when it may gain privileges" {
	peer
	run_status 1 enter --forbid 83 -- mkdir /tmp/no
	run_status 1 enter --forbid 83 --new-privileges -- mkdir /tmp/no
	run_status 0 enter -- mkdir /tmp/yes
	end_peer
}

@test "a second process's exit codes, and 126 and 127" {
	peer
	run_status 7 enter -- sh -c 'exit 7'
	run_status 127 enter -- nosuch
	run_status 126 enter -- /tmp
	run_status 127 enter --cwd /nosuch -- true
	[[ $stderr == *"working directory '/nosuch'"* ]]
	[ ! -e upper/nosuch ]
	end_peer
}

@test "a second process has a terminal of the container" {
	peer
	[[ "$(enter --tty -- sh -c 'tty=$(readlink /proc/self/fd/0); echo $tty; stty size')" == /dev/pts/*"30 100"* ]]
	end_peer
}

@test "a second process has no descriptor, and no program, of ours" {
	peer
	# 3 is what ls reads the directory by.
	[ "$(enter_sh 'ls /proc/self/fd' 7</ 8</etc/passwd | tr -d '\n')" = 0123 ]
	printf '#!/proc/self/exe\n' >upper/tmp/evil
	chmod 755 upper/tmp/evil
	run_status 126 enter -- /tmp/evil
	end_peer
}

@test "a second process is not led astray by what the container mounts over /proc and /dev" {
	is_root || skip "the container needs the right to mount"
	"$PROBE" --lower "$ROOT" --upper "$PWD/upper" --work "$PWD/work" \
		--caps "$(sed -n 's/^CapBnd:\t//p' /proc/self/status)" -- sh -c \
		'mount -t tmpfs none /proc && mkdir -p /proc/self/fd && mount -t tmpfs none /dev && touch /dev/null /tmp/up && sleep 50' 3>&- &
	RUNNER=$!
	wait_until 5 test -e upper/tmp/up
	PEER=$(pgrep -P "$RUNNER" | head -1)
	[ "$(enter_sh 'cat; echo here' </dev/null)" = here ]
	run_status 125 enter --tty -- true
	[[ $stderr == *terminal* ]]
	end_peer
}

@test "entering a container that has ended is an error" {
	peer
	local gone=$PEER
	end_peer
	PEER=$gone
	run_status 125 enter -- true
	[[ $stderr == *"has ended"* ]]
	PEER=$$
	run_status 125 enter -- true
	[[ $stderr == *"is in no container"* ]]
}
