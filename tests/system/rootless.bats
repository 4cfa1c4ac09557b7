# What makes an ordinary user's containers different, and who a container is to the machine.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

@test "the audit login ID inside is the caller's: nobody else started it" {
	[ -e /proc/self/loginuid ] || skip "this kernel has no audit"
	run_davit run --rm --network none "$BUSYBOX" cat /proc/self/loginuid
	[ "$output" = "$(cat /proc/self/loginuid)" ] || fail "$output is not $(cat /proc/self/loginuid)"
	# Where it may be set, another value has to come through, too.
	# (A user's own number is shown as the container sees it: root.)
	if (echo "$UID" >/proc/self/loginuid) 2>/dev/null; then
		run_status 0 bash -c 'echo $UID >/proc/self/loginuid; exec "$@"' - "$(type -P "$DAVIT")" --root "$STORE" --runroot "$RUNDIR" \
			run --rm --network none "$BUSYBOX" cat /proc/self/loginuid
		is_podman || assert_output 0
	fi
}

@test "the session and the resource limits are the caller's" {
	need_davit
	run_status 0 bash -c 'ulimit -c 4321 2>/dev/null || ulimit -c 0; ulimit -c >&2; exec "$@"' - "$DAVIT" --root "$STORE" --runroot "$RUNDIR" \
		run --rm --network none "$BUSYBOX" sh -c 'ulimit -c'
	# busybox counts in blocks of 512, bash in KiB
	[ "$output" = "$((${stderr%%$'\n'*} * 2))" ] || [ "$output" = "${stderr%%$'\n'*}" ] || fail "limits"
}

# bats test_tags=user
@test "an ordinary user: root inside is the user outside, others come from the ranges" {
	davit run -d --name c --network none "$BUSYBOX" sleep 100 >/dev/null
	pid=$(davit inspect -f '{{.State.Pid}}' c)
	[ "$(stat -c %u "/proc/$pid")" = "$(id -u)" ] || fail "the owner outside"
	run_davit run --rm --network none "$BUSYBOX" cat /proc/self/uid_map
	[ "$(wc -l <<<"$output")" -ge 2 ] || fail "the map"
	run_davit run --rm --network none -u 1000 "$BUSYBOX" sh -c 'touch /tmp/x; stat -c %u /tmp/x'
	assert_output 1000
}

# bats test_tags=user
@test "unshare: a shell where the container's files are one's own" {
	run_davit unshare id -u
	assert_output 0
	run_davit unshare sh -c 'touch "$0/f" && chown 5:5 "$0/f" && stat -c %u "$0/f" && rm "$0/f"' "$BATS_TEST_TMPDIR"
	assert_output 5
	run_status 7 davit unshare sh -c 'exit 7'
	run_status 127 davit unshare no-such-command
}

# bats test_tags=root
@test "a user without ranges runs with one ID and is told" {
	need_davit
	# An account of every Debian that has no ranges.
	! grep -q '^games:' /etc/subuid || skip "games has ranges in /etc/subuid"
	uid=$(id -u games)
	install -d -o games "$BATS_TEST_TMPDIR/home" "$BATS_TEST_TMPDIR/home/run"
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" 2>/dev/null || :
	as_none() {
		setpriv --reuid "$uid" --regid "$(id -g games)" --init-groups --inh-caps=-all env -i HOME="$BATS_TEST_TMPDIR/home" \
			XDG_RUNTIME_DIR="$BATS_TEST_TMPDIR/home/run" PATH="$PATH" CONTAINERS_REGISTRIES_CONF="$CONTAINERS_REGISTRIES_CONF" "$DAVIT" "$@"
	}
	run_status 0 as_none run --rm --network none "$BUSYBOX" id -u
	assert_output 0
	[[ $stderr =~ "usermod --add-subuids" ]] || fail "the warning names the remedy"
	# Its one ID may be any one inside.
	run_status 0 as_none run --rm --network none --userns keep-id "$BUSYBOX" id -u
	assert_output "$uid"
	run_status 0 as_none run --rm --network none --uidmap 9:0:1 -u 9:9 "$BUSYBOX" id -u
	assert_output 9
	for mode in nomap auto; do
		run --separate-stderr as_none run --rm --network none --userns $mode "$BUSYBOX" true
		assert_error 125 "subordinate IDs" "usermod --add-subuids"
	done
}

# bats test_tags=user
@test "without user namespaces: the error says what to switch on" {
	need_davit
	# A user namespace in which no more can be made, and somebody without privileges in it.
	home=$(mktemp -d /tmp/home.XXXXXX) # bats keeps its own directories to itself
	run --separate-stderr unshare --user --map-root-user --map-auto --mount --fork sh -c '
		echo 0 >/proc/sys/user/max_user_namespaces || exit 77
		chown -R 1:1 "$1"
		exec setpriv --reuid 1 --regid 1 --clear-groups --inh-caps=-all env -i HOME="$1" XDG_RUNTIME_DIR="$1" PATH="$PATH" \
			CONTAINERS_REGISTRIES_CONF="$2" "$3" run --rm --network none "$4" true' - \
		"$home" "$CONTAINERS_REGISTRIES_CONF" "$DAVIT" "$BUSYBOX"
	unshare --map-auto --map-root-user rm -rf "$home"
	[ "$status" -ne 77 ] || skip "this kernel does not let the limit be set"
	assert_error 125 "user namespace" "(max_user_namespaces|unprivileged_userns|sysctl)"
}

# bats test_tags=user
@test "two users do not see each other's containers" {
	davit run -d --name mine --network none "$BUSYBOX" sleep 100 >/dev/null
	run_davit ps --format '{{.Names}}'
	assert_output mine
	[ "$(stat -c %a "$STORE")" = 700 ] || [ "$(stat -c %a "$STORE")" = 711 ] || is_podman || [ -O "$STORE" ] || fail "the store is open to others"
}

@test "info and version" {
	run_davit info
	assert_contains "$STORE"
	run_davit version
	assert_matches 'Version: +[0-9]'
	run_davit info --format '{{.Host.Security.Rootless}}' || run_davit info --format '{{.host.security.rootless}}'
	is_root && assert_output false || assert_output true
}

@test "the built-in image needs no registry and no network" {
	need_davit
	own_store
	port=$(free_port)
	CONTAINERS_REGISTRIES_CONF=/dev/null run_davit run -d --rm --name hello -p "127.0.0.1:$port:88" davit/helloweb
	answers() { [ "$(curl -s -m 2 "http://127.0.0.1:$port/dockerers")" = "Hey, dockerers!" ]; }
	wait_until 10 answers
	run_davit stop -t 1 hello
	run_davit ps -aq
	assert_output ""
	remove_store
}

@test "system reset removes everything" {
	own_store
	have_image "$BUSYBOX"
	davit run -d --network none "$BUSYBOX" sleep 98765 >/dev/null
	davit volume create v >/dev/null
	run_davit system reset -f
	is_podman || [ -z "$(find "$STORE" -mindepth 1 -not -name '*.lock' 2>/dev/null | head)" ] || fail "$(find "$STORE" | head)"
	is_podman || [ -z "$(pgrep -f "[s]leep 98765")" ] || fail "a process"
	remove_store
}
