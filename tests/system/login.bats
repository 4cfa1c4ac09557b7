# Passwords for registries: login, logout, and who may see them.

load helpers

setup() {
	own_store
	export REGISTRY_AUTH_FILE=$BATS_TEST_TMPDIR/auth.json
	CERTS=$BATS_TEST_TMPDIR/certs
	mkdir -p "$CERTS"
	cp "$DAVIT_TEST_WORK/ca.crt" "$CERTS/"
}

login() { davit login --cert-dir "$CERTS" -u ann --password-stdin "$@" "$SECURE" <<<"secret of ann"; }

@test "login: a password is kept, used and forgotten" {
	run_status 0 login
	assert_output "Login Succeeded!"
	[ "$(stat -c %a "$REGISTRY_AUTH_FILE")" = 600 ]
	run_davit login --get-login "$SECURE"
	assert_output ann
	run_davit logout "$SECURE"
	assert_output "Removed login credentials for $SECURE"
	run davit login --get-login "$SECURE"
	assert_contains "not logged into $SECURE"
	run_davit logout --all
}

@test "login: skopeo reads what davit keeps, and the other way round" {
	command -v skopeo >/dev/null || skip "skopeo is missing"
	run_status 0 login
	run_status 0 skopeo login --get-login "$SECURE"
	assert_output ann
	run_status 0 skopeo login --cert-dir "$CERTS" -u ann -p "secret of ann" "$SECURE"
	run_davit login --get-login "$SECURE"
	assert_output ann
}

@test "login: a wrong password is refused and not kept" {
	run --separate-stderr davit login --cert-dir "$CERTS" -u ann --password-stdin "$SECURE" <<<wrong
	assert_error 125 "$SECURE" "user name or password"
	[ ! -e "$REGISTRY_AUTH_FILE" ]
}

@test "login: a certificate that is not trusted is refused" {
	need_davit
	run --separate-stderr davit login -u ann --password-stdin "$SECURE" <<<"secret of ann"
	assert_error 125 "$SECURE" "certificate" "certs.d/$SECURE" "--tls-verify=false"
}

@test "login: without a terminal it wants to be told" {
	run --separate-stderr davit login --cert-dir "$CERTS" "$SECURE" </dev/null
	assert_error 125 "--username"
	run --separate-stderr davit login --cert-dir "$CERTS" --password-stdin "$SECURE" <<<x
	assert_error 125 "--username"
}

@test "login: the password is typed unseen" {
	need_davit
	command -v python3 >/dev/null || skip "python3 is missing"
	mapfile -t command < <(DAVIT_COMMAND)
	run_status 0 timeout -k 5 60 python3 - "${command[@]}" login --cert-dir "$CERTS" "$SECURE" <<'PYTHON'
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""
for question, answer in ((b"Username: ", b"ann\n"), (b"Password: ", b"secret of ann\n")):
    while not seen.endswith(question):
        seen += os.read(terminal, 1)
    os.write(terminal, answer)
try:
    while True:
        data = os.read(terminal, 4096)
        if not data:
            break
        seen += data
except OSError:
    pass
print(seen.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PYTHON
	assert_contains "Login Succeeded!"
	assert_contains "Username: ann"
	assert_not_contains "secret of ann"
}
