# Bind mounts, named and anonymous volumes, tmpfs, --mount.

load helpers

setup() { default_setup; }
teardown() {
	default_teardown
	davit volume rm -a -f >/dev/null 2>&1 || :
}

@test "bind mounts: there and back, read-only, relative paths" {
	mkdir "$BATS_TEST_TMPDIR/dir"
	echo in >"$BATS_TEST_TMPDIR/dir/in"
	run_davit run --rm --network none -v "$BATS_TEST_TMPDIR/dir:/mnt" "$BUSYBOX" sh -c 'cat /mnt/in; echo out >/mnt/out'
	assert_output in
	[ "$(cat "$BATS_TEST_TMPDIR/dir/out")" = out ] || fail "written"
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/dir/out")" = "$(id -u)" ] || fail "owned by the caller"
	run_status 1 davit run --rm --network none -v "$BATS_TEST_TMPDIR/dir:/mnt:ro" "$BUSYBOX" touch /mnt/x
	cd "$BATS_TEST_TMPDIR"
	run_davit run --rm --network none -v ./dir:/mnt "$BUSYBOX" cat /mnt/in
	assert_output in
	run_davit run --rm --network none --mount "type=bind,source=$BATS_TEST_TMPDIR/dir/in,target=/etc/in,readonly" "$BUSYBOX" cat /etc/in
	assert_output in
}

@test "a missing source is an error that names it, and nothing is made" {
	run_error 125 run --rm --network none -v "$BATS_TEST_TMPDIR/missing:/mnt" "$BUSYBOX" true -- "$BATS_TEST_TMPDIR/missing" "does not exist" "make it"
	run_error 125 run --rm --network none --mount "type=bind,source=$BATS_TEST_TMPDIR/missing,target=/mnt" "$BUSYBOX" true -- "$BATS_TEST_TMPDIR/missing" "does not exist" "make it"
	run_davit ps -aq
	assert_output ""
	[ ! -e "$BATS_TEST_TMPDIR/missing" ] || fail "made"
}

@test "mount points in the image are not followed out of it" {
	mkdir "$BATS_TEST_TMPDIR/dir"
	davit create --name c --network none -v "$BATS_TEST_TMPDIR/dir:/odd/absolute" $REGISTRY/odd:latest true >/dev/null 2>&1 || :
	run --separate-stderr davit run --rm --network none -v "$BATS_TEST_TMPDIR/dir:/odd/../../../../mnt" "$BUSYBOX" ls -d /mnt
	[ ! -e /odd ] || fail "made on the host"
}

@test "named volumes: made on demand, keep data, list, inspect, remove" {
	run_davit run --rm --network none -v data:/mnt "$BUSYBOX" sh -c 'echo kept >/mnt/file'
	run_davit run --rm --network none -v data:/mnt "$BUSYBOX" cat /mnt/file
	assert_output kept
	run_davit volume ls
	[[ ${lines[0]} =~ ^DRIVER\ +VOLUME\ NAME ]] || fail "headings"
	grep -qE '^local +data *$' <<<"$output" || fail "the volume"
	run_davit volume ls -q
	assert_output data
	run_davit volume inspect data
	jq -e '.[0] | .Name == "data" and .Driver == "local" and (.Mountpoint | endswith("/data/_data")) and .Scope == "local"' <<<"$output" >/dev/null || fail "JSON"
	run_davit volume rm data
	assert_output data
	run_error 1 volume rm data -- "data" "no (such )?volume|not found"
	run_error 125 volume inspect data -- "data"
}

@test "volume create: names, labels, taken names" {
	run_davit volume create --label a=b mine
	assert_output mine
	run_davit volume inspect -f '{{.Labels.a}}' mine
	assert_output b
	run_error 125 volume create mine -- "mine" "exists"
	run_davit volume create
	assert_matches '^[0-9a-f]{64}$'
	run_error 125 volume create 'bad/name' -- "bad/name"
	run_davit volume create --ignore mine || is_podman
}

@test "a volume in use is not removed" {
	davit create --name c --network none -v data:/mnt "$BUSYBOX" true >/dev/null
	run_error 2 volume rm data -- "data" "(in use|being used|used by)"
	run_davit volume rm -f data
	container_gone c
}

@test "a new volume starts with the image's content and owner, once" {
	run_davit run --rm --network none -v seeded:/data "$BUSYBOX" sh -c 'cat /data/seed; stat -c "%u:%g %a" /data/seed; rm /data/seed'
	assert_output $'from the image\n1000:1000 640'
	run_davit run --rm --network none -v seeded:/data "$BUSYBOX" ls -A /data
	assert_output ""
	run_davit run --rm --network none -v empty:/data:nocopy "$BUSYBOX" ls -A /data
	assert_output ""
}

@test "anonymous volumes, of the image and of -v, go with --rm and with rm -v" {
	have_image $REGISTRY/busybox:volume
	run_davit run --rm --network none $REGISTRY/busybox:volume
	assert_contains "seed"
	run_davit volume ls -q
	assert_output ""
	davit run --name c --network none -v /anonymous $REGISTRY/busybox:volume >/dev/null
	[ "$(davit volume ls -q | wc -l)" = 2 ] || fail "two volumes"
	run_davit rm -v c
	run_davit volume ls -q
	assert_output ""
}

@test "--volumes-from" {
	davit create --name first --network none -v data:/mnt "$BUSYBOX" true >/dev/null
	run_davit run --rm --network none --volumes-from first "$BUSYBOX" sh -c 'echo x >/mnt/y; grep -c " /mnt " /proc/self/mounts'
	assert_output 1
}

@test "--mount type=tmpfs and type=volume; bad words are named" {
	run_davit run --rm --network none --mount type=tmpfs,destination=/t,tmpfs-size=1m "$BUSYBOX" sh -c 'df -k /t | tail -n 1 | tr -s " " | cut -d" " -f2'
	assert_output 1024
	run_davit run --rm --network none --mount type=volume,source=v,target=/v "$BUSYBOX" touch /v/x
	run_error 125 run --rm --network none --mount type=nosuch,target=/v "$BUSYBOX" true -- "nosuch"
	run_error 125 run --rm --network none --mount type=bind,target=/v "$BUSYBOX" true -- "source|src"
	run_error 125 run --rm --network none -v /a:/b:nosuchoption "$BUSYBOX" true -- "nosuchoption"
	run_error 125 run --rm --network none -v /tmp:relative "$BUSYBOX" true -- "relative" "absolute"
}

@test "mounts do not spread to the machine" {
	need_davit # podman keeps the root file system mounted outside, too
	before=$(awk '{ print $5 }' /proc/self/mountinfo)
	davit run -d --name c --network none -v "$BATS_TEST_TMPDIR:/mnt" --tmpfs /t "$BUSYBOX" sleep 100 >/dev/null
	[ "$(awk '{ print $5 }' /proc/self/mountinfo)" = "$before" ] || fail "$(cat /proc/self/mountinfo)"
}
