# Options of many commands that people type, and what answers them.

load helpers

setup() { default_setup; }
teardown() { default_teardown; }

need_bridge() { is_root || skip "a bridge is for root"; }

@test "a host name is one, or an error" {
	for name in 'bad host!' '-x' 'x-' '.x' 'a..b' $'a\nb' 'schön'; do
		run_error 125 run --rm --network none -h "$name" "$BUSYBOX" true -- 'host name' 'not valid'
	done
	for name in box a.b.c under_score 9; do
		run_davit run --rm --network none -h "$name" "$BUSYBOX" hostname
		assert_output "$name"
	done
}

@test "an empty host name means none" {
	run_davit run --rm --network none -h '' "$BUSYBOX" sh -c '[ ${#HOSTNAME} = 12 ] && [ "$HOSTNAME" = "$(hostname)" ] && echo same'
	assert_output same
}

@test "--network-alias is another name on the bridge" { # bats test_tags=root
	need_bridge
	davit run -d --name c --network bridge:alias=two --network-alias one "$BUSYBOX" sleep 1000 >/dev/null
	run_davit exec c sh -c 'grep -w "$(hostname)" /etc/hosts'
	assert_matches ' c two one$'
	run_davit inspect -f '{{json .NetworkSettings.Networks.davit.Aliases}}' c
	assert_output '["two","one"]'
	run_error 125 run --rm --network-alias 'a b' "$BUSYBOX" true -- "alias 'a b'" 'not valid'
	run_error 125 run --rm --network-alias '' "$BUSYBOX" true -- 'alias is empty'
}

@test "addresses and aliases are for a bridge" {
	for option in --network-alias=x --ip=10.88.0.9 --ip6=fd00::7 --mac-address=02:00:5e:10:00:01; do
		for mode in none host; do
			run_error 125 run --rm --network $mode "$option" "$BUSYBOX" true -- "${option%=*}" bridge "network $mode"
		done
	done
}

@test "the bridge has no IPv6, and says so" { # bats test_tags=root
	need_bridge
	run_error 125 run --rm --ip6 fd00::7 "$BUSYBOX" true -- 'fd00::7' 'not in any subnet' 'network host'
	run_error 125 run --rm --network bridge:ip6=fd00::7 "$BUSYBOX" true -- 'not in any subnet'
	run_error 125 run --rm --ip6 10.88.0.7 "$BUSYBOX" true -- 'not an IPv6 address'
}

@test "exec -d prints an ID, which events have" {
	davit run -d --name c --network none "$BUSYBOX" sleep 1000 >/dev/null
	run_davit exec -d c sh -c 'exit 9'
	assert_matches '^[0-9a-f]{64}$'
	id=$output
	ended() { davit events --stream=false --filter event=exec_died --format '{{.ExecID}} {{.ContainerExitCode}}' | grep -qxF "$id 9"; }
	wait_until 20 ended
	run_davit events --stream=false --filter event=exec --filter container=c
	assert_contains "execID=$id"
}

@test "exec without a command" {
	davit run -d --name c --network none "$BUSYBOX" sleep 1000 >/dev/null
	run_error 255 exec c -- 'no command'
	run_error 125 exec -- 'at least 1 arg'
}

@test "ps: pods, other programs' containers, asking again" {
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	run_davit ps -a --pod --external --sync
	assert_contains "POD ID"
	assert_contains PODNAME
	run_davit ps -a -p -s
	assert_matches 'PODNAME +SIZE'
	run_davit ps -a --format '{{.Names}}|{{.Pod}}|{{.PodName}}'
	assert_output 'c||'
	run_error 125 ps --pod --ns -- 'different tables'
}

@test "ps --filter command=, pod=, label!=" {
	davit create --name one --network none -l a=b "$BUSYBOX" sleep 5 >/dev/null
	davit create --name two --network none "$BUSYBOX" /bin/true >/dev/null
	for filter in 'command=sleep one' 'command=true two' 'command=/bin/true two' 'command=sle ' 'pod=x ' 'label!=a two'; do
		run_davit ps -a --filter "${filter% *}" --format '{{.Names}}'
		assert_output "${filter#* }"
	done
}

@test "ps --format knows exposed ports and the file with the ID" {
	run_davit create --name c --network none --expose 80 --expose 53/udp --cidfile "$BATS_TEST_TMPDIR/id" "$BUSYBOX" true
	run_davit ps -a --format '{{.ExposedPorts}}|{{.CIDFile}}'
	assert_output "80, 53/udp|$BATS_TEST_TMPDIR/id"
}

