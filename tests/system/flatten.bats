# davit snapshot --flatten: many layers of a container become one that shows the same.

load helpers

setup() {
	need_davit
	default_setup
}
teardown() { default_teardown; }

ADD='echo line >>/lines; cat /lines | wc -l'
make() { davit create --name "$1" --network none "${@:3}" "$BUSYBOX" sh -c "$2" >/dev/null; }
# All names with modes, owners, times and contents, and what changed; of containers that do not run.
seen() {
	davit export "$1" >"$BATS_TEST_TMPDIR/tar"
	tar --numeric-owner --full-time --xattrs -tvvf "$BATS_TEST_TMPDIR/tar" --exclude=lines | sort
	tar -xOf "$BATS_TEST_TMPDIR/tar" | sha256sum
	davit diff "$1" | sort
}
layers_on_disk() { find "$STORE/snapshots" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }
layers_are() { [ "$(layers_on_disk)" -eq "$1" ]; }
# Lets the container stand on so many more layers, each with one file.
deepen() {
	python3 - "$STORE" "$1" "$2" <<'PYTHON'
import os, sqlite3, sys, time
store, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = sqlite3.connect(store + "/davit.db", timeout=20)
container, head = db.execute("SELECT id, head_layer FROM containers WHERE name = ?", (name,)).fetchone()
for i in range(count):
    layer = os.urandom(32).hex()
    os.makedirs(f"{store}/snapshots/{layer}/diff/deep", 0o755)
    open(f"{store}/snapshots/{layer}/diff/deep/{i}", "w").close()
    db.execute("INSERT INTO frozen_layers(id, parent_id, container_id, created_nsec) VALUES(?, ?, ?, ?)", (layer, head, container, time.time_ns()))
    head = layer
db.execute("UPDATE containers SET head_layer = ? WHERE id = ?", (head, container))
db.commit()
PYTHON
}

