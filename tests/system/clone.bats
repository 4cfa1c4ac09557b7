# davit clone and davit run --ephemeral-of: containers that begin with the files of another one.

load helpers

setup() {
	need_davit
	default_setup
}
teardown() { default_teardown; }

make() { davit create --name "$1" --network none "${@:3}" "$BUSYBOX" sh -c "$2" >/dev/null; }
ADD='echo line >>/lines; cat /lines | wc -l'
layers_on_disk() { find "$STORE/snapshots" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }

@test "a clone has the files and the options, and each writes its own" {
	make c "$ADD" -e WHO=me --workdir /tmp --label a=b
	davit start -a c
	run_davit clone c d
	id=$output
	run_davit inspect -f '{{.Id}} {{.State.Status}} {{.Config.WorkingDir}} {{.Config.Labels.a}} {{.Parent}}' d
	assert_output "$id created /tmp b $(davit inspect -f '{{.Id}}' c)"
	run_davit start -a d
	assert_output 2
	run_davit start -a d
	assert_output 3
	run_davit start -a c
	assert_output 2
	run_davit clone d e
	run_davit rm c d
	run_davit start -a e
	assert_output 4
	run_davit rm e
	[ "$(layers_on_disk)" = 0 ] || fail "layers are left behind"
}

@test "names: the operand, --name, or the first one's and -clone" {
	make c "$ADD"
	davit clone c >/dev/null
	davit container clone c >/dev/null
	davit clone --name x c >/dev/null
	run_davit ps -a --format '{{.Names}}'
	assert_line c-clone
	assert_line c-clone1
	assert_line x
	run_error 125 clone c x -- '"x"' "in use"
	run_error 125 clone --name y c z -- y z
	run_error 125 clone nosuch -- nosuch
	run_error 125 clone --force c -- --destroy
}

@test "clones of a snapshot, also while the container runs" {
	make c 'echo line >>/lines; cat /lines | wc -l; [ ! -e /wait ] || sleep 1000' --stop-timeout 0
	davit start -a c
	davit snapshot c one
	davit start -a c
	run_davit clone c:one d
	run_davit start -a d
	assert_output 2
	run_davit snapshots -q d
	assert_output ""
	run_davit snapshot d own
	run_davit revert d
	run_error 125 clone c:nosuch e -- nosuch c
	davit run -d --name up --stop-timeout 0 --network none "$BUSYBOX" sh -c 'echo x >>/x; sleep 1000' >/dev/null
	run_error 125 clone up -- up running "davit stop up" --stop
	run_davit clone --stop up up2
	run_davit inspect -f '{{.State.Status}}' up
	assert_output running
	run_davit snapshot --stop up s
	run_davit clone up:s up3
	run_davit run --rm --network none --ephemeral-of up:s cat /x
	assert_line x
}

@test "--run starts it, --destroy removes the first one, limits are changed" {
	davit run -d --name c --stop-timeout 0 --network none "$BUSYBOX" sh -c 'echo x >>/x; sleep 1000' >/dev/null
	run_error 125 clone --destroy c d -- c running
	container_exists c || fail "gone, and no clone"
	local limit=
	! is_root || limit=--pids-limit=55
	run_davit clone --destroy --force --run $limit c d
	container_gone c
	run_davit inspect -f '{{.State.Status}} {{.HostConfig.PidsLimit}}' d
	assert_matches "^running ${limit:+55\$}"
	run_davit exec d sh -c 'until [ $(wc -l </x) = 2 ]; do sleep 0.05; done'
	davit run -d --rm --name e --network none "$BUSYBOX" sleep 1000 >/dev/null
	run_error 125 clone --destroy --force e f -- --rm
	container_exists e || fail "it is still there"
}

@test "another image: the options only" {
	make c "$ADD"
	davit start -a c
	davit tag "$BUSYBOX" other:1
	run_davit clone c d other:1
	run_davit inspect -f '{{.ImageName}} {{.Parent}}' d
	assert_output "localhost/other:1 "
	run_davit start -a d
	assert_output 1
	davit rm d
	davit untag "$BUSYBOX" localhost/other:1
}

