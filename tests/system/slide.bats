# The summary slide of the talk "Docker without docker", typed as it stands there, with `alias podman=davit`.

load helpers

setup() {
	shared_store
	need_debian
	if is_root; then
		davit rmi -f nginx >/dev/null 2>&1 || :
	fi
}
teardown() { default_teardown; }

# What the alias would do in an interactive shell.
podman() {
	if is_podman; then command podman --root "$STORE" --runroot "$RUNDIR" --tmpdir "$RUNDIR/tmp" "$@"; else davit "$@"; fi
}

@test "the slide, word for word" {
	run_status 0 podman pull nginx
	[[ ${lines[-1]} =~ ^[0-9a-f]{64}$ ]] || fail "the last line is the image ID"

	run_status 0 podman images
	[[ ${lines[0]} =~ ^REPOSITORY\ +TAG\ +IMAGE\ ID\ +CREATED\ +SIZE ]] || fail "headings"
	grep -qE "^127.0.0.1:5000/nginx +latest +[0-9a-f]{12} .* [0-9.]+ MB *$" <<<"$output" || fail "the image in the list"

	run_status 0 podman run -dt --rm -p 1080:80 nginx
	[[ $output =~ ^[0-9a-f]{64}$ ]] || fail "the container's ID"
	id=$output

	wait_until 20 curl -sf -o /dev/null http://127.0.0.1:1080/
	run_status 0 curl -s http://127.0.0.1:1080/
	assert_contains "Welcome to nginx"

	run_status 0 podman ps
	[[ ${lines[0]} =~ ^CONTAINER\ ID\ +IMAGE\ +COMMAND\ +CREATED\ +STATUS\ +PORTS\ +NAMES ]] || fail "headings"
	grep -qE "^${id:0:12} +127.0.0.1:5000/nginx:latest +nginx -g daemon .* Up .* 0.0.0.0:1080->80/tcp +[a-z]+_[a-z]+ *$" <<<"$output" ||
		fail "the container in the list"

	# The slide's rm is typed after the container was stopped; a running one is refused.
	run --separate-stderr podman rm "${id:0:12}"
	assert_error 2 "container ([a-z]+_[a-z]+|${id:0:12})" "running" "stop"
	run_status 0 podman stop "${id:0:12}"
	run_status 0 podman ps -a -q
	assert_output ""

	run_status 0 podman rmi nginx
	assert_contains "Untagged: 127.0.0.1:5000/nginx:latest"
	assert_contains "Deleted: "
	run_status 0 podman images -q nginx
	assert_output ""
}
