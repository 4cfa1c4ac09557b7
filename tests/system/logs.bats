# Log drivers: where output goes, what rotation keeps, what following shows.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

log_of() { davit inspect -f '{{.LogPath}}' "$1"; }
# Follows container $1 until it ends; every one of the lines 1 to $2 has to come once, in order.
assert_follows() { davit_within 100 logs -f "$1" | cmp - <(seq 1 "$2") || fail "the lines of $1"; }
all_bytes() { LC_ALL=C awk 'BEGIN { for (i = 1; i < 256; i++) printf "%c", i }'; }

@test "every line once and in order: followed, at full speed, in one file" {
	need_davit
	davit run -d --name c --network none "$BUSYBOX" sh -c 'sleep 0.2; seq 1 200000' >/dev/null
	assert_follows c 200000
	davit logs c | cmp - <(seq 1 200000) || fail "read afterwards"
}

@test "every line once and in order: followed while it rotates" {
	need_davit
	davit run -d --name c --log-opt max-size=600k --log-opt max-file=3 --network none "$BUSYBOX" sh -c 'sleep 0.2; seq 1 200000' >/dev/null
	assert_follows c 200000
	log=$(log_of c)
	[ -e "$log.2" ] && [ ! -e "$log.3" ] || fail "three files: $(ls "${log%/*}")"
	davit logs c >"$BATS_TEST_TMPDIR/rest"
	first=$(head -n 1 "$BATS_TEST_TMPDIR/rest")
	[ "$first" -gt 100000 ] || fail "old lines are gone"
	cmp "$BATS_TEST_TMPDIR/rest" <(seq "$first" 200000) || fail "what is left has no gap"
	for tail in 0 1 2 5000 8000; do
		davit logs --tail $tail c | cmp - <(seq $((200001 - tail)) 200000) || fail "--tail $tail"
	done
}

@test "a reader that is slower than rotation loses nothing, and holds nobody up for ever" {
	need_davit
	davit run -d --name c --log-driver json-file --log-opt max-size=100k --network none "$BUSYBOX" sh -c 'sleep 0.2; seq 1 20000' >/dev/null
	davit_within 50 logs -f c | { sleep 2; cat; } | cmp - <(seq 1 20000) || fail "the slow one"
	# One that has stopped altogether: the log may not grow without end.
	davit run -d --name d --log-opt max-size=20k --network none "$BUSYBOX" sh -c 'sleep 0.2; seq 1 400000' >/dev/null
	davit_background logs -f d > >(sleep 20)
	reader=$!
	run_davit wait d
	assert_output 0
	[ "$(stat -c %s "$(log_of d)")" -le $(((8 << 20) + 70000)) ] || fail "it grew: $(ls -l "$(log_of d)"*)"
	kill -KILL $reader
}

@test "max-file=1 keeps one file" {
	need_davit
	davit run --name c --log-opt max-size=10k --log-opt max-file=1 --network none "$BUSYBOX" seq 1 2000 >/dev/null
	log=$(log_of c)
	[ -e "$log" ] && [ ! -e "$log.1" ] || fail "one file"
	[ "$(davit logs --tail 1 c)" = 2000 ] || fail "the last line"
}

@test "partial lines and every byte come back, through rotation too" {
	need_davit
	all_bytes >"$BATS_TEST_TMPDIR/bytes"
	for options in "" "--log-opt max-size=1k --log-opt max-file=50"; do
		# shellcheck disable=SC2086
		davit run --name c $options --network none -v "$BATS_TEST_TMPDIR/bytes:/bytes:ro" "$BUSYBOX" \
			sh -c 'for i in 1 2 3 4 5; do cat /bytes; printf "no end "; sleep 0.05; printf "of line\n"; cat /bytes; done; printf last' >"$BATS_TEST_TMPDIR/out"
		davit logs c | cmp - "$BATS_TEST_TMPDIR/out" || fail "with '$options'"
		davit rm c >/dev/null
	done
}

@test "containers.conf says driver and size" {
	need_davit
	cat >"$BATS_TEST_TMPDIR/containers.conf" <<-END
		[containers]
		log_driver = "json-file"
		log_size_max = 10000
	END
	CONTAINERS_CONF=$BATS_TEST_TMPDIR/containers.conf davit run --name c --network none "$BUSYBOX" seq 1 2000 >/dev/null
	[ -e "$(log_of c).1" ] || fail "rotated"
	run_davit inspect -f '{{.HostConfig.LogConfig.Type}}' c
	assert_output json-file
	# One of another program is no reason to fail.
	echo '[containers]
log_driver = "fluentd"' >"$BATS_TEST_TMPDIR/containers.conf"
	CONTAINERS_CONF=$BATS_TEST_TMPDIR/containers.conf run_davit run --rm --network none "$BUSYBOX" echo fine
	assert_output fine
}

@test "path puts the log elsewhere" {
	davit run --name c --log-opt path="$BATS_TEST_TMPDIR/my.log" --network none "$BUSYBOX" echo there >/dev/null
	grep -q "stdout F there" "$BATS_TEST_TMPDIR/my.log"
	run_davit logs c
	assert_output there
}

@test "none and passthrough keep no log; passthrough gives the caller's own streams" {
	need_davit
	davit run --name n --log-driver none --network none "$BUSYBOX" echo shown >/dev/null
	run_error 125 logs n -- "n" "none"
	echo typed | davit run --name p --log-driver passthrough --network none "$BUSYBOX" sh -c 'cat; echo out; readlink /proc/self/fd/1; echo err >&2' \
		>"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
	[ "$(head -n 2 "$BATS_TEST_TMPDIR/out")" = $'typed\nout' ] || fail "out: $(cat "$BATS_TEST_TMPDIR/out")"
	[ "$(cat "$BATS_TEST_TMPDIR/err")" = err ] || fail "err"
	run_error 125 logs p -- "p" "passthrough"
	run --separate-stderr script -qec "$DAVIT --root $STORE --runroot $RUNDIR run --log-driver passthrough --network none $BUSYBOX true" /dev/null
	[ "$status" -eq 125 ] && [[ $output == *passthrough*terminal* ]] || fail "refused on a terminal"
	run_error 125 run --log-driver passthrough --restart always "$BUSYBOX" true -- "passthrough" "--restart"
}

@test "journald: fields as podman writes them" {
	need_journal
	need_davit
	davit run --name c --log-driver journald --log-opt tag='{{.Name}}-{{.ImageName}}' --log-opt label=COLOUR=red --network none "$BUSYBOX" \
		sh -c 'echo out; echo err >&2; printf end' >/dev/null 2>&1
	id=$(davit inspect -f '{{.Id}}' c)
	wait_until 10 eval 'journalctl -q -o cat "CONTAINER_ID_FULL=$id" | grep -qx end'
	journalctl -q -o json CONTAINER_NAME=c COLOUR=red | jq -s -e --arg id "$id" --arg tag "c-$BUSYBOX" '
		length == 3 and all(.[]; .CONTAINER_ID_FULL == $id and .CONTAINER_ID == $id[:12] and .CONTAINER_TAG == $tag and .SYSLOG_IDENTIFIER == $tag)
		and any(.[]; .MESSAGE == "out" and .PRIORITY == "6" and .CONTAINER_PARTIAL_MESSAGE == null)
		and any(.[]; .MESSAGE == "err" and .PRIORITY == "3")
		and any(.[]; .MESSAGE == "end" and .CONTAINER_PARTIAL_MESSAGE == "true")' >/dev/null || fail "$(journalctl -q -o json "CONTAINER_ID_FULL=$id")"
}

@test "journald: logs shows it, byte for byte, followed, with tail and times" {
	need_journal
	need_davit
	all_bytes >"$BATS_TEST_TMPDIR/bytes"
	davit run --name b --log-driver journald --network none -v "$BATS_TEST_TMPDIR/bytes:/bytes:ro" "$BUSYBOX" \
		sh -c 'cat /bytes; echo; printf part; sleep 0.1; echo rest; head -c 100000 /dev/zero | tr "\0" x; printf "\n\nend"' >"$BATS_TEST_TMPDIR/out"
	wait_until 10 eval 'davit logs b | cmp -s - "$BATS_TEST_TMPDIR/out"'
	davit run -d --name c --log-driver journald --network none "$BUSYBOX" sh -c 'sleep 0.2; seq 1 20000' >/dev/null
	assert_follows c 20000
	run_davit logs --tail 2 c
	assert_output $'19999\n20000'
	run_davit logs -t --tail 1 c
	assert_matches '^[0-9]{4}-[0-9-]+T[0-9:.]+Z 20000$'
	run_davit logs --until 2001-01-01T00:00:00Z c
	assert_output ""
	# Beside one that has its log in a file, lines keep the order of their times.
	davit run --name d --network none "$BUSYBOX" echo last >/dev/null
	run_davit logs -n --tail 1 c d
	assert_output $'c 20000\nd last'
	run --separate-stderr env PATH=/nonexistent "$DAVIT" --root "$STORE" --runroot "$RUNDIR" logs c
	assert_error 125 journalctl
}

@test "several containers: short IDs or names in front, colors, times in order, since and until" {
	davit run --name a --network none "$BUSYBOX" sh -c 'echo one; sleep 0.1; echo two' >/dev/null
	davit run --name b --network none "$BUSYBOX" echo three >/dev/null
	davit create --name never --network none "$BUSYBOX" true >/dev/null
	id=$(davit inspect -f '{{.Id}}' a)
	run_davit logs a
	assert_output $'one\ntwo'
	run_davit logs a b
	assert_line "${id:0:12} one"
	run_davit logs -n a b never
	assert_line "a one"
	assert_line "b three"
	is_podman || assert_output $'a one\na two\nb three'
	run_davit logs --color -n a b
	assert_line $'\e[37ma one\e[0m'
	assert_line $'\e[31mb three\e[0m'
	run_davit logs --tail 0 a
	assert_output ""
	run_davit logs -n --tail 1 a b
	assert_line "a two"
	assert_not_contains one
	run_davit logs --since 1h --until 2100-01-01T00:00:00Z a
	assert_output $'one\ntwo'
	run_error 125 logs --since yesterdayish a -- "yesterdayish"
	run_davit logs --latest
	assert_output ""
	run_error 125 logs --latest a -- "--latest"
	run_error 125 logs -- "container"
	run_davit logs never
	assert_output ""
}

@test "log options that cannot be are refused" {
	need_davit
	run_error 125 run --log-driver fluentd "$BUSYBOX" true -- "fluentd" "journald"
	run_error 125 run --log-opt max-size=much "$BUSYBOX" true -- "max-size=much"
	run_error 125 run --log-opt max-file=0 "$BUSYBOX" true -- "max-file=0"
	run_error 125 run --log-opt tag=x "$BUSYBOX" true -- "tag=x" "journald"
	run_error 125 run --log-driver journald --log-opt tag='{{.Name' "$BUSYBOX" true -- "tag"
	run_error 125 run --log-driver journald --log-opt label=lower=x "$BUSYBOX" true -- "label=lower=x"
	run_error 125 run --log-driver none --log-opt path=/x "$BUSYBOX" true -- "path=/x" "none"
	run_error 125 run --log-opt nosuch=1 "$BUSYBOX" true -- "nosuch=1" "max-size"
	run_error 125 run --log-opt path=relative "$BUSYBOX" true -- "relative"
}
