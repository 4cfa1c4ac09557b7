# What every .bats file loads. The tests run as root and as an ordinary user; $DAVIT_TEST_USER tells which.
#
# The store is shared by the tests of one run, so an image is pulled once; a test that needs an empty or a broken
# store takes its own with own_store. Every test removes its containers; check_nothing_left says so.

bats_require_minimum_version 1.8.0

REGISTRY=127.0.0.1:5000
SECURE=localhost:5443
BUSYBOX=$REGISTRY/busybox:latest
DEBIAN=$REGISTRY/debian:latest

# The warning about limits that this host does not let us set comes with the first container after a boot. Which test that is
# in depends on the order; limits.bats has one for the warning itself.
warned_already() { : >"$RUNDIR/warned-limits"; }

shared_store() {
	STORE=$DAVIT_TEST_WORK/$DAVIT_TEST_USER/store
	RUNDIR=$DAVIT_TEST_WORK/$DAVIT_TEST_USER/run
	mkdir -p "$STORE" "$RUNDIR"
	warned_already
}

# A fresh store for this test only, in directory $1 (default: the test's own temporary directory).
own_store() {
	STORE=${1:-$BATS_TEST_TMPDIR/store}
	RUNDIR=$BATS_TEST_TMPDIR/run
	mkdir -p "$STORE" "$RUNDIR"
	warned_already
}

# The engine under test; what hangs is ended and fails its test. What podman needs beside davit's own words is added here, so that the same tests can be
# tried on it.
davit() {
	if is_podman; then
		timeout --foreground -k 5 50 podman --root "$STORE" --runroot "$RUNDIR" --tmpdir "$RUNDIR/tmp" "$@"
	else
		timeout --foreground -k 5 50 "$DAVIT" --root "$STORE" --runroot "$RUNDIR" "$@"
	fi
}
# The same in the background: "$!" is the engine's own process.
DAVIT_COMMAND() {
	if is_podman; then
		printf '%s\n' podman --root "$STORE" --runroot "$RUNDIR" --tmpdir "$RUNDIR/tmp"
	else
		printf '%s\n' "$DAVIT" --root "$STORE" --runroot "$RUNDIR"
	fi
}
davit_background() {
	local command
	mapfile -t command < <(DAVIT_COMMAND)
	"${command[@]}" "$@" 3>&- &
}

# Ends it after $1 seconds: for what should end by itself.
davit_within() {
	local command limit=$1
	shift
	mapfile -t command < <(DAVIT_COMMAND)
	timeout -k 5 "$limit" "${command[@]}" "$@"
}
# Waits for the background process $2 of this shell and expects exit status $1.
wait_status() {
	status=0
	wait "$2" || status=$?
	[ "$status" -eq "$1" ] || fail "expected status $1 of process $2"
}

is_root() { [ "$DAVIT_TEST_USER" = root ]; }
is_podman() { [ "${DAVIT##*/}" = podman ]; }
need_root() { is_root || skip "only root can do this"; }
need_user() { is_root && skip "this is about an ordinary user" || :; }
need_debian() { [ -d "$DAVIT_TEST_CACHE/layouts/debian/blobs" ] && [ -e "$DAVIT_TEST_CACHE/done-debian" ] || skip "the Debian images are missing (no mirror)"; }
# What davit does not do yet; skipped, counted, and named in the output.
awaits() { is_podman || skip "davit does not do this yet: $*"; }
need_davit() { is_podman && skip "podman does this differently" || :; }

need_journal() { [ -S /run/systemd/journal/socket ] && command -v journalctl >/dev/null || skip "there is no journald"; }

# By its name: a short one could be the beginning of another container's ID.
container_exists() { [ "$(davit inspect --type container -f '{{.Name}}' "$1" 2>/dev/null)" = "$1" ]; }
container_gone() { ! container_exists "$1" || fail "container $1 is still there"; }

# Pulls $1 into the shared store unless it is there.
have_image() { davit image exists "$1" 2>/dev/null || davit pull -q "$1" >/dev/null; }

default_setup() {
	shared_store
	have_image "$BUSYBOX"
}

default_teardown() {
	[ -n "${STORE-}" ] || return 0
	davit rm -f -a -v -t 0 >/dev/null 2>&1 || :
}

# Removes a store that may hold files of other owners.
remove_store() {
	if is_root; then
		umount -R "$STORE" 2>/dev/null || :
		# What a monitor has become when it ended may still be writing.
		rm -rf "$STORE" "$RUNDIR" 2>/dev/null || wait_until 10 rm -rf "$STORE" "$RUNDIR"
	else
		unshare --map-auto --map-root-user --mount rm -rf "$STORE" "$RUNDIR" 2>/dev/null || wait_until 10 unshare --map-auto --map-root-user --mount rm -rf "$STORE" "$RUNDIR"
	fi
}

fail() {
	printf '%s\n' "$@" "status: ${status-}" "output: ${output-}" ${stderr+"stderr: $stderr"} >&2
	return 1
}

# run, then the exit status has to be $1.
run_status() {
	local expected=$1
	shift
	run --separate-stderr "$@"
	# shellcheck disable=SC2154
	[ "$status" -eq "$expected" ] || fail "expected status $expected of: $*"
}

run_davit() { run_status 0 davit "$@"; }

assert_output() { [ "$output" = "$1" ] || fail "expected output: $1"; }
assert_contains() { [[ $output == *"$1"* ]] || fail "expected in the output: $1"; }
assert_not_contains() { [[ $output != *"$1"* ]] || fail "not expected in the output: $1"; }
assert_line() { grep -qxF -- "$1" <<<"$output" || fail "expected the line: $1"; }
assert_matches() { [[ $output =~ $1 ]] || fail "expected to match: $1"; }

# A failure of the engine's: exit status $1, one line on standard error that begins with "Error: " and holds each
# of the other words (extended regular expressions, any case).
assert_error() {
	local expected=$1 word errors
	shift
	[ "$status" -eq "$expected" ] || fail "expected status $expected"
	errors=$(grep -c '^Error: ' <<<"$stderr" || :)
	[ "$errors" -eq 1 ] || fail "expected one line that begins with 'Error: '"
	if ! is_podman; then
		for word in "$@"; do
			grep -E '^Error: ' <<<"$stderr" | grep -qiE -- "$word" || fail "the error does not name: $word"
		done
		[[ $stderr != *"Sanitizer"* ]] || fail "a sanitizer spoke"
	fi
}

# Runs the command, expects the error: run_error STATUS "davit arguments as words" -- PATTERN...
run_error() {
	local expected=$1 arguments=()
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		arguments+=("$1")
		shift
	done
	shift
	run --separate-stderr davit "${arguments[@]}"
	assert_error "$expected" "$@"
}

# Waits until the command succeeds, at most $1 seconds.
wait_until() {
	local limit=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $limit ] || fail "not within the time: $*" || return 1
		sleep 0.05
	done
}

# Processes of this cell whose command line matches.
processes() { pgrep -f -- "$1" || :; }

# What an engine could leave behind, as a list to compare; see tests/system/leaks.
leaks() { "$BATS_TEST_DIRNAME/leaks" 2>/dev/null | grep -v '^file: /tmp/\|^process: .*bats' || :; }

# What goes meanwhile, as the last processes of an earlier test may, is no leak.
check_nothing_left() {
	local after left
	for _ in $(seq 40); do
		after=$(leaks)
		left=$(grep -vxF -f <(printf '%s\n' "$1") <<<"$after" || :)
		[ -z "$left" ] && return 0
		sleep 0.1
	done
	printf '%s\n' "$left" >&2
	fail "something is left behind"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
