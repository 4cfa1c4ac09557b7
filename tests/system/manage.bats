# attach, restart, rename, container exists, container prune.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

@test "attach: output from now on, input, exit status" {
	davit run -d -i --name c --network none "$BUSYBOX" sh -c 'read line; echo "got $line"; exit 5' >/dev/null
	run_status 5 davit attach c <<<"hello"
	assert_output "got hello"
	run_error 125 attach c -- "c" "start"
	run_error 125 attach nosuch -- "nosuch"
	run_error 125 attach -- "name|--latest"
}

@test "attach: ending it leaves the container running, two can be there" {
	davit run -d --name c --network none "$BUSYBOX" sh -c 'while :; do echo tick; sleep 0.1; done' >/dev/null
	davit_background attach --sig-proxy=false c >"$BATS_TEST_TMPDIR/one"
	one=$!
	davit_background attach --sig-proxy=false --no-stdin --latest >"$BATS_TEST_TMPDIR/two"
	two=$!
	wait_until 10 grep -q tick "$BATS_TEST_TMPDIR/one"
	wait_until 10 grep -q tick "$BATS_TEST_TMPDIR/two"
	kill -KILL $one $two
	wait $one $two || :
	run_davit inspect -f '{{.State.Status}}' c
	assert_output running
}

@test "restart: of one that runs and one that does not; what it wrote stays" {
	davit run -d --name c --network none "$BUSYBOX" sh -c 'echo again >>/count; sleep 1000' >/dev/null
	wait_until 10 davit exec c test -s /count
	run_davit restart -t 0 c
	assert_output c
	wait_until 10 eval '[ "$(davit exec c cat /count | wc -l)" = 2 ]'
	davit stop -t 0 c
	run_davit restart c
	wait_until 10 eval '[ "$(davit exec c cat /count | wc -l)" = 3 ]'
	davit create --name d --network none "$BUSYBOX" sleep 1000 >/dev/null
	id=$(davit inspect -f '{{.Id}}' c)
	run_davit restart -t 0 --running
	assert_output "$id"
	run_error 125 restart nosuch -- "nosuch"
	davit run -d --rm --name e --network none "$BUSYBOX" sleep 1000 >/dev/null
	run_error 125 restart e -- "e" "--rm"
}

# The first one ends only after the second one was asked to, which nobody does who waits for the first one before.
two_that_wait() {
	mkdir -p "$BATS_TEST_TMPDIR/asked"
	chmod 777 "$BATS_TEST_TMPDIR/asked"
	for i in a b; do
		davit run -d --name $i --stop-timeout 40 --network none -v "$BATS_TEST_TMPDIR/asked:/asked" "$BUSYBOX" sh -c \
			"trap 'touch /asked/$i; until test -e /asked/b; do sleep 0.05; done; exit 7' TERM; touch /asked/ready-$i; while :; do sleep 0.05; done" >/dev/null
		wait_until 10 test -e "$BATS_TEST_TMPDIR/asked/ready-$i"
	done
}

@test "stop, restart and rm -f end several side by side, and name them in order" {
	need_davit
	two_that_wait
	run_davit stop a b
	assert_output $'a\nb'
	run_davit inspect -f '{{.State.ExitCode}}' a b
	assert_output $'7\n7'
	davit rm a b >/dev/null
	rm "$BATS_TEST_TMPDIR"/asked/*
	two_that_wait
	rm "$BATS_TEST_TMPDIR"/asked/ready-*
	run_davit restart a b
	assert_output $'a\nb'
	for i in a b; do wait_until 10 test -e "$BATS_TEST_TMPDIR/asked/ready-$i"; done
	ids=$(davit inspect -f '{{.Id}}' a b)
	rm "$BATS_TEST_TMPDIR"/asked/{a,b}
	run_davit stop --all
	assert_output "$ids"
	davit rm a b >/dev/null
	rm "$BATS_TEST_TMPDIR"/asked/*
	two_that_wait
	davit_background events --filter event=died --format '{{.Name}} {{.ContainerExitCode}}' >"$BATS_TEST_TMPDIR/died"
	listener=$!
	run_davit rm -f a nosuch b
	assert_output $'a\nb'
	wait_until 10 eval '[ "$(sort "$BATS_TEST_TMPDIR/died")" = "a 7
b 7" ]'
	kill $listener
}

@test "stop and rm -f name those of several that were made with --rm, and each once" {
	for verb in "stop -t 0" "rm -f -t 0"; do
		davit run -d --name stays --network none "$BUSYBOX" sleep 1000 >/dev/null
		for i in a b; do davit run -d --rm --name $i --cidfile "$BATS_TEST_TMPDIR/$i" --network none "$BUSYBOX" sleep 1000 >/dev/null; done
		# shellcheck disable=SC2086
		run_davit $verb stays a --cidfile "$BATS_TEST_TMPDIR/b"
		assert_output $'stays\na\n'"$(cat "$BATS_TEST_TMPDIR/b")"
		for i in a b; do container_gone $i; done
		davit rm -f stays >/dev/null
		rm "$BATS_TEST_TMPDIR"/[ab]
	done
	davit run -d --name c --network none "$BUSYBOX" sleep 1000 >/dev/null
	run_davit rm -f -t 0 c c
	assert_output c
}

@test "rename: the old name is free, the new one is taken" {
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	davit create --name d --network none "$BUSYBOX" true >/dev/null
	run_davit rename c x
	container_gone c
	run_davit inspect -f '{{.Name}}' x
	assert_output x
	run_error 125 rename x d -- "d" "in use"
	run_error 125 rename x 'a/b' -- "a/b"
	run_error 125 rename nosuch y -- "nosuch"
}

@test "container exists, container prune" {
	davit create --name c --network none -l keep=1 "$BUSYBOX" true >/dev/null
	id=$(davit create --name d --network none "$BUSYBOX" true)
	davit run -d --name e --network none "$BUSYBOX" sleep 1000 >/dev/null
	run_status 0 davit container exists c
	run_status 1 davit container exists nosuch
	run_davit container prune -f --filter name=d
	assert_output "$id"
	run_davit container prune -f --filter until=24h
	assert_output ""
	run_error 125 container prune </dev/null -- "EOF|answer"
	run --separate-stderr davit container prune --filter nosuch=x <<<"n"
	assert_error 125 nosuch
	is_podman || [[ $stderr != *"[y/N]"* ]] || fail "it asked first"
	run_status 0 davit container prune <<<"n"
	[[ $stderr == "WARNING! This will remove all non running containers."*"[y/N]"* ]] || fail "question"
	container_exists c
	run_davit container prune --force
	container_gone c
	container_exists e
}

@test "times that cannot be" {
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	for command in stop restart "rm -f"; do
		run_error 125 $command -t -5 c -- "-5" "time"
		run_error 125 $command -t x c -- "time"
	done
	container_exists c
	need_davit
	run_error 125 create --health-cmd true --health-interval 0s "$BUSYBOX" -- "--health-interval" "0.1 s"
}
