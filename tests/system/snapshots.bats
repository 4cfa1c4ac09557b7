# Snapshots of containers and going back to them; kept by layers, so nothing is ever copied.

load helpers

setup() {
	need_davit
	default_setup
}
teardown() { default_teardown; }

# A container whose next start does what $2 says, with its files as they are.
make() { davit create --name "$1" --network none "${@:3}" "$BUSYBOX" sh -c "$2" >/dev/null; }
# What is in file $2 of container $1, which does not run: from its layers, uppermost first.
content() {
	run_davit start -a "$1"
}
# Starts it once; each start adds a line and shows all.
ADD='echo line >>/lines; cat /lines | wc -l'
layers_on_disk() { find "$STORE/snapshots" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }

@test "a snapshot, changes, and back" {
	make c "$ADD"
	run_davit start -a c
	assert_output 1
	run_davit snapshot c
	assert_output 1
	run_davit start -a c
	assert_output 2
	run_davit snapshot c two
	assert_output two
	run_davit start -a c
	assert_output 3
	run_davit revert c 1
	assert_output 1
	run_davit start -a c
	assert_output 2
	run_davit revert c
	assert_output two
	run_davit start -a c
	assert_output 3
	run_davit snapshots c --format '{{.Container}}:{{.Tag}}{{.Current}}'
	assert_output "$(printf 'c:1\nc:two*')"
	run_davit inspect -f '{{range .Snapshots}}{{.Tag}}={{.Current}} {{end}}' c
	assert_output "1=false two=true "
}

