# --userns, --uidmap, --gidmap: whose IDs a container has, and whose its files are.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

# The container's user map, single spaces, one line.
map_of() { run_davit run --rm --network none "$@" "$BUSYBOX" cat /proc/self/uid_map; output=$(tr -s ' \n' ' ' <<<"$output" | sed 's/^ //;s/ $//'); }

# bats test_tags=user
@test "keep-id: root owns the image, the user is the caller" {
	run_davit run --rm --network none --userns keep-id "$BUSYBOX" sh -c 'id -u; id -g; stat -c %u:%g / /bin/busybox /etc/passwd /etc/hosts'
	assert_output "$(id -u)
$(id -g)
0:0
0:0
0:0
0:0"
}

# bats test_tags=user
@test "keep-id: --user wins, and root inside may do what root may" {
	run_davit run --rm --network none --userns keep-id -u 0 "$BUSYBOX" sh -c 'id -u; touch /file; chown 7:8 /file; stat -c %u:%g /file'
	assert_output "0
7:8"
	run_davit run --rm --network none --userns keep-id -u 33:34 "$BUSYBOX" sh -c 'id -u; id -g; touch /etc/file || echo refused'
	assert_line 33
	assert_line 34
	assert_line refused
}

# bats test_tags=user
@test "keep-id with uid, gid and size" {
	is_podman || run_davit run --rm --network none --userns keep-id:uid=200,gid=210,size=5000 "$BUSYBOX" sh -c 'id -u; id -g; wc -l </proc/self/uid_map; sed "s/ *\([0-9]*\) .* \([0-9]*\)$/\1 \2/" /proc/self/uid_map'
	is_podman || assert_output "200
210
3
0 200
200 1
201 4799"
	mkdir "$BATS_TEST_TMPDIR/dir"
	run_davit run --rm --network none --userns keep-id:uid=200,gid=210 -v "$BATS_TEST_TMPDIR/dir:/mnt" "$BUSYBOX" touch /mnt/file
	[ "$(stat -c %u:%g "$BATS_TEST_TMPDIR/dir/file")" = "$(id -u):$(id -g)" ] || fail "owner"
}

# bats test_tags=user
@test "a container under another mapping starts again, with what it wrote" {
	run_davit run --name c --network none --userns keep-id -u 0 "$BUSYBOX" sh -c 'echo x >>/count; chown 5 /count; wc -l </count; stat -c %u /count'
	assert_output "1
5"
	run_davit start -a c
	assert_output "2
5"
}

# bats test_tags=user
@test "nomap: the caller is nobody inside" {
	mkdir "$BATS_TEST_TMPDIR/dir"
	run_davit run --rm --network none --userns nomap -v "$BATS_TEST_TMPDIR/dir:/mnt" "$BUSYBOX" sh -c 'id -u; stat -c %u /mnt /etc/passwd; touch /file; stat -c %u /file'
	assert_output "0
65534
0
0"
}

# bats test_tags=user
@test "another mapping has its network, and published ports" {
	need_davit
	for mode in keep-id nomap; do
		run_davit run --rm --userns $mode -p 127.0.0.1:0:80 "$BUSYBOX" sh -c 'ip route | grep -c default; cat /etc/hosts | grep -c localhost'
		[ "${lines[0]}" = 1 ] || fail "no route"
	done
}

# bats test_tags=user
@test "a volume is filled with the owners of the container" {
	is_podman || run_davit run --rm --network none --userns keep-id -v vol:/etc "$BUSYBOX" stat -c %u:%g /etc/passwd /etc
	is_podman || assert_output "0:0
0:0"
	davit volume rm vol >/dev/null 2>&1 || :
}

# bats test_tags=user
@test "--uidmap and --gidmap" {
	map_of --uidmap 0:1:5000 --uidmap 5000:0:1
	[[ $output == "0 "*" 5000 5000 $(id -u) 1" ]] || fail "map"
	run_davit run --rm --network none --uidmap 0:1:5000 --gidmap 0:1:3000 "$BUSYBOX" sh -c 'sed "s/.* //" /proc/self/uid_map /proc/self/gid_map'
	assert_output "5000
3000"
}

# bats test_tags=user
@test "--uidmap with flags" {
	need_davit
	map_of --uidmap 0:1:4500 --uidmap "+4000:@$(id -u)"
	[[ $output == *" 4000 $(id -u) 1" ]] || fail "map"
}