@test "an image that clones stand on stays" {
	make c "$ADD"
	davit start -a c
	davit clone c d >/dev/null
	davit rm c
	run_davit inspect -f '{{.Image}}' d
	run_status 2 davit rmi "$output"
	run_davit start -a d
	assert_output 2
}

@test "run --ephemeral-of: what it does is gone with it" {
	make c "$ADD" -v evol:/data
	davit start -a c
	run_davit run --network none --ephemeral-of c sh -c 'echo more >>/lines; rm /bin/vi; wc -l </lines; ls /bin/vi /data 2>&1; :'
	assert_line 2
	run_davit ps -aq
	[ "$(wc -l <<<"$output")" = 1 ] || fail "it is not gone"
	# Without a command the container's own.
	run_davit run --network none --ephemeral-of c
	assert_output 2
	run_davit start -a c
	assert_output 2
	run_error 125 run --ephemeral-of nosuch true -- nosuch
	run_error 125 run --ephemeral-of c --pull always true -- --pull --ephemeral-of
	run_error 125 run -- "requires at least 1"
	davit rm c
	davit volume rm evol
	[ "$(layers_on_disk)" = 0 ] || fail "layers are left behind"
}

@test "several at once on one container" {
	make c "$ADD"
	davit start -a c
	for i in 1 2 3 4; do
		davit_background run --network none --ephemeral-of c sh -c "$ADD" >"$BATS_TEST_TMPDIR/$i"
		pids[i]=$!
	done
	for i in 1 2 3 4; do
		wait_status 0 "${pids[i]}"
		[ "$(cat "$BATS_TEST_TMPDIR/$i")" = 2 ] || fail "number $i"
	done
	run_davit start -a c
	assert_output 2
}

@test "a container with IDs of its own" {
	local modes=("--userns=keep-id" "--userns=auto:size=2000")
	! is_root || modes=("--uidmap=0:700000:5000")
	for mode in "${modes[@]}"; do
		davit create --name c --network none --user 0 "$mode" "$BUSYBOX" sh -c 'touch /root/f && chown 5:6 /root/f; stat -c %u:%g /root/f; echo x >>/root/x; wc -l </root/x' >/dev/null
		davit start -a c
		run_davit clone c d
		run_davit start -a d
		assert_output "$(printf '5:6\n2')"
		run_davit run --network none --user 0 --ephemeral-of c stat -c %u:%g /root/f /root/x
		assert_output "$(printf '5:6\n0:0')"
		davit rm c d
	done
	is_root || return 0
	# Root's files are mapped when they are mounted: another mapping sees the same owners.
	make c 'touch /root/f; chown 5:6 /root/f'
	davit start c >/dev/null
	davit wait c >/dev/null
	run_davit run --network none --uidmap 0:700000:5000 --ephemeral-of c stat -c %u:%g /root/f
	assert_output 5:6
}

@test "user: a mapping that cannot show the files is refused" {
	! is_root || skip "root has no such mapping"
	make c "$ADD"
	davit start -a c
	run_error 125 run --network none --userns keep-id --ephemeral-of c true -- c --userns
}

@test "kill -9 at every step of a clone" {
	command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null || skip "no strace, or it may not trace"
	make c "$ADD"
	for call in rename mkdir fsync fdatasync pwrite64; do
		for n in 1 2 3 5 8 12; do
			davit start -a c >/dev/null
			run_davit start -a c
			count=$output
			(strace -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$n "$DAVIT" --root "$STORE" --runroot "$RUNDIR" clone c d; exit $?) >/dev/null 2>&1 && done=1 || done=0
			# Either there is none, or a whole one.
			if container_exists d; then
				run_davit start -a d
				assert_output $((count + 1))
				davit rm d
			fi
			run_davit start -a c
			assert_output $((count + 1))
			[ $done = 0 ] || break
		done
	done
	davit rm c
	davit ps -a
	[ "$(layers_on_disk)" = 0 ] || fail "layers are left behind"
}
