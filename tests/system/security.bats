# davit inspect --security: what a container can do to its host.

load helpers

setup() {
	need_davit
	default_setup
}
teardown() { default_teardown; }

exposure() { davit inspect --security -f '{{.Exposure}}' "$1"; }
# $1 is a smaller exposure than $2
less() { awk -v a="$(exposure "$1")" -v b="$(exposure "$2")" 'BEGIN { exit !(a < b) }' || fail "$1 is not less exposed than $2"; }

@test "security: what is loosened raises the score, what is tightened lowers it" {
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	davit create --name tight --network none --user 1000 --read-only --cap-drop all --security-opt no-new-privileges -m 64m "$BUSYBOX" true >/dev/null
	davit create --name filter --network none --security-opt seccomp=unconfined "$BUSYBOX" true >/dev/null
	davit create --name caps --network none --cap-add SYS_ADMIN "$BUSYBOX" true >/dev/null
	davit create --name open --network host --pid host --privileged -v /etc:/x "$BUSYBOX" true >/dev/null
	less tight c
	less c filter
	less c caps
	less caps open
}

@test "security: words for people, the option that loosened, the remedy" {
	davit create --name c --network none --cap-add NET_ADMIN --pid host -v /etc:/x "$BUSYBOX" true >/dev/null
	run_davit inspect --security c
	assert_contains "NET_ADMIN"
	assert_contains "--cap-add NET_ADMIN: "
	assert_contains "--pid host: "
	assert_contains "may write the host's /etc"
	assert_contains "better: --read-only"
	assert_matches 'Exposure of container c: [0-9.]+ of 10, [A-Z]+'
}

@test "security: facts as JSON are those of the process" {
	davit run -d --name c --network none --cap-drop chown --security-opt no-new-privileges "$BUSYBOX" sleep 1000 >/dev/null
	davit inspect --security --format json c >"$BATS_TEST_TMPDIR/json"
	bounding=$(davit exec c sed -n 's/^CapBnd:[^0-9a-f]*//p' /proc/1/status)
	python3 - "$BATS_TEST_TMPDIR/json" "$bounding" <<-'P'
		import json, sys
		document = json.load(open(sys.argv[1]))[0]
		assert len(document["Capabilities"]) == bin(int(sys.argv[2], 16)).count("1"), document["Capabilities"]
		assert document["NoNewPrivileges"] is True
		assert 250 < document["SystemCalls"]["Allowed"] < document["SystemCalls"]["Known"]
		assert document["Loosened"] == []
	P
}

@test "security: a label asks for fewer capabilities, never for more" {
	davit create --name c --network none --label io.containers.capabilities=CHOWN,SETUID "$BUSYBOX" sleep 1000 >/dev/null
	run_davit inspect --security --format json c
	[ "$(jq -r '.[0] | .CapabilitiesByLabel, .Capabilities[]' <<<"$output")" = $'true\nCAP_CHOWN\nCAP_SETUID' ]
	run_davit inspect --security c
	assert_contains "2 of "
	assert_contains "io.containers.capabilities"
	run_davit run --rm --network none --label io.containers.capabilities=CHOWN,SETUID "$BUSYBOX" sed -n 's/^CapBnd:[^0-9a-f]*//p' /proc/self/status
	assert_output 0000000000000081
	run_davit run --rm --network none "$BUSYBOX" sed -n 's/^CapEff:[^0-9a-f]*//p' /proc/self/status
	usual=$output
	run_davit run --rm --network none --label io.containers.capabilities=CHOWN,SYS_ADMIN "$BUSYBOX" sed -n 's/^CapEff:[^0-9a-f]*//p' /proc/self/status
	assert_output "$usual"
	[[ $stderr == *"CAP_SYS_ADMIN"* ]]
	run_davit run --rm --network none --privileged --label io.containers.capabilities=CHOWN "$BUSYBOX" sed -n 's/^CapEff:[^0-9a-f]*//p' /proc/self/status
	[ "$output" != 0000000000000001 ]
	run_error 125 run --rm --network none --label io.containers.capabilities=NOSUCH "$BUSYBOX" true -- "io.containers.capabilities" "NOSUCH"
}

@test "security: it is about containers" {
	run_error 125 inspect --security nosuch -- "nosuch"
	run_error 125 inspect --security --type image "$BUSYBOX" -- "--security" "--type"
	run_error 125 inspect --security --size x -- "--size"
}
