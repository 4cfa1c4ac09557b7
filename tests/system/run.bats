# `run` in the foreground: what the command sees, and what comes back from it.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

run_true() { run_davit run --rm --network none "$@"; }

@test "standard output and standard error stay apart" {
	run_davit run --rm --network none "$BUSYBOX" sh -c 'echo out; echo err >&2'
	assert_output out
	[ "$stderr" = err ] || fail "stderr"
}

@test "the exit status is the command's" {
	for code in 0 1 42 125 255; do
		run_status $code davit run --rm --network none "$BUSYBOX" sh -c "exit $code"
	done
}

@test "death by a signal is 128 + its number" {
	davit_background run --rm --network none --name victim "$BUSYBOX" sleep 100
	pid=$!
	wait_until 10 eval '[ "$(davit inspect -f "{{.State.Running}}" victim)" = true ]'
	davit kill victim >/dev/null
	wait_status 137 $pid
}

@test "a command that is not there is 127" {
	run_error 127 run --rm --network none "$BUSYBOX" no-such-command -- "no-such-command" "not found"
	run_error 127 run --rm --network none "$BUSYBOX" /no/such/path -- "/no/such/path"
}

@test "a command that cannot be run is 126" {
	run_error 126 run --rm --network none "$BUSYBOX" /etc -- "/etc" "permission denied"
	run_error 126 run --rm --network none "$BUSYBOX" /etc/noexec.sh -- "/etc/noexec.sh" "permission denied"
}

@test "a failed start leaves no container" {
	run_error 127 run --network none --name failed --rm "$BUSYBOX" no-such-command --
	container_gone failed
}

@test "standard input reaches the command with -i, byte for byte, and ends" {
	head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/bytes"
	sum=$(sha256sum <"$BATS_TEST_TMPDIR/bytes")
	run_status 0 eval "davit run -i --rm --network none $BUSYBOX sha256sum <$BATS_TEST_TMPDIR/bytes"
	assert_output "$sum"
}

@test "large output comes out whole and in order" {
	run_status 0 eval "davit run --rm --network none $BUSYBOX seq 1 200000 | sha256sum"
	assert_output "$(seq 1 200000 | sha256sum)"
}

@test "without -i standard input is empty" {
	run_status 0 eval "echo unseen | davit run --rm --network none $BUSYBOX cat"
	assert_output ""
}

@test "a reader that goes away ends it" {
	run_status 0 eval "davit_within 20 run --rm --network none $BUSYBOX yes 2>/dev/null | head -n 1"
	assert_output y
}

@test "environment: image, defaults, files and options, later wins" {
	printf 'FROM_FILE=1\n# comment\nBOTH=file\n\nFROM_HOST\n' >"$BATS_TEST_TMPDIR/env"
	FROM_HOST=host HOSTED=yes STAR_A=a STAR_B=b run_davit run --rm --network none --env-file "$BATS_TEST_TMPDIR/env" \
		-e BOTH=option -e HOSTED -e 'STAR_*' -e EMPTY= -e UNSET_HERE "$BUSYBOX" env
	for line in FROM_FILE=1 BOTH=option FROM_HOST=host HOSTED=yes STAR_A=a STAR_B=b EMPTY= HOME=/root \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; do
		assert_line "$line"
	done
	assert_not_contains UNSET_HERE
	grep -qx 'container=.*' <<<"$output" || fail "container="
}

@test "HOSTNAME is in the environment" {
	run_davit run --rm --network none "$BUSYBOX" env
	grep -qxE 'HOSTNAME=[0-9a-f]{12}' <<<"$output" || fail "HOSTNAME"
}

@test "the image's entrypoint, command, user, directory and environment are used" {
	have_image $REGISTRY/busybox:labelled
	run_davit run --rm --network none $REGISTRY/busybox:labelled
	assert_output "entry command"
	run_davit run --rm --network none $REGISTRY/busybox:labelled other words
	assert_output "entry other words"
	run_davit run --rm --network none --entrypoint /bin/sh $REGISTRY/busybox:labelled -c 'id -u; id -g; pwd; echo $GREETING $HOME'
	assert_output $'1000\n1000\n/home/ann\nhello /home/ann'
	run_davit run --rm --network none --entrypoint '["/bin/echo", "a b"]' $REGISTRY/busybox:labelled c
	assert_output "a b c"
	run_davit run --rm --network none --entrypoint '' $REGISTRY/busybox:labelled echo plain
	assert_output plain
}

