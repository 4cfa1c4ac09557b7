# Copying between the host and containers.

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	default_setup
	mkdir -p tree/sub
	echo a >file
	echo b >tree/sub/g
	ln -s g tree/sub/link
	ln tree/sub/g tree/hard
	chmod 640 file
	touch -d 2001-01-01 file
	secret=$BATS_TEST_TMPDIR/secret
	echo "of the host" >"$secret"
}
teardown() {
	default_teardown
	davit volume rm -f cpvolume >/dev/null 2>&1 || :
}

# Containers of all three kinds: $1 created, running, stopped.
make() {
	if [ "$1" = created ]; then
		davit create --name c --network none "${@:2}" "$BUSYBOX" sleep 100 >/dev/null
	else
		davit run -d --name c --network none "${@:2}" "$BUSYBOX" sleep 100 >/dev/null
	fi
	[ "$1" != stopped ] || davit stop -t 0 c >/dev/null
}
in_container() { davit start c >/dev/null 2>&1 && davit exec c sh -c "$1"; }

@test "a file gets there and back, whether the container runs or not" {
	for state in created running stopped; do
		make $state
		davit cp file c:/srv
		davit cp file c:/tmp/
		davit cp c:/tmp/file "back-$state"
		[ "$(cat "back-$state")" = a ]
		[ "$(stat -c '%a %U %y' "back-$state")" = "$(stat -c "640 $(id -un) %y" file)" ]
		run_status 0 in_container "cat /srv; stat -c '%a %u:%g' /srv /tmp/file"
		assert_output "a
640 0:0
640 0:0"
		davit rm -f -t 0 c
	done
}

@test "directories: by name, into one, their content, and links that stay links" {
	make stopped
	davit cp tree c:/new
	davit cp tree c:/tmp
	davit cp tree/. c:/tmp
	davit cp c:/new/. out
	davit cp c:/new out
	davit cp c:/tmp/tree/ other
	diff -r tree out/new
	diff -r tree other
	[ "$(readlink out/sub/link)" = g ]
	[ "$(stat -c %h:%i out/hard)" = "$(stat -c 2:%i out/sub/g)" ]
	run_status 0 in_container 'cd /tmp && find . | sort'
	assert_output ".
./hard
./sub
./sub/g
./sub/link
./tree
./tree/hard
./tree/sub
./tree/sub/g
./tree/sub/link"
}

@test "from container to container, within one, and both ways at once" {
	make running
	davit create --name d --network none "$BUSYBOX" true
	davit cp tree c:/tmp
	davit cp c:/tmp/tree d:/copy
	# podman waits for itself when a container is copied to itself.
	is_podman || davit cp d:/copy d:/again
	is_podman || davit cp d:/again c:/back
	is_podman || davit cp c:/back out
	is_podman || diff -r tree out
	pids=()
	for _ in 1 2 3; do
		davit cp c:/tmp/tree d:/x 3>&- &
		pids+=($!)
		davit cp d:/copy c:/x 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait_status 0 "$pid"
	done
}

@test "what there is no place for, or no such thing, is told in podman's words" {
	make stopped
	run_error 125 cp nothing c:/tmp -- '"nothing" could not be found on the host: no such file'
	run_error 125 cp file nobody:/tmp -- 'container "nobody" does not exist'
	run_error 125 cp c:/nothing . -- '"/nothing" could not be found on container c: no such file'
	run_error 125 cp file c:/no/x -- '"/no/x" could not be found on container c'
	run_error 125 cp file c:/tmp/no/ -- '"/tmp/no/" could not be found on container c'
	run_error 125 cp c:/etc/passwd no/x -- '"no/x" could not be found on the host'
	run_error 125 cp c:/etc/passwd no/ -- '"no/" could not be found on the host'
	run_error 125 cp tree c:/etc/passwd -- 'destination must be a directory when copying a directory'
	run_error 125 cp file c: -- 'you must specify paths'
	run_error 125 cp c: file -- 'you must specify paths'
	run_error 125 cp file other -- 'CONTAINER:PATH'
	run_error 125 cp file -- '2 arg'
	is_podman || run_error 125 cp file c:/etc/passwd/ -- 'could not be found on container c: not a directory'
}

@test "a path that begins with a dot or a slash is one of the host" {
	make stopped
	echo colon >a:b
	davit cp ./a:b c:/tmp
	davit cp c:/tmp/a:b "$BATS_TEST_TMPDIR/c:d"
	[ "$(cat ./c:d)" = colon ]
}

