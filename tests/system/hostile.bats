# Images made to hurt: nothing is written outside the store, and nothing half-made stays.

load helpers

setup() {
	shared_store
	own_store
	rm -rf /tmp/escape-* /tmp/victim
}
teardown() { remove_store; }

pull_hostile() { run --separate-stderr davit_within 100 pull -q "$REGISTRY/hostile:$1"; }
escaped() {
	find / -xdev \( -name 'escape-dotdot*' -o -name escape-absolute -o -name 'escape-symlink*' \) -not -path '*/layers/*/diff/*' -print 2>/dev/null || :
}
nothing_outside() { [ -z "$(escaped)" ] || fail "$(escaped)"; }
nothing_half_made() {
	[ -z "$(davit images -q)" ] || fail "an image"
	is_podman || [ -z "$(find "$STORE/tmp" "$STORE/layers" -mindepth 1 -not -path "$STORE/tmp/pull" -not -path "$STORE/tmp/trash" 2>/dev/null)" ] ||
		fail "$(find "$STORE/tmp" "$STORE/layers" | head)"
}

@test "names with ../, absolute names: they stay inside or are refused" {
	for tag in dotdot absolute; do
		pull_hostile $tag
		[ "$status" -eq 0 ] || assert_error 125 "escape-$tag|\\.\\./|entry|layer"
		nothing_outside
	done
}

@test "files through symbolic links: they stay inside or are refused" {
	for tag in symlink symlink-up whiteout-slash; do
		: >/tmp/victim
		pull_hostile $tag
		[ "$status" -eq 0 ] || assert_error 125 "way-out|up|out|entry|layer"
		nothing_outside
		[ -e /tmp/victim ] || fail "a whiteout removed a file of the host"
	done
	rm -f /tmp/victim
}

@test "hard links to the host's files are not made" {
	for tag in hardlink hardlink-symlink; do
		pull_hostile $tag
		[ "$status" -eq 0 ] || assert_error 125 "passwd|link|entry|layer"
		[ "$(stat -c %h /etc/passwd)" = 1 ] || fail "a link to /etc/passwd"
	done
}

@test "odd whiteouts" {
	pull_hostile whiteout-up
	[ "$status" -eq 0 ] || assert_error 125
	[ -d "$STORE" ] || fail "the store"
	nothing_outside
}

@test "device nodes in an image open nothing of the host's" {
	pull_hostile devices
	[ "$status" -eq 0 ] || assert_error 125 "disk|mem|device"
	[ "$status" -eq 0 ] || return 0
	id=$output
	! is_root || is_podman || [ "$(findmnt -no OPTIONS -T "$STORE" | grep -c nodev)" = 0 ] || return 0
	# The image has no program: mount busybox in, and try to read memory and disk.
	have_image "$BUSYBOX"
	is_podman || run --separate-stderr davit run --rm --network none -v "$(command -v busybox):/bin/sh:ro" "$id" /bin/sh -c 'head -c 1 </disk; head -c 1 </mem'
	[ "$status" -ne 0 ] && [ -z "$output" ] || is_podman || fail "a device was read"
}

@test "a layer whose content is not what the configuration promises" {
	pull_hostile wrong-diff-id
	assert_error 125 "sha256:0000|diff" "(diff ?id|digest|match|promise|content)"
	nothing_half_made
}

@test "layers that are no archives, or are cut short" {
	pull_hostile garbage
	assert_error 125 "layer|sha256" "(gzip|tar|archive|decompress|format|invalid|not)"
	nothing_half_made
	pull_hostile cut-tar
	assert_error 125 "layer|sha256" "(short|truncated|end|tar|EOF)"
	nothing_half_made
}

@test "the same layer twice in one image" {
	pull_hostile same-layer-twice
	[ "$status" -eq 0 ] || fail "is allowed"
	run_davit run --rm --network none "$output" echo twice
	assert_output twice
}

@test "a name of 5000 characters" {
	pull_hostile long-name
	assert_error 125 "(name|path).*long|xxxx|layer"
	nothing_half_made
}

@test "a zip bomb: no more is written than the disk can take, and it is put away again" {
	need_davit
	rm -rf "$DAVIT_TEST_WORK/small/store"
	own_store "$DAVIT_TEST_WORK/small/store"
	pull_hostile bomb
	assert_error 125 "(space|large|limit|bomb|ratio)"
	[ "$(df --output=avail -k "$DAVIT_TEST_WORK/small" | tail -n 1)" -gt 8000 ] || fail "$(du -ak "$DAVIT_TEST_WORK/small")"
	nothing_half_made
}

@test "no space left on the device: the error says so, the store is whole" {
	need_davit
	rm -rf "$DAVIT_TEST_WORK/small/store"
	own_store "$DAVIT_TEST_WORK/small/store"
	pull_hostile bomb-small
	assert_error 125 "no space (is )?left" "(store|layer|$STORE)"
	nothing_half_made
	run_davit pull -q $REGISTRY/busybox:latest
	run_davit images -q
	assert_matches '^[0-9a-f]{12}$'
}