# Each start does the next thing to what the starts before have left.
WORK='n=$(cat /step 2>/dev/null || echo 0); echo $((n + 1)) >/step
case $n in
0) rm /bin/vi; rm -rf /usr/*; mkdir -p /usr/new /own/deep/er /gone /replaced; echo a >/own/a; echo b >/own/b; ln /own/b /own/c; ln -s a /own/l; chmod 1777 /own
	chown 7:8 /own/a; echo s >/own/s; chmod 4750 /own/s; mkfifo /own/pipe; echo x >/gone/x; echo x >/replaced/x; touch -d "2001-02-03 04:05:06" /own/deep/er /own/deep;;
1) rm /own/a; rm -r /usr /gone; mkdir -p /usr/x; mv /own/b /usr/x/b; echo more >>/usr/x/b; rm -r /replaced; echo file >/replaced; mkdir /own/deep/2; rm /etc/passwd;;
2) rm /replaced; mkdir /replaced; echo y >/replaced/y; mkdir /gone; chmod 700 /own/deep; chown 9:9 /own/deep; rm -r /own/deep/2; echo p >/etc/passwd; rm -r /home; mkdir /home; mkdir -p /dir/a/b/c;;
3) mv /dir/a /dir/z; rm /own/l; mkdir /own/l; echo in >/own/l/in; chmod 0 /own/l; rm -r /usr/x; echo flat >/usr/x;;
esac'

@test "flatten: what many layers show is what one shows, and only that one stays" {
	make c "$WORK"
	for step in 0 1 2 3; do
		davit start -a c
		davit snapshot c s$step
	done
	davit start -a c
	seen c >"$BATS_TEST_TMPDIR/before"
	run_davit snapshot --flatten c
	assert_output c
	seen c >"$BATS_TEST_TMPDIR/after"
	diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	# Those that the other snapshots stand on are still there.
	layers_are 4
	davit snapshot --rm c s0 s1 s2
	wait_until 20 layers_are 1
	seen c >"$BATS_TEST_TMPDIR/after"
	diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	run_davit revert c s3
	davit start c
	davit wait c
	run_davit cp c:/step -
}

@test "flatten: older snapshots and clones go on from what they are" {
	make c "$ADD"
	for n in 1 2 3; do
		davit start -a c
		davit snapshot c
	done
	davit clone c d
	davit clone c:2 e
	davit snapshot --flatten c
	for name in c d; do
		run_davit start -a $name
		assert_output 4
	done
	run_davit start -a e
	assert_output 3
	davit revert c 1
	run_davit start -a c
	assert_output 2
	davit revert c 3
	run_davit start -a c
	assert_output 4
	davit rm c
	run_davit start -a d
	assert_output 5
	run_davit start -a e
	assert_output 4
	davit rm d e
	davit ps -a
	wait_until 20 layers_are 0
}

@test "flatten: IDs of its own, and those of a user's mapping" {
	local mode modes=("--userns=keep-id" "--uidmap=0:1:5000")
	! is_root || modes=("--uidmap=0:700000:5000")
	for mode in "${modes[@]}"; do
		make c 'echo x >>/root/x; wc -l </root/x; [ -e /root/d ] || mkdir -m 700 /root/d; touch /root/d/f; chown 5:6 /root/d /root/d/f; stat -c %u:%g:%a /root/d /root/d/f /root; rm -rf /root/d/f' --user 0 "$mode"
		davit start -a c
		davit snapshot c
		davit start -a c
		davit snapshot c
		davit snapshot --flatten c
		run_davit start -a c
		assert_output "$(printf '3\n5:6:700\n5:6:644\n0:0:700')"
		davit rm c
	done
}

@test "flatten: nothing to do, wrong words, one that runs, --stop" {
	make c 'trap exit TERM; while :; do sleep 1000 & wait; done'
	run_davit snapshot --flatten c
	assert_output c
	run_status 125 davit snapshot --flatten c tag
	[[ $stderr == *"takes no tag"* ]]
	run_status 125 davit snapshot --flatten --rm c tag
	run_status 125 davit snapshot --flatten nosuch
	davit snapshot c
	davit start c
	davit exec c touch /f
	davit snapshot --stop c
	run_status 125 davit snapshot --flatten c
	[[ $stderr == *"cannot flatten container c as it is running"* ]]
	run_davit snapshot --flatten --stop c
	assert_output c
	run_davit inspect -f '{{.State.Status}}' c
	assert_output running
	davit exec c test -e /f
	davit rm -f -t 0 c
}

@test "flatten: from 100 layers on there is a warning, and with 200 a refusal that says what to do" {
	make c "$ADD"
	davit start -a c
	davit snapshot c first
	deepen c 110
	davit start -a c
	run_davit snapshot c
	[[ $stderr == *"davit snapshot --flatten c"* ]]
	deepen c 86
	run_davit start -a c
	assert_output 3
	run_davit snapshot c last
	davit start -a c
	run_status 125 davit snapshot c
	[[ $stderr == *"200 layers"*"davit snapshot --flatten c"* ]]
	OLD_KERNEL=lowerdir LD_PRELOAD=$DAVIT_BUILD/tests/old-kernel.so run_davit start -a c
	assert_output 5
	davit snapshot --flatten c
	run_davit snapshot c
	[ -z "$stderr" ]
	run_davit start -a c
	assert_output 6
	run_davit diff c
	[[ $output == *"/deep/85"* ]]
	davit revert c last
	run_davit start -a c
	assert_output 4
	davit revert c first
	run_davit start -a c
	assert_output 2
	davit rm c
	davit ps -a
	wait_until 20 layers_are 0
}

@test "flatten: kill -9 at every step, and sweeps meanwhile" {
	command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null || skip "no strace, or it may not trace"
	local reached=0 call n
	make c "$ADD"
	davit start -a c
	davit snapshot c one
	for call in mkdir mkdirat linkat fsetxattr fchown futimens utimensat syncfs rename renameat fsync fdatasync pwrite64 clone vfork unlinkat; do
		for n in 1 2 3 5 8; do
			davit start -a c
			davit snapshot c
			(strace -f -qq -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$n" "$DAVIT" --root "$STORE" --runroot "$RUNDIR" snapshot --flatten c; exit $?) >/dev/null 2>&1 && break
			reached=$((reached + 1))
			davit ps -a >/dev/null
			lines=$(davit start -a c)
			[ "$lines" -eq $((last + 2)) ] || [ -z "$last" ] || fail "at $call $n: $lines lines after $last"
			last=$lines
		done
		last=
	done
	[ $reached -ge 10 ] || fail "only $reached steps were reached"
	davit revert c one
	run_davit start -a c
	assert_output 2
	davit rm c
	davit ps -a
	wait_until 20 eval '[ -z "$(ls "$STORE/snapshots" "$STORE/tmp/trash" | grep -v :)" ]'
}