@test "what --userns and --uidmap refuse" {
	need_davit
	run_error 125 run --rm --userns nosuch "$BUSYBOX" true -- "nosuch" "keep-id"
	run_error 125 run --rm --userns keep-id:foo=1 "$BUSYBOX" true -- "foo" "size"
	run_error 125 run --rm --userns keep-id:uid=x "$BUSYBOX" true -- "'x'"
	run_error 125 run --rm --userns host --uidmap 0:0:1 "$BUSYBOX" true -- "uidmap" "contradict"
	run_error 125 run --rm --uidmap 0:x:1 "$BUSYBOX" true -- "0:x:1" "write it as"
	run_error 125 run --rm --uidmap 0:5000000000:1 "$BUSYBOX" true -- "write it as"
	if is_root; then
		run_error 125 run --rm --userns keep-id "$BUSYBOX" true -- "ordinary users"
	else
		run_error 125 run --rm --uidmap 0:1:999999 "$BUSYBOX" true -- "usermod --add-subuids"
		run_error 125 run --rm --network none --uidmap 0:1:10 "$BUSYBOX" true -- "belongs to .* ID 1000"
	fi
}

# bats test_tags=user
@test "PODMAN_USERNS is the default" {
	PODMAN_USERNS=keep-id run_davit run --rm --network none "$BUSYBOX" id -u
	assert_output "$(id -u)"
	PODMAN_USERNS=keep-id run_davit run --rm --network none --userns host "$BUSYBOX" id -u
	assert_output 0
}

# Runs davit where /etc/subuid and /etc/subgid grant "containers" $1, e.g. 2000000:10000, and the caller what they do.
with_range() {
	local range=$1
	shift
	cat /etc/subuid >"$BATS_TEST_TMPDIR/subid"
	echo "containers:$range" >>"$BATS_TEST_TMPDIR/subid"
	unshare --mount bash -c 'mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid && shift && exec "$@"' - \
		"$BATS_TEST_TMPDIR/subid" timeout 50 "$DAVIT" --root "$STORE" --runroot "$RUNDIR" "$@"
}

# bats test_tags=root
@test "root: auto takes a range of the user containers, and maps what is mounted" {
	need_davit
	run_status 0 with_range 2000000:10000 run --rm --network none --userns auto -v vol:/etc/x -v /:/host:ro "$BUSYBOX" \
		sh -c 'cat /proc/self/uid_map; id -u; stat -c %u:%g / /bin/busybox /etc/passwd /etc/hosts /host; touch /file /etc/x/file; stat -c %u /file /etc/x/file'
	assert_matches "^ +0 +2000000 +1024"
	[ "$(sed 1d <<<"$output" | tr '\n' ' ')" = "0 0:0 0:0 0:0 0:0 65534:65534 0 0 " ] || fail "owners"
	[ "$(stat -c %u "$STORE/volumes/vol/_data/file")" = 0 ] || fail "the volume has image's IDs on disk"
	davit volume rm vol >/dev/null
}