@test "--overwrite lets a directory and a file take each other's place" {
	make stopped
	mkdir -p one/x two
	echo file >two/x
	davit cp one/. c:/tmp
	run_error 125 cp two/x c:/tmp -- "'x' is a directory there" -- overwrite
	davit cp --overwrite two/x c:/tmp
	run_error 125 cp one/. c:/tmp -- "'x' is no directory there"
	davit cp --overwrite one/. c:/tmp
	run_status 0 in_container 'ls -l /tmp'
	assert_matches '^total 4.drwx|drwx'
}

@test "owners: the container's user, or with --archive=false what they were" {
	make running --user 55:66
	davit cp tree c:/etc/a
	davit cp --archive=false tree c:/etc/b
	run_davit exec c stat -c %u:%g /etc/a /etc/a/sub/g /etc/a/sub/link /etc/b/sub/g
	assert_output "55:66
55:66
55:66
0:0"
	davit cp c:/etc/a out
	[ "$(stat -c %u:%g out/sub/g)" = "$(id -u):$(id -g)" ]
}

@test "set-ID bits, times, holes and names of whiteouts survive" {
	make stopped
	mkdir odd
	echo >odd/.wh.file
	truncate -s 50M odd/hole
	cp /bin/true odd/setuid
	chmod 4755 odd/setuid
	touch -d '2020-02-02 02:02:02.123456789' odd/setuid odd
	davit cp odd c:/odd
	davit cp c:/odd back
	diff -r odd back
	[ "$(stat -c '%a %y' back/setuid)" = "$(stat -c '%a %y' odd/setuid)" ]
	is_podman || [ "$(stat -c %b back/hole)" -lt 1000 ]
}

@test "volumes and bind mounts are led through, of a container that does not run, too" {
	mkdir bound
	chmod 777 bound
	for state in created running stopped; do
		make $state -v cpvolume:/vol -v "$PWD/bound:/bound"
		davit cp file c:/vol/$state
		davit cp file c:/bound/$state
		[ "$(cat bound/$state)" = a ]
		davit cp c:/vol/$state "v$state"
		[ "$(cat "v$state")" = a ]
		davit rm -f -t 0 c
	done
	davit run --rm --network none -v cpvolume:/vol "$BUSYBOX" ls /vol >list
	[ "$(tr '\n' ' ' <list)" = "created running stopped " ]
}

@test "tmpfs of a running container, and a read-only root" {
	need_davit
	make running --tmpfs /mem --read-only
	davit cp file c:/mem/file
	[ "$(davit exec c cat /mem/file)" = a ]
	davit cp c:/mem/file out
	run_error 125 cp file c:/file -- 'Read-only'
}

@test "a file that is mounted by itself is written to" {
	need_davit
	make running
	echo 192.0.2.1 somewhere >hosts
	davit cp hosts c:/etc/hosts
	[ "$(davit exec c cat /etc/hosts)" = "192.0.2.1 somewhere" ]
}

@test "a paused container" {
	is_root || skip "pausing needs a control group"
	make running
	davit pause c
	davit cp file c:/tmp/x
	davit cp c:/tmp/x out
	davit unpause c
	[ "$(davit exec c cat /tmp/x)" = a ]
}

@test "other ID mappings" {
	is_root && options=(--uidmap 0:100000:5000) || options=(--userns keep-id)
	for state in created running stopped; do
		make $state "${options[@]}"
		davit cp tree c:/srv
		davit cp c:/srv "out-$state"
		diff -r tree "out-$state"
		davit start c >/dev/null 2>&1
		run_davit exec --user 0 c stat -c %u:%g /srv/sub/g
		is_root && assert_output 0:0 || assert_matches "^(0:0|$(id -u):$(id -g))$"
		davit rm -f -t 0 c
	done
}

@test "- is a tar archive, in and out, compressed or not" {
	make running
	tar c tree | davit cp - c:/tmp
	tar cz -C tree . | davit cp - c:/etc
	is_podman || tar c --zstd file | davit cp - c:/etc
	run_davit exec c cat /tmp/tree/sub/g /etc/sub/link
	assert_output "b
b"
	davit cp c:/tmp/tree - | tar t >list
	grep -q '^tree/sub/g$' list
	davit cp c:/tmp/tree/. - | tar t >list
	grep -q '^sub/g$' list
	davit cp c:/etc/passwd - | tar t >list
	[ "$(cat list)" = passwd ]
}

@test "- that is no archive, or a broken one, or for no directory" {
	make running
	run_error 125 cp - c:/tmp -- 'must be a .compressed. tar archive' </dev/null
	run_error 125 cp - c:/tmp -- 'must be a .compressed. tar archive' < <(seq 10000)
	run_error 125 cp - c:/etc/passwd -- 'must be a directory when copying from stdin' < <(tar c file)
	run_error 125 cp - c:/no -- . < <(tar c file)
	head -c 1000000 /dev/urandom >big
	run_error 125 cp - c:/tmp -- . < <(tar c big | head -c 500000)
	run_davit exec c ls /tmp
	is_podman || assert_output ""
}

