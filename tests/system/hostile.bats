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

# Tag $1 is refused as a layer that is not to be trusted; the error names the entry $2, and nothing stays.
refused() {
	pull_hostile "$1"
	if is_podman; then # takes some of them, and keeps them inside
		[ "$status" -eq 0 ] || assert_error 125
		return 0
	fi
	assert_error 125 "hostile:$1" "layer 'sha256:" "$2" "do not use this image"
	nothing_half_made
}
# Tag $1 is taken.
taken() {
	pull_hostile "$1"
	[ "$status" -eq 0 ] || fail "$1 is harmless"
}

@test "names with ../ are refused, absolute ones stay inside" {
	refused dotdot "escape-dotdot"
	nothing_outside
	taken absolute
	nothing_outside
	is_podman || [ -n "$(find "$STORE/layers" -path '*/diff/tmp/escape-absolute')" ] || fail "it is in the layer"
}

@test "files through symbolic links that lead out are refused, whiteouts find nothing" {
	: >/tmp/victim
	refused symlink "way-out"
	refused symlink-up "'up'"
	nothing_outside
	taken whiteout-slash
	[ -e /tmp/victim ] || fail "a whiteout removed a file of the host"
	nothing_outside
	rm -f /tmp/victim
}

@test "hard links to the host's files are not made" {
	refused hardlink "passwd"
	refused hardlink-symlink "stolen"
	[ "$(stat -c %h /etc/passwd)" = 1 ] || fail "a link to /etc/passwd"
}

@test "odd whiteouts" {
	refused whiteout-up "\\.\\./"
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
	assert_error 125 "hostile:wrong-diff-id" "sha256:0000" "(diff ?id|digest|match|promise|content)" "(damaged|do not use)"
	nothing_half_made
}

@test "layers that are no archives, or are cut short" {
	refused garbage "tar"
	refused cut-tar "ends within"
}

@test "the same layer twice in one image" {
	pull_hostile same-layer-twice
	[ "$status" -eq 0 ] || fail "is allowed"
	run_davit run --rm --network none "$output" echo twice
	assert_output twice
}

@test "a name of 5000 characters" {
	refused long-name "xxxx.*name too long"
}

@test "a zip bomb: no more is written than the disk can take, and it is put away again" {
	need_davit
	rm -rf "$DAVIT_TEST_WORK/small/store"
	own_store "$DAVIT_TEST_WORK/small/store"
	pull_hostile bomb
	assert_error 125 "hostile:bomb" "sha256:" "space" "free some space.*--root"
	[ "$(df --output=avail -k "$DAVIT_TEST_WORK/small" | tail -n 1)" -gt 8000 ] || fail "$(du -ak "$DAVIT_TEST_WORK/small")"
	nothing_half_made
}

@test "no space left on the device: the error says so, the store is whole" {
	need_davit
	rm -rf "$DAVIT_TEST_WORK/small/store"
	own_store "$DAVIT_TEST_WORK/small/store"
	pull_hostile bomb-small
	assert_error 125 "hostile:bomb-small" "sha256:" "(no space is left|would be left free)" "free some space.*--root"
	nothing_half_made
	run_davit pull -q $REGISTRY/busybox:latest
	run_davit images -q
	assert_matches '^[0-9a-f]{12}$'
}