@test "user: names and numbers, with groups" {
	run_davit run --rm --network none -u ann "$BUSYBOX" id
	assert_contains "uid=1000(ann) gid=1000(ann)"
	assert_contains "50(staff)"
	run_davit run --rm --network none -u 1000:50 "$BUSYBOX" id
	assert_contains "uid=1000(ann) gid=50(staff)"
	run_davit run --rm --network none -u 4321 "$BUSYBOX" id
	assert_matches "^uid=4321.* gid=0\\(root\\)"
	run_davit run --rm --network none -u ann:staff "$BUSYBOX" id -gn
	assert_output staff
	run_davit run --rm --network none --group-add 77 "$BUSYBOX" id -G
	assert_matches '(^| )77( |$)'
	run_davit run --rm --network none -u 1000:50 --group-add 77 "$BUSYBOX" id -G
	assert_matches '(^| )50 77|77 50( |$)'
	is_podman || run_error 126 run --rm --network none -u nobody-here "$BUSYBOX" true -- "nobody-here"
}

@test "working directory" {
	run_davit run --rm --network none -w /var/www "$BUSYBOX" pwd
	assert_output /var/www
	run_error 126 run --rm --network none -w /no/such "$BUSYBOX" pwd -- "/no/such"
	run_davit run --rm --network none -w /var/www/../../etc "$BUSYBOX" pwd
	assert_output /etc
}

@test "host name, and the files about it" {
	run_davit run --rm --network none --hostname box "$BUSYBOX" sh -c 'hostname; grep -c box /etc/hostname; grep -c box /etc/hosts'
	[[ $output == $'box\n1\n'[1-9]* ]] || fail "names"
	run_davit run --rm --network none --add-host db:10.1.2.3 "$BUSYBOX" cat /etc/hosts
	assert_matches '10\.1\.2\.3[[:space:]]+db'
}

@test "a user or group that the image does not know is 126" {
	run_error 126 run --rm --network none -u nosuch "$BUSYBOX" true -- "user 'nosuch'"
	run_error 126 run --rm --network none -u 0:nosuch "$BUSYBOX" true -- "group 'nosuch'"
	run_error 126 run --rm --network none --group-add nosuch "$BUSYBOX" true -- "group 'nosuch'"
	run_davit create --name c -u nosuch "$BUSYBOX" true
	run_error 125 start c -- "nosuch"
}

@test "resolv.conf: from the host, or from the options" {
	run_davit run --rm --dns 9.9.9.9 --dns-search example.org --dns-option ndots:3 "$BUSYBOX" cat /etc/resolv.conf
	assert_line "nameserver 9.9.9.9"
	assert_line "search example.org"
	assert_line "options ndots:3"
}

@test "limits of the process: --ulimit" {
	run_davit run --rm --network none --ulimit nofile=100:200 "$BUSYBOX" sh -c 'ulimit -Sn; ulimit -Hn'
	assert_output $'100\n200'
	run_error 125 run --rm --network none --ulimit nosuch=1 "$BUSYBOX" true -- nosuch
}

@test "umask, and the caller's own does not matter" {
	umask 077
	run_davit run --rm --network none "$BUSYBOX" sh -c 'umask; touch /f; stat -c %a /f'
	assert_output $'0022\n644'
}

@test "--init-path: another program at PID 1" {
	local init=$BATS_TEST_TMPDIR/init
	need_davit
	cp "$DAVIT_BUILD/src/init/davit-init" "$init"
	echo mine >>"$init"
	run_davit run --rm --network none --init --init-path "$init" "$BUSYBOX" sh -c 'echo $$; tail -c 5 /proc/1/exe'
	assert_output $'2\nmine'
	run_error 125 run --rm --network none --init-path "$init" "$BUSYBOX" true -- "--init-path" "without --init"
	run_error 125 run --rm --network none --init --init-path /nosuch "$BUSYBOX" true -- "/nosuch"
	run_error 125 run --rm --network none --init --init-path /etc/passwd "$BUSYBOX" true -- "/etc/passwd" "no program"
}

