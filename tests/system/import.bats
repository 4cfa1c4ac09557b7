# Images made of archives of files.

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	default_setup
}
teardown() {
	default_teardown
	davit rmi -f made:1 made:2 >/dev/null 2>&1 || :
}

@test "what was exported is imported, by a file and by a pipe" {
	davit run --name c --network none "$BUSYBOX" sh -c 'echo new >/new; rm /etc/plain.txt; chown 3:4 /new; ln /new /second'
	davit export -o c.tar c
	run_davit import -q c.tar made:1
	assert_matches '^sha256:[0-9a-f]{64}$'
	run_davit run --rm --network none made:1 sh -c 'cat /second; stat -c %u:%g:%h /new; ls /etc'
	assert_contains "3:4:2"
	assert_not_contains plain.txt
	davit export c | davit import -q - made:2 >id
	grep -qE '^sha256:[0-9a-f]{64}$' id
	run_davit run --rm --network none made:2 cat /new
	assert_output new
	run_davit image inspect --format '{{len .RootFS.Layers}} {{.Architecture}} {{.Os}}' made:2
	assert_matches '^1 [a-z0-9]+ linux$'
}

@test "import of compressed archives, with settings, message and architecture" {
	davit create --name c "$BUSYBOX" true
	davit export c | gzip >c.tar.gz
	davit import -q -m "by hand" --arch arm64 -c 'CMD ["echo", "hi"]' -c ENV=A=b -c "LABEL x=y" c.tar.gz made:1
	[ "$(davit image inspect --format '{{.Config.Cmd}} {{.Config.Env}} {{.Config.Labels.x}} {{.Architecture}}' made:1)" = "[echo hi] [A=b] y arm64" ]
	run_davit history --format '{{.Comment}} {{.CreatedBy}}' made:1
	assert_contains "by hand"
	assert_contains "ADD file:"
	if command -v zstd >/dev/null && ! is_podman; then
		davit export c | zstd -q | davit import -q -c 'CMD ["echo", "hi"]' - made:2
		run_davit run --rm --network none made:2
		assert_output hi
	fi
}

@test "import says what is wrong, and leaves nothing" {
	local before
	before=$(davit images -a -q)
	echo "no archive" >plain
	run_error 125 import -q plain made:1 -- "plain"
	run_error 125 import -q /nowhere/x.tar made:1 -- /nowhere/x.tar
	run_error 125 import -q plain 'BAD NAME' -- "BAD NAME|reference"
	run_error 125 import -q -c "FOO x" plain -- FOO
	davit create --name c "$BUSYBOX" true
	davit export c | head -c 100000 >half.tar
	run_error 125 import -q half.tar -- half.tar
	if ! is_podman; then
		run_error 125 import -q http://127.0.0.1:1/x.tar -- "curl"
		davit export c | xz -0 >c.tar.xz
		run_error 125 import -q c.tar.xz -- xz
	fi
	[ "$(davit images -a -q)" = "$before" ]
}