# bats test_tags=root
@test "root: ranges of auto do not overlap, and come back" {
	need_davit
	local name
	for name in a b c; do
		run_status 0 with_range 2000000:4000 create --name $name --network none --userns auto "$BUSYBOX" true
	done
	for name in a b c; do
		run_davit inspect -f '{{index .HostConfig.IDMappings.UidMap 0}} {{.HostConfig.UsernsMode}}' $name
		echo "$output"
	done >"$BATS_TEST_TMPDIR/maps"
	[ "$(cat "$BATS_TEST_TMPDIR/maps")" = "0:2000000:1024 private
0:2001024:1024 private
0:2002048:1024 private" ] || fail "$(cat "$BATS_TEST_TMPDIR/maps")"
	run --separate-stderr with_range 2000000:4000 create --userns auto "$BUSYBOX" true
	assert_error 125 "1024 IDs are wanted" "928 are free"
	run_davit rm b
	run_status 0 with_range 2000000:4000 run --rm --network none --userns auto "$BUSYBOX" cat /proc/self/gid_map
	assert_matches "^ +0 +2001024 +1024"
	run_davit start -a a
}

busybox_root() {
	mkdir -p "$1/bin"
	cp /bin/busybox "$1/bin/busybox"
	ln -s busybox "$1/bin/sh"
	chmod -R go+rX "$BATS_TEST_TMPDIR" "$1"
}

# bats test_tags=root
@test "root: a directory as root file system is seen with the container's IDs" {
	local root=$BATS_TEST_TMPDIR/root shifted=$BATS_TEST_TMPDIR/shifted
	busybox_root "$root"
	cp -a "$root" "$shifted"
	chown -R 300000:300000 "$shifted"
	run_davit run --rm --network none --uidmap 0:300000:65536 --rootfs "$root" /bin/busybox sh -c 'busybox touch /new; busybox stat -c %u:%g /bin /new'
	[ "$output" = $'0:0\n0:0' ]
	[ "$(stat -c %u:%g "$root/new")" = 0:0 ]
	run_davit run --rm --network none --uidmap 0:300000:65536 --rootfs "$shifted" /bin/busybox sh -c 'busybox touch /new; busybox stat -c %u:%g /bin /new'
	[ "$output" = $'0:0\n0:0' ]
	[ "$(stat -c %u:%g "$shifted/new")" = 300000:300000 ]
	run_davit run --rm --network none --uidmap 0:300000:65536 --rootfs "$root:idmap" /bin/busybox stat -c %u:%g /bin
	[ "$output" = 0:0 ]
	run_error 125 run --rm --network none --rootfs "$root:idmap" /bin/busybox true -- "root file system '$root'" "idmap" "leave it out"
}

# bats test_tags=user
@test "user: a directory of nobody in the container is told by name" {
	local root # where others may look
	root=$(mktemp -d /tmp/davit-root-XXXXXX)
	chmod 755 "$root"
	busybox_root "$root"
	run_error 125 run --rm --network none --uidmap 0:1:1000 --rootfs "$root" /bin/busybox true -- "root file system '$root'" "give it to"
	run_error 125 run --rm --network none --uidmap 0:1:1000 --rootfs "$root:idmap" /bin/busybox true -- "idmap"
	rm -r "$root"
}

# bats test_tags=root
@test "root: --uidmap, and a directory with option idmap" {
	mkdir "$BATS_TEST_TMPDIR/dir"
	: >"$BATS_TEST_TMPDIR/dir/seven"
	chown 7:8 "$BATS_TEST_TMPDIR/dir/seven"
	run_davit run --rm --network none --uidmap 0:300000:65536 -v "$BATS_TEST_TMPDIR/dir:/mnt:idmap" "$BUSYBOX" sh -c 'stat -c %u:%g /mnt/seven; touch /mnt/new; chown 9 /mnt/new'
	assert_output 7:8
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/dir/new")" = 9 ] || fail "owner outside"
	run_davit run --rm --network none --uidmap 0:300000:65536 -v "$BATS_TEST_TMPDIR/dir:/mnt:U" "$BUSYBOX" sh -c 'stat -c %u:%g /mnt/seven'
	assert_output 0:0
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/dir/seven")" = 300000 ] || fail "given to the container's root"
}

# bats test_tags=root
@test "root: a container of its own user namespace has its network" {
	run_davit run --rm --uidmap 0:300000:65536 -p 127.0.0.1:0:80 "$BUSYBOX" sh -c 'ip route | grep -c default'
	assert_output 1
}

# bats test_tags=root
@test "root: no range for auto is told with the remedy, which helps" {
	need_davit
	grep -q ^containers: /etc/subuid && skip "this host has one"
	run_error 125 run --rm --userns auto "$BUSYBOX" true -- "/etc/subuid" "containers:"
	local line=$(grep -o "containers:[0-9:]*" <<<"$stderr")
	run_status 0 with_range "${line#*:}" run --rm --network none --userns auto "$BUSYBOX" cat /proc/self/uid_map
	assert_matches "^ +0 +2147483647 +1024"
}

# bats test_tags=user
@test "auto for a user: ranges of its own, root inside" {
	need_davit
	run_davit create --name a --network none --userns auto "$BUSYBOX" sh -c 'id -u; stat -c %u /etc/passwd /etc/hosts'
	run_davit create --name b --network none --userns auto:size=2000 "$BUSYBOX" cat /proc/self/uid_map
	run_davit inspect -f '{{json .HostConfig.IDMappings}}' a
	assert_output '{"UidMap":["0:1:1024"],"GidMap":["0:1:1024"]}'
	run_davit inspect -f '{{json .HostConfig.IDMappings.UidMap}}' b
	assert_output '["0:1025:2000"]'
	run_davit start -a a
	assert_output "0
0
0"
	run_davit start -a b
	assert_matches "2000"
}

