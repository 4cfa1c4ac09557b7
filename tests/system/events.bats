# davit events: what is recorded, filters, formats, following, many writers, the end told once.

load helpers

setup() { default_setup; own_store; have_image "$BUSYBOX"; }
teardown() {
	default_teardown
	remove_store
}

statuses() { davit events --stream=false --filter "container=$1" --format '{{.Status}}' | paste -sd' '; }

@test "the life of a container in the foreground" {
	run_status 3 davit run --name web --label a=b --network none "$BUSYBOX" sh -c 'exit 3'
	[ "$(statuses web)" = "create init start attach died cleanup" ] || fail "$(statuses web)"
	run_davit events --stream=false --filter event=died --filter container=web --format '{{.Name}} {{.ContainerExitCode}} {{.Attributes.a}}'
	assert_output "web 3 b"
	run_davit rm web
	run_davit events --stream=false --filter container=web
	[[ ${lines[-1]} =~ ^[0-9-]+\ [0-9:.]+\ \+0000\ UTC\ container\ remove\ [0-9a-f]{64}\ \(image=$BUSYBOX,\ name=web,\ a=b\)$ ]] || fail "the line"
}

@test "run --rm tells its removal and nothing twice" {
	run_davit run --rm --name web --network none "$BUSYBOX" true
	[ "$(statuses web)" = "create init start attach died remove" ] || fail "$(statuses web)"
}

@test "stop, start, kill, restart, rename, update, exec" {
	davit run -d --name web --network none "$BUSYBOX" sleep 1000 >/dev/null
	davit exec web true
	run_status 4 davit exec web sh -c 'exit 4'
	davit stop -t 0 web >/dev/null
	davit start web >/dev/null
	davit restart -t 0 web >/dev/null
	davit rename web other
	davit kill other >/dev/null
	davit wait other >/dev/null
	[ "$(davit events --stream=false --filter container=web --format '{{.Status}}' | paste -sd' ')" = \
		"create init start exec exec_died exec exec_died died cleanup stop init start died cleanup stop restart init start" ] || fail "$(statuses web)"
	[ "$(statuses other)" = "rename kill died cleanup" ] || fail "$(statuses other)"
	run_davit events --stream=false --filter event=exec_died --format '{{.ContainerExitCode}}'
	assert_output $'0\n4'
}

@test "a process of exec -d tells its end" {
	need_davit
	davit run -d --name web --network none "$BUSYBOX" sleep 1000 >/dev/null
	davit exec -d web sh -c 'exit 7'
	wait_until 20 sh -c "'$DAVIT' --root '$STORE' --runroot '$RUNDIR' events --stream=false --filter event=exec_died --format '{{.ContainerExitCode}}' | grep -qx 7"
	wait_until 20 sh -c '! pgrep -f -- "--[e]xec-status="'
}

@test "a container in the background tells its end by the monitor's cleanup" {
	davit run -d --name web --network none "$BUSYBOX" sh -c 'exit 5' >/dev/null
	wait_until 20 sh -c "'$DAVIT' --root '$STORE' --runroot '$RUNDIR' events --stream=false --filter event=cleanup --format '{{.Name}}' | grep -qx web"
	[ "$(statuses web)" = "create init start died cleanup" ] || fail "$(statuses web)"
}

@test "who waits, stops, lists and removes at the same time tells the end once" {
	for i in 1 2 3 4 5; do
		davit run -d --name "web$i" --network none "$BUSYBOX" sleep 1000 >/dev/null
		pids=()
		for command in "wait" "stop -t 0" "kill" "rm -f -t 0"; do
			davit $command "web$i" >/dev/null 2>&1 3>&- &
			pids+=($!)
		done
		davit ps -a >/dev/null
		wait "${pids[@]}" || :
		run_davit events --stream=false --filter "container=web$i" --filter event=died --format '{{.Status}}'
		assert_output died
		run_davit events --stream=false --filter "container=web$i" --filter event=remove --format '{{.Status}}'
		assert_output remove
	done
}

