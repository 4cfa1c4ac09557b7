# Health checks: run by the monitor, written down, acted on.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

health_of() { davit inspect -f '{{.State.Health.Status}}' "$1"; }
state_of() { davit inspect -f '{{.State.Status}}' "$1"; }
is() { [ "$("${@:2}")" = "$1" ]; }
# Starts container $1 with the options in between; runs until it is ended.
checked() { davit run -d --name "$1" --network none --health-interval 1s "${@:2}" "$BUSYBOX" sleep 1000 >/dev/null; }

# An image with a HEALTHCHECK of its own, as oci:DIR.
image_with_check() {
	cp -r "$DAVIT_TEST_CACHE/layouts/busybox" "$1"
	chmod -R u+w "$1"
	python3 - "$1" <<-'END'
		import hashlib, json, os, sys
		top = sys.argv[1]
		def blob(data):
		    digest = hashlib.sha256(data).hexdigest()
		    open(f"{top}/blobs/sha256/{digest}", "wb").write(data)
		    return {"digest": "sha256:" + digest, "size": len(data)}
		def load(descriptor):
		    return json.load(open(f"{top}/blobs/sha256/" + descriptor["digest"][7:]))
		index = json.load(open(top + "/index.json"))
		descriptor = index["manifests"][0]
		manifest = load(descriptor)
		if "manifests" in manifest:
		    manifest = load(manifest["manifests"][0])
		config = load(manifest["config"])
		config["config"]["Healthcheck"] = {"Test": ["CMD", "test", "-e", "/well"], "Interval": 1000000000, "Retries": 2}
		manifest["config"].update(blob(json.dumps(config).encode()))
		entry = {"mediaType": manifest.get("mediaType", "application/vnd.oci.image.manifest.v1+json")}
		entry.update(blob(json.dumps(manifest).encode()))
		json.dump({"schemaVersion": 2, "manifests": [entry]}, open(top + "/index.json", "w"))
	END
}

@test "starting, unhealthy, healthy, as the check says" {
	need_davit
	checked c --health-cmd 'echo looked; test -e /well' --health-retries 2
	wait_until 30 is unhealthy health_of c
	run_davit ps --filter health=unhealthy --format '{{.Names}} {{.Status}}'
	assert_matches '^c Up .*\(unhealthy\)$'
	davit exec c touch /well
	wait_until 30 is healthy health_of c
	run_davit ps --filter health=healthy --format '{{.Names}}'
	assert_output c
	davit inspect c | jq -e '.[0] | .State.Health.FailingStreak == 0 and (.State.Health.Log[-1] | .ExitCode == 0 and .Output == "looked\n" and .Start < .End)
		and .Config.Healthcheck == {Test: ["CMD-SHELL", "echo looked; test -e /well"], Interval: 1000000000, Timeout: 30000000000, StartPeriod: 0, Retries: 2}' \
		>/dev/null || fail "$(davit inspect c)"
	# What was known last is still known after the end.
	davit stop -t 0 c >/dev/null
	is healthy health_of c
	[ "$(davit ps -a --format '{{.Status}}' | grep -c healthy)" = 0 ] || fail "an ended container has no health in ps"
}

@test "healthcheck run tells by its exit status" {
	need_davit
	davit run -d --name c --health-cmd 'test -e /well' --health-interval disable --network none "$BUSYBOX" sleep 1000 >/dev/null
	is starting health_of c
	run_status 1 davit healthcheck run c
	assert_output unhealthy
	run_davit healthcheck run --ignore-result c
	davit exec c touch /well
	run_davit healthcheck run c
	assert_output ""
	is healthy health_of c
	davit run -d --name d --network none "$BUSYBOX" sleep 1000 >/dev/null
	run_error 125 healthcheck run d -- "d" "health"
	davit stop -t 0 c >/dev/null
	run_error 125 healthcheck run c -- "c" "run"
	run_error 125 healthcheck run nosuch -- "nosuch"
}

@test "a check that hangs has failed, and is ended" {
	need_davit
	checked c --health-cmd 'sleep 987' --health-timeout 1s --health-retries 1
	wait_until 30 is unhealthy health_of c
	davit inspect c | jq -e '.[0].State.Health.Log[0] | .ExitCode == -1 and (.Output | test("longer than 1 s"))' >/dev/null || fail "$(davit inspect -f '{{json .State.Health}}' c)"
	davit run -d --name d --health-cmd '["/no/such", "command"]' --health-interval 1s --health-retries 1 --network none "$BUSYBOX" sleep 1000 >/dev/null
	wait_until 30 is unhealthy health_of d
	davit inspect d | jq -e '.[0].State.Health.Log[0] | .ExitCode == 127 and (.Output | test("/no/such"))' >/dev/null || fail "$(davit inspect -f '{{json .State.Health}}' d)"
	# One that says too much.
	davit run -d --name e --health-cmd 'head -c 300000 /dev/zero | tr "\0" x; echo more >/dev/stderr; exit 1' --health-interval 1s --health-timeout 20s --health-retries 1 --network none "$BUSYBOX" sleep 1000 >/dev/null
	wait_until 40 is unhealthy health_of e
	[ "$(davit inspect e | jq '.[0].State.Health.Log[0].Output | length')" = 500 ] || fail "the output is cut"
}