@test "the user namespace of another container, and of a path" {
	need_davit
	local options=(--userns keep-id -u 0) ns
	is_root && options=(--uidmap 0:300000:65536)
	run_davit run -d --name a --network none "${options[@]}" "$BUSYBOX" sleep 100
	run_davit exec a readlink /proc/self/ns/user
	ns=$output
	run_davit run --rm --network container:a --userns container:a "$BUSYBOX" sh -c 'readlink /proc/self/ns/user; stat -c %u /etc/passwd /etc/hosts; touch /file; stat -c %u /file'
	assert_output "$ns
0
0
0"
	run_davit run --rm --network none --userns "ns:/proc/$(davit inspect -f '{{.State.Pid}}' a)/ns/user" "$BUSYBOX" readlink /proc/self/ns/user
	assert_output "$ns"
	run_davit create --name b --network none --userns container:a "$BUSYBOX" readlink /proc/self/ns/user
	run_error 125 rm -f -t 0 a -- "b"
	run_davit stop -t 0 a
	run_davit start -a b
	run_error 125 run --rm --userns container:nosuch "$BUSYBOX" true -- "nosuch"
	run_error 125 run --rm --userns ns:/nosuch "$BUSYBOX" true -- "/nosuch"
	run_error 125 run --rm --userns ns:/proc/self/ns/net "$BUSYBOX" true -- "no user namespace"
}

@test "--subuidname takes the ranges of a name" {
	need_davit
	if is_root; then
		run_status 0 with_range 2000000:5000 run --rm --network none --subuidname containers "$BUSYBOX" cat /proc/self/uid_map
		assert_matches "^ +0 +2000000 +5000"
	else
		run_davit run --rm --network none --subuidname "$(id -un)" "$BUSYBOX" cat /proc/self/gid_map
		assert_matches "^ +0 +[0-9]+ +[0-9]+$"
	fi
	run_error 125 run --rm --subgidname nosuch "$BUSYBOX" true -- "nosuch" "usermod"
	run_error 125 run --rm --subuidname nosuch --uidmap 0:0:1 "$BUSYBOX" true -- "contradict"
}

# bats test_tags=user
@test "containers of one mapping share the user namespace, those of others do not" {
	need_davit
	local ns
	run_davit run -d --name a --network none --userns keep-id "$BUSYBOX" sleep 100
	run_davit exec a readlink /proc/self/ns/user
	ns=$output
	run_davit run --rm --network none --userns keep-id "$BUSYBOX" readlink /proc/self/ns/user
	assert_output "$ns"
	run_davit run --rm --network none --userns nomap "$BUSYBOX" readlink /proc/self/ns/user
	[ "$output" != "$ns" ] || fail "shared"
}

# bats test_tags=user
@test "the user has a name inside" {
	run_davit run --rm --network none --userns keep-id "$BUSYBOX" id -un
	assert_output "$(id -un)"
}

@test "mounts of images and option O follow the mapping" {
	need_davit
	local mode modes=(keep-id nomap)
	mkdir -p "$BATS_TEST_TMPDIR/dir"
	is_root && modes=(0:300000:65536)
	for mode in "${modes[@]}"; do
		is_root && mode="--uidmap $mode" || mode="--userns $mode"
		# shellcheck disable=SC2086
		run_davit run --rm --network none $mode -u 0 -v "$BATS_TEST_TMPDIR/dir:/o:O" --mount "type=image,src=$BUSYBOX,dst=/img,rw=true" \
			--mount "type=image,src=$BUSYBOX,dst=/ro" "$BUSYBOX" sh -c 'touch /o/new /img/new; stat -c %u /o/new /img/new /img/etc/passwd /ro/etc/passwd; chown 5 /img/etc/passwd; stat -c %u /img/etc/passwd'
		assert_output "0
0
0
0
5"
	done
	[ ! -e "$BATS_TEST_TMPDIR/dir/new" ] || fail "the directory was changed"
}

# bats test_tags=user
@test "a copy of layers that was interrupted leaves nothing behind" {
	need_davit
	local pid tries=0
	own_store
	have_image "$BUSYBOX"
	# Ended as soon as the copy has begun; where it was faster there is nothing to see either.
	"$DAVIT" --root "$STORE" --runroot "$RUNDIR" run --rm --network none --userns keep-id "$BUSYBOX" true 3>&- >/dev/null 2>&1 &
	pid=$!
	until compgen -G "$STORE/layers/tmp-*" >/dev/null || ! kill -0 $pid 2>/dev/null; do
		tries=$((tries + 1))
	done
	kill -9 $pid 2>/dev/null || :
	wait $pid || :
	run_davit run --rm --network none --userns keep-id "$BUSYBOX" stat -c %u /etc/passwd
	assert_output 0
	davit rm -f -a -t 0 >/dev/null 2>&1 || :
	run_davit rmi "$BUSYBOX"
	run_davit image prune -f
	! compgen -G "$STORE/layers/*" >/dev/null || fail "left: $(echo "$STORE"/layers/*)"
	remove_store
}
