# What people type for podman, line by line: the same exit code and the same shape of output; one-liners.table has the lines with
# podman 4.3's answers; where a line says how podman differs ("- "), the answer is ours. tests/system/one-liners asks any engine.

load helpers

TABLE=$BATS_TEST_DIRNAME/one-liners.table

setup() {
	need_davit
	own_store "$BATS_FILE_TMPDIR/store"
	have_image "$BUSYBOX"
	export I=$BUSYBOX
	mkdir -p "$BATS_TEST_TMPDIR/davit"
}

teardown() {
	default_teardown
	remove_store
}

# The table's group $1, as it stands there.
expected() { awk -v group="## $1" '/^## / { inside = $0 == group } inside' "$TABLE" | sed -e '$ { /^$/d }'; }

# The lines of group $1 with davit.
group() {
	local command
	mapfile -t command < <(DAVIT_COMMAND)
	cd "$BATS_TEST_TMPDIR/davit"
	compare "$1" "${command[@]}"
}

compare() {
	local name=$1
	shift
	"$BATS_TEST_DIRNAME/one-liners" "$TABLE" "$name" "$@" >../answer 2>../errors
	expected "$name" >../expected
	diff -u ../expected ../answer || { cat ../errors; fail "the lines of '$name' answer otherwise with ${1##*/}"; }
}

@test "run" { group run; }
@test "exec" { group exec; }
@test "ps" { group ps; }
@test "inspect, images" { group inspect; }
@test "logs" { group logs; }
@test "cp, diff, commit, export, import, save" { group files; }
@test "top, stats, wait, rename, stop, rm" { group life; }
@test "volumes" { group volumes; }
@test "secrets" { group secrets; }
@test "health checks" { group health; }
@test "events, df, info, prune, wrong words" { group system; }
