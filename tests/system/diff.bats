# What changed in a container, and all of it as an archive.

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	default_setup
}
teardown() { default_teardown; }

CHANGE='echo new >/new; rm /bin/ls; mkdir /dir; echo f >/dir/f; chmod 700 /home; rm -r /var/www; mkdir /var/www; echo >/var/www/x'

@test "diff lists what was added, changed and deleted, in a container that ended" {
	davit run --name d --network none "$BUSYBOX" sh -c "$CHANGE"
	run_davit diff d
	need_davit
	assert_output "C /bin
D /bin/ls
A /dir
A /dir/f
C /home
A /new
C /var
C /var/www
D /var/www/index.html
A /var/www/x"
}

@test "diff of a container that runs, and of one that never ran" {
	davit run -d --name d --network none "$BUSYBOX" sleep 100
	run_davit diff d
	assert_output ""
	davit exec d touch /etc/there
	run_davit diff d
	assert_line "A /etc/there"
	davit create --name e "$BUSYBOX" true
	run_davit container diff -l
	assert_output ""
}

@test "diff --format json has a list for each kind" {
	davit run --name d --network none "$BUSYBOX" sh -c 'rm /etc/plain.txt; echo >"/a
b"'
	run_davit diff --format json d
	[ "$(python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["changed"], d["added"], d["deleted"])' <<<"$output")" = \
		"['/etc'] ['/a\\nb'] ['/etc/plain.txt']" ]
	run_davit diff d
	is_podman || assert_line 'A /a?b'
	run_error 125 diff --format xml d -- format
}

@test "diff compares two that are named, and an image with its own lower layers" {
	davit run --name d --network none "$BUSYBOX" sh -c 'echo longer >/etc/plain.txt; rm /etc/noexec.sh; touch /there'
	need_davit
	run_davit diff d "$BUSYBOX"
	assert_output "D /etc/noexec.sh
C /etc/plain.txt
A /there"
	run_davit diff "$BUSYBOX" d
	assert_output "A /etc/noexec.sh
C /etc/plain.txt
D /there"
	run_davit image diff "$BUSYBOX"
	assert_line "A /bin/busybox"
	run_davit diff "$BUSYBOX" "$BUSYBOX"
	assert_output ""
}

@test "diff of what is not there says so" {
	run_error 125 diff nobody -- "no .*container or image.*nobody"
	run_error 125 container diff nobody -- "no .*container.*nobody"
	run_error 125 diff -- ""
}

@test "export has all files with the container's owners, and nothing that is mounted" {
	davit run --name x --network none -v "$BATS_TEST_NAME:/mnt" "$BUSYBOX" sh -c 'echo volume >/mnt/inside; echo data >/new
		chown 3:4 /new; chmod 4751 /new; ln /new /second; ln -s /nowhere /link; rm /bin/ls'
	davit export x >x.tar
	run_status 0 tar --numeric-owner -tvf x.tar
	assert_matches '-rwsr-x--x 3/4 +5 [^ ]+ [^ ]+ new'
	assert_contains "second link to new"
	assert_contains "link -> /nowhere"
	assert_contains "bin/busybox"
	assert_not_contains "inside"
	assert_not_contains "bin/ls "
	[ "$(tar -xOf x.tar new)" = data ]
	davit volume rm -f "$BATS_TEST_NAME" >/dev/null || :
}

@test "export of a container that runs, into a file that is replaced at the end" {
	davit run -d --name x --network none "$BUSYBOX" sh -c 'echo one >/one; exec sleep 100'
	wait_until 5 davit exec x test -s /one
	echo old >x.tar
	davit export --output x.tar x
	[ "$(tar -xOf x.tar one)" = one ]
	need_davit
	tar tf x.tar >names
	grep -q '^etc/passwd$' names
	run_error 125 export -o /nowhere/x.tar x -- /nowhere/x.tar
	run_error 125 export -o x2.tar nobody -- nobody
	[ ! -e x2.tar ]
}

@test "export refuses a terminal, and a closed pipe is no disaster" {
	davit create --name x "$BUSYBOX" true
	run script -qec "$(DAVIT_COMMAND | tr '\n' ' ') export x" /dev/null
	[ "$status" -eq 125 ]
	assert_contains "refusing to export to terminal"
	davit export x | head -c 1000 >/dev/null
	davit rm x
}

@test "export keeps holes, and what davit wrote can be read by tar" {
	need_davit
	davit run --name x --network none "$BUSYBOX" sh -c 'dd if=/dev/zero of=/hole bs=1 count=1 seek=50M; echo end >>/hole'
	davit export -o x.tar x
	[ "$(stat -c %s x.tar)" -lt 20000000 ]
	mkdir out
	tar -xSf x.tar -C out hole
	[ "$(stat -c %s out/hole)" -eq 52428805 ]
	[ "$(tail -c 4 out/hole)" = end ]
	[ "$(stat -c %b out/hole)" -lt 1000 ]
}