@test "a closed pipe and a full disk end it with an error" {
	need_davit
	make running --tmpfs /small:size=1m
	head -c 3000000 /dev/urandom >big
	run_error 125 cp big c:/small -- "write 'big': No space left"
	run_davit exec c ls /small
	assert_output ""
	davit cp big c:/tmp
	status=0
	davit cp c:/tmp/big - 2>error >/dev/full || status=$?
	[ $status = 125 ]
	grep -q '^Error: .*No space left' error
	status=0
	{ davit cp c:/tmp/big - 2>error || echo $? >status; } | head -c 10 >/dev/null
	[ "$(cat status)" = 125 ]
	grep -q '^Error: .*Broken pipe' error
}

@test "links of a container lead nowhere but into it" {
	for state in running stopped; do
		make running
		davit exec c sh -c "ln -s '$secret' /abs; ln -s ../../../../../..$secret /up; ln -s / /root-link; ln -s /proc/1/root /magic;
			ln -s '$BATS_TEST_TMPDIR' /dir; mkdir -p /d; ln -s '$BATS_TEST_TMPDIR' /d/sub"
		[ $state = running ] || davit stop -t 0 c >/dev/null
		for path in /abs /up /root-link"$secret" /../../../"$secret" /dir/secret /magic"$secret" /d/sub/secret; do
			run_error 125 cp "c:$path" out -- 'could not be found on container c'
			[ ! -e out ]
		done
		davit cp c:/d out
		[ "$(readlink out/sub)" = "$BATS_TEST_TMPDIR" ]
		# Into it: nothing of that gets to the host.
		run davit cp file c:/dir/planted
		run davit cp file c:/root-link"$BATS_TEST_TMPDIR"/planted
		run davit cp file c:/d/sub/planted
		run davit cp file c:/../../.."$BATS_TEST_TMPDIR"/planted
		run davit cp file c:/abs
		mkdir -p from/sub
		echo >from/sub/planted
		run davit cp from/. c:/d
		[ ! -e planted ]
		[ "$(cat "$secret")" = "of the host" ]
		davit rm -f -t 0 c
		rm -r out
	done
}

@test "a link in the destination on the host is not followed by what a container sends" {
	need_davit
	make running
	davit exec c mkdir -p /d/sub
	davit exec c touch /d/sub/planted
	mkdir -p out elsewhere
	ln -s ../elsewhere out/sub
	run_error 125 cp c:/d/. out -- "no directory there"
	[ -z "$(ls elsewhere)" ]
	davit cp --overwrite c:/d/. out
	[ -z "$(ls elsewhere)" ]
	[ -f out/sub/planted ]
}

@test "a container that swaps its files for links all the time gets nothing of the host" {
	need_davit
	davit run -d --name c --network none "$BUSYBOX" sh -c \
		"mkdir -p /d/x; echo mine >/d/x/secret; ln -s '$BATS_TEST_TMPDIR' /l
		while :; do mv /d/x /d/y; mv /l /d/x; mv /d/x /l; mv /d/y /d/x; done" >/dev/null
	mkdir out
	for i in $(seq 40); do
		davit cp c:/d/x/secret "out/$i" 2>/dev/null || :
		davit cp c:/d "out/d$i" 2>/dev/null || :
		davit cp file c:/d/x/planted 2>/dev/null || :
		davit cp tree c:/d/x 2>/dev/null || :
	done
	! grep -r "of the host" out
	[ ! -e planted ]
	[ "$(find tree | wc -l)" = 5 ]
}

@test "a tar archive that leads out of the destination is refused" {
	make running
	python3 - <<-'END' >evil.tar
		import io, sys, tarfile
		t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|')
		i = tarfile.TarInfo('../../../evil'); i.size = 1
		t.addfile(i, io.BytesIO(b'x'))
		t.close()
	END
	run_error 125 cp - c:/tmp -- 'leads out' <evil.tar
	[ ! -e /evil ]
}

@test "nobody starts or removes a container while it is copied to" {
	need_davit
	make created
	mkfifo archive
	davit cp - c:/tmp <archive 3>&- &
	copy=$!
	exec 8>archive
	davit start c >/dev/null 3>&- 8>&- &
	start=$!
	tar c file >&8
	exec 8>&-
	wait_status 0 $copy
	wait_status 0 $start
	[ "$(davit exec c cat /tmp/file)" = a ]
}

@test "completion offers containers and files" {
	need_davit
	make created
	run_davit __complete cp ''
	assert_contains "c:"
	run_davit __complete cp ./
	assert_output ":files"
}