@test "the end is told when the monitor was killed, too" {
	need_davit
	davit run -d --name web --network none "$BUSYBOX" sleep 1000 >/dev/null
	read -r pid _ monitor _ <"$RUNDIR/containers/$(davit inspect -f '{{.Id}}' web)/pid"
	kill -KILL "$monitor"
	kill -KILL "$pid"
	wait_until 20 sh -c "'$DAVIT' --root '$STORE' --runroot '$RUNDIR' ps -a --format '{{.Status}}' | grep -q Exited"
	davit ps -a >/dev/null
	[ "$(statuses web)" = "create init start died cleanup" ] || fail "$(statuses web)"
	run_davit events --stream=false --filter event=died --format '{{.ContainerExitCode}}'
	assert_output -1
}

@test "an end that was told again, by one who came after one who was killed, is shown once" {
	need_davit
	davit run --name web --network none "$BUSYBOX" true
	grep '"died"' "$STORE/events/log" >"$BATS_TEST_TMPDIR/again"
	cat "$BATS_TEST_TMPDIR/again" >>"$STORE/events/log"
	run_davit events --stream=false --filter event=died --format '{{.Name}}'
	assert_output web
}

@test "a process of exec whose command was killed tells its end" {
	need_davit
	davit run -d --name web --network none "$BUSYBOX" sleep 1000 >/dev/null
	davit_background exec web sh -c 'sleep 1; exit 6'
	pid=$!
	wait_until 20 sh -c "'$DAVIT' --root '$STORE' --runroot '$RUNDIR' events --stream=false --filter event=exec --format '{{.Name}}' | grep -qx web"
	kill -KILL $pid
	wait $pid || :
	wait_until 20 sh -c "'$DAVIT' --root '$STORE' --runroot '$RUNDIR' events --stream=false --filter event=exec_died --format '{{.ContainerExitCode}}' | grep -qx 6"
}

@test "images and volumes" {
	davit tag "$BUSYBOX" other
	davit untag other localhost/other:latest
	davit save -q -o "$BATS_TEST_TMPDIR/image.tar" "$BUSYBOX"
	davit rmi "$BUSYBOX" >/dev/null
	davit load -q -i "$BATS_TEST_TMPDIR/image.tar" >/dev/null
	davit volume create v >/dev/null
	davit volume rm v >/dev/null
	run_davit events --stream=false --filter type=image --format '{{.Status}} {{.Name}}'
	assert_output "pull $BUSYBOX
tag localhost/other:latest
untag localhost/other:latest
save $BATS_TEST_TMPDIR/image.tar
untag $BUSYBOX
remove $BUSYBOX
loadfromarchive $BATS_TEST_TMPDIR/image.tar"
	run_davit events --stream=false --filter type=volume --format '{{.Type}} {{.Status}} {{.Name}}'
	assert_output $'volume create v\nvolume remove v'
}

@test "what is done with the files of containers, and secrets" {
	need_davit
	davit create --name web --network none "$BUSYBOX" true >/dev/null
	davit cp web:/bin/busybox "$BATS_TEST_TMPDIR/busybox"
	davit export web | tar t >/dev/null
	davit commit -q web localhost/made >/dev/null
	davit export web | davit import - localhost/imported >/dev/null 2>&1
	davit snapshot web >/dev/null
	davit revert web >/dev/null
	run_davit events --stream=false --filter container=web --format '{{.Status}}'
	assert_output $'create\ncopy\nexport\ncommit\nexport\nsnapshot\nrevert'
	run_davit events --stream=false --filter event=import --format '{{.Type}} {{.Name}}'
	assert_matches '^image .*imported'
	echo value | davit secret create key - >/dev/null
	davit secret rm key >/dev/null
	run_davit events --stream=false --filter type=secret --format '{{.Status}} {{.Name}}'
	assert_output $'create key\nremove key'
}

@test "formats: json, IDs cut off, bad templates and filters" {
	davit create --name web --network none --label x=y "$BUSYBOX" true >/dev/null
	run_davit events --stream=false --format json --filter container=web
	jq -e '.Type == "container" and .Status == "create" and .Name == "web" and .Attributes == {"x": "y"} and (.ID | length) == 64 and (.Time | endswith("Z"))' <<<"$output" >/dev/null || fail "JSON"
	run_davit events --stream=false --no-trunc=false --filter container=web
	assert_matches ' create [0-9a-f]{12} \('
	run_davit events --stream=false --filter label=x=z
	assert_output ""
	run_davit events --stream=false --filter label=x=y --filter label=x --format '{{.Name}}'
	assert_output web
	run_error 125 events --stream=false --format '{{.Nothing}}' -- Nothing
	run_error 125 events --stream=false --format '{{' -- template
	run_error 125 events --stream=false --filter type=thing -- type container
	run_error 125 events --stream=false --filter thing=a -- thing container
	run_error 125 events --stream=false --filter name -- KEY=VALUE
	run_error 125 events --since yesterday -- yesterday
	run_error 125 events --until never -- never
	run_error 125 events word -- arguments
}

