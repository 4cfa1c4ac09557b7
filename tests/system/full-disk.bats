# A full disk: what was full and what to do, nothing half-made, and room can be made with davit itself.

load helpers

setup() { cd "$BATS_TEST_TMPDIR"; }
teardown() {
	[ -z "${SMALL-}" ] || rm -f "$SMALL"/{filler,x.tar}
	default_teardown
	[ -z "${SMALL-}" ] || remove_store
}

small_store() {
	SMALL=$DAVIT_TEST_WORK/small/$DAVIT_TEST_USER
	mkdir -p "$SMALL"
	own_store "$SMALL/store"
	davit pull -q "$BUSYBOX" >/dev/null
}
fill_disk() { head -c 100M /dev/zero >"$SMALL/filler" 2>/dev/null || :; }

@test "what was made can be removed on a full disk, and how a container ended is kept" {
	need_davit
	small_store
	davit volume create v >/dev/null
	echo x | davit secret create s - >/dev/null
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	davit create --name d --network none "$BUSYBOX" true >/dev/null
	davit run -d --name r --network none "$BUSYBOX" sh -c 'dd if=/dev/zero of=/x bs=1M count=100; exit 7' >/dev/null
	wait_until 20 eval '[ "$(davit ps -a --filter name=r --filter status=exited -q)" ]'
	fill_disk
	# More than what is left of the log's last page.
	run_error 125 create --name e --label "x=$(head -c 20000 /dev/zero | tr '\0' x)" --network none "$BUSYBOX" true -- "free some space.*--root"
	run_davit ps -a --format '{{.Names}} {{.Status}}'
	assert_contains "r Exited (7)"
	run_davit rm c
	fill_disk
	run_davit secret rm s
	run_davit volume rm v
	run_davit rm r
	rm "$SMALL/filler"
	run_davit rename d dd
	fill_disk
	run_davit rm -a
	run_davit rmi "$BUSYBOX"
	[ -z "$(find "$STORE"/containers "$STORE"/tmp/trash "$STORE"/layers -mindepth 1 -type f)" ] || fail "$(find "$STORE")"
	rm "$SMALL/filler"
	run_davit system check
	run_davit pull -q "$BUSYBOX"
}

@test "a container that fills the disk it lives on ends with its own status, and --rm puts it away" {
	need_davit
	small_store
	run_status 5 davit run --rm --network none "$BUSYBOX" sh -c 'dd if=/dev/zero of=/x bs=1M count=100 2>/dev/null; exit 5'
	run_davit ps -aq
	assert_output ""
	run_davit run --rm --network none "$BUSYBOX" echo goes on
	assert_output "goes on"
}

@test "copies, archives and secrets: the error says where and what to do, and it works when there is room" {
	need_davit
	small_store
	head -c 1M /dev/urandom >big
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	fill_disk
	run_error 125 cp big c:/big -- "write 'big': No space left" "free some space"
	run_error 125 cp c:/bin/busybox "$SMALL/out" -- "write 'out': No space left" "free some space"
	run_error 125 export -o "$SMALL/x.tar" c -- "$SMALL/x.tar" "No space left" "free some space"
	run_error 125 save -o "$SMALL/x.tar" "$BUSYBOX" -- "$SMALL/x.tar" "No space left" "free some space"
	run_error 125 run --network none "$BUSYBOX" true -- "free some space.*--root"
	[ -z "$(find "$SMALL" -maxdepth 1 -name 'out*' -o -maxdepth 1 -name 'x.tar*')" ] || fail "$(ls "$SMALL")"
	rm "$SMALL/filler"
	run_davit cp big c:/big
	run_davit cp c:/big back
	cmp big back
	run_davit export -o "$SMALL/x.tar" c
}

@test "secrets and volumes: the error tells what to do, and nothing stays but what it names" {
	need_davit
	small_store
	head -c 300000 /dev/urandom | base64 -w0 >secret
	head -c 3M /dev/urandom >big
	tar cf big.tar big
	davit volume create v >/dev/null
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	fill_disk
	run_error 125 cp big c:/big -- "free some space.*--root"
	run_error 125 secret create s secret -- "secret 's'" "No space left" "free some space.*--root"
	run_error 125 volume import v big.tar -- "volume 'v', which may hold a part of the archive" "free some space"
	# More than what is left of the log's last page.
	run_error 125 volume create --label "x=$(head -c 20000 /dev/zero | tr '\0' x)" w -- "free some space.*--root"
	[ ! -e "$STORE/volumes/w" ] && [ -z "$(ls "$STORE/secrets")" ] || fail "$(find "$STORE/volumes" "$STORE/secrets")"
	run_davit secret ls -q
	assert_output ""
	rm "$SMALL/filler"
	run_davit system check
	assert_output ""
	run_davit secret create s secret
	run_davit volume import v big.tar
	cmp big "$(davit volume inspect -f '{{.Mountpoint}}' v)/big"
}

@test "volume export to a closed pipe says so" {
	need_davit
	default_setup
	davit volume create v >/dev/null
	davit run --rm --network none -v v:/mnt "$BUSYBOX" sh -c 'head -c 3000000 /dev/zero >/mnt/big'
	{ davit volume export v 2>error || echo $? >status; } | head -c 1 >/dev/null
	davit volume rm v
	[ "$(cat status)" = 125 ]
	grep -q "^Error: export volume 'v': .*Broken pipe" error || fail "$(cat error)"
}
