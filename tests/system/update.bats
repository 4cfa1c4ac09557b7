# Limits of every kind: set at the start, and changed while a container runs.

load helpers

setup() {
	need_davit
	default_setup
}
teardown() { default_teardown; }

is_v2() { [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; }
have_controller() { # of v2: among those that this user has to give
	is_v2 || { is_root && [ -d "/sys/fs/cgroup/$1" ]; return; }
	local own=
	is_root || own=$(sed -n 's/^0:://p' /proc/self/cgroup)
	[ -w "/sys/fs/cgroup$own/cgroup.subtree_control" ] && grep -qw "$1" "/sys/fs/cgroup$own/cgroup.controllers"
}
need_controller() { have_controller "$1" || skip "no control group with the controller $1 for this user"; }
# What file $1 (v2) or $3 in hierarchy $2 (v1) of the running container's group says.
value() {
	local group
	group=$(find /sys/fs/cgroup -type d \( -path "*$ID" -o -path "*$ID.scope/container" \) 2>/dev/null)
	if is_v2; then cat "$(head -n 1 <<<"$group")/$1"; else cat "$(grep "^/sys/fs/cgroup/$2/" <<<"$group" | head -n 1)/$3"; fi
}
start() {
	run_davit run -d --name up --network none "$@" "$BUSYBOX" sleep 1000
	ID=$output
}

@test "memory and processes of a running container" {
	need_controller memory
	need_controller pids
	start -m 100m --pids-limit 50
	run_davit update --memory 300m --pids-limit 60 up
	assert_output "$ID"
	[ "$(value memory.max memory memory.limit_in_bytes)" = 314572800 ] || fail "memory"
	[ "$(value pids.max pids pids.max)" = 60 ] || fail "processes"
	run_davit update -m 40m up
	[ "$(value memory.max memory memory.limit_in_bytes)" = 41943040 ] || fail "less memory"
	[ "$(value pids.max pids pids.max)" = 60 ] || fail "what was not given has changed"
	run_davit update --pids-limit -1 up
	[ "$(value pids.max pids pids.max)" = max ] || fail "no limit"
	run_davit inspect -f '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}' up
	assert_output "41943040 -1"
	run_davit stop -t 0 up
	run_davit start up
	[ "$(value memory.max memory memory.limit_in_bytes)" = 41943040 ] || fail "forgotten at the next start"
}

@test "processor time of a running container" {
	need_controller cpu
	start
	run_davit update --cpus 0.5 --cpu-shares 512 up
	if is_v2; then
		[ "$(value cpu.max)" = "50000 100000" ] || fail "quota"
	else
		[ "$(value - cpu cpu.cfs_quota_us)" = 50000 ] || fail "quota"
		[ "$(value - cpu cpu.shares)" = 512 ] || fail "shares"
	fi
	run_davit update --cpu-quota -1 up
	if is_v2; then [ "$(value cpu.max)" = "max 100000" ] || fail "no quota"; else [ "$(value - cpu cpu.cfs_quota_us)" = -1 ] || fail "no quota"; fi
}

@test "processors of a running container" {
	need_controller cpuset
	start
	run_davit update --cpuset-cpus 0 up
	grep -q '^Cpus_allowed_list:\s*0$' "/proc/$(davit inspect -f '{{.State.Pid}}' up)/status" || fail "not there"
	run_error 125 update --cpuset-cpus 999 up -- "processor list '999'"
	run_davit inspect -f '{{.HostConfig.CpusetCpus}}' up
	assert_output 0
}

@test "a memory limit that was lowered bites" {
	need_controller memory
	mkdir "$BATS_TEST_TMPDIR/go"
	run_davit run -d --name up --network none -m 200m -v "$BATS_TEST_TMPDIR/go:/go" "$BUSYBOX" \
		sh -c 'until [ -e /go/now ]; do sleep 0.1; done; a=x; while :; do a=$a$a; done'
	run_davit update -m 20m up
	touch "$BATS_TEST_TMPDIR/go/now"
	run_davit wait up
	assert_output 137
	run_davit inspect -f '{{.State.OOMKilled}}' up
	assert_output true
}

@test "a container that is stopped has the new limits at its next start" {
	need_controller pids
	run_davit create --name up --network none "$BUSYBOX" sleep 1000
	ID=$output
	run_davit update --pids-limit 77 up
	run_davit start up
	[ "$(value pids.max pids pids.max)" = 77 ] || fail "the old limit"
}

@test "what update refuses" {
	start --cgroups disabled
	run_error 125 update up -- "nothing to change"
	run_error 125 update -m 64m -- "name one container"
	run_error 125 update -m 64m nobody -- "nobody"
	run_error 125 update -m 1m up -- "too small"
	run_error 125 update --memory-swap 1g up -- "--memory"
	run_error 125 update --cpus 0 up -- "cpus"
	run_error 125 update -m 64m up -- "no control group"
	run_davit inspect -f '{{.HostConfig.Memory}}' up
	assert_output 0
}

@test "block devices: rates" {
	have_controller io || have_controller blkio || skip "no control group with the controller io for this user"
	local device
	device=$(lsblk -dnpo NAME,TYPE 2>/dev/null | awk '$2 == "disk" { print $1; exit }')
	[ -b "$device" ] || skip "no disk here"
	start --device-read-bps "$device:1m" --device-write-iops "$device:100"
	if is_v2; then
		[[ "$(value io.max)" == *"rbps=1048576 wbps=max riops=max wiops=100" ]] || fail "rates: $(value io.max)"
	else
		[[ "$(value - blkio blkio.throttle.read_bps_device)" == *" 1048576" ]] || fail "read rate"
		[[ "$(value - blkio blkio.throttle.write_iops_device)" == *" 100" ]] || fail "write rate"
	fi
	run_davit update --device-read-bps "$device:2m" up
	if is_v2; then
		[[ "$(value io.max)" == *"rbps=2097152 "* ]] || fail "new rate"
	else
		[[ "$(value - blkio blkio.throttle.read_bps_device)" == *" 2097152" ]] || fail "new rate"
	fi
}

@test "raw settings, and what one version of cgroups has only" {
	if is_v2; then
		run_error 125 run --rm --network none --memory-swappiness 10 "$BUSYBOX" true -- "swappiness" "leave"
		run_error 125 run --rm --network none -m 50m --oom-kill-disable "$BUSYBOX" true -- "OOM killer" "leave"
		run_error 125 run --rm --network none --cgroup-conf cgroup.procs=1 "$BUSYBOX" true -- "not a setting"
		need_controller memory
		run_davit run --rm --network none --cgroup-conf memory.high=100000000 --cgroup-conf cgroup.max.depth=3 "$BUSYBOX" \
			cat /sys/fs/cgroup/memory.high /sys/fs/cgroup/cgroup.max.depth
		assert_output $'99999744\n3'
	else
		run_error 125 run --rm --network none --cgroup-conf memory.high=1G "$BUSYBOX" true -- "memory.high" "cgroup v2"
		need_controller memory
		start -m 50m --memory-swappiness 10 --oom-kill-disable
		[ "$(value - memory memory.swappiness)" = 10 ] || fail "swappiness"
		grep -qx 'oom_kill_disable 1' <<<"$(value - memory memory.oom_control)" || fail "OOM killer"
	fi
}

@test "limits that make no sense" {
	run_error 125 run --rm --network none --blkio-weight 5 "$BUSYBOX" true -- "blkio-weight" "10 to 1000"
	run_error 125 run --rm --network none --cpu-period 10 "$BUSYBOX" true -- "cpu-period" "1000"
	run_error 125 run --rm --network none --cpu-quota 10 "$BUSYBOX" true -- "cpu-quota" "1000"
	run_error 125 run --rm --network none --cpu-shares 1 "$BUSYBOX" true -- "cpu-shares"
	run_error 125 run --rm --network none --memory-swappiness 101 "$BUSYBOX" true -- "swappiness" "100"
	run_error 125 run --rm --network none -m 50m --memory-reservation 60m "$BUSYBOX" true -- "reservation"
	run_error 125 run --rm --network none --oom-kill-disable "$BUSYBOX" true -- "--memory"
	run_error 125 run --rm --network none --device-read-bps /dev/null:1m "$BUSYBOX" true -- "/dev/null" "block device"
	run_error 125 run --rm --network none --device-read-bps /dev/nothing:1m "$BUSYBOX" true -- "/dev/nothing"
	run_error 125 run --rm --network none --device-read-bps 1m "$BUSYBOX" true -- "DEVICE:VALUE"
	run_error 125 run --rm --network none --cgroup-conf high "$BUSYBOX" true -- "FILE=VALUE"
}
