# A web server that people write to, while all that can be done to its container is done: what it has acknowledged is there.

load helpers

setup() {
	need_davit
	default_setup
	ACKED=$BATS_TEST_TMPDIR/acked
	: >"$ACKED"
}
teardown() {
	touch "$BATS_TEST_TMPDIR/enough"
	[ -z "${client-}" ] || wait "$client" || :
	default_teardown
}

# Each request adds a line, and is answered when the line has been written.
SERVER='[ -d /www ] || { mkdir -p /www/cgi-bin; printf "%s\n" "#!/bin/sh" "echo \$QUERY_STRING >>/written || exit" "echo; echo ok \$QUERY_STRING" >/www/cgi-bin/add; chmod 755 /www/cgi-bin/add; }; exec httpd -f -p 8080 -h /www'

# One line after the other, until it is enough; notes those that were acknowledged.
write_on() {
	local i=0
	while [ ! -e "$BATS_TEST_TMPDIR/enough" ]; do
		i=$((i + 1))
		[ "$(curl -s --max-time 2 "http://127.0.0.1:$1/cgi-bin/add?$2$i" 2>/dev/null)" = "ok $2$i" ] && echo "$2$i" >>"$ACKED" || sleep 0.02
	done
}
acked() { wc -l <"$ACKED"; }
# Waits for some more: the server is at work.
more() {
	local before
	before=$(acked)
	wait_until 20 eval "[ \$(wc -l <'$ACKED') -gt $((before + 3)) ]"
}
# Every line of file $1 is in container $2, which does not run.
holds() {
	davit cp "$2:/written" "$BATS_TEST_TMPDIR/written"
	run comm -23 <(sort "$1") <(sort "$BATS_TEST_TMPDIR/written")
	[ -z "$output" ] || fail "acknowledged, and not in $2"
}

@test "a server under load is paused, updated, snapshotted, reverted and cloned" {
	port=$(free_port)
	davit run -d --name web --stop-timeout 0 -p "127.0.0.1:$port:8080" "$BUSYBOX" sh -c "$SERVER" >/dev/null
	write_on "$port" a 3>&- &
	client=$!
	more
	# Paused: nothing is answered, nothing is lost.
	if davit pause web 2>/dev/null; then
		davit unpause web >/dev/null
		more
	fi
	davit update --pids-limit 500 web >/dev/null 2>&1 || davit update --restart no web >/dev/null 2>&1 || :
	more
	davit kill --signal KILL web >/dev/null
	run_davit start web
	more
	# Snapshots, while the client goes on: what was acknowledged before is in it.
	cp "$ACKED" "$BATS_TEST_TMPDIR/at-first"
	run_davit snapshot --stop web first
	more
	cp "$ACKED" "$BATS_TEST_TMPDIR/at-second"
	run_davit snapshot --stop web second
	more
	run_davit clone --stop web whole
	more
	cp "$ACKED" "$BATS_TEST_TMPDIR/at-stop"
	davit stop web >/dev/null
	holds "$BATS_TEST_TMPDIR/at-stop" web
	run_davit clone web copy
	holds "$BATS_TEST_TMPDIR/at-stop" copy
	holds "$BATS_TEST_TMPDIR/at-second" whole
	run_davit clone web:first old
	holds "$BATS_TEST_TMPDIR/at-first" old
	# Back: what was there then is there, and it serves on.
	run_davit revert web second
	holds "$BATS_TEST_TMPDIR/at-second" web
	: >"$ACKED"
	run_davit start web
	more
	cp "$ACKED" "$BATS_TEST_TMPDIR/after"
	davit stop web >/dev/null
	holds "$BATS_TEST_TMPDIR/at-second" web
	holds "$BATS_TEST_TMPDIR/after" web
	# The clones have nothing of that, and all of theirs.
	holds "$BATS_TEST_TMPDIR/at-stop" copy
	run comm -12 <(sort "$BATS_TEST_TMPDIR/after") <(sort "$BATS_TEST_TMPDIR/written")
	[ -z "$output" ] || fail "a clone has what the other one wrote"
}
