# Pulls that are killed, raced, starved of space or given damaged stores.

load helpers

setup() { own_store; }
teardown() {
	[ -z "${pid-}" ] || kill -9 "$pid" 2>/dev/null || :
	remove_store
}

# Files of images in the store, finished or not.
contents() {
	local list=(find "$STORE/blobs" "$STORE/layers" "$STORE/tmp" ! -type d)
	if is_root; then "${list[@]}"; else unshare --map-auto --map-root-user "${list[@]}"; fi 2>/dev/null
}

check_store_is_empty() {
	[ -z "$(contents)" ] || fail "in the store: $(contents | head)"
	local layers
	layers=$(ls "$STORE/layers" 2>/dev/null || :)
	[ -z "$layers" ] || fail "layers: $layers"
}

has_partial() { [ -n "$(find "$STORE/tmp/pull" -name '*.partial' -size +100k)" ]; }

slow_registry() { [ -x "$BATS_TEST_DIRNAME/bad-registry" ] || skip "bad-registry is missing"; }

@test "a killed pull is continued where it stopped" {
	need_davit
	slow_registry
	curl -s -X DELETE http://127.0.0.1:5008/_log
	davit_background pull -q --tls-verify=false 127.0.0.1:5008/x:latest >/dev/null
	pid=$!
	wait_until 10 has_partial
	kill -9 "$pid"
	wait "$pid" || :
	run_davit images -q
	assert_output ""
	run_davit pull -q --tls-verify=false 127.0.0.1:5008/x:latest
	curl -s http://127.0.0.1:5008/_log >"$BATS_TEST_TMPDIR/log"
	grep -q 'blobs/.* bytes=[1-9]' "$BATS_TEST_TMPDIR/log" || fail "it began anew: $(cat "$BATS_TEST_TMPDIR/log")"
	run_davit run --rm --network none 127.0.0.1:5008/x:latest cat /data/seed
	assert_output "from the image"
	run_davit rmi 127.0.0.1:5008/x:latest
	check_store_is_empty
}

@test "kill -9 at any moment: the next pull completes, and its image is whole" {
	need_davit
	need_debian
	local moment
	for moment in 0.01 0.03 0.06 0.1 0.2 0.4 0.8; do
		davit_background pull -q "$DEBIAN" >/dev/null
		pid=$!
		sleep "$moment"
		kill -9 "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
		run_davit images -q
	done
	run_davit pull -q "$DEBIAN"
	run_davit run --rm --network none "$DEBIAN" sh -c 'test -x /bin/bash && dpkg -l | wc -l'
	[ "$output" -gt 50 ] || fail "packages are missing"
	run_davit rmi "$DEBIAN"
	run_davit image prune -f --external
	check_store_is_empty
}

@test "pull and rmi of the same image at once never leave a broken image" {
	need_davit
	for _ in 1 2 3 4 5; do
		davit_background pull -q "$BUSYBOX" >/dev/null
		pid=$!
		davit pull -q $REGISTRY/busybox:zstd >/dev/null
		davit rmi $REGISTRY/busybox:zstd >/dev/null
		wait "$pid" || fail "the pull failed"
		pid=
		run_davit run --rm --network none "$BUSYBOX" cat /data/seed
		assert_output "from the image"
		run_davit save -o "$BATS_TEST_TMPDIR/image.tar" "$BUSYBOX"
		run_davit rmi "$BUSYBOX"
	done
	check_store_is_empty
}

@test "a full disk: the error says so, and nothing half-made stays" {
	need_davit
	need_debian
	own_store "$DAVIT_TEST_WORK/small/$DAVIT_TEST_USER"
	run_error 125 pull -q "$DEBIAN" -- 'debian' 'sha256:' 'free some space.*--root'
	run_davit images -q
	assert_output ""
	check_store_is_empty
	run_davit pull -q "$BUSYBOX"
}

@test "an altered layer, a cut one, another manifest than asked for" {
	need_davit
	slow_registry
	run_error 125 pull -q --tls-verify=false --retry 1 --retry-delay 0 127.0.0.1:5004/x:latest -- 'sha256:'
	run_error 125 pull -q --tls-verify=false --retry 1 --retry-delay 0 127.0.0.1:5006/config:latest -- 'sha256:'
	run_davit images -q
	assert_output ""
	run_davit image prune -f --external
	check_store_is_empty
}

@test "a blob that was altered in the store is not saved" {
	need_davit
	davit pull -q "$BUSYBOX" >/dev/null
	local blob
	blob=$(find "$STORE/blobs" -type f -size +100k)
	printf x | dd of="$blob" bs=1 seek=1000 conv=notrunc status=none
	run_error 125 save -o "$BATS_TEST_TMPDIR/image.tar" "$BUSYBOX" -- 'damaged' 'sha256:'
	[ -z "$(find "$BATS_TEST_TMPDIR" -name 'image.tar*')" ] || fail "half an archive stays"
}

@test "a store of another engine, of a newer davit, or damaged is refused and left alone" {
	need_davit
	mkdir -p "$STORE/overlay-images"
	run_error 125 images -- 'another container engine' '--root'
	rmdir "$STORE/overlay-images"
	run_davit images -q
	python3 - "$STORE/davit.db" <<-'PYTHON'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		db.execute("PRAGMA user_version=4711")
		db.commit()
	PYTHON
	run_error 125 images -- '4711' 'newer'
	rm -f "$STORE"/davit.db*
	head -c 10000 /dev/zero | tr '\0' j >"$STORE/davit.db"
	run_error 125 images -- 'damaged'
	[ "$(stat -c %s "$STORE/davit.db")" = 10000 ] || fail "the file was changed"
}

@test "the built-in image needs neither registry nor network" {
	need_davit
	run_davit pull -q davit/helloweb
	run_davit images --format '{{.Repository}}:{{.Tag}}'
	assert_output localhost/davit/helloweb:latest
	run_davit image inspect -f '{{.Config.Cmd}} {{range $port, $_ := .Config.ExposedPorts}}{{$port}}{{end}}' davit/helloweb
	assert_output '[/helloweb] 88/tcp'
	run_davit rmi davit/helloweb
	check_store_is_empty
}
