# The root file systems of containers at paths of the host.

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	default_setup
}
teardown() { default_teardown; }

# Runs the script where mounts may be made: as root here, as an ordinary user in the namespace of his containers. In
# it, davit is $D.
where_mounts_are() {
	local command
	mapfile -t command < <(DAVIT_COMMAND)
	if is_root; then
		D="${command[*]}" bash -euc "$1"
	else
		D="${command[*]}" "${command[@]}" unshare bash -euc "$1"
	fi
}

@test "mount prints where the root of a container is, and it may be changed" {
	davit create --name c --network none "$BUSYBOX" cat /made
	run_status 0 where_mounts_are 'm=$($D mount c); echo hello >$m/made; stat -c %u $m/etc/passwd
		[ "$m" = "$($D container mount c)" ]
		$D mount | grep -q " $m$"
		$D mount --format json | grep -q "\"mountpoint\": \"$m\""
		$D mount --no-trunc | grep -q "^[0-9a-f]\{64\}  $m$"
		$D unmount c
		[ ! -e $m/etc ]
		[ -z "$($D mount)" ]
		$D umount c'
	is_podman || assert_output "0
c
c"
	run_davit start -a c
	assert_output hello
}

@test "a container that runs shows what its processes see, but none of its mounts" {
	need_root
	davit run -d --name c --network none --tmpfs /tmp "$BUSYBOX" sh -c 'echo in >/in; echo >/tmp/not; sleep 100'
	wait_until 5 davit exec c test -e /tmp/not
	m=$(davit mount c)
	[ "$(cat "$m/in")" = in ]
	[ -z "$(ls "$m/tmp" "$m/proc" | grep -v :)" ]
	echo out >"$m/out"
	[ "$(davit exec c cat /out)" = out ]
	davit umount c
}

@test "unmount says when somebody uses it, and --force does it all the same" {
	need_root
	need_davit
	davit create --name c "$BUSYBOX" true
	m=$(davit mount c)
	cd "$m"
	run_error 125 umount c -- "somebody uses" "--force"
	davit umount --force c
	cd "$BATS_TEST_TMPDIR"
	[ ! -e "$m" ]
}

@test "a mount ends with the container, and when that is started" {
	need_root
	need_davit
	davit create --name c --network none "$BUSYBOX" ls /made
	m=$(davit mount c)
	echo >"$m/made"
	run_davit start -a c
	assert_output /made
	[ ! -e "$m" ]
	davit mount c >/dev/null
	[ -e "$m/made" ]
	davit rm c
	[ ! -e "$m" ]
	! grep -q "$m" /proc/self/mounts
}

@test "cp, export and mount see the same files" {
	davit create --name c "$BUSYBOX" true
	echo copied >file
	run_status 0 where_mounts_are 'm=$($D mount c); $D cp file c:/copied; cat $m/copied; echo >$m/written
		$D export c | tar t | grep "^written$"; $D umount c >/dev/null'
	assert_output "copied
written"
}

@test "several at once, all, and the last one" {
	need_root
	davit create --name c "$BUSYBOX" true
	davit create --name d "$BUSYBOX" true
	[ "$(davit mount c d | wc -l)" = 2 ]
	run_davit umount --all
	[ "$(wc -l <<<"$output")" = 2 ]
	[ -d "$(davit mount -l)/etc" ]
	davit umount -l
	run_davit mount
	assert_output ""
}

@test "bad input" {
	need_davit
	if ! is_root; then
		davit create --name c "$BUSYBOX" true
		run_error 125 mount c -- 'cannot run command "davit mount" in rootless mode' 'davit unshare'
		run_error 125 unmount c -- 'davit unshare'
	else
		run_error 125 mount nobody -- 'no such container'
		run_error 125 umount nobody -- 'no such container'
		run_error 125 umount -- 'no container named'
		run_error 125 mount --format xml -- 'json'
	fi
}

@test "davit in unshare works on the user's own containers" {
	need_user
	need_davit
	davit run -d --name c --network none "$BUSYBOX" sleep 100
	run_status 0 where_mounts_are '$D exec c hostname -i >/dev/null 2>&1; $D ps --format "{{.Names}}"; $D cp c:/etc/plain.txt .; cat plain.txt
		env -u X "${D%% *}" version >/dev/null'
	assert_contains c
	# With the places that it was told outside.
	run_status 0 davit unshare "$DAVIT" ps --format '{{.Names}}'
	assert_output c
}

@test "image mount shows the files of an image, read-only, until it is unmounted" {
	need_davit
	run_status 0 where_mounts_are 'm=$($D image mount '"$BUSYBOX"'); cat $m/etc/plain.txt; ! touch $m/file 2>/dev/null
		$D image mount | grep -q "^'"$BUSYBOX"'  $m$"
		$D image mount --format json | grep -q "\"mountpoint\": \"$m\""
		$D image unmount '"$BUSYBOX"' >/dev/null
		[ ! -e $m ]; [ -z "$($D image mount)" ]
		$D image mount -a >/dev/null; $D image umount -a | wc -l'
	assert_matches '[1-9][0-9]*$'
	is_root || run_error 125 image mount "$BUSYBOX" -- 'in rootless mode' 'davit unshare'
	is_root || return 0
	run_error 125 image mount nosuchimage -- 'nosuchimage'
	run_error 125 image unmount -- '--all'
}

@test "a mount ends with its image" {
	need_root
	need_davit
	own_store
	davit load -q -i "oci:$DAVIT_TEST_CACHE/layouts/busybox" >/dev/null || davit pull -q "$BUSYBOX" >/dev/null
	image=$(davit images -q | head -n 1)
	m=$(davit image mount "$image")
	[ -e "$m/bin" ]
	davit rmi -f "$image" >/dev/null
	[ ! -e "$m" ]
	remove_store
}