@test "on failure: kill, stop, restart" {
	need_davit
	checked k --health-cmd false --health-retries 1 --health-on-failure kill --restart always
	checked s --health-cmd false --health-retries 1 --health-on-failure stop --stop-timeout 1
	checked r --health-cmd false --health-retries 2 --health-on-failure restart --stop-timeout 0
	for c in k s; do
		wait_until 30 is exited state_of $c
		is unhealthy health_of $c
		run_davit inspect -f '{{.State.ExitCode}}' $c
		assert_output 137
	done
	wait_until 30 eval '[ "$(davit inspect -f "{{.RestartCount}}" r)" -ge 2 ]'
	run_davit stop -t 0 r
	wait_until 10 is exited state_of r
}

@test "the start period forgives" {
	need_davit
	checked c --health-cmd 'echo >>/count; test -e /well' --health-retries 1 --health-start-period 1h
	wait_until 30 eval '[ "$(davit exec c wc -l </dev/null /count | cut -d" " -f1)" -ge 2 ]'
	is starting health_of c
	davit exec c touch /well
	wait_until 30 is healthy health_of c
	davit exec c rm /well
	wait_until 30 is unhealthy health_of c
}

@test "the image's check, changed and left out" {
	need_davit
	image_with_check "$BATS_TEST_TMPDIR/layout"
	image=$(davit pull -q "oci:$BATS_TEST_TMPDIR/layout" | tail -n 1)
	davit run -d --name c --network none "$image" sleep 1000 >/dev/null
	run_davit inspect -f '{{json .Config.Healthcheck.Test}} {{.Config.Healthcheck.Retries}}' c
	assert_output '["CMD","test","-e","/well"] 2'
	wait_until 30 is unhealthy health_of c
	davit run -d --name d --network none --health-retries 7 "$image" sleep 1000 >/dev/null
	run_davit inspect -f '{{json .Config.Healthcheck.Test}} {{.Config.Healthcheck.Retries}}' d
	assert_output '["CMD","test","-e","/well"] 7'
	davit run -d --name e --network none --no-healthcheck "$image" sleep 1000 >/dev/null
	davit inspect e | jq -e '.[0] | .Config.Healthcheck == null and .State.Health == null' >/dev/null || fail "none"
	run_davit ps --filter health=none --format '{{.Names}}'
	assert_output e
	davit rm -f -t 0 c d e >/dev/null
	davit rmi "$image" >/dev/null
}

@test "the check of the start comes first, and takes as many successes as it shall" {
	need_davit
	davit run -d --name c --network none --health-cmd 'echo regular; test -e /well' --health-interval 1h --health-retries 1 \
		--health-startup-cmd 'echo start; test -e /up' --health-startup-interval 0.1s --health-startup-success 2 "$BUSYBOX" sleep 1000 >/dev/null
	wait_until 30 eval '[ "$(davit inspect c | jq "[.[0].State.Health.Log[] | select(.ExitCode == 1 and .Output == \"start\\n\")] | length")" -ge 3 ]'
	is starting health_of c
	run_status 1 davit healthcheck run c
	davit inspect c | jq -e '.[0] | (.State.Health | has("Startup") | not) and .State.Health.FailingStreak == 0
		and .Config.StartupHealthCheck == {Test: ["CMD-SHELL", "echo start; test -e /up"], Interval: 100000000, Timeout: 30000000000, Retries: 0, Successes: 2}' \
		>/dev/null || fail "$(davit inspect c)"
	davit exec c touch /up
	# The other one runs at once when the first is over, whatever its interval.
	wait_until 30 is unhealthy health_of c
	davit inspect c | jq -e '.[0].State.Health.Log | .[-1].Output == "regular\n" and .[-2].Output == "start\n" and .[-3].Output == "start\n"' >/dev/null || fail "$(davit inspect c)"
	davit exec c touch /well
	run_davit healthcheck run c
	is healthy health_of c
}

@test "a check of the start that fails too often restarts the container" {
	need_davit
	davit run -d --name c --network none --stop-timeout 0 --health-cmd true --health-startup-cmd 'test -e /up' --health-startup-interval 0.1s --health-startup-retries 2 \
		"$BUSYBOX" sleep 1000 >/dev/null
	wait_until 30 eval '[ "$(davit inspect -f "{{.RestartCount}}" c)" -ge 2 ]'
	wait_until 10 is running state_of c
	is starting health_of c
	wait_until 10 davit exec c touch /up
	wait_until 30 is healthy health_of c
	davit stop -t 0 c >/dev/null
}

