# Control groups on a host with systemd: what stays when the unit that started a container ends, scopes, split units.

load helpers

setup() {
	need_davit
	default_setup
}
teardown() {
	default_teardown
	# systemd keeps empty slices.
	[ ! -d /run/systemd/system ] || ! is_root || systemctl stop machine.slice davittest.slice 2>/dev/null || :
}

need_systemd() {
	[ -d /run/systemd/system ] || skip "no systemd is running here"
	[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] || skip "this host has cgroup v1"
}
# Runs davit in a unit of its own, to its end.
unit() {
	local manager=(--quiet --wait --pipe --collect) options=()
	is_root || manager+=(--user)
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	run --separate-stderr timeout 60 systemd-run "${manager[@]}" -p IgnoreSIGPIPE=no "${options[@]}" \
		-E CONTAINERS_CONF="$CONTAINERS_CONF" "$DAVIT" --root "$STORE" --runroot "$RUNDIR" "$@"
}
scope_of() {
	if is_root; then systemctl show -p "$2" --value "davit-$1.scope"; else systemctl --user show -p "$2" --value "davit-$1.scope"; fi
}

@test "a container that a unit started keeps its monitor when the unit ends" {
	need_systemd
	mkdir "$BATS_TEST_TMPDIR/go"
	for manager in cgroupfs systemd; do
		rm -f "$BATS_TEST_TMPDIR/go/now"
		unit -p Type=oneshot -- --cgroup-manager "$manager" run -d --name "$manager" --network none -v "$BATS_TEST_TMPDIR/go:/go" "$BUSYBOX" \
			sh -c 'until [ -e /go/now ]; do sleep 0.1; done; echo late; exit 7'
		[ "$status" -eq 0 ] || fail "not started"
		touch "$BATS_TEST_TMPDIR/go/now"
		run_davit wait "$manager"
		assert_output 7
		run_davit logs "$manager"
		assert_output late
	done
}

@test "what exec started in a unit goes on when the unit ends" {
	need_systemd
	mkdir "$BATS_TEST_TMPDIR/go"
	run_davit --cgroup-manager cgroupfs run -d --name host --network none -v "$BATS_TEST_TMPDIR/go:/go" "$BUSYBOX" sleep 1000
	unit -p Type=oneshot -- exec -d host sh -c 'until [ -e /go/now ]; do sleep 0.1; done; touch /go/done'
	[ "$status" -eq 0 ] || fail "not started"
	touch "$BATS_TEST_TMPDIR/go/now"
	wait_until 10 test -e "$BATS_TEST_TMPDIR/go/done"
}

@test "system reset takes the empty groups away" {
	need_systemd
	is_root || skip "others may have theirs in use"
	run_davit --cgroup-manager cgroupfs run -d --name last --network none "$BUSYBOX" sleep 1000
	[ -d /sys/fs/cgroup/davit/monitors ] || fail "no group for monitors"
	run_davit rm -f -t 0 last
	gone() {
		davit --root "$BATS_TEST_TMPDIR/root" --runroot "$BATS_TEST_TMPDIR/run" volume ls >/dev/null # so that there is a store
		davit --root "$BATS_TEST_TMPDIR/root" --runroot "$BATS_TEST_TMPDIR/run" system reset -f
		[ ! -e /sys/fs/cgroup/davit ]
	}
	wait_until 10 gone # the monitors may just be ending
}

@test "with the manager systemd a container has a scope, which ends with it" {
	need_systemd
	run_davit --cgroup-manager systemd run -d --name scoped --network none "$BUSYBOX" sleep 1000
	local id=$output
	[ "$(scope_of "$id" ActiveState)" = active ] || fail "no scope"
	[ "$(scope_of "$id" Delegate)" = yes ] || fail "not delegated"
	[ "$(scope_of "$id" Slice)" = "$(is_root && echo machine.slice || echo user.slice)" ] || fail "slice"
	run_davit inspect -f '{{.HostConfig.CgroupManager}}' scoped
	assert_output systemd
	run_davit stop -t 0 scoped
	# At once: the monitor of the run before may still be in its scope.
	run_davit --cgroup-manager systemd start scoped
	run_davit rm -f -t 0 scoped
	gone() { [ "$(scope_of "$id" ActiveState)" = inactive ]; }
	wait_until 10 gone
}

@test "limits hold in a scope" {
	need_systemd
	grep -qw pids "/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/cgroup.controllers" || skip "this host has no pids controller to give"
	run_davit --cgroup-manager systemd run --rm --network none --pids-limit 33 -m 20m "$BUSYBOX" sh -c 'cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max'
	assert_output $'33\n20971520'
	run_status 137 davit --cgroup-manager systemd run --name hog --network none -m 20m "$BUSYBOX" sh -c 'a=x; while :; do a=$a$a; done'
	run_davit inspect -f '{{.State.OOMKilled}}' hog
	assert_output true
}

