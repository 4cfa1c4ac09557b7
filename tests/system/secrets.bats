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
