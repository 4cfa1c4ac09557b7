# save and load, and the other places an image can come from: oci:, oci-archive:, docker-archive:, dir:.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

layout() { echo "$DAVIT_TEST_CACHE/layouts/$1"; }
image_facts() { davit inspect --type image -f '{{.Id}} {{.RootFS.Layers}}' "$1"; }

@test "save then load keeps the image, with podman's archive format" {
	facts=$(image_facts "$BUSYBOX")
	run_davit save -o "$BATS_TEST_TMPDIR/image.tar" "$BUSYBOX"
	tar -tf "$BATS_TEST_TMPDIR/image.tar" | grep -qx manifest.json || fail "a docker archive"
	own_store
	run_davit load -i "$BATS_TEST_TMPDIR/image.tar"
	assert_contains "Loaded image: $BUSYBOX"
	[ "$(image_facts "$BUSYBOX" | cut -d' ' -f2-)" = "${facts#* }" ] || fail "layers"
	run_davit run --rm --network none "$BUSYBOX" echo loaded
	assert_output loaded
	remove_store
}

@test "save --format oci-archive then load keeps every digest" {
	have_image $REGISTRY/odd:latest
	facts=$(davit inspect --type image -f '{{.Id}} {{.Digest}} {{.RootFS.Layers}}' $REGISTRY/odd:latest)
	run_davit save --format oci-archive -o "$BATS_TEST_TMPDIR/image.tar" $REGISTRY/odd:latest
	mkdir "$BATS_TEST_TMPDIR/layout"
	tar -C "$BATS_TEST_TMPDIR/layout" -xf "$BATS_TEST_TMPDIR/image.tar"
	if ! is_podman; then # podman packs the layers again
		while read -r blob; do
			cmp "$blob" "$DAVIT_TEST_CACHE/layouts/odd/blobs/sha256/${blob##*/}" || fail "the blob ${blob##*/}"
		done < <(find "$BATS_TEST_TMPDIR/layout/blobs/sha256" -type f)
	fi
	own_store
	run_davit load -i "$BATS_TEST_TMPDIR/image.tar"
	is_podman || [ "$(davit inspect --type image -f '{{.Id}} {{.Digest}} {{.RootFS.Layers}}' "$(davit images -q --no-trunc)")" = "$facts" ] || fail "digests"
	remove_store
}

@test "save to standard output, load from standard input" {
	run_status 0 eval "davit save $BUSYBOX >$BATS_TEST_TMPDIR/out.tar"
	own_store
	run_status 0 eval "davit load <$BATS_TEST_TMPDIR/out.tar"
	assert_contains "Loaded image: $BUSYBOX"
	remove_store
}

@test "several images in one archive" {
	have_image $REGISTRY/busybox:labelled
	run_davit save -m -o "$BATS_TEST_TMPDIR/two.tar" "$BUSYBOX" $REGISTRY/busybox:labelled
	own_store
	run_davit load -i "$BATS_TEST_TMPDIR/two.tar"
	run_davit image exists "$BUSYBOX"
	run_davit image exists $REGISTRY/busybox:labelled
	remove_store
}

@test "pull from oci:, oci-archive:, docker-archive: and dir: made by other tools" {
	command -v skopeo >/dev/null || skip "skopeo is missing"
	need_davit # podman makes a name of the path, and refuses capital letters in it
	id=$(davit inspect --type image -f '{{.Id}}' "$BUSYBOX")
	source=oci:$(layout busybox):latest
	for kind in oci oci-archive dir docker-archive; do
		place=$BATS_TEST_TMPDIR/$kind
		[ $kind != docker-archive ] || place=$place:made.example/by-skopeo:1
		env -u CONTAINERS_REGISTRIES_CONF skopeo --insecure-policy copy -q "$source" "$kind:$place" >/dev/null
		own_store
		run_davit pull -q "$kind:${place%:made*}"
		[ $kind = docker-archive ] || assert_output "$id"
		run_davit run --rm --network none "$output" echo "from $kind"
		assert_output "from $kind"
		remove_store
		rm -rf "$BATS_TEST_TMPDIR/run"
	done
}

@test "what davit saves, other tools read" {
	command -v skopeo >/dev/null || skip "skopeo is missing"
	for format in docker-archive oci-archive oci-dir docker-dir; do
		target=$BATS_TEST_TMPDIR/$format
		run_davit save -q --format $format -o "$target" "$BUSYBOX"
		case $format in oci-dir) source=oci:$target ;; docker-dir) source=dir:$target ;; *) source=$format:$target ;; esac
		run_status 0 env -u CONTAINERS_REGISTRIES_CONF skopeo --insecure-policy copy -q "$source" "dir:$target-copy"
	done
}

@test "archives that are none, or are cut short" {
	echo "not an archive" >"$BATS_TEST_TMPDIR/text"
	run_error 125 load -i "$BATS_TEST_TMPDIR/text" -- "text" "archive|format"
	run_error 125 load -i "$BATS_TEST_TMPDIR/missing" -- "missing" "No such file"
	davit save -q -o "$BATS_TEST_TMPDIR/image.tar" "$BUSYBOX"
	size=$(stat -c %s "$BATS_TEST_TMPDIR/image.tar")
	own_store
	for part in 3 2; do
		head -c $((size / part)) "$BATS_TEST_TMPDIR/image.tar" >"$BATS_TEST_TMPDIR/cut.tar"
		run_error 125 load -i "$BATS_TEST_TMPDIR/cut.tar" -- "cut.tar|archive|layer"
		[ -z "$(davit images -q)" ] || fail "no image from half an archive"
	done
	remove_store
}

@test "save refuses a terminal and unknown images" {
	run_error 125 save -o "$BATS_TEST_TMPDIR/x" nosuch -- nosuch
	[ ! -e "$BATS_TEST_TMPDIR/x" ] || is_podman || fail "nothing half-made stays"
}

@test "a path that holds no such image: the path and what was looked for" {
	need_davit
	for transport in docker-archive oci-archive oci dir; do
		run_error 125 pull "$transport:/no/such" -- "'/no/such'" "; $transport:"
		run_error 125 run --rm "$transport:$BATS_TEST_FILENAME" true -- "$BATS_TEST_FILENAME" "; $transport:"
		run_error 125 create "$transport:$BATS_TEST_DIRNAME" -- "$BATS_TEST_DIRNAME" "; $transport:"
	done
}

@test "a platform that there is none of" {
	for command in pull run create; do
		run_error 125 $command --platform nonsense "$BUSYBOX" -- "nonsense"
		need_davit
		run_error 125 $command --platform nonsense "$BUSYBOX" -- "--platform" "linux/amd64"
		run_error 125 $command --platform linux/nonsense "$BUSYBOX" -- "--platform" "no architecture"
		run_error 125 $command --os nonsense "$BUSYBOX" -- "--os" "linux/amd64"
		run_error 125 $command --arch nonsense "$BUSYBOX" -- "--arch" "amd64"
	done
}
