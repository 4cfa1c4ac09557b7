# Options of many commands that people type, and what answers them.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

need_bridge() { is_root || skip "a bridge is for root"; }

@test "a host name is one, or an error" {
	for name in 'bad host!' '-x' 'x-' '.x' 'a..b' $'a\nb' 'schön'; do
		run_error 125 run --rm --network none -h "$name" "$BUSYBOX" true -- 'host name' 'not valid'
	done
	for name in box a.b.c under_score 9; do
		run_davit run --rm --network none -h "$name" "$BUSYBOX" hostname
		assert_output "$name"
	done
}

@test "an empty host name means none" {
	run_davit run --rm --network none -h '' "$BUSYBOX" sh -c '[ ${#HOSTNAME} = 12 ] && [ "$HOSTNAME" = "$(hostname)" ] && echo same'
	assert_output same
}

@test "--network-alias is another name on the bridge" { # bats test_tags=root
	need_bridge
	davit run -d --name c --network bridge:alias=two --network-alias one "$BUSYBOX" sleep 1000 >/dev/null
	run_davit exec c sh -c 'grep -w "$(hostname)" /etc/hosts'
	assert_matches ' c two one$'
	run_davit inspect -f '{{json .NetworkSettings.Networks.davit.Aliases}}' c
	assert_output '["two","one"]'
	run_error 125 run --rm --network-alias 'a b' "$BUSYBOX" true -- "alias 'a b'" 'not valid'
	run_error 125 run --rm --network-alias '' "$BUSYBOX" true -- 'alias is empty'
}

@test "addresses and aliases are for a bridge" {
	for option in --network-alias=x --ip=10.88.0.9 --ip6=fd00::7 --mac-address=02:00:5e:10:00:01; do
		for mode in none host; do
			run_error 125 run --rm --network $mode "$option" "$BUSYBOX" true -- "${option%=*}" bridge "network $mode"
		done
	done
}

@test "the bridge has no IPv6, and says so" { # bats test_tags=root
	need_bridge
	run_error 125 run --rm --ip6 fd00::7 "$BUSYBOX" true -- 'fd00::7' 'not in any subnet' 'network host'
	run_error 125 run --rm --network bridge:ip6=fd00::7 "$BUSYBOX" true -- 'not in any subnet'
	run_error 125 run --rm --ip6 10.88.0.7 "$BUSYBOX" true -- 'not an IPv6 address'
}

@test "exec -d prints an ID, which events have" {
	davit run -d --name c --network none "$BUSYBOX" sleep 1000 >/dev/null
	run_davit exec -d c sh -c 'exit 9'
	assert_matches '^[0-9a-f]{64}$'
	id=$output
	ended() { davit events --stream=false --filter event=exec_died --format '{{.ExecID}} {{.ContainerExitCode}}' | grep -qxF "$id 9"; }
	wait_until 20 ended
	run_davit events --stream=false --filter event=exec --filter container=c
	assert_contains "execID=$id"
}

@test "exec without a command" {
	davit run -d --name c --network none "$BUSYBOX" sleep 1000 >/dev/null
	run_error 255 exec c -- 'no command'
	run_error 125 exec -- 'at least 1 arg'
}

@test "ps: pods, other programs' containers, asking again" {
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	run_davit ps -a --pod --external --sync
	assert_contains "POD ID"
	assert_contains PODNAME
	run_davit ps -a -p -s
	assert_matches 'PODNAME +SIZE'
	run_davit ps -a --format '{{.Names}}|{{.Pod}}|{{.PodName}}'
	assert_output 'c||'
	run_error 125 ps --pod --ns -- 'different tables'
}

@test "ps --filter command=, pod=, label!=" {
	davit create --name one --network none -l a=b "$BUSYBOX" sleep 5 >/dev/null
	davit create --name two --network none "$BUSYBOX" /bin/true >/dev/null
	for filter in 'command=sleep one' 'command=true two' 'command=/bin/true two' 'command=sle ' 'pod=x ' 'label!=a two'; do
		run_davit ps -a --filter "${filter% *}" --format '{{.Names}}'
		assert_output "${filter#* }"
	done
}

@test "ps --format knows exposed ports and the file with the ID" {
	run_davit create --name c --network none --expose 80 --expose 53/udp --cidfile "$BATS_TEST_TMPDIR/id" "$BUSYBOX" true
	run_davit ps -a --format '{{.ExposedPorts}}|{{.CIDFile}}'
	assert_output "80, 53/udp|$BATS_TEST_TMPDIR/id"
}
