# Secrets: kept where nobody else can read them, and given to containers.

load helpers

setup() { default_setup; }
teardown() {
	default_teardown
	davit secret rm -a >/dev/null 2>&1 || :
}

VALUE=gR7-only-here
# A secret $1 with value $2.
secret() { printf %s "${2-$VALUE}" | davit secret create "$1" - >/dev/null; }

@test "secret: create, ls, inspect, rm" {
	printf %s "$VALUE" >"$BATS_TEST_TMPDIR/value"
	run_davit secret create --label a=b one "$BATS_TEST_TMPDIR/value"
	assert_matches '^[0-9a-f]{25}$'
	id=$output
	run_davit secret ls
	[[ ${lines[0]} =~ ^ID\ +NAME\ +DRIVER\ +CREATED\ +UPDATED ]] || fail "headings"
	grep -qE "^$id +one +file +Less than a second ago|^$id +one +file +[0-9]+ seconds? ago" <<<"$output" || fail "the row"
	run_davit secret ls -q
	assert_output "$id"
	run_davit secret inspect one
	jq -e --arg id "$id" '.[0] | .ID == $id and .Spec.Name == "one" and .Spec.Driver.Name == "file" and .CreatedAt == .UpdatedAt' <<<"$output" >/dev/null || fail "JSON"
	assert_not_contains "$VALUE"
	run_davit secret inspect --pretty "${id:0:8}"
	assert_contains "$id"
	assert_not_contains "$VALUE"
	run_davit secret rm one
	assert_output "$id"
	run_davit secret ls -q
	assert_output ""
	run_error 125 secret rm one -- "one" "no such secret"
	run_error 125 secret inspect one -- "one" "no such secret"
}

@test "secret: names and sizes that cannot be" {
	run_error 125 secret create a/b - <<<x -- "a/b" "invalid secret name"
	run_error 125 secret create a=b - <<<x -- "a=b" "invalid secret name"
	run_error 125 secret create one /no/such/file -- "/no/such/file"
	run_error 125 secret create --env one NO_SUCH_VARIABLE -- "NO_SUCH_VARIABLE" "not set"
	: >"$BATS_TEST_TMPDIR/empty"
	run_error 125 secret create one "$BATS_TEST_TMPDIR/empty" -- "512000"
	head -c 512000 /dev/zero >"$BATS_TEST_TMPDIR/large"
	run_error 125 secret create one "$BATS_TEST_TMPDIR/large" -- "512000"
	secret one
	run_error 125 secret create one - <<<x -- "one" "secret name in use"
	head -c 511999 /dev/zero >"$BATS_TEST_TMPDIR/large"
	run_davit secret create two "$BATS_TEST_TMPDIR/large"
	run_error 125 secret create --driver nosuch three - <<<x -- "nosuch"
	run_davit secret ls --format '{{.Name}}'
	assert_output $'one\ntwo'
}

@test "secret: another value, labels, exists, filters, --env, --showsecret" {
	need_davit
	secret one
	run_davit secret create one --ignore - </dev/null
	export MY_VALUE=other
	id=$(davit secret ls -q)
	run_davit secret create --replace --env --label x=y one MY_VALUE
	assert_output "$id"
	run_davit secret inspect --showsecret -f '{{.SecretData}} {{.Spec.Labels.x}}' one
	assert_output "other y"
	run_davit secret exists one
	run_status 1 davit secret exists two
	secret two
	run_davit secret ls --filter name=tw --format '{{.Name}}'
	assert_output two
	run_error 125 secret ls --filter x=y -- "x=y"
	mkdir "$BATS_TEST_TMPDIR/elsewhere"
	chmod 700 "$BATS_TEST_TMPDIR/elsewhere"
	printf %s "$VALUE" | davit secret create --driver-opts "path=$BATS_TEST_TMPDIR/elsewhere" three - >/dev/null
	[ "$(cat "$BATS_TEST_TMPDIR"/elsewhere/*)" = "$VALUE" ] || fail "elsewhere"
	run_davit secret inspect --showsecret -f '{{.SecretData}}' three
	assert_output "$VALUE"
	run_davit secret rm -a
	[ "$(wc -l <<<"$output")" = 3 ] || fail "three"
	[ "$(davit events --stream=false --since 1m --filter type=secret --format '{{.Status}} {{.Name}}' | grep -E ' (two|one)$' | tail -n 5 | sort | tr '\n' ' ')" = "create one create two remove one remove two update one " ] ||
		fail "$(davit events --stream=false --since 1m --filter type=secret)"
	[ -z "$(ls "$BATS_TEST_TMPDIR/elsewhere")" ] || fail "the value stays"
	run_error 125 secret create --driver-opts path=relative three - <<<x -- "path=relative"
	run_error 125 secret create --driver-opts key=x three - <<<x -- "key=x"
	run_davit secret rm --ignore three
}

