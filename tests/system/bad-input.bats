# What is typed wrong: the message names the object and the remedy, the exit status is podman's.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

@test "unknown options and commands" {
	run_error 125 run --nosuch "$BUSYBOX" true -- "--nosuch"
	[[ $stderr == *"davit run --help"* || $stderr == *"podman run --help"* ]] || fail "the help"
	run_error 125 run -Z "$BUSYBOX" true -- "Z"
	run_error 125 nosuch -- "nosuch"
	run_error 125 ps --format -- "format"
}

@test "a near miss is guessed" {
	need_davit
	run_error 125 imagse -- "imagse"
	[[ $stderr == *images* ]] || fail "did you mean images"
}

@test "missing arguments" {
	for command in run create start stop kill wait rm rmi pull tag inspect logs port; do
		run --separate-stderr davit $command
		assert_error 125
	done
}

@test "unknown containers: every command names them" {
	for command in start stop kill wait logs inspect port; do
		run --separate-stderr davit $command nosuch
		assert_error 125 nosuch
	done
	run_error 1 rm nosuch -- nosuch
}

@test "empty and dangerous names" {
	for name in '' '.' '..' '../x' 'a/b' $'a\nb' 'a b'; do
		run --separate-stderr davit create --name "$name" --network none "$BUSYBOX" true
		[ -z "$name" ] || assert_error 125 "name"
		davit rm -a -f >/dev/null 2>&1 || :
	done
	run --separate-stderr davit inspect ''
	assert_error 125
	run --separate-stderr davit rm ''
	[ "$status" -ne 0 ] || fail "refused"
}

@test "environment files that are not there, or hold nonsense" {
	run_error 125 run --rm --env-file /no/such/file "$BUSYBOX" true -- "/no/such/file"
	printf '=value\n' >"$BATS_TEST_TMPDIR/env"
	run_error 125 run --rm --env-file "$BATS_TEST_TMPDIR/env" "$BUSYBOX" true --
	run_error 125 run --rm -e =x "$BUSYBOX" true --
}

@test "values that options refuse" {
	run_error 125 run --rm --pull sometimes "$BUSYBOX" true -- "sometimes"
	run_error 125 run --rm --log-driver nosuch "$BUSYBOX" true -- "nosuch"
	run_error 125 run --rm --stop-signal NOSUCH "$BUSYBOX" true -- "NOSUCH"
	run_error 125 run --rm --add-host nonsense "$BUSYBOX" true -- "nonsense"
	run_error 125 run --rm --dns nonsense "$BUSYBOX" true -- "nonsense"
	run_error 125 run --rm --pids-limit x "$BUSYBOX" true -- "x"
	run_error 125 run --rm --security-opt nosuch "$BUSYBOX" true -- "nosuch"
	run_error 125 run --rm --tmpfs relative "$BUSYBOX" true --
	run_error 125 stop -t soon nosuch -- "soon"
	run_error 125 logs --tail some nosuch --
	run_error 125 logs --since yesteryear nosuch --
}

@test "an unknown user namespace is named" {
	run_error 125 run --rm --userns nosuch "$BUSYBOX" true -- "nosuch"
}

@test "an image without a command" {
	have_image $REGISTRY/hostile:same-layer-twice
	run --separate-stderr davit run --rm --network none --entrypoint '' $REGISTRY/hostile:same-layer-twice
	[ "$status" -ne 139 ] || fail "no crash"
}

@test "a store that cannot be written, or is no directory" {
	: >"$BATS_TEST_TMPDIR/file"
	STORE=$BATS_TEST_TMPDIR/file
	run --separate-stderr davit images
	assert_error 125 "$BATS_TEST_TMPDIR/file"
	is_root && return
	STORE=/proc/sys/no
	run --separate-stderr davit images
	assert_error 125 "/proc/sys"
}

@test "a damaged database: the error names the file" {
	need_davit
	own_store
	davit images >/dev/null
	dd if=/dev/urandom of="$STORE/davit.db" bs=4096 count=4 conv=notrunc status=none
	rm -f "$STORE"/davit.db-*
	run --separate-stderr davit images
	assert_error 125 "davit.db"
	remove_store
}

@test "help for everything, on standard output, with status 0" {
	run_davit --help
	assert_contains "Usage:"
	for command in run create start stop kill wait ps logs inspect rm rmi tag untag images history info version port pull load save login logout unshare; do
		run_davit $command --help
		assert_contains "Usage:"
		[ -z "$stderr" ] || fail "$command: standard error"
	done
	run_davit --version
	assert_matches '^(davit|podman) version [0-9]'
}

@test "standard output that is full or closed is an error, not silence" {
	[ -e /dev/full ] || skip "there is no /dev/full"
	need_davit
	run_status 125 eval 'davit images >/dev/full'
	[[ $stderr == *"Error: "* ]] || fail "says so"
}

@test "a bad template is the only error, whatever it is about" {
	local command
	for command in "inspect" "container inspect" "image inspect" "volume inspect"; do
		# shellcheck disable=SC2086
		run_error 125 $command --format '{{.Id' nosuch -- "template" "unclosed"
		is_podman || [ "$(wc -l <<<"$stderr")" -eq 1 ] || fail "$command: one line"
	done
}
