# pull, images, inspect, tag, untag, rmi, history, prune; names, platforms and forms of images.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

digest_of() { # LAYOUT TAG: the manifest's digest, from the fixture itself
	jq -r --arg tag "$2" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $tag) | .digest' \
		"$DAVIT_TEST_CACHE/layouts/$1/index.json"
}
config_of() { # LAYOUT TAG: the image ID
	jq -r '.config.digest' "$DAVIT_TEST_CACHE/layouts/$1/blobs/sha256/$(digest_of "$1" "$2" | cut -d: -f2)" | cut -d: -f2
}

@test "pull prints the image ID last; it is the configuration's digest" {
	davit rmi -f $REGISTRY/busybox:zstd >/dev/null 2>&1 || :
	run_davit pull $REGISTRY/busybox:zstd
	assert_output "$(config_of busybox zstd)"
	run_davit pull -q $REGISTRY/busybox:zstd
	assert_output "$(config_of busybox zstd)"
}

@test "layers in gzip, zstd and plain form give the same tree" {
	for tag in latest zstd plain docker; do
		have_image $REGISTRY/busybox:$tag
		run_davit run --rm --network none $REGISTRY/busybox:$tag sh -c 'find / -xdev \( -path /dev -o -path /proc -o -path /sys -o -path /etc -o -path /run \) -prune -o -type f -print | sort | xargs sha256sum | sha256sum'
		[ -z "${first-}" ] || [ "$first" = "$output" ] || fail "tree of $tag"
		first=$output
	done
}

@test "docker schema 2 manifests and lists" {
	run_davit pull -q $REGISTRY/busybox:docker
	assert_output "$(config_of busybox docker)"
	run_davit inspect --type image -f '{{.ManifestType}}' $REGISTRY/busybox:docker
	assert_output application/vnd.docker.distribution.manifest.v2+json
	run_davit pull -q $REGISTRY/busybox:docker-list
	assert_matches '^[0-9a-f]{64}$'
}

@test "an index gives the image of this platform, or of the one asked for" {
	run_davit pull -q $REGISTRY/busybox:multi
	run_davit run --rm --network none $REGISTRY/busybox:multi echo native
	assert_output native
	run_davit pull -q --platform linux/arm64 $REGISTRY/busybox:multi
	id=$output
	run_davit inspect --type image -f '{{.Architecture}}' "$id"
	assert_output arm64
	run_davit pull -q --arch arm --variant v6 $REGISTRY/busybox:multi
	run_davit inspect --type image -f '{{.Architecture}}' "$output"
	assert_output arm
	run_error 125 pull $REGISTRY/busybox:foreign -- "foreign" "(amd64|platform)"
	davit rmi -f $REGISTRY/busybox:multi >/dev/null
}

@test "by digest" {
	digest=$(digest_of busybox labelled)
	run_davit pull -q "$REGISTRY/busybox@$digest"
	assert_output "$(config_of busybox labelled)"
	run_davit run --rm --network none --entrypoint echo "$REGISTRY/busybox@$digest" by digest
	assert_output "by digest"
	run_davit inspect --type image -f '{{.Digest}}' "$REGISTRY/busybox@$digest"
	assert_output "$digest"
}

@test "short names: search registries, aliases, mirrors, other locations" {
	for name in busybox busybox:latest bb mirrored.example/busybox:latest renamed.example/team/busybox; do
		own_store
		run_davit pull -q "$name"
		assert_output "$(config_of busybox latest)"
		remove_store
	done
	shared_store
	run_davit run --rm --network none busybox echo "short name"
	assert_output "short name"
	run_davit images --format '{{.Repository}}:{{.Tag}}' busybox
	assert_line "$BUSYBOX"
}