@test "secret: nobody else can read the value, and nothing of it stays" {
	need_davit
	secret one
	find "$STORE" "$RUNDIR" -type f -exec grep -lF "$VALUE" {} + >"$BATS_TEST_TMPDIR/files" 2>/dev/null || :
	[ "$(wc -l <"$BATS_TEST_TMPDIR/files")" = 1 ] || fail "$(cat "$BATS_TEST_TMPDIR/files")"
	file=$(cat "$BATS_TEST_TMPDIR/files")
	[ "$(stat -c %a "$file")" = 600 ] || fail "mode of the file"
	[ "$(stat -c %a "${file%/*}")" = 700 ] || fail "mode of the directory"
	# What a killed command has left goes with the next one.
	printf %s "$VALUE" >"${file%/*}/0123"
	davit secret rm one >/dev/null
	[ -z "$(ls -A "${file%/*}")" ] || fail "something stays"
}

@test "run --secret: a file, whose it is, and where" {
	secret one
	run_davit run --rm --network none --secret one "$BUSYBOX" sh -c 'cat /run/secrets/one; stat -c " %u:%g %a" /run/secrets/one'
	assert_output "$VALUE 0:0 444"
	run_davit run --rm --network none --secret one,target=other,uid=7,gid=8,mode=0400 "$BUSYBOX" sh -c 'cat /run/secrets/other; stat -c " %u:%g %a" /run/secrets/other'
	assert_output "$VALUE 7:8 400"
	run_davit run --rm --network none --user 1000 --secret one --secret source=one,type=mount,target=mine,uid=1000,mode=400 "$BUSYBOX" sh -c 'cat /run/secrets/one /run/secrets/mine'
	assert_output "$VALUE$VALUE"
	run_status 1 davit run --rm --network none --user 1000 --secret one,mode=0400 "$BUSYBOX" cat /run/secrets/one
	run_error 125 run --rm --network none --secret nosuch "$BUSYBOX" true -- "nosuch" "no such secret"
	run_davit ps -aq
	assert_output ""
}

@test "run --secret: elsewhere, read-only, in a read-only container, on memory" {
	need_davit
	secret one
	run_davit run --rm --network none --secret one,target=/etc/deep/key --secret one,target=sub/key "$BUSYBOX" cat /etc/deep/key /run/secrets/sub/key
	assert_output "$VALUE$VALUE"
	run_davit run --rm --network none --read-only --secret one "$BUSYBOX" cat /run/secrets/one
	assert_output "$VALUE"
	run_davit run --rm --network none --secret one "$BUSYBOX" stat -f -c %T /run/secrets
	if [ "$(stat -f -c %T "$RUNDIR")" = tmpfs ]; then assert_output tmpfs; fi
	run_status 1 davit run --rm --network none --secret one "$BUSYBOX" sh -c 'echo x >/run/secrets/one'
	run_status 1 davit run --rm --network none --secret one "$BUSYBOX" rm /run/secrets/one
}

@test "run --secret: another mapping of users" {
	need_davit
	secret one
	for mode in --userns=private --userns=auto --userns=keep-id:uid=1000,gid=1000 --uidmap=0:100000:65536; do
		if is_root && [[ $mode == --userns=* ]]; then continue; fi
		if ! is_root && [[ $mode == --uidmap* ]]; then continue; fi
		run_davit run --rm --network none $mode --user 0 --secret one --secret one,target=two,uid=33,gid=34,mode=0400 "$BUSYBOX" \
			sh -c 'cat /run/secrets/*; stat -c " %u:%g %a" /run/secrets/*'
		assert_output "$VALUE$VALUE 0:0 444"$'\n'" 33:34 400"
	done
}

@test "run --secret: a variable, also of exec, and of no record" {
	secret one
	davit run -d --name c --network none --secret one,type=env,target=PASS --secret one,type=env "$BUSYBOX" sh -c 'echo "$PASS $one"; sleep 1000' >/dev/null
	wait_until 10 eval '[ -n "$(davit logs c)" ]'
	run_davit logs c
	assert_output "$VALUE $VALUE"
	run_davit exec c sh -c 'echo "$PASS"'
	assert_output "$VALUE"
	run_davit inspect c
	assert_not_contains "$VALUE"
	run_error 125 run --rm --secret one,type=env,uid=3 "$BUSYBOX" true -- "uid|mode"
	need_davit
	run_davit inspect -f '{{json .Config.Env}}' c
	assert_contains 'PASS=*******'
	head -c 20 /dev/zero | davit secret create zero - >/dev/null
	run_error 125 run --rm --network none --secret zero,type=env "$BUSYBOX" true -- "zero" "type=mount"
	for bad in ,type=env one,type=x one,mode=9 one,uid=x one,target=../x one,nosuch=1 one,id=3 one,type=env,target=a=b; do
		run_error 125 run --rm --secret "$bad" "$BUSYBOX" true -- "--secret"
	done
	run_davit ps -aq
	[ "${#lines[@]}" = 1 ] || fail "more than c"
}

@test "run --secret: the value is in no file that others can read, no command line, and no layer" {
	need_davit
	secret one
	davit run -d --name c --network none --secret one --secret one,target=/etc/key --secret one,type=env,target=PASS "$BUSYBOX" sleep 1000 >/dev/null
	davit exec -d c sleep 1001
	# Whoever wants to read one of these has to get through a directory that only its owner may enter.
	for top in "$STORE/secrets" "$STORE/containers/"* "$RUNDIR/containers/"*; do
		[ "$(stat -c %a "$top")" = 700 ] || fail "$top"
	done
	! grep -rlF "$VALUE" "$STORE/davit.db"* || fail "in the database"
	id=$(davit inspect -f '{{.Id}}' c)
	! grep -rqF "$VALUE" "$STORE/containers/$id/upper" || fail "in the layer"
	[ ! -s "$STORE/containers/$id/upper/etc/key" ] || fail "in the layer"
	for pid in $(pgrep davit-monitor); do
		! grep -qaF "$VALUE" "/proc/$pid/cmdline" "/proc/$pid/environ" 2>/dev/null || fail "process $pid"
	done
	! grep -lF "$VALUE" /proc/[0-9]*/cmdline 2>/dev/null || fail "a command line"
	davit rm -f -t 0 c >/dev/null
	[ ! -e "$STORE/containers/$id" ] && [ ! -e "$RUNDIR/containers/$id" ] || fail "the container's copy"
}

@test "a container keeps its secret" {
	secret one
	davit run -d --name c --network none --secret one "$BUSYBOX" sleep 1000 >/dev/null
	davit create --name d --network none --secret one "$BUSYBOX" cat /run/secrets/one >/dev/null
	run_davit secret rm one
	secret one another
	run_davit exec c cat /run/secrets/one
	assert_output "$VALUE"
	run_davit restart -t 0 c
	run_davit exec c cat /run/secrets/one
	assert_output "$VALUE"
	run_davit start -a d
	assert_output "$VALUE"
	davit inspect d | jq -e '.[0].Config.Secrets[0] | .Name == "one" and (.ID | length) == 25 and .UID == 0 and .GID == 0' >/dev/null || fail "$(davit inspect d)"
}

@test "a killed start leaves nothing of a secret that others can read" {
	need_davit
	secret one
	for delay in 0 0.005 0.01 0.02 0.04; do
		davit_background run --rm --network none --secret one "$BUSYBOX" sleep 1000 >/dev/null 2>&1
		pid=$!
		sleep $delay
		kill -KILL $pid 2>/dev/null || :
		wait $pid 2>/dev/null || :
		for top in "$STORE/secrets" "$STORE/containers/"* "$RUNDIR/containers/"*; do
			[ ! -e "$top" ] || [ "$(stat -c %a "$top")" = 700 ] || fail "$top"
		done
	done
	davit rm -f -a -t 0 >/dev/null
	davit ps -a >/dev/null
	[ -z "$(find "$RUNDIR/containers" -name 'secret*' 2>/dev/null)" ] || fail "something stays"
	[ -z "$(ls -A "$STORE/containers")" ] || fail "something stays"
}

@test "no image, export or description holds a secret; a clone has it" {
	need_davit
	secret one
	davit run -d --name c --network none --secret one --secret one,target=/etc/key --secret one,type=env,target=PASS "$BUSYBOX" sleep 1000 >/dev/null
	davit commit -q c localhost/committed >/dev/null
	davit export -o "$BATS_TEST_TMPDIR/export.tar" c
	! grep -qaF "$VALUE" "$BATS_TEST_TMPDIR/export.tar" || fail "export"
	run_davit run --rm --network none localhost/committed sh -c 'env; cat /run/secrets/one /etc/key 2>/dev/null; ls /run/secrets 2>/dev/null; :'
	assert_not_contains "$VALUE"
	assert_not_contains PASS
	run_davit inspect --type image localhost/committed
	assert_not_contains "$VALUE"
	davit stop -t 0 c >/dev/null
	davit container clone c d >/dev/null
	davit start d >/dev/null
	run_davit exec d sh -c 'cat /run/secrets/one; echo "$PASS"'
	assert_output "$VALUE$VALUE"
	davit rm -f -t 0 c d >/dev/null
	davit rmi localhost/committed >/dev/null
}

# The commands of a driver of its own: files in $BATS_TEST_TMPDIR/vault.
vault_options() {
	mkdir -p "$BATS_TEST_TMPDIR/vault"
	vault=(--driver shell
		--driver-opts "store=cat >'$BATS_TEST_TMPDIR/vault'/\$SECRET_ID"
		--driver-opts "lookup=cat '$BATS_TEST_TMPDIR/vault'/\$SECRET_ID"
		--driver-opts "delete=rm '$BATS_TEST_TMPDIR/vault'/\$SECRET_ID"
		--driver-opts "list=ls '$BATS_TEST_TMPDIR/vault'")
}

@test "secret: the driver shell keeps it by commands" {
	vault_options
	printf %s "$VALUE" | davit secret create "${vault[@]}" one - >/dev/null
	id=$(davit secret inspect -f '{{.ID}} {{.Spec.Driver.Name}}' one)
	[ "$(cat "$BATS_TEST_TMPDIR/vault/${id% shell}")" = "$VALUE" ] || fail "not in the vault"
	run_davit run --rm --network none --secret one --secret one,type=env,target=PASS "$BUSYBOX" sh -c 'cat /run/secrets/one; echo " $PASS"'
	assert_output "$VALUE $VALUE"
	davit secret rm one >/dev/null
	[ -z "$(ls "$BATS_TEST_TMPDIR/vault")" ] || fail "the value stays"
	run_davit secret ls -q
	assert_output ""
}

@test "secret: commands of the driver shell that are missing or fail" {
	need_davit
	vault_options
	run_error 125 secret create --driver shell one - <<<x -- "shell" "delete="
	run_error 125 secret create --driver shell --driver-opts nosuch=x one - <<<x -- "nosuch=x"
	run_error 125 secret create --driver shell --driver-opts store=false,lookup=false,list=true,delete=false one - <<<x -- "one" "store" "status 1"
	run_davit secret ls -q
	assert_output ""
	printf %s "$VALUE" | davit secret create "${vault[@]}" one - >/dev/null
	# Another value: another key, and the former value goes.
	printf other | davit secret create --replace "${vault[@]}" one - >/dev/null
	[ "$(cat "$BATS_TEST_TMPDIR"/vault/*)" = other ] || fail "the values"
	# It becomes a file of davit's.
	printf third | davit secret create --replace one - >/dev/null
	[ -z "$(ls "$BATS_TEST_TMPDIR/vault")" ] || fail "the value stays"
	run_davit secret inspect --showsecret -f '{{.SecretData}} {{.Spec.Driver.Name}}' one
	assert_output "third file"
	# What its own list does not have is gone; what cannot be removed keeps its record.
	printf x | davit secret create --replace "${vault[@]}" one - >/dev/null
	rm "$BATS_TEST_TMPDIR"/vault/*
	run_error 125 run --rm --network none --secret one "$BUSYBOX" true -- "one" "lookup"
	davit secret rm one
	printf x | davit secret create --driver shell --driver-opts store=true,lookup=true,list=false,delete=false two - >/dev/null
	run_error 125 secret rm two -- "two" "delete" "status 1"
	run_error 125 secret inspect --showsecret two -- "two" "no value"
	run_davit secret ls --format '{{.Name}}'
	assert_output two
	printf x | davit secret create --replace two - >/dev/null
}

@test "secret: no name gets to a command or leads to another secret" {
	need_davit
	vault_options
	secret one
	id=$(davit secret inspect -f '{{.ID}}' one)
	secret "$id" other
	davit run -d --name c --network none --secret one "$BUSYBOX" sleep 1000 >/dev/null
	run_davit exec c cat "/run/secrets/one"
	assert_output "$VALUE"
	davit secret rm one >/dev/null
	run_davit secret ls --format '{{.Name}}'
	assert_output "$id"
	# shellcheck disable=SC2016
	printf %s "$VALUE" | davit secret create "${vault[@]}" '$(touch escaped);..' - >/dev/null
	[ ! -e escaped ] || fail "the name was executed"
	ls "$BATS_TEST_TMPDIR/vault" | grep -qxE '[0-9a-f]{25}' || fail "$(ls "$BATS_TEST_TMPDIR/vault")"
	davit secret rm '$(touch escaped);..' >/dev/null
	[ -z "$(ls "$BATS_TEST_TMPDIR/vault")" ] || fail "the value stays"
}

@test "secret: the driver pass keeps it in files that gpg encrypts" {
	need_davit
	command -v gpg >/dev/null && command -v gpg-agent >/dev/null || skip "gnupg is missing"
	export GNUPGHOME=$BATS_TEST_TMPDIR/gnupg
	mkdir -m 700 "$GNUPGHOME" "$BATS_TEST_TMPDIR/store" "$BATS_TEST_TMPDIR/store/sub"
	gpg --quiet --batch --passphrase '' --quick-generate-key test@example.org default default never 2>/dev/null
	run_error 125 secret create --driver pass --driver-opts root=/no/such one - <<<x -- "/no/such" "pass init"
	run_error 125 secret create --driver pass --driver-opts "root=$BATS_TEST_TMPDIR/store" one - <<<x -- "gpg-id" "key="
	echo test@example.org >"$BATS_TEST_TMPDIR/store/.gpg-id"
	printf %s "$VALUE" | davit secret create --driver pass --driver-opts "root=$BATS_TEST_TMPDIR/store/sub" one - >/dev/null
	id=$(davit secret inspect -f '{{.ID}}' one)
	! grep -rlF "$VALUE" "$BATS_TEST_TMPDIR/store" "$STORE/secrets" "$STORE"/davit.db* || fail "not encrypted"
	[ "$(gpg --quiet --decrypt "$BATS_TEST_TMPDIR/store/sub/$id")" = "$VALUE" ] || fail "the value"
	run_davit secret inspect --showsecret -f '{{.SecretData}} {{.Spec.Driver.Name}} {{.Spec.Driver.Options.key}}' one
	assert_output "$VALUE pass test@example.org"
	run_davit run --rm --network none --secret one,type=env,target=PASS "$BUSYBOX" sh -c 'echo $PASS'
	assert_output "$VALUE"
	# Elsewhere by default.
	PASSWORD_STORE_DIR=$BATS_TEST_TMPDIR/store davit secret create --driver pass two - <<<x >/dev/null
	run_davit secret inspect --showsecret -f '{{.SecretData}}' two
	run_status 125 davit secret create --driver pass --driver-opts "root=$BATS_TEST_TMPDIR/store,key=nobody@example.org" three - <<<x
	[[ $stderr == *"Error: secret 'three': gpg has failed"* ]] || fail "$stderr"
	davit secret rm one two >/dev/null
	[ -z "$(ls "$BATS_TEST_TMPDIR/store/sub")" ] && [ "$(ls "$BATS_TEST_TMPDIR/store")" = sub ] || fail "the values stay"
	gpgconf --kill all
	gpgconf --remove-socketdir 2>/dev/null || :
	rmdir "/run/user/$(id -u)/gnupg" 2>/dev/null || :
}

@test "secret: another value and its record reach the disk before the old value goes" {
	need_davit
	command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null || skip "no strace, or it may not trace"
	secret one
	old=$(ls "$STORE/secrets")
	printf other >"$BATS_TEST_TMPDIR/other"
	strace -qq -y -o "$BATS_TEST_TMPDIR/calls" -e trace=fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat \
		"$DAVIT" --root "$STORE" --runroot "$RUNDIR" secret create --replace one "$BATS_TEST_TMPDIR/other" >/dev/null
	new=$(ls "$STORE/secrets")
	[ "$new" != "$old" ] || fail "the same file"
	# The value, its name, the record; then the old one goes.
	grep -nE "f(data)?sync\(.*/secrets/.tmp-|rename.*$new|f(data)?sync\(.*/secrets>|f(data)?sync\(.*davit.db-wal|unlink.*$old" "$BATS_TEST_TMPDIR/calls" |
		sed -E "s/.*sync.*tmp-.*/value/; s/.*rename.*/name/; s/.*secrets>.*/names/; s/.*db-wal.*/record/; s/.*unlink.*/gone/" >"$BATS_TEST_TMPDIR/order"
	[ "$(uniq "$BATS_TEST_TMPDIR/order" | tr '\n' ' ')" = "value name names record gone " ] || fail "$(cat "$BATS_TEST_TMPDIR/calls")"
	strace -qq -y -o "$BATS_TEST_TMPDIR/calls" -e trace=fsync,fdatasync,unlink,unlinkat \
		"$DAVIT" --root "$STORE" --runroot "$RUNDIR" secret rm one >/dev/null
	grep -E "davit.db-wal|unlink.*$new" "$BATS_TEST_TMPDIR/calls" | head -n 1 | grep -q sync || fail "$(cat "$BATS_TEST_TMPDIR/calls")"
}