@test "run and exec --preserve-fds hand descriptors on" {
	echo three >"$BATS_TEST_TMPDIR/3"
	echo four >"$BATS_TEST_TMPDIR/4"
	preserved() { davit "$@" 3<"$BATS_TEST_TMPDIR/3" 4<"$BATS_TEST_TMPDIR/4"; }
	run_status 0 preserved run --rm --network none --preserve-fds 2 "$BUSYBOX" sh -c 'cat <&3; cat <&4; ls /proc/self/fd | wc -l'
	assert_output "$(printf 'three\nfour\n6')"
	run_status 0 preserved run --rm --network none --init --preserve-fds 2 "$BUSYBOX" sh -c 'cat <&3; cat <&4'
	assert_output "$(printf 'three\nfour')"
	run_status 0 preserved run --rm --network none --preserve-fd 4 "$BUSYBOX" sh -c 'cat <&3; cat <&4'
	assert_output four
	davit run -d --name c --network none "$BUSYBOX" sleep 1000 >/dev/null
	run_status 0 preserved exec --preserve-fds 2 c sh -c 'cat <&3; cat <&4; ls /proc/self/fd | wc -l'
	assert_output "$(printf 'three\nfour\n6')"
	run_status 0 preserved exec --preserve-fd 4 c sh -c 'cat <&3; cat <&4'
	assert_output four
	run_status 0 preserved exec --no-session c sh -c 'cat <&4 2>/dev/null || echo closed'
	assert_output closed
}

@test "descriptors that are preserved end with the command" {
	printf 'x\n' | davit run -d --name c --network none --preserve-fds 1 "$BUSYBOX" sh -c 'cat >&3; sleep 1000' 3> >(cat >"$BATS_TEST_TMPDIR/pipe"; echo end >>"$BATS_TEST_TMPDIR/pipe") >/dev/null
	davit kill c >/dev/null
	wait_until 10 grep -q end "$BATS_TEST_TMPDIR/pipe"
}

@test "--preserve-fds: what is not there" {
	for wrong in --preserve-fds=9 --preserve-fd=9; do
		run_error 125 run --rm --network none "$wrong" "$BUSYBOX" true -- "${wrong%=*}" 'is not open'
	done
	run_error 125 run --rm --network none --preserve-fds=-1 "$BUSYBOX" true -- 'not from 0'
	run_error 125 run --rm --network none --preserve-fd=1 "$BUSYBOX" true -- "'1'" 'from 3'
	run_error 125 run --rm --network none --preserve-fd=x "$BUSYBOX" true -- "'x'"
	run_error 125 run --rm --network none --preserve-fd=3 --preserve-fds=1 "$BUSYBOX" true -- 'contradict'
}

@test "--hostuser adds users of the host" {
	me=$(id -un)
	run_davit run --rm --network none --hostuser root --hostuser daemon --hostuser 65534 --hostuser games "$BUSYBOX" cat /etc/passwd
	assert_line 'games:*:5:60:games:/:/bin/sh'
	[ "$(grep -c ^root: <<<"$output")" = 1 ] || fail "root is there twice"
	[ "$(grep -c ^nobody: <<<"$output")" = 1 ] || fail "nobody is there twice"
	run_davit run --rm --network none --hostuser games -u games "$BUSYBOX" sh -c 'id -u; id -g; id -un; echo $HOME'
	assert_output "$(printf '5\n60\ngames\n/')"
	run_error 125 run --rm --network none --hostuser nosuchuser "$BUSYBOX" true -- "unknown user 'nosuchuser'"
	run_error 125 run --rm --network none --hostuser games --passwd=false "$BUSYBOX" true -- '--passwd=false'
}

@test "--chrootdirs: davit's files are there too" {
	run_davit run --rm --network none -h box --chrootdirs /srv/one,/srv/two "$BUSYBOX" sh -c 'cat /srv/one/etc/hostname; cmp /etc/hosts /srv/two/etc/hosts && cmp /etc/resolv.conf /srv/two/etc/resolv.conf && echo same'
	assert_output "$(printf 'box\nsame')"
	run_error 125 run --rm --network none --chrootdirs srv "$BUSYBOX" true -- "'srv'" absolute
}

