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

@test "a directory that was removed is as good as any to run from, where nothing is relative to it" {
	mkdir "$BATS_TEST_TMPDIR/gone"
	cd "$BATS_TEST_TMPDIR/gone"
	rmdir "$BATS_TEST_TMPDIR/gone"
	run_davit run --rm --network none "$BUSYBOX" echo runs
	assert_output runs
	run_error 125 run --rm --network none -v ./dir:/mnt "$BUSYBOX" true -- "current directory|getwd"
	cd /
}

@test "mount points in the image are not followed out of it" {
	local outside=$BATS_TEST_TMPDIR/outside
	mkdir "$BATS_TEST_TMPDIR/dir" "$outside"
	touch "$BATS_TEST_TMPDIR/dir/mark"
	davit run --name c --network none "$BUSYBOX" sh -c 'ln -s "$0" /link; ln -s "../../../..$0" /up' "$outside"
	davit commit -q c linked:1 >/dev/null
	for target in /link/made /up/made "/odd/../../../../$outside/made"; do
		run_davit run --rm --network none -v "$BATS_TEST_TMPDIR/dir:$target" linked:1 ls "$target"
		assert_output mark
		[ -z "$(ls -A "$outside")" ] || fail "$target made on the host"
	done
	davit rmi -f linked:1 >/dev/null
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

@test "--mount type=image shows an image's files, rw=true keeps what is written to itself" {
	run_davit run --rm --network none --mount "type=image,source=$BUSYBOX,destination=/img" "$BUSYBOX" sh -c 'ls /img/bin/busybox && ! touch /img/x 2>/dev/null'
	assert_output /img/bin/busybox
	run_davit run --rm --network none --mount "type=image,src=$BUSYBOX,dst=/img,rw=true" "$BUSYBOX" sh -c 'touch /img/x && rm /img/bin/busybox && ls /img/x /bin/busybox'
	assert_output $'/bin/busybox\n/img/x'
	run_davit run --rm --network none --mount "type=image,src=$BUSYBOX,dst=/img" "$BUSYBOX" ls /img/bin/busybox
	is_podman || run_error 125 run --rm --mount type=image,src=localhost/nosuch,dst=/img "$BUSYBOX" true -- "localhost/nosuch" "pull"
}

@test "--mount type=image: the image stays while a container needs it" {
	is_podman && skip "podman only looks at mounted ones"
	own_store # others may have given the image a second name, and then only the first goes
	have_image "$BUSYBOX"
	davit pull -q "$REGISTRY/busybox:labelled" >/dev/null
	davit create --name holds --mount "type=image,src=$REGISTRY/busybox:labelled,dst=/img" "$BUSYBOX" true
	run_error 2 rmi "$REGISTRY/busybox:labelled" -- "in use"
	davit rm holds
	run_davit rmi "$REGISTRY/busybox:labelled"
	remove_store
}

@test "--mount type=glob mounts all that matches" {
	is_podman && skip "podman 4.3 has no globs"
	mkdir "$BATS_TEST_TMPDIR/dir"
	touch "$BATS_TEST_TMPDIR/dir/a1" "$BATS_TEST_TMPDIR/dir/a2" "$BATS_TEST_TMPDIR/dir/b"
	run_davit run --rm --network none --mount "type=glob,src=$BATS_TEST_TMPDIR/dir/a*,dst=/g,ro" "$BUSYBOX" ls /g
	assert_output $'a1\na2'
	run_davit run --rm --network none --mount "type=glob,src=$BATS_TEST_TMPDIR/dir/b*" "$BUSYBOX" ls "$BATS_TEST_TMPDIR/dir"
	assert_output b
	run_error 125 run --rm --mount "type=glob,src=$BATS_TEST_TMPDIR/dir/c*,dst=/g" "$BUSYBOX" true -- "dir/c\\*" "match"
}

@test "option O: the source stays, of directories and of volumes" {
	mkdir "$BATS_TEST_TMPDIR/dir" "$BATS_TEST_TMPDIR/up" "$BATS_TEST_TMPDIR/work"
	touch "$BATS_TEST_TMPDIR/dir/there"
	run_davit run --rm --network none -v "$BATS_TEST_TMPDIR/dir:/o:O" "$BUSYBOX" sh -c 'touch /o/new && ls /o'
	assert_output $'new\nthere'
	[ ! -e "$BATS_TEST_TMPDIR/dir/new" ] || fail "written through"
	davit run --rm --network none -v vol:/v "$BUSYBOX" touch /v/kept
	run_davit run --rm --network none -v vol:/v:O "$BUSYBOX" sh -c 'rm /v/kept; touch /v/lost; ls /v'
	assert_output lost
	run_davit run --rm --network none -v vol:/v "$BUSYBOX" ls /v
	assert_output kept
	run_davit run --rm --network none -v "$BATS_TEST_TMPDIR/dir:/o:O,upperdir=$BATS_TEST_TMPDIR/up,workdir=$BATS_TEST_TMPDIR/work" "$BUSYBOX" touch /o/new
	[ -e "$BATS_TEST_TMPDIR/up/new" ] || fail "not in the upper directory"
	is_podman || run_error 125 run --rm -v "$BATS_TEST_TMPDIR/dir:/o:O,upperdir=/x" "$BUSYBOX" true -- "workdir"
}

@test "option U: volumes, directories and tmpfs become the user's" {
	mkdir "$BATS_TEST_TMPDIR/dir"
	touch "$BATS_TEST_TMPDIR/dir/file"
	run_davit run --rm --network none -u 1000 -v "$BATS_TEST_TMPDIR/dir:/d:U" "$BUSYBOX" stat -c %u /d /d/file
	assert_output $'1000\n1000'
	davit run --rm --network none -v vol:/v "$BUSYBOX" touch /v/file
	run_davit run --rm --network none -u 1000 -v vol:/v:U "$BUSYBOX" stat -c %u /v/file
	assert_output 1000
	run_davit run --rm --network none -u 1000 --mount type=tmpfs,dst=/t,U=true "$BUSYBOX" stat -c %u /t
	assert_output 1000
	davit run --rm --network none -v "$BATS_TEST_TMPDIR/dir:/d:U" "$BUSYBOX" true
}

@test "tmpfs: programs in it run, nosuid and nodev are the rule" {
	run_davit run --rm --network none --tmpfs /t "$BUSYBOX" sh -c 'cp /bin/busybox /t && /t/busybox echo runs; grep " /t " /proc/mounts'
	assert_contains runs
	assert_contains nosuid,nodev
	run_davit run --rm --network none --tmpfs /etc:notmpcopyup "$BUSYBOX" sh -c 'test ! -e /etc/passwd && echo empty'
	assert_output empty
}

@test "--image-volume: what becomes of the image's own volumes" {
	have_image "$REGISTRY/busybox:volume"
	run_davit run --rm --network none --image-volume tmpfs "$REGISTRY/busybox:volume" grep ' /data ' /proc/mounts
	assert_contains tmpfs
	run_status 1 davit run --rm --network none --image-volume ignore "$REGISTRY/busybox:volume" grep ' /data ' /proc/mounts
	run_error 125 run --rm --image-volume nosuch "$REGISTRY/busybox:volume" true -- "nosuch"
}

@test "--rootfs: a directory as it is, or with O kept as it is" {
	id=$(davit create "$BUSYBOX")
	lower=$(davit inspect --format '{{.GraphDriver.Data.LowerDir}}' "$id")
	mkdir "$BATS_TEST_TMPDIR/root"
	is_root || chmod 755 "$BATS_TEST_TMPDIR"
	mkdir "$BATS_TEST_TMPDIR/root/bin"
	cp "${lower%%:*}/bin/busybox" "$BATS_TEST_TMPDIR/root/bin/sh"
	run_davit run --rm --network none --rootfs "$BATS_TEST_TMPDIR/root:O" sh -c 'echo x >/new; echo /new'
	assert_output /new
	[ ! -e "$BATS_TEST_TMPDIR/root/new" ] || fail "written through"
	run_davit run --rm --network none --rootfs "$BATS_TEST_TMPDIR/root" sh -c 'echo x >/new; echo /new'
	[ -e "$BATS_TEST_TMPDIR/root/new" ] || fail "not written"
}

@test "/etc/mtab is there" {
	run_davit run --rm --network none "$BUSYBOX" readlink /etc/mtab
	assert_output /proc/mounts
}

@test "volume create -o: a directory of the host, memory, and what cannot be" {
	mkdir "$BATS_TEST_TMPDIR/dir"
	echo here >"$BATS_TEST_TMPDIR/dir/file"
	run_davit volume create -o type=none -o "device=$BATS_TEST_TMPDIR/dir" -o o=bind bound
	run_davit volume create --opt type=none --opt "device=$BATS_TEST_TMPDIR/dir" --opt o=bind,ro kept
	run_davit volume inspect --format '{{.Options.device}} {{.Options.o}}' bound
	assert_output "$BATS_TEST_TMPDIR/dir bind"
	run_davit run --rm --network none -v bound:/b "$BUSYBOX" sh -c 'cat /b/file; touch /b/new'
	assert_output here
	[ -e "$BATS_TEST_TMPDIR/dir/new" ] || fail "not written"
	run_status 1 davit run --rm --network none -v kept:/b "$BUSYBOX" touch /b/x
	run_davit run --rm --network none -u 1000 --mount type=volume,src=bound,dst=/b,U=true "$BUSYBOX" stat -c %u /b/file
	assert_output 1000
	run_davit run --rm --network none -v bound:/b:U "$BUSYBOX" true
	run_davit volume rm bound kept
	[ -e "$BATS_TEST_TMPDIR/dir/file" ] || fail "removed with the volume"
	if ! is_podman; then
		run_davit volume create -o type=tmpfs -o device=tmpfs -o o=size=1m,noexec memory
		run_davit run --rm --network none -v memory:/m "$BUSYBOX" grep ' /m ' /proc/mounts
		assert_matches 'tmpfs /m tmpfs .*noexec.*size=1024k'
		run_error 125 volume create -o type=nfs -o device=:/x -o o=addr=127.0.0.1 remote -- "nfs" "bind"
		run_error 125 volume create -o o=bind other -- "device"
	fi
	run_error 125 volume create -o frob=1 other -- "frob"
	run_status 1 davit volume exists other || run_status 125 davit volume inspect other
	davit volume create -o type=none -o "device=$BATS_TEST_TMPDIR/gone" -o o=bind gone
	run --separate-stderr davit run --rm --network none -v gone:/b "$BUSYBOX" true
	[ "$status" -ge 125 ] || fail "a missing directory"
	[[ $stderr == *gone* ]] || fail "the directory is not named"
}

@test "mounts do not spread to the machine" {
	need_davit # podman keeps the root file system mounted outside, too
	before=$(awk '{ print $5 }' /proc/self/mountinfo)
	davit run -d --name c --network none -v "$BATS_TEST_TMPDIR:/mnt" --tmpfs /t "$BUSYBOX" sleep 100 >/dev/null
	[ "$(awk '{ print $5 }' /proc/self/mountinfo)" = "$before" ] || fail "$(cat /proc/self/mountinfo)"
}

@test "volume export, import: content, owners, modes and links there and back; compressed, too" {
	run_davit run --rm --network none -v from:/mnt "$BUSYBOX" sh -c 'echo text >/mnt/file; chown 5:6 /mnt/file; chmod 640 /mnt/file; mkdir -m 1777 /mnt/dir; ln -s /etc/passwd /mnt/dir/link; ln /mnt/file /mnt/hard; : >/mnt/.wh.name'
	run_davit volume export -o "$BATS_TEST_TMPDIR/data.tar" from
	run_davit volume create to
	run_davit volume import to "$BATS_TEST_TMPDIR/data.tar"
	run_davit run --rm --network none -v to:/mnt "$BUSYBOX" sh -c 'cd /mnt; stat -c "%n %u:%g %a %h" file dir .wh.name; readlink dir/link; cat hard'
	assert_output "file 5:6 640 2
dir 0:0 1777 2
.wh.name 0:0 644 1
/etc/passwd
text"
	davit volume create zipped >/dev/null
	davit volume export from | gzip | davit volume import zipped -
	run_davit run --rm --network none -v zipped:/mnt "$BUSYBOX" cat /mnt/file
	assert_output text
}

@test "volume import: what is there stays or is replaced; hostile and broken archives change nothing outside" {
	davit volume create v >/dev/null
	davit run --rm --network none -v v:/mnt "$BUSYBOX" sh -c 'echo old >/mnt/old; echo old >/mnt/both; ln -s /etc /mnt/out'
	mkdir -p "$BATS_TEST_TMPDIR/tree/out"
	echo new >"$BATS_TEST_TMPDIR/tree/both"
	echo evil >"$BATS_TEST_TMPDIR/tree/out/evil"
	tar -C "$BATS_TEST_TMPDIR/tree" -cf "$BATS_TEST_TMPDIR/evil.tar" out/evil
	run_error 125 volume import v "$BATS_TEST_TMPDIR/evil.tar" -- "volume 'v'" out
	[ ! -e /etc/evil ] || fail "outside"
	tar -C "$BATS_TEST_TMPDIR/tree" -cf "$BATS_TEST_TMPDIR/tree.tar" both
	run_davit volume import v "$BATS_TEST_TMPDIR/tree.tar"
	run_davit run --rm --network none -v v:/mnt "$BUSYBOX" cat /mnt/old /mnt/both
	assert_output $'old\nnew'
	tar -C "$BATS_TEST_TMPDIR/tree" --transform 's,^,../,' -Pcf "$BATS_TEST_TMPDIR/up.tar" both
	davit volume import v "$BATS_TEST_TMPDIR/up.tar" 2>/dev/null || :
	[ ! -e "$STORE/volumes/v/both" ] || fail "outside"
	run_error 125 volume import v "$BATS_TEST_TMPDIR/missing.tar" -- missing.tar
	echo nonsense >"$BATS_TEST_TMPDIR/bad.tar"
	run_error 125 volume import v "$BATS_TEST_TMPDIR/bad.tar" -- "volume 'v'" tar
	run_error 125 volume import nosuch "$BATS_TEST_TMPDIR/tree.tar" -- nosuch
	run_error 125 volume export nosuch -- nosuch
	davit volume create -o type=tmpfs -o device=tmpfs memory >/dev/null
	run_error 125 volume export memory -- memory tmpfs
}

@test "volume export to a closed pipe, and to a file that cannot be made" {
	davit volume create v >/dev/null
	davit run --rm --network none -v v:/mnt "$BUSYBOX" sh -c 'head -c 3000000 /dev/zero >/mnt/big'
	davit volume export v 2>"$BATS_TEST_TMPDIR/error" | head -c 1 >/dev/null
	run_error 125 volume export -o /nosuch/file v -- /nosuch/file
}

@test "volume exists; volume prune: asks, filters, leaves what is used" {
	davit volume create one >/dev/null
	davit volume create --label keep=no two >/dev/null
	davit create --name c --network none -v used:/mnt "$BUSYBOX" true >/dev/null
	run_davit volume exists one
	run_status 1 davit volume exists nosuch
	run_status 0 davit volume prune <<<n
	[[ $stderr == "WARNING! This will remove all volumes not used by at least one container. The following volumes will be removed:"*one*two*"[y/N]"* ]] || fail "question"
	run_davit volume prune -f --filter until=24h
	assert_output ""
	run_davit volume prune -f --filter label=keep=no
	assert_output two
	run_error 125 volume prune -f --filter thing=x -- thing
	run_davit volume prune --force
	assert_output one
	run_davit volume ls -q
	assert_output used
	run_davit rm c
}

@test "--mount: a part of a volume" {
	need_davit
	local path who=(--network none) part=type=volume,src=parts,dst=/x,subpath
	davit volume create parts >/dev/null
	davit run --rm --network none -v parts:/v "$BUSYBOX" sh -c 'mkdir -p /v/sub; echo in >/v/sub/f; ln -s /etc /v/out; ln -s ../../../../../../etc /v/up; ln -s sub /v/good'
	run_davit run --rm --network none --mount "$part=sub" "$BUSYBOX" sh -c 'ls /x; echo new >/x/new'
	assert_output f
	run_davit run --rm --network none --mount "$part=good/new,ro" "$BUSYBOX" cat /x
	assert_output new
	is_root && who+=(--uidmap 0:300000:65536)
	run_davit run --rm "${who[@]}" --mount "$part=sub" "$BUSYBOX" stat -c %u:%g /x/f
	assert_output 0:0
	for path in nosuch out up; do
		run_error 125 run --rm --network none --mount "$part=$path" "$BUSYBOX" ls /x -- "mount '/x'" "$path" "in the volume"
	done
	run_davit run --rm --network none --mount "$part=../../.." "$BUSYBOX" cat /x/sub/f
	assert_output in
	run_error 125 run --rm --network none --mount "$part=/sub" "$BUSYBOX" true -- "subpath '/sub'"
	run_error 125 run --rm --network none --mount "$part=sub,U" "$BUSYBOX" true -- "subpath" "'U'"
	run_error 125 run --rm --network none --mount type=volume,dst=/x,subpath=sub "$BUSYBOX" true -- "subpath" "name"
	run_error 125 run --rm --network none --mount type=bind,src=/tmp,dst=/x,subpath=sub "$BUSYBOX" true -- "unknown option 'subpath'"
	davit volume rm parts
}

@test "rm -v that was killed: the next command removes the anonymous volume, and not one that another container has" {
	need_davit
	command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null || skip "no strace, or it may not trace"
	for call in renameat unlinkat; do
		davit create --name c --network none -v /mnt -v named:/named "$BUSYBOX" true >/dev/null
		volume=$(davit volume ls -q --filter anonymous=true)
		! (strace -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=1 "$DAVIT" --root "$STORE" --runroot "$RUNDIR" rm -v c; exit $?) >/dev/null 2>&1
		container_gone c
		[ $call = unlinkat ] || [ -d "$STORE/volumes/$volume" ] || [ -n "$(ls -A "$STORE/volumes" | grep gone)" ] || fail "it was not killed in between"
		run_davit volume ls -q
		assert_output named
	done
	davit create --name c --network none -v /mnt "$BUSYBOX" true >/dev/null
	volume=$(davit volume ls -q --filter anonymous=true)
	davit create --name other --network none -v "$volume:/mnt" "$BUSYBOX" true >/dev/null
	davit rm -v c >/dev/null
	davit ps -a >/dev/null
	davit rm other >/dev/null
	davit ps -a >/dev/null
	run_davit volume ls -q --filter anonymous=true
	assert_output "$volume"
	davit volume rm "$volume" named >/dev/null
}

@test "volume mount tells where the content is" {
	davit run --rm --network none -v data:/mnt "$BUSYBOX" sh -c 'echo text >/mnt/file'
	if is_root; then
		run_davit volume mount data
		[ "$(cat "$output/file")" = text ] || fail "the content"
		run_davit volume unmount data
		assert_output data
	else
		run_error 125 volume mount data -- "unshare"
		need_davit
		run_davit unshare sh -c "cat \"\$('$DAVIT' --root '$STORE' --runroot '$RUNDIR' volume mount data)/file\""
		assert_output text
	fi
	need_davit
	is_root || { davit volume rm data >/dev/null; return 0; }
	run_error 125 volume mount data nosuch -- "nosuch"
	davit volume create -o type=tmpfs -o device=tmpfs memory >/dev/null
	run_error 125 volume mount memory -- "memory" "exec"
	mkdir "$BATS_TEST_TMPDIR/place"
	davit volume create -o type=none -o "device=$BATS_TEST_TMPDIR/place" -o o=bind elsewhere >/dev/null
	run_davit volume mount elsewhere
	assert_output "$BATS_TEST_TMPDIR/place"
	davit volume rm data memory elsewhere >/dev/null
}

@test "volumes and labels that cannot be" {
	for size in x 10x -1 1mm; do
		run_error 125 volume create -o type=tmpfs -o device=tmpfs -o "o=size=$size" bad -- "size"
	done
	run_error 125 volume create --label =x bad -- "label" "=x"
	run_error 125 create --label =x "$BUSYBOX" true -- "label" "=x"
	run_error 125 volume inspect --all data -- "--all|all"
	run_davit volume ls -q --filter name=bad
	assert_output ""
	run_davit ps -a --namespace
	assert_contains CGROUPNS
}
