# Many runs leave nothing behind: no process, mount, cgroup, namespace, link, rule or file.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

store_files() { find "$STORE" "$RUNDIR" -mindepth 1 2>/dev/null | grep -vE 'davit\.db(-wal|-shm)?$|/cache/|\.lock$|/locks/|/trash|/events/log' | sort; }

# The monitor of the last one may be at it still.
no_files_but() { ! grep -qvxF -f <(echo "$1") < <(store_files); }
check_files_as() { wait_until 4 no_files_but "$1" || fail "$(diff <(echo "$1") <(store_files))"; }

@test "two hundred runs in a row" {
	count=200
	is_podman && count=5
	davit run --rm --network none "$BUSYBOX" true
	before=$(leaks)
	files=$(store_files)
	for ((i = 0; i < count; i++)); do
		davit run --rm --network none "$BUSYBOX" true || fail "run $i"
	done
	is_podman || check_files_as "$files"
	is_podman || check_nothing_left "$before"
	[ -z "$(davit ps -aq)" ] || fail "a container"
}

@test "twenty at once" {
	count=20
	is_podman && count=3
	before=$(leaks)
	files=$(store_files)
	pids=()
	for ((i = 0; i < count; i++)); do
		davit_background run --rm --network none "$BUSYBOX" sh -c "echo $i; exit $i" >"$BATS_TEST_TMPDIR/out$i"
		pids+=($!)
	done
	for ((i = 0; i < count; i++)); do
		wait_status $i "${pids[i]}"
		[ "$(cat "$BATS_TEST_TMPDIR/out$i")" = $i ] || fail "output of $i"
	done
	is_podman || check_files_as "$files"
	is_podman || check_nothing_left "$before"
}

@test "twenty at once with the default network and a port each" {
	count=20
	is_podman && count=2
	davit run --rm "$BUSYBOX" true # the default bridge stays
	before=$(leaks)
	pids=()
	for ((i = 0; i < count; i++)); do
		davit_background run --rm -p 127.0.0.1:$((18200 + i)):80 "$BUSYBOX" true
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait_status 0 "$pid"; done
	is_podman || check_nothing_left "$before"
}

@test "detached containers that end by themselves" {
	before=$(leaks)
	for i in 1 2 3 4 5 6 7 8 9 10; do
		davit run -d --rm --network none "$BUSYBOX" sleep 0.2 >/dev/null
	done
	wait_until 20 eval '[ -z "$(davit ps -aq)" ]'
	is_podman || check_nothing_left "$before"
}

@test "runs that fail leave nothing either" {
	before=$(leaks)
	files=$(store_files)
	for arguments in "no-such-command" "/etc"; do
		davit run --rm --network none "$BUSYBOX" $arguments >/dev/null 2>&1 || :
	done
	davit run --rm --network none -v /no/such/place:/mnt "$BUSYBOX" true >/dev/null 2>&1 || :
	davit run --rm --network none --device /dev/no-such "$BUSYBOX" true >/dev/null 2>&1 || :
	davit run --rm --network nosuch "$BUSYBOX" true >/dev/null 2>&1 || :
	is_podman || check_files_as "$files"
	is_podman || check_nothing_left "$before"
}

# This user's processes that have the engine in their command line.
engine_processes() {
	pgrep -u "$(id -u)" -f 'davit|conmon' | grep -vx -e $$ -e "$BASHPID" | xargs -r ps -o args= -p | grep -vE 'bats|tests/system|registr'
}

@test "no daemon before, none after" {
	need_davit
	[ -z "$(engine_processes)" ] || fail "$(ps axf)"
	davit run --rm --network none "$BUSYBOX" true
	# The monitor's own end comes right behind its last words.
	wait_until 5 eval '[ -z "$(engine_processes)" ]' || fail "$(ps axf)"
}