@test "what is deleted, replaced, moved and made opaque below stays so above" {
	make c 'case $(cat /step 2>/dev/null) in
		"") echo 1 >/step; rm /bin/vi; rm -rf /usr/*; mkdir /usr/new /own; echo a >/own/a; echo b >/own/b; ln /own/b /own/c; ln -s a /own/l; chmod 1777 /own; chown 7:8 /own/a;;
		1) echo 2 >/step; [ ! -e /bin/vi ] && [ "$(ls /usr)" = new ] && rm /own/a && rm -r /usr && mkdir -p /usr/x && mv /own/b /usr/x/b && echo more >>/usr/x/b;;
		2) [ ! -e /own/a ] && [ ! -e /own/b ] && [ "$(ls /usr)" = x ] && [ "$(cat /usr/x/b)" = "$(printf "b\nmore")" ] && [ "$(stat -c %a /own)" = 1777 ] && [ "$(readlink /own/l)" = a ] && [ "$(cat /own/c)" = b ] && echo all well;;
	esac'
	davit start -a c
	run_davit snapshot c
	run_davit start -a c
	run_davit snapshot c
	run_davit start -a c
	assert_output "all well"
	run_davit revert c 1
	run_davit start -a c
	run_davit start -a c
	assert_output "all well"
}

@test "tags: numbers that go on, names, taken ones, bad ones, missing ones" {
	make c "$ADD"
	run_davit snapshot c
	assert_output 1
	run_davit snapshot c 7
	run_davit snapshot c
	assert_output 8
	run_error 125 snapshot c 7 -- "'7'" "c" "snapshot --rm"
	run_error 125 snapshot c a/b -- "a/b" "letters"
	run_error 125 snapshot c a b -- "at most 2"
	run_error 125 snapshot nosuch -- nosuch
	run_error 125 revert c nosuch -- nosuch "davit snapshots c"
	run_error 1 snapshot --rm c nosuch -- nosuch
	run_error 125 snapshot --rm c -- "tag"
	davit rm c
	make c "$ADD"
	run_error 125 revert c -- "no snapshot" "davit snapshot c"
}

@test "one that runs is refused, --stop stops it for that and starts it again" {
	davit run -d --stop-timeout 0 --name c --network none "$BUSYBOX" sh -c 'echo start >>/starts; sleep 1000' >/dev/null
	run_error 125 snapshot c -- "c" running "davit stop c" --stop
	run_error 125 revert c -- "c" running --stop
	if davit pause c 2>/dev/null; then
		run_error 125 snapshot c -- "c" paused
		davit unpause c >/dev/null
	fi
	run_davit snapshot --stop c first
	assert_output first
	run_davit inspect -f '{{.State.Status}}' c
	assert_output running
	run_davit exec c sh -c 'until [ $(wc -l </starts) = 2 ]; do sleep 0.05; done; touch /more'
	run_davit revert --stop c first
	run_davit exec c sh -c 'until [ $(wc -l </starts) = 2 ]; do sleep 0.05; done; [ ! -e /more ]'
	davit stop -t 0 c >/dev/null
	davit run -d --rm --name d --network none "$BUSYBOX" sleep 1000 >/dev/null
	run_error 125 snapshot --stop d -- --rm
	run_davit inspect -f '{{.State.Status}}' d
	assert_output running
}

@test "unchanged files make no layer, and layers go with the last who needs them" {
	before=$(layers_on_disk)
	make c "$ADD"
	run_davit start -a c
	run_davit snapshot c
	run_davit snapshot c again
	[ "$(layers_on_disk)" = $((before + 1)) ] || fail "one state, one layer"
	run_davit start -a c
	run_davit snapshot c top
	run_davit start -a c
	[ "$(layers_on_disk)" = $((before + 2)) ] || fail "two states"
	run_davit snapshot --rm c 1 top
	assert_output "$(printf '1\ntop')"
	[ "$(layers_on_disk)" = $((before + 2)) ] || fail "the container stands on both"
	run_davit revert c again
	[ "$(layers_on_disk)" = $((before + 1)) ] || fail "nobody needs the upper one any more"
	run_davit start -a c
	assert_output 2
	run_davit snapshot --rm c again
	run_davit start -a c
	assert_output 3
	run_davit snapshots -q c
	assert_output ""
	run_davit rm c
	[ "$(layers_on_disk)" = "$before" ] || fail "left behind"
	wait_until 10 eval '[ -z "$(ls "$STORE/tmp/trash")" ]'
}

@test "sizes: ps -s counts all layers, snapshots --size each of them" {
	make c 'i=$(ls / | grep -c ^big); head -c 1000000 /dev/zero >/big$i'
	for _ in 1 2 3; do
		davit start -a c
		davit snapshot c
	done
	run_davit snapshots --size --format json c
	[ "$(jq -r '.[1].Size >= 1000000 and .[1].Size < 1100000' <<<"$output")" = true ] || fail "size of the second"
	run_davit inspect --size -f '{{.SizeRw}}' c
	[ "$output" -ge 3000000 ] || fail "size of all"
	run_davit snapshots -n --size c
	assert_contains 1MB
}

@test "volumes stay as they are, and revert tells so" {
	make c 'date +%N >>/data/v; cat /data/v | wc -l' -v snapvol:/data
	davit start -a c
	davit snapshot c
	davit start -a c
	run_davit revert c
	[[ $stderr == *"snapvol at /data"* ]] || fail "no word about the volume"
	run_davit start -a c
	assert_output 3
	davit rm c
	davit volume rm snapvol
}

@test "many snapshots" {
	make c "$ADD"
	for i in $(seq 60); do
		davit start -a c >/dev/null
		run_davit snapshot c
	done
	assert_output 60
	run_davit start -a c
	assert_output 61
	run_davit revert c 30
	run_davit start -a c
	assert_output 31
}

@test "a container with IDs of its own" {
	local modes=("--userns=keep-id" "--userns=auto:size=2000" "--uidmap=0:1:5000")
	! is_root || modes=("--uidmap=0:700000:5000")
	for mode in "${modes[@]}"; do
		davit create --name c --network none --user 0 "$mode" "$BUSYBOX" sh -c 'touch /root/f && chown 5:6 /root/f; stat -c %u:%g /root/f /root; echo x >>/root/x; wc -l </root/x' >/dev/null
		run_davit start -a c
		assert_output "$(printf '5:6\n0:0\n1')"
		davit snapshot c
		run_davit start -a c
		assert_output "$(printf '5:6\n0:0\n2')"
		davit snapshot c
		davit revert c 1
		run_davit start -a c
		assert_output "$(printf '5:6\n0:0\n2')"
		davit rm c
	done
}

@test "one whose files are mounted is refused" {
	is_root || skip "an ordinary user's mount is in a namespace of his own"
	make c "$ADD"
	davit start -a c
	davit snapshot c
	run_davit mount c
	path=$output
	run_error 125 snapshot c -- "$path" "davit unmount c"
	run_error 125 revert c -- "$path"
	davit unmount c
	run_davit snapshot c
}

@test "--rootfs: refused, with :O it works" {
	mkdir -p "$BATS_TEST_TMPDIR/fs"
	davit create --name x "$BUSYBOX" true >/dev/null
	cp "$(command -v busybox)" "$BATS_TEST_TMPDIR/fs/busybox"
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/fs"
	davit create --name c --network none --rootfs "$BATS_TEST_TMPDIR/fs" /busybox true >/dev/null
	run_error 125 snapshot c -- "c" "$BATS_TEST_TMPDIR/fs" ":O"
	davit create --name d --network none --rootfs "$BATS_TEST_TMPDIR/fs:O" /busybox sh -c 'echo x >>/x; /busybox wc -l </x' >/dev/null
	davit start -a d
	davit snapshot d
	davit start -a d
	davit revert d
	run_davit start -a d
	assert_output 2
}

# Kills davit, with the words behind, when it makes system call $1 for the $2nd time; fails if it does not get there.
killed_at() {
	local call=$1 when=$2
	shift 2
	! (strace -qq -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$when" "$DAVIT" --root "$STORE" --runroot "$RUNDIR" "$@"; exit $?) >/dev/null 2>&1
}
STEPS="rename renameat mkdir fsync fdatasync pwrite64 unlink unlinkat clone vfork setsid"

@test "kill -9 at every step of a snapshot and of going back" {
	command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null || skip "no strace, or it may not trace"
	local reached=0
	make c "$ADD"
	davit start -a c
	davit snapshot c base
	davit start -a c
	for call in $STEPS; do
		for n in 1 2 3 4 5 8 12; do
			killed_at "$call" "$n" snapshot c || break
			reached=$((reached + 1))
			# Two lines are there, whatever has become of the snapshot, and they are seen before anybody has
			# repaired anything.
			run_davit inspect --size -f '{{.SizeRw}}' c
			[ "$output" -ge 10 ] || fail "at $call $n the files are not seen"
			run_davit start -a c
			assert_output 3
			davit revert c base
			run_davit start -a c
			assert_output 2
		done
	done
	[ $reached -ge 5 ] || fail "only $reached steps were reached"
	reached=0
	for call in $STEPS; do
		for n in 1 2 3 4 5 8 12; do
			killed_at "$call" "$n" revert c base || break
			reached=$((reached + 1))
			# It has gone back, or it has not.
			run_davit start -a c
			[ "$output" = 2 ] || [ "$output" = 3 ] || fail "at $call $n: something between"
			davit revert c base
			run_davit start -a c
			assert_output 2
		done
	done
	[ $reached -ge 5 ] || fail "only $reached steps were reached"
	davit rm c
	davit ps -a
	wait_until 10 eval '[ -z "$(ls "$STORE/snapshots" "$STORE/tmp/trash" | grep -v :)" ]'
}