@test "pull tells whether a short name was looked up as an alias or in the search registries" {
	cat >"$BATS_TEST_TMPDIR/registries.conf" <<-END
		unqualified-search-registries = ["$REGISTRY"]
		[[registry]]
		location = "$REGISTRY"
		insecure = true
		[aliases]
		"aliased" = "$REGISTRY/busybox"
	END
	export CONTAINERS_REGISTRIES_CONF=$BATS_TEST_TMPDIR/registries.conf
	run_davit pull aliased
	[[ $stderr == *"Resolved \"aliased\" as an alias ("* ]] || fail "an alias"
	run_davit pull busybox
	[[ $stderr == *"Resolving \"busybox\" using unqualified-search registries ("* ]] || fail "a search registry"
	[[ $stderr != *"as an alias"* ]] || fail "no alias"
}

@test "short names without a search registry: the error names the file" {
	echo 'short-name-mode = "enforcing"' >"$BATS_TEST_TMPDIR/registries.conf"
	export CONTAINERS_REGISTRIES_CONF=$BATS_TEST_TMPDIR/registries.conf
	run_error 125 pull some-short-name -- "some-short-name" "registries.conf"
}

@test "blocked registries stay unasked" {
	run_error 125 pull blocked.example/image -- "blocked.example" "blocked"
}

@test "bad references" {
	for name in 'UPPER/case' 'a b' 'x:' 'x@sha256:12' "$REGISTRY/x:bad tag" 'http://127.0.0.1:5000/busybox' ''; do
		run_error 125 pull "$name" -- "(reference|name|digest|tag|transport|short)"
	done
}

@test "images NAME shows that name only, an ID all of its names" {
	davit tag "$BUSYBOX" localhost/one:1 localhost/one:2 localhost/two:1
	run_davit images --format '{{.Repository}}:{{.Tag}}' --sort tag one
	assert_output $'localhost/one:1\nlocalhost/one:2'
	run_davit images -n --format '{{.Repository}}:{{.Tag}}' localhost/two:1
	assert_output localhost/two:1
	id=$(davit images -q localhost/two:1)
	run_davit images --format '{{.Repository}}' "$id"
	assert_line localhost/two
	assert_line localhost/one
	run_davit images --history localhost/two
	assert_contains HISTORY
	run_davit images --format '{{.History}} {{.ReadOnly}}' localhost/two
	assert_contains "localhost/one:1"
	davit untag localhost/one:1 localhost/one:1
	davit rmi localhost/one:2 localhost/two:1 >/dev/null
}

@test "images: columns, quiet, digests, filters, formats" {
	run_davit images
	[[ ${lines[0]} =~ ^REPOSITORY\ +TAG\ +IMAGE\ ID\ +CREATED\ +SIZE ]] || fail "headings"
	run_davit images -q busybox:latest
	assert_output "$(config_of busybox latest | cut -c1-12)"
	run_davit images -q --no-trunc busybox:latest
	assert_output "sha256:$(config_of busybox latest)"
	run_davit images --digests busybox:latest
	assert_contains "$(digest_of busybox latest)"
	run_davit images --format '{{.Repository}} {{.Tag}} {{.ID}}' busybox:latest
	assert_output "$REGISTRY/busybox latest $(config_of busybox latest | cut -c1-12)"
	run_davit images --filter reference='*busybox:latest' -q
	assert_output "$(config_of busybox latest | cut -c1-12)"
	run_davit images --noheading busybox:latest
	assert_not_contains REPOSITORY
	run_davit images --format json
	jq -e 'map(.Names[]) | index("'$BUSYBOX'") != null' <<<"$output" >/dev/null || fail "JSON"
}

@test "tag and untag" {
	run_davit tag busybox one.example/two:three plain-name
	run_davit inspect --type image -f '{{range .RepoTags}}{{println .}}{{end}}' busybox
	assert_line one.example/two:three
	assert_line localhost/plain-name:latest
	run_davit run --rm --network none plain-name echo tagged
	assert_output tagged
	run_davit untag busybox one.example/two:three
	run_status 1 davit image exists one.example/two:three
	run_davit rmi plain-name
	assert_output "Untagged: localhost/plain-name:latest"
	run_davit image exists busybox
	run_error 125 tag nosuch other -- nosuch
}