@test "since and until" {
	davit volume create before >/dev/null
	moment=$(date +%s.%N)
	davit volume create after >/dev/null
	run_davit events --since "$moment" --stream=false --filter type=volume --format '{{.Name}}'
	assert_output after
	run_davit events --until "$moment" --filter type=volume --format '{{.Name}}'
	assert_output before
	run_davit events --since 1h --until 1s --filter type=volume --format '{{.Name}}'
	assert_output $'before\nafter'
}

@test "following sees what comes, and ends with its reader" {
	davit_background events --since 1h --filter type=volume --format '{{.Status}} {{.Name}}' >"$BATS_TEST_TMPDIR/out"
	pid=$!
	davit volume create one >/dev/null
	wait_until 20 grep -qx 'create one' "$BATS_TEST_TMPDIR/out"
	davit volume create two >/dev/null
	wait_until 20 grep -qx 'create two' "$BATS_TEST_TMPDIR/out"
	kill $pid
	wait $pid || :
	[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 2 ] || fail "twice"
	davit_within 20 events --since 1h | head -n 1 >"$BATS_TEST_TMPDIR/first"
	[ -s "$BATS_TEST_TMPDIR/first" ] || fail "nothing"
}

@test "following ends with the log" {
	need_davit
	davit_background events --since 1h --filter type=volume --format '{{.Name}}' >"$BATS_TEST_TMPDIR/out"
	pid=$!
	davit volume create one >/dev/null
	wait_until 20 grep -qx one "$BATS_TEST_TMPDIR/out"
	davit system reset --force
	wait_status 0 $pid
}

@test "many writers, and the file renamed under who follows: each event once, in order" {
	need_davit
	printf '[engine]\nevents_logfile_max_size = "4k"\n' >"$BATS_TEST_TMPDIR/containers.conf"
	export CONTAINERS_CONF_OVERRIDE=$BATS_TEST_TMPDIR/containers.conf
	davit_background events --since 1h --filter type=volume --filter event=create --format '{{.Name}}' >"$BATS_TEST_TMPDIR/out"
	pid=$!
	for writer in a b c; do
		for i in $(seq -w 30); do davit volume create "$writer$i"; done >/dev/null 3>&- &
		writers[${#writers[@]}]=$!
	done
	wait "${writers[@]}"
	davit volume create last >/dev/null
	wait_until 20 grep -qx last "$BATS_TEST_TMPDIR/out"
	kill $pid
	wait $pid || :
	[ -s "$STORE/events/log.1" ] || fail "never renamed"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 91 ] || fail "$(sort "$BATS_TEST_TMPDIR/out" | uniq -c)"
	for writer in a b c; do
		[ "$(grep "^$writer" "$BATS_TEST_TMPDIR/out")" = "$(for i in $(seq -w 30); do echo "$writer$i"; done)" ] || fail "order of $writer"
	done
}

@test "a torn log is read as far as it goes" {
	need_davit
	davit volume create one >/dev/null
	printf '{"time_nsec":17,"Type":"vol' >>"$STORE/events/log"
	davit volume create two >/dev/null
	run_davit events --stream=false --filter type=volume --format '{{.Name}}'
	assert_output $'one\ntwo'
}

@test "none is recorded where none is wanted, also not by the monitor" {
	need_davit
	davit --events-backend none run -d --name web --network none "$BUSYBOX" true >/dev/null
	davit wait web >/dev/null
	printf '[engine]\nevents_logger = "none"\n' >"$BATS_TEST_TMPDIR/containers.conf"
	CONTAINERS_CONF_OVERRIDE=$BATS_TEST_TMPDIR/containers.conf run_davit rm web
	run_davit events --stream=false --filter type=container --filter event=create
	assert_output ""
	run_davit events --stream=false --filter type=container --filter event=start
	assert_output ""
}

@test "a log that cannot be written does not stop what is done" {
	need_davit
	rm -rf "$STORE/events"
	: >"$STORE/events"
	run_davit volume create v
	[[ $stderr == *"davit events"* ]] || fail "no warning"
	rm "$STORE/events"
}
