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
	run_status 0 davit container prune <<<"n"
	[[ $stderr == "WARNING! This will remove all non running containers."*"[y/N]"* ]] || fail "question"
	container_exists c
	run_davit container prune --force
	container_gone c
	container_exists e
}