@test "rmi: in use, unknown, forced; the last name takes the layers along" {
	have_image $REGISTRY/busybox:plain
	davit create --name user --network none $REGISTRY/busybox:plain true >/dev/null
	run_error 2 rmi $REGISTRY/busybox:plain -- "(in use|used by)" "(container|force|-f)"
	davit rm user >/dev/null
	run_davit rmi $REGISTRY/busybox:plain
	assert_contains "Untagged: $REGISTRY/busybox:plain"
	assert_contains "Deleted: $(config_of busybox plain)"
	run_error 1 rmi nosuch -- nosuch "(no such|not (known|found))"
	run_davit rmi -i nosuch || run_davit rmi -f nosuch
}

@test "rmi -f removes containers of it, too" {
	have_image $REGISTRY/busybox:zstd
	davit run -d --name user --network none $REGISTRY/busybox:zstd sleep 100 >/dev/null
	run_davit rmi -f $REGISTRY/busybox:zstd
	container_gone user
}

@test "a removed image leaves no file in the store" {
	own_store
	davit pull -q $REGISTRY/busybox:labelled >/dev/null
	davit rmi -a >/dev/null
	left=$(find "$STORE" -type f \( -path '*blobs*' -o -path '*layers/*' \) | grep -v -e lock -e json | head)
	is_podman || [ -z "$left" ] || fail "left: $left"
	remove_store
}

@test "history lists the layers, newest first" {
	have_image $REGISTRY/odd:latest
	run_davit history $REGISTRY/odd:latest
	[[ ${lines[0]} =~ ^ID\ +CREATED\ +CREATED\ BY\ +SIZE\ +COMMENT ]] || fail "headings"
	[[ ${lines[1]} == *"layer 3"* && ${lines[4]} == *"layer 0"* ]] || fail "order"
}

@test "inspect of an image has podman's keys" {
	have_image $REGISTRY/busybox:labelled
	run_davit image inspect $REGISTRY/busybox:labelled
	jq -e '.[0] | .Config.User == "ann" and .Config.WorkingDir == "/home/ann" and .Config.ExposedPorts == {"80/tcp": {}}
		and .Config.StopSignal == "SIGINT" and .Labels["org.example.note"] == "a label" and .RootFS.Type == "layers"
		and (.RootFS.Layers | length) == 1 and .Architecture == "amd64" and .Os == "linux" and (.Size > 1000000)
		and (.RepoDigests | length > 0) and (.Digest | startswith("sha256:"))' <<<"$output" >/dev/null || fail "JSON"
}

@test "image prune: dangling ones, with -a all unused" {
	own_store
	davit pull -q busybox >/dev/null
	davit pull -q $REGISTRY/busybox:labelled >/dev/null
	davit create --name keeper --network none busybox true >/dev/null
	run_davit image prune -f
	run_davit image exists $REGISTRY/busybox:labelled
	run_davit image prune -a -f
	run_status 1 davit image exists $REGISTRY/busybox:labelled
	run_davit image exists busybox
	davit rm keeper >/dev/null
	remove_store
}

@test "two pulls of one image at once" {
	own_store
	davit_background pull -q $REGISTRY/odd:latest >"$BATS_TEST_TMPDIR/a"
	a=$!
	davit_background pull -q $REGISTRY/odd:latest >"$BATS_TEST_TMPDIR/b"
	b=$!
	wait_status 0 $a
	wait_status 0 $b
	cmp "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b" || fail "the same ID"
	[ "$(davit images -q | wc -l)" = 1 ] || fail "one image"
	remove_store
}

@test "pull says nothing on standard output but the ID, and shows plain lines without a terminal" {
	own_store
	run_davit pull $REGISTRY/busybox:latest
	[ "${#lines[@]}" -eq 1 ] || fail "one line"
	[[ $stderr != *$'\r'* && $stderr != *$'\e'* ]] || fail "no terminal codes"
	remove_store
	own_store
	run_davit pull -q $REGISTRY/busybox:latest
	[ -z "$stderr" ] || fail "quiet"
	remove_store
}