@test "--init puts a reaper at PID 1" {
	need_davit # podman needs catatonit for it
	run_davit run --rm --network none --init "$BUSYBOX" sh -c 'echo $$; (sleep 0.1 &) ; sleep 0.3; ps -o stat | grep -c Z || :'
	[[ ${lines[0]} != 1 ]] || fail "the command is not PID 1"
	[[ ${lines[1]} == 0 ]] || fail "no zombie"
}

@test "--read-only keeps the root file system, and /tmp stays writable" {
	run_status 1 davit run --rm --network none --read-only "$BUSYBOX" touch /new
	[[ $stderr == *"Read-only file system"* ]] || fail "message"
	run_davit run --rm --network none --read-only "$BUSYBOX" touch /tmp/a /run/b /dev/shm/c
	run_status 1 davit run --rm --network none --read-only --read-only-tmpfs=false "$BUSYBOX" touch /tmp/a
}

@test "--tmpfs and --shm-size" {
	run_davit run --rm --network none --tmpfs /scratch:size=1m,mode=700 "$BUSYBOX" sh -c 'stat -c %a /scratch; df -k /scratch | tail -n 1 | tr -s " " | cut -d" " -f2'
	assert_output $'700\n1024'
	run_davit run --rm --network none --shm-size 2m "$BUSYBOX" sh -c 'df -k /dev/shm | tail -n 1 | tr -s " " | cut -d" " -f2'
	assert_output 2048
}

@test "/dev holds the devices that everybody expects" {
	run_davit run --rm --network none "$BUSYBOX" sh -c 'echo x >/dev/null; head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; for i in fd stdin stdout stderr; do readlink /dev/$i; done; ls -d /dev/pts /dev/shm /dev/mqueue /dev/full /dev/tty /dev/ptmx /dev/random'
	assert_line /proc/self/fd
	assert_line /proc/self/fd/0
}

@test "no descriptor of ours reaches the command" {
	exec 7<"$BATS_TEST_FILENAME" 9>"$BATS_TEST_TMPDIR/nine"
	run_davit run --rm --network none "$BUSYBOX" sh -c 'ls /proc/self/fd | sort -n | tr "\n" " "'
	assert_output "0 1 2 3 " # 3 is what ls opens
	exec 7<&- 9>&-
}

@test "nothing of the caller's environment reaches the command" {
	SECRET_OF_CALLER=1 run_davit run --rm --network none "$BUSYBOX" env
	assert_not_contains SECRET_OF_CALLER
}

@test "--attach: only the streams that are named" {
	run_davit run --rm --network none -a stderr "$BUSYBOX" sh -c 'echo out; echo err >&2'
	[ -z "$output" ] || fail "standard output"
	[ "$stderr" = err ] || fail "standard error"
	run_davit run --rm --network none -a stdout -a STDERR "$BUSYBOX" sh -c 'echo out; echo err >&2'
	assert_output out
	run_davit run --network none -a stdin -i "$BUSYBOX" true </dev/null
	assert_matches '^[0-9a-f]{64}$'
	run_error 125 run --rm -a nothing "$BUSYBOX" true -- "nothing"
	is_podman && return 0
	davit create --name made -a stderr --network none "$BUSYBOX" sh -c 'echo out; echo err >&2'
	run_davit start -a made
	[ -z "$output" ] && [ "$stderr" = err ] || fail "start -a"
	run_error 125 create -a nothing "$BUSYBOX" true -- "nothing"
}

@test "variables: later ones win: image, proxies, the host's, a file, -e" {
	printf 'C=file\nD=file\n' >"$BATS_TEST_TMPDIR/env"
	http_proxy=proxy B=host C=host D=host run_davit run --rm --network none --env-host --env-file "$BATS_TEST_TMPDIR/env" -e D=option "$BUSYBOX" sh -c 'echo $http_proxy $B $C $D'
	assert_output 'proxy host file option'
	run_davit run --rm -t --network none "$BUSYBOX" sh -c 'echo $TERM $HOME'
	assert_contains 'xterm /root'
}

