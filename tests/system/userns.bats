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
	run_error 125 run --rm --userns host --uidmap 0:0:1 "$BUSYBOX" true -- "uidmap" "give the one"
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
