# davit update of restarts, variables and health checks, while a container runs, waits or is stopped.

load helpers

setup() {
	need_davit
	default_setup
}
teardown() { default_teardown; }

state_of() { davit inspect -f '{{.State.Status}}' "$1"; }
health_of() { davit inspect -f '{{.State.Health.Status}}' "$1"; }
count_of() { davit inspect -f '{{.RestartCount}}' "$1"; }
checks_of() { davit inspect "$1" | jq '.[0].State.Health.Log | length'; }
is() { [ "$("${@:2}")" = "$1" ]; }
at_least() { [ "$("${@:2}")" -ge "$1" ]; }
up() { davit run -d --name c --network none "$@" "$BUSYBOX" sleep 1000; }
kill_init() {
	local pid
	pid=$(davit inspect -f '{{.State.Pid}}' c)
	kill -KILL "$pid" 2>/dev/null || davit unshare kill -KILL "$pid"
}

@test "a policy for one that has none, and none for one that has" {
	id=$(up)
	run_davit update --restart always c
	assert_output "$id"
	run_davit inspect -f '{{.HostConfig.RestartPolicy.Name}}' c
	assert_output always
	kill_init
	wait_until 15 is 1 count_of c
	wait_until 15 is running state_of c
	run_davit update --restart no c
	kill_init
	wait_until 15 is exited state_of c
	run_davit inspect -f '{{.HostConfig.RestartPolicy.Name}} {{.RestartCount}}' c
	assert_output "no 1"
	# While it is stopped: for the next start.
	run_davit update --restart on-failure:1 c
	davit start c >/dev/null
	kill_init
	wait_until 15 is 1 count_of c
	wait_until 15 is running state_of c
	kill_init
	wait_until 15 is exited state_of c
}

@test "one that waits for its next start" {
	davit run -d --name c --network none --restart always "$BUSYBOX" false >/dev/null
	wait_until 15 at_least 3 count_of c
	wait_until 15 is restarting state_of c
	run_davit update --restart on-failure c
	wait_until 15 at_least 4 count_of c
	wait_until 15 is restarting state_of c
	run_davit update --restart no c
	is exited state_of c
	run_davit update --restart always c
	is exited state_of c
	# It has been started often enough.
	davit start c >/dev/null
	wait_until 15 at_least 3 count_of c
	wait_until 15 is restarting state_of c
	run_davit update --restart on-failure:2 c
	is exited state_of c
	# A success is no failure.
	davit rm c >/dev/null
	davit run -d --name c --network none --restart always "$BUSYBOX" true >/dev/null
	wait_until 15 at_least 3 count_of c
	wait_until 15 is restarting state_of c
	run_davit update --restart on-failure c
	is exited state_of c
}

@test "variables: for exec at once, for the container from its next start on" {
	davit run -d --name c --network none -e one=1 -e two=2 "$BUSYBOX" sh -c 'echo "$one $two $three"; exec sleep 1000' >/dev/null
	wait_until 10 eval '[ -n "$(davit logs c)" ]'
	three=caller run_davit update --env one=new --env three --unsetenv two c
	run_davit exec c sh -c 'echo "$one $two $three"'
	assert_output "new  caller"
	davit restart -t 0 c >/dev/null
	wait_until 10 eval '[ "$(davit logs c | wc -l)" = 2 ]'
	run_davit logs c
	assert_output $'1 2 \nnew  caller'
}

@test "health checks come at other times, with another command, or not any more" {
	up --health-cmd 'test -e /well' --health-interval 1h --health-retries 1 >/dev/null
	wait_until 15 is unhealthy health_of c
	davit exec c touch /well
	is unhealthy health_of c
	run_davit update --health-interval 0.1s c
	wait_until 15 is healthy health_of c
	run_davit update --health-cmd 'echo other; exit 3' --health-retries 2 --health-timeout 5s c
	wait_until 15 is unhealthy health_of c
	davit inspect c | jq -e '.[0] | .State.Health.Log[-1].ExitCode == 3 and .State.Health.FailingStreak >= 2
		and .Config.Healthcheck == {Test: ["CMD-SHELL", "echo other; exit 3"], Interval: 100000000, Timeout: 5000000000, StartPeriod: 0, Retries: 2}' >/dev/null || fail "$(davit inspect c)"
	run_davit update --health-on-failure kill c
	wait_until 15 is exited state_of c
	run_davit update --no-healthcheck c
	davit start c >/dev/null
	davit inspect c | jq -e '.[0].State.Health == null' >/dev/null || fail "health without a check"
}

@test "a check for a container that has none, and none for one that runs" {
	up >/dev/null
	run_davit update --health-cmd true --health-interval 0.1s c
	wait_until 15 is healthy health_of c
	run_davit update --no-healthcheck c
	davit inspect c | jq -e '.[0].State.Health == null' >/dev/null || fail "health without a check"
	run_davit update --health-cmd false --health-retries 1 --health-startup-cmd true --health-startup-interval 0.1s --health-interval 0.1s c
	wait_until 15 is unhealthy health_of c
	davit restart -t 0 c >/dev/null
	wait_until 15 is unhealthy health_of c
}

@test "without a monitor what cannot be told is a warning" {
	up --health-cmd true --health-interval 1h >/dev/null
	kill -KILL "$(davit inspect -f '{{.State.ConmonPid}}' c)"
	run_davit update --health-interval 2s c
	[[ $stderr == *"next start"* ]] || fail "no warning"
	run_davit inspect -f '{{.Config.Healthcheck.Interval}}' c
	assert_output 2000000000
}

@test "what update refuses, and then changes nothing" {
	up --rm >/dev/null
	davit run -d --name d --network none --health-cmd true --health-on-failure restart "$BUSYBOX" sleep 1000 >/dev/null
	run_error 125 update --restart always c -- "--rm"
	run_error 125 update --restart sometimes c -- "sometimes"
	run_error 125 update --health-interval soon c -- "soon"
	run_error 125 update --health-cmd true --no-healthcheck c -- "--no-healthcheck"
	run_error 125 update --health-startup-cmd true c -- "--health-cmd"
	run_error 125 update --restart always d -- "--health-on-failure"
	run_davit inspect -f '{{.HostConfig.RestartPolicy.Name}}' d
	assert_output no
	run_davit update --health-on-failure none --restart always d
}