@test "/run/.containerenv tells that this is a container, and which when it is privileged" {
	run_davit run --rm --network none "$BUSYBOX" stat -c %s /run/.containerenv
	assert_output 0
	run_davit run --rm --network none --privileged --name known "$BUSYBOX" cat /run/.containerenv
	assert_matches 'engine="[a-z]+'
	assert_contains 'name="known"'
	assert_matches 'imageid="[0-9a-f]{64}"'
	assert_matches 'rootless=[01]'
}

@test "--personality LINUX32 is a machine of 32 bits" {
	[ "$(uname -m)" = x86_64 ] || skip "a machine of another kind"
	run_davit run --rm --network none --personality LINUX32 "$BUSYBOX" uname -m
	assert_output i686
}

@test "names: given, taken, invalid, random" {
	run_davit create --name mine --network none "$BUSYBOX" true
	run_error 125 create --name mine --network none "$BUSYBOX" true -- "mine" "in use" "(replace|remove|rm)"
	run_davit create --replace --name mine --network none "$BUSYBOX" true
	run_error 125 create --name '-bad!' --network none "$BUSYBOX" true -- "bad!" "name"
	run_davit create --network none "$BUSYBOX" true
	run_davit ps -a --format '{{.Names}}'
	[[ $output =~ [a-z]+_[a-z]+ ]] || fail "a random name"
}

@test "--cidfile is written, and an old one is not overwritten" {
	run_davit run -d --cidfile "$BATS_TEST_TMPDIR/cid" --network none "$BUSYBOX" sleep 100
	[ "$(cat "$BATS_TEST_TMPDIR/cid")" = "$output" ] || fail "the ID in the file"
	run_error 125 run --cidfile "$BATS_TEST_TMPDIR/cid" --network none "$BUSYBOX" true -- "cid" "exists"
}

@test "options are taken clustered, with = and behind a space; after the image they are the command's" {
	run_davit run --rm --network=none --env A=1 -e=B=2 "$BUSYBOX" echo -it --rm -e
	assert_output "-it --rm -e"
}

@test "--pull=never does not pull, and says what to do" {
	run_error 125 run --rm --pull=never $REGISTRY/busybox:zstd true -- "busybox:zstd" "(pull|not (found|known)|no such image)"
}

@test "run pulls what is missing, quietly with -q" {
	davit rmi -f $REGISTRY/busybox:plain >/dev/null 2>&1 || :
	run_davit run -q --rm --network none $REGISTRY/busybox:plain echo pulled
	assert_output pulled
	[ -z "$stderr" ] || fail "stderr is empty"
}

@test "signals are passed on to the command" {
	is_root || need_davit
	davit_background run --rm --network none --name signalled "$BUSYBOX" sh -c 'trap "exit 7" USR1; echo ready; while :; do sleep 0.05; done' >"$BATS_TEST_TMPDIR/out"
	pid=$!
	wait_until 10 grep -q ready "$BATS_TEST_TMPDIR/out"
	kill -USR1 $pid
	wait_status 7 $pid
}

@test "ctrl-C without a terminal ends it with 130" {
	is_root || need_davit
	set -m # a process group of its own, and SIGINT not ignored
	davit_background run --rm --network none "$BUSYBOX" sh -c 'trap "exit 130" INT; echo ready; while :; do sleep 0.05; done' >"$BATS_TEST_TMPDIR/out"
	pid=$!
	set +m
	wait_until 10 grep -q ready "$BATS_TEST_TMPDIR/out"
	kill -INT $pid
	wait_status 130 $pid
}

@test "--timing prints where the milliseconds went" {
	need_davit
	run_status 0 davit --timing run --rm --network none "$BUSYBOX" echo done
	assert_output "done"
	[[ $stderr =~ [0-9]+\.?[0-9]*\ *(ms|µs|us) ]] || fail "times on standard error"
	[ "$(grep -c ' total$' <<<"$stderr")" = 1 ] && grep -q ' namespaces$' <<<"$stderr" || fail "each part once"
}