@test "a slice can be the parent" {
	need_systemd
	run_davit run -d --name sliced --network none --cgroup-parent davittest.slice "$BUSYBOX" sleep 1000
	[ "$(scope_of "$output" Slice)" = davittest.slice ] || fail "slice"
	run_davit rm -f -t 0 sliced
}

@test "split: monitor and container stay in the unit" {
	need_systemd
	unit -p Delegate=yes --unit=davit-split -- run --rm --cgroups split --network none --cgroupns host "$BUSYBOX" cat /proc/self/cgroup
	[ "$status" -eq 0 ] || fail "not started"
	grep -qE '^0::.*/davit-split.service/davit-[0-9a-f]+$' <<<"$output" || fail "elsewhere"
}

@test "managers and parents that do not go together" {
	run_error 125 --cgroup-manager cgroupfs run --rm --network none --cgroup-parent a.slice "$BUSYBOX" true -- "slice" "cgroup-manager=systemd"
	run_error 125 --cgroup-manager systemd run --rm --network none --cgroup-parent /a "$BUSYBOX" true -- "no slice" "cgroup-manager=cgroupfs"
	[ ! -d /run/systemd/system ] || skip "systemd is here"
	run_error 125 --cgroup-manager systemd run --rm --network none "$BUSYBOX" true -- "systemd" "cgroup-manager=cgroupfs"
	# The file belongs to several programs.
	printf '[engine]\ncgroup_manager = "systemd"\n' >"$BATS_TEST_TMPDIR/containers.conf"
	CONTAINERS_CONF=$BATS_TEST_TMPDIR/containers.conf run_davit run --rm --network none "$BUSYBOX" echo works
	assert_output works
}

@test "davit-runtime --systemd-cgroup: a scope in the slice asked for, limits below it, and it ends with the container" {
	need_systemd
	local bundle=$BATS_TEST_TMPDIR/bundle states=$BATS_TEST_TMPDIR/states group limit=. rootless=() manager=()
	local runtime=("$DAVIT_BUILD/src/oci-runtime/davit-runtime" --root "$states")
	is_root || { rootless=(--rootless); manager=(--user); }
	mkdir -p "$bundle/rootfs/bin"
	cp /bin/busybox "$bundle/rootfs/bin/sleep"
	"${runtime[@]}" spec "${rootless[@]}" -b "$bundle"
	jq '.process.args = ["sleep", "100"] | .process.terminal = false | .linux.cgroupsPath = "davittest.slice:pre:one" |
		del(.linux.resources)' "$bundle/config.json" >"$bundle/new.json"
	! grep -qw pids /sys/fs/cgroup/cgroup.controllers || limit='.linux.resources.pids = {"limit": 33}'
	jq "$limit" "$bundle/new.json" >"$bundle/config.json"
	"${runtime[@]}" --systemd-cgroup create -b "$bundle" c 3>&-
	"${runtime[@]}" start c
	group=$(sed -n 's/^0:://p' "/proc/$("${runtime[@]}" state c | jq .pid)/cgroup")
	[[ $group == */davittest.slice/pre-one.scope/container ]] || fail "group: $group"
	[ "$(systemctl "${manager[@]}" show -p ActiveState --value pre-one.scope)" = active ]
	[ "$limit" = . ] || [ "$(cat "/sys/fs/cgroup$group/pids.max")" = 33 ]
	"${runtime[@]}" exec c sleep 0
	"${runtime[@]}" delete --force c
	wait_until 10 test ! -e "/sys/fs/cgroup${group%/container}"
	jq '.linux.cgroupsPath = "/some/path"' "$bundle/new.json" >"$bundle/config.json"
	run_status 1 "${runtime[@]}" --systemd-cgroup create -b "$bundle" c
	assert_error 1 "linux.cgroupsPath: '/some/path' is not SLICE:PREFIX:NAME"
}

# bats test_tags=root
@test "exec from a login session into a container that lives in a scope of the user's manager" {
	need_systemd
	local layout home
	layout=$(ls -d "$DAVIT_TEST_CACHE"/layouts/busybox)
	home=$(mktemp -d /tmp/session.XXXXXX)
	chown davit-test "$home"
	run --separate-stderr timeout 60 su -l davit-test -c "
		davit() { '$DAVIT' --root '$home/store' --runroot '$home/run' \"\$@\"; }
		davit pull -q oci:$layout:latest >&2 && davit run -d --name c --network none busybox sleep 100 >&2
		davit exec c echo there
		davit system reset -f >&2"
	rm -rf "$home"
	[ "$output" = there ] || fail "$output$stderr"
}
