# What davit unpacks is what other tools unpack, file by file.

load helpers

setup() {
	shared_store
	command -v umoci >/dev/null || skip "umoci is missing"
}
teardown() { default_teardown; }

# Unpacks tag $2 of layout $1 with umoci into $BATS_TEST_TMPDIR/reference, as the user who runs the tests.
reference_tree() {
	rm -rf "$BATS_TEST_TMPDIR/reference"
	local map=()
	is_root || map=(--rootless)
	umoci raw unpack "${map[@]}" --image "$DAVIT_TEST_CACHE/layouts/$1:$2" "$BATS_TEST_TMPDIR/reference" >&2
}

# Mounts the tree of an image of davit's store read-only by its layers, and compares.
compare_with() {
	local image=$1 layers lower= options=()
	layers=$(davit inspect --type image -f '{{range .RootFS.Layers}}{{println .}}{{end}}' "$image")
	for layer in $layers; do
		lower=$STORE/layers/${layer#sha256:}/diff${lower:+:$lower}
	done
	mkdir -p "$BATS_TEST_TMPDIR/mnt" "$BATS_TEST_TMPDIR/empty"
	# a read-only overlay wants two lower directories
	if is_root; then
		run_status 0 unshare --mount sh -c 'mount -t overlay -o "lowerdir=$1:$2" overlay "$3" && "$4" --no-holes "$5" "$3"' - \
			"$lower" "$BATS_TEST_TMPDIR/empty" "$BATS_TEST_TMPDIR/mnt" "$BATS_TEST_DIRNAME/../../tools/compare-tree" "$BATS_TEST_TMPDIR/reference"
	else
		# umoci without privileges knows neither owners nor devices nor privileged xattrs
		run_status 0 davit unshare unshare --mount sh -c 'mount -t overlay -o "userxattr,lowerdir=$1:$2" overlay "$3" && "$4" --no-holes --no-owner --no-devices "$5" "$3"' - \
			"$lower" "$BATS_TEST_TMPDIR/empty" "$BATS_TEST_TMPDIR/mnt" "$BATS_TEST_DIRNAME/../../tools/compare-tree" "$BATS_TEST_TMPDIR/reference"
	fi
	[[ $output == *" 0 differences"* ]] || fail "the trees"
}

# umoci cannot keep owners without privileges; the next test covers users.
# bats test_tags=root
@test "a Debian image of several layers has the tree that umoci unpacks" {
	need_davit
	need_debian
	have_image "$DEBIAN"
	reference_tree debian gzip
	compare_with "$DEBIAN"
}

@test "inside the container the tree is the same, for whoever runs it" {
	need_debian
	is_podman && is_root || need_davit
	have_image "$DEBIAN"
	# As seen inside, so that owners are the container's. tests/system/expected-tree made what it is compared with.
	run_status 0 davit run --rm --network none --read-only --security-opt unmask=ALL -v "$BATS_TEST_DIRNAME/../../tools:/tools:ro" "$DEBIAN" \
		sh -c 'find / -xdev -not -path "/dev/*" -not -path "/proc/*" -not -path "/sys/*" -not -path "/tools*" -not -path "/etc/h*" -not -path "/etc/resolv.conf" -not -path "/etc/mtab" -not -path "/run/*" -not -path "/tmp/*" -not -path "/var/tmp/*" -printf "%P|%y|%m|%U:%G|%s|%Ts|%l|%n\n" | grep -vE "^(dev|proc|sys|run|tmp|var/tmp|etc|tools)?\|" | LC_ALL=C sort'
	grep -vE '^[^|]*\|d\|' <<<"$output" >"$BATS_TEST_TMPDIR/seen"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/seen")" -gt 3000 ] || fail "a whole Debian"
	if is_root; then
		run_status 0 diff "$DAVIT_TEST_CACHE/expected-tree" "$BATS_TEST_TMPDIR/seen"
	else # devices become what the kernel lets a user make
		run_status 0 diff <(grep -vE '\|[bc]\|' "$DAVIT_TEST_CACHE/expected-tree") <(grep -vE '\|[bc]\|' "$BATS_TEST_TMPDIR/seen")
	fi
}

# bats test_tags=root
@test "odd files: links, whiteouts, opaque directories, modes, times, names, capabilities" {
	need_davit
	davit pull -q $REGISTRY/odd:latest >/dev/null
	reference_tree odd gzip
	compare_with $REGISTRY/odd:latest
}

# bats test_tags=user
@test "odd files as an ordinary user, seen from inside" {
	need_davit
	davit pull -q $REGISTRY/odd:latest >/dev/null
	have_image "$BUSYBOX"
	layers=$(davit inspect --type image -f '{{range .RootFS.Layers}}{{println .}}{{end}}' $REGISTRY/odd:latest)
	second=$(sed -n 2p <<<"$layers")
	run_davit unshare stat -c '%a %u:%g %s %Y' "$STORE/layers/${second#sha256:}/diff/odd/setuid" "$STORE/layers/${second#sha256:}/diff/odd/data" \
		"$STORE/layers/${second#sha256:}/diff/odd/high-owner"
	assert_line "4755 0:0 1 1704164645"
	assert_line "640 10:20 7 1704164645"
	assert_line "644 65534:65533 1 1704164645"
	run_davit unshare getcap "$STORE/layers/${second#sha256:}/diff/odd/capable"
	assert_contains "cap_net_bind_service=ep"
	run_davit unshare stat -c %h "$STORE/layers/${second#sha256:}/diff/odd/hard-link"
	assert_output 2
}

@test "sparse files keep their holes" {
	need_davit
	davit pull -q $REGISTRY/odd:sparse >/dev/null
	layers=$(davit inspect --type image -f '{{range .RootFS.Layers}}{{println .}}{{end}}' $REGISTRY/odd:sparse)
	for entry in "$(sed -n 2p <<<"$layers") old-gnu" "$(sed -n 3p <<<"$layers") pax-1.0"; do
		file=$STORE/layers/$(sed 's/sha256://; s,\([0-9a-f]*\) ,\1/diff/holes/,' <<<"$entry")
		[ "$(stat -c %s "$file")" = $((8 << 20)) ] || fail "size"
		[ "$(stat -c %b "$file")" -lt 200 ] || fail "holes: $(stat -c %b "$file") blocks"
		[ "$(tr -d '\0' <"$file")" = $'island at 0\nisland at 1048576\nisland at 5242880' ] || fail "content"
	done
}