@test "the log: how many, how long, and where else" {
	need_davit
	mkdir "$BATS_TEST_TMPDIR/log"
	id=$(davit run -d --name c --network none --health-cmd 'head -c 3000 /dev/zero | tr "\0" x' --health-interval disable --health-max-log-count 2 --health-max-log-size 1000 \
		--health-log-destination "$BATS_TEST_TMPDIR/log" "$BUSYBOX" sleep 1000)
	for _ in 1 2 3; do davit healthcheck run c; done
	davit inspect c | jq -e '.[0] | (.State.Health.Log | length == 2 and (.[0].Output | length) == 1000) and .Config.HealthMaxLogCount == 2 and .Config.HealthMaxLogSize == 1000
		and (.Config.HealthLogDestination | endswith("/log"))' >/dev/null || fail "$(davit inspect c)"
	jq -e '.Status == "healthy" and (.Log | length) == 2' "$BATS_TEST_TMPDIR/log/$id-healthcheck.log" >/dev/null || fail "$(ls -l "$BATS_TEST_TMPDIR/log")"
	davit run -d --name d --network none --health-cmd 'head -c 3000 /dev/zero | tr "\0" x' --health-interval disable --health-max-log-count 0 --health-max-log-size 0 "$BUSYBOX" sleep 1000 >/dev/null
	for _ in 1 2 3 4 5 6 7; do davit healthcheck run d; done
	davit inspect d | jq -e '.[0].State.Health.Log | length == 7 and (.[6].Output | length) == 3000' >/dev/null || fail "$(davit inspect d)"
	run_error 125 run --health-cmd true --health-log-destination /no/such "$BUSYBOX" true -- "/no/such" "directory"
}

@test "what cannot be is refused" {
	need_davit
	run_error 125 run --health-cmd true --no-healthcheck "$BUSYBOX" true -- "--health-cmd" "--no-healthcheck"
	run_error 125 run --health-cmd "" "$BUSYBOX" true -- "--health-cmd"
	run_error 125 run --health-cmd true --health-retries 0 "$BUSYBOX" true -- "--health-retries"
	run_error 125 run --health-cmd true --health-interval soon "$BUSYBOX" true -- "--health-interval" "soon"
	run_error 125 run --health-cmd true --health-timeout 10ms "$BUSYBOX" true -- "--health-timeout"
	run_error 125 run --health-cmd true --health-on-failure panic "$BUSYBOX" true -- "panic"
	run_error 125 run --health-startup-cmd true "$BUSYBOX" true -- "--health-startup-cmd" "--health-cmd"
	run_error 125 run --health-cmd true --health-startup-retries -1 "$BUSYBOX" true -- "--health-startup-retries"
	run_error 125 run --health-cmd true --health-max-log-count -1 "$BUSYBOX" true -- "--health-max-log-count"
	run_error 125 run --health-cmd true --health-on-failure restart --restart always "$BUSYBOX" true -- "--restart"
}

@test "--timeout, --stop-timeout, --stop-signal, --init do what they say" {
	start=$SECONDS
	davit run -d --name t --timeout 1 --network none "$BUSYBOX" sleep 1000 >/dev/null
	davit wait t >/dev/null
	[ $((SECONDS - start)) -lt 20 ] || fail "--timeout"
	is exited state_of t
	need_davit
	run_davit inspect -f '{{.State.ExitCode}} {{.Config.Timeout}}' t
	assert_output "137 1"
	# The signal that stop sends, and how long it waits.
	davit run -d --name s --stop-signal USR1 --stop-timeout 30 --network none "$BUSYBOX" sh -c 'trap "echo got it; exit 5" USR1; echo ready; while :; do sleep 0.1; done' >/dev/null
	wait_until 10 eval 'davit logs s | grep -q ready'
	start=$SECONDS
	run_davit stop s
	[ $((SECONDS - start)) -lt 25 ] || fail "it did not wait longer than needed"
	run_davit logs s
	assert_output $'ready\ngot it'
	run_davit inspect -f '{{.State.ExitCode}}' s
	assert_output 5
	davit run -d --name h --stop-timeout 1 --network none "$BUSYBOX" sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null
	wait_until 10 eval 'davit logs h | grep -q ready'
	davit stop h >/dev/null 2>&1
	run_davit inspect -f '{{.State.ExitCode}}' h
	assert_output 137
	# With davit-init the command is not PID 1, so that it ends by a signal that it does not handle.
	davit run -d --name i --init --network none "$BUSYBOX" sh -c 'echo $$; exec sleep 1000' >/dev/null
	wait_until 10 eval '[ -n "$(davit logs i)" ]'
	[ "$(davit logs i)" != 1 ] || fail "PID 1"
	davit stop i >/dev/null
	run_davit inspect -f '{{.State.ExitCode}}' i
	assert_output 143
}