@test "--seccomp-policy image takes the filter of the image's label" {
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	davit commit -q -c "LABEL io.containers.seccomp.profile='{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"mkdir\",\"mkdirat\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}]}'" c filtered >/dev/null
	run_davit run --rm --network none --seccomp-policy image filtered sh -c 'mkdir /made 2>/dev/null || echo refused'
	assert_output refused
	run_davit run --rm --network none --seccomp-policy default filtered mkdir /made
	run_davit run --rm --network none filtered mkdir /made
	davit run -d --name d --network none --seccomp-policy image filtered sleep 1000 >/dev/null
	run_davit exec d sh -c 'mkdir /made 2>/dev/null || echo refused'
	assert_output refused
	run_error 125 run --rm --seccomp-policy other filtered true -- seccomp-policy other
	davit commit -q -c 'LABEL io.containers.seccomp.profile={' c broken >/dev/null
	run_error 125 run --rm --network none --seccomp-policy image broken true -- 'seccomp profile of image' broken
	davit rmi -f filtered broken >/dev/null
}

@test "GPUs and docker's signatures: what cannot be is said" {
	run_error 125 run --rm --network none --gpus all "$BUSYBOX" true -- "--gpus 'all'" '--device'
	run_error 125 run --rm --network none --disable-content-trust=false "$BUSYBOX" true -- 'signatures' digest
	run_davit run --rm --network none --disable-content-trust "$BUSYBOX" echo ok
	assert_output ok
}

@test "exec -dit does not wait" {
	davit run -d --name c --network none "$BUSYBOX" sleep 1000 >/dev/null
	run_davit exec -dit c sh -c 'echo >/done'
	assert_matches '^[0-9a-f]{64}$'
	wait_until 10 davit exec c test -e /done
	run_davit exec -di c cat
}

# Fields of templates that scripts use, command by command: "COMMAND|FIELD FIELD…".
@test "templates know podman's fields" {
	davit volume create v >/dev/null
	echo x | davit secret create s - >/dev/null
	davit run -d --name c --network none "$BUSYBOX" sleep 1000 >/dev/null
	local bad=
	while IFS='|' read -r words fields; do
		for field in $fields; do
			# shellcheck disable=SC2086
			davit $words --format "{{.$field}}" >/dev/null 2>&1 || bad+=" $words:$field"
		done
	done <<-'EOF'
		version|Client.Version Client.APIVersion Client.OsArch Server.Version Version
		info|Host.Arch Host.Conmon.Path Host.NetworkBackend Host.RemoteSocket.Path Host.RemoteSocket.Exists Host.ServiceIsRemote Plugins.Log Plugins.Network Plugins.Volume Store.ContainerStore.Paused Store.TransientStore Version.APIVersion Version.Version
		stats --no-stream|AvgCPU BlockIO BlockInput BlockOutput CPU CPUNano CPUPerc CPUSystemNano ContainerID Duration ID MemLimit MemPerc MemUsage MemUsageBytes Name NetIO NetInput NetOutput PIDS PIDs SystemNano UpTime
		volume ls|Anonymous CreatedAt Driver GID Labels MountCount Mountpoint Name NeedsChown NeedsCopyUp Options Scope UID
		secret ls|ID Name Driver CreatedAt UpdatedAt Spec.Name Spec.Driver.Name Spec.Driver.Options Spec.Labels
		events --stream=false|Attributes ContainerExitCode HealthStatus ID Image Name Network PodID Status Time Type
	EOF
	davit volume rm -f v >/dev/null
	davit secret rm s >/dev/null
	[ -z "$bad" ] || fail "not known:$bad"
}

@test "volume ls: options, scope, anonymous, since" {
	davit volume create --opt type=tmpfs --opt device=tmpfs --opt o=uid=7,gid=8 first >/dev/null
	davit volume create second >/dev/null
	davit run --name c --network none -v /data "$BUSYBOX" true
	check() {
		run_davit volume ls -q --filter "$1"
		assert_output "$2"
	}
	check opt=type first
	check opt=type=tmpfs first
	check opt=type=nfs ''
	check scope=global ''
	check since=first "$(davit volume ls -q | grep -v first)"
	anonymous=$(davit volume ls -q --filter anonymous=true)
	[ "${#anonymous}" = 64 ] || fail "no anonymous volume: $anonymous"
	run_davit volume inspect --format '{{.UID}} {{.GID}}' first
	assert_output '7 8'
	run_error 125 volume ls --filter since=nosuch -- nosuch
	run_error 125 volume ls --filter anonymous=maybe -- 'neither true nor false'
	davit rm -v c >/dev/null
	davit volume rm first second >/dev/null
}

@test "images --filter manifest=, containers=external" {
	for filter in manifest=true containers=external readonly=true intermediate=true; do
		run_davit images -q --filter $filter
		assert_output ''
	done
	run_davit images -q --filter manifest=false --filter readonly=false
	[ -n "$output" ]
	run_error 125 images --filter manifest=maybe -- 'true or false'
}
