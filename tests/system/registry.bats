# Registries: TLS, passwords, tokens, and everything that can go wrong on the way.

load helpers

setup() {
	shared_store
	own_store
	for port in 5001 5002 5003 5005 5007 5008; do curl -s -X DELETE http://127.0.0.1:$port/_log; done
}
teardown() {
	davit logout -a >/dev/null 2>&1 || :
	echo '{"auths": {}}' >"$REGISTRY_AUTH_FILE"
	remove_store
}

# Nothing half-made stays: no image, no layer. Blobs that came whole, and the beginning of one that may be continued, are
# kept for the next try.
nothing_half_made() {
	[ -z "$(davit images -q)" ] || fail "an image"
	is_podman || [ -z "$(find "$STORE/tmp" "$STORE/layers" -type f 2>/dev/null | grep -v '\.partial$')" ] || fail "$(find "$STORE" -type f)"
	is_podman || find "$STORE/blobs/sha256" -type f | while read -r blob; do
		[ "$(sha256sum <"$blob" | cut -d' ' -f1)" = "${blob##*/}" ] || fail "$blob"
	done
}
# The registry's log of the bad registry on port $1.
log_of() { curl -s "http://127.0.0.1:$1/_log"; }

@test "an unknown image, an unknown tag, an unknown repository" {
	run_error 125 pull $REGISTRY/busybox:nosuch -- "busybox:nosuch" "(unknown|not found)" "check the name"
	run_error 125 pull $REGISTRY/no/such -- "no/such" "(unknown|not found)" "check the name"
	run_error 125 pull "$REGISTRY/busybox@sha256:$(printf '0%.0s' {1..64})" -- "sha256:0000" "(unknown|not found)"
	run_error 125 run --rm $REGISTRY/no/such true -- "no/such"
	nothing_half_made
}

@test "a registry that is down" {
	run_error 125 pull --tls-verify=false 127.0.0.1:4/busybox -- "127.0.0.1:4" "(connect|refused)" "check that it runs"
	run_error 125 pull --tls-verify=false no-such-host.invalid/busybox -- "no-such-host.invalid" "(resolve|lookup|host)" "check the name"
	nothing_half_made
}

@test "TLS: a certificate that nobody signed is refused, one's own CA is accepted" {
	run_error 125 pull $SECURE/busybox:latest -- "localhost:5443" "certificate" "certs.d/localhost:5443" "tls-verify=false"
	if ! is_podman; then # where to put it is where the caller can
		is_root || [[ $stderr == *"$HOME/.config/containers/certs.d/localhost:5443/ca.crt"* ]] || fail "a place of the user's"
		run_error 125 pull --cert-dir /no/such $SECURE/busybox:latest -- "--cert-dir" "/no/such" "no such file"
		run_error 125 login --cert-dir /no/such -u ann -p x $SECURE -- "--cert-dir" "/no/such" "no such file"
		mkdir "$BATS_TEST_TMPDIR/nonsense"
		echo nonsense >"$BATS_TEST_TMPDIR/nonsense/ca.crt"
		run_error 125 pull --cert-dir "$BATS_TEST_TMPDIR/nonsense" $SECURE/busybox:latest -- "authority into $BATS_TEST_TMPDIR/nonsense"
		[[ $stderr == *"Warning: '$BATS_TEST_TMPDIR/nonsense/ca.crt' holds no certificate"* ]] || fail "what is wrong"
	fi
	nothing_half_made
	mkdir -p "$BATS_TEST_TMPDIR/certs"
	cp "$DAVIT_TEST_WORK/ca.crt" "$BATS_TEST_TMPDIR/certs/ca.crt"
	run_davit pull -q --cert-dir "$BATS_TEST_TMPDIR/certs" --creds "ann:secret of ann" $SECURE/busybox:latest
	davit rmi -a >/dev/null
	run_davit pull -q --tls-verify=false --creds "ann:secret of ann" $SECURE/busybox:latest
}

@test "plain HTTP is refused unless the registry is called insecure" {
	echo 'unqualified-search-registries = []' >"$BATS_TEST_TMPDIR/registries.conf"
	export CONTAINERS_REGISTRIES_CONF=$BATS_TEST_TMPDIR/registries.conf
	run_error 125 pull $REGISTRY/busybox:latest -- "127.0.0.1:5000" "(TLS|SSL|HTTPS)" "insecure = true"
	nothing_half_made
	run_davit pull -q --tls-verify=false $REGISTRY/busybox:latest
}

@test "passwords: none, wrong, right; login and logout" {
	run_error 125 pull --tls-verify=false $SECURE/busybox:latest -- "localhost:5443" "davit login localhost:5443"
	run_error 125 pull --tls-verify=false --creds ann:wrong $SECURE/busybox:latest -- "localhost:5443" "wrong user name or password" "davit login"
	nothing_half_made
	run --separate-stderr davit login --tls-verify=false -u ann -p wrong $SECURE
	assert_error 125 "localhost:5443" "(password|unauthorized|log)"
	run_status 0 eval "echo 'secret of ann' | davit login --tls-verify=false -u ann --password-stdin $SECURE"
	assert_contains "Login Succeeded"
	run_davit login --get-login $SECURE
	assert_output ann
	[ "$(stat -c %a "$REGISTRY_AUTH_FILE")" = 600 ] || is_podman || fail "readable by others"
	run_davit pull -q --tls-verify=false $SECURE/busybox:latest
	run_davit logout $SECURE
	run_error 125 pull --authfile /no/such $REGISTRY/busybox -- "/no/such" "no such file"
	echo '{"auths": {' >"$BATS_TEST_TMPDIR/auth.json"
	run_error 125 pull --authfile "$BATS_TEST_TMPDIR/auth.json" $REGISTRY/busybox -- "$BATS_TEST_TMPDIR/auth.json"
	is_podman || [[ $stderr == *"mend it"* ]] || fail "the remedy"
	run_error 125 pull --tls-verify=false $SECURE/busybox:zstd -- "(unauthorized|authentication|password|login)"
}

@test "bearer tokens: for anybody, and for who has a password" {
	run_davit pull -q 127.0.0.1:5007/open:latest
	davit rmi -a >/dev/null
	run_error 125 pull 127.0.0.1:5007/closed:latest -- "127.0.0.1:5007" "(unauthorized|denied|login|authentication)"
	run_davit pull -q --creds ann:token 127.0.0.1:5007/closed:latest
	davit rmi -a >/dev/null
	run_davit login -u ann -p token 127.0.0.1:5007
	run_davit pull -q 127.0.0.1:5007/closed:latest
}

@test "429 and 503 are tried again" {
	run_status 0 davit_within 60 pull -q 127.0.0.1:5001/busy:latest
	davit rmi -a >/dev/null
	run_status 0 davit_within 90 pull -q 127.0.0.1:5002/busy:latest
}

@test "429 and 503 that do not end: the error names the status" {
	is_podman && skip "podman waits for minutes"
	run --separate-stderr davit_within 60 pull --retry 1 --retry-delay 100ms 127.0.0.1:5001/always:latest
	assert_error 125 "127.0.0.1:5001" "429" "wait, or use davit login"
	run --separate-stderr davit_within 60 pull --retry 1 --retry-delay 100ms 127.0.0.1:5002/always:latest
	assert_error 125 "127.0.0.1:5002" "503" "try again later"
	nothing_half_made
}

@test "a layer that breaks off is continued where it stopped" {
	run_status 0 davit_within 60 pull -q 127.0.0.1:5003/cut:latest
	is_podman || log_of 5003 | grep -qE '^GET .*/blobs/.* bytes=[1-9][0-9]*-' || fail "$(log_of 5003)"
}

@test "a layer that always breaks off is an error that names it" {
	need_davit
	run --separate-stderr davit_within 60 pull --retry 1 --retry-delay 100ms 127.0.0.1:5003/always:latest
	assert_error 125 "127.0.0.1:5003/always" "sha256:" "truncated at [0-9]* of" "try again"
	nothing_half_made
}

@test "an altered layer: nothing of it is kept" {
	run --separate-stderr davit_within 60 pull 127.0.0.1:5004/altered:latest
	assert_error 125 "127.0.0.1:5004/altered" "sha256:" "altered" "(try again|elsewhere)"
	[ -z "$(davit images -q)" ] || fail "an image"
	nothing_half_made
	is_podman || [ -z "$(find "$STORE/tmp" -type f 2>/dev/null)" ] || fail "what is altered is not continued: $(find "$STORE/tmp")"
}

@test "an altered configuration, and another manifest than the one asked for" {
	run --separate-stderr davit_within 60 pull 127.0.0.1:5006/config:latest
	assert_error 125 "127.0.0.1:5006/config" "sha256:" "altered" "(try again|elsewhere)"
	digest=$(jq -r '.manifests[0].digest' "$DAVIT_TEST_CACHE/layouts/busybox/index.json")
	run --separate-stderr davit_within 60 pull "127.0.0.1:5006/other@$digest"
	assert_error 125 "${digest:0:20}" "altered" "(try again|elsewhere)"
	nothing_half_made
}

@test "a manifest of 100 MB, and one without an end, are refused early" {
	run --separate-stderr davit_within 60 pull 127.0.0.1:5005/large:latest
	assert_error 125 "127.0.0.1:5005/large" "manifest" "larger than the [0-9]+ MiB" "check"
	run --separate-stderr davit_within 60 pull 127.0.0.1:5005/endless:latest
	assert_error 125 "127.0.0.1:5005/endless" "manifest" "larger than the [0-9]+ MiB" "check"
	nothing_half_made
}

@test "a page of HTML instead of a registry" {
	run --separate-stderr davit_within 60 pull 127.0.0.1:5009/page:latest
	assert_error 125 "127.0.0.1:5009" "web page" "check the name"
	nothing_half_made
}

# A pull that hangs in the middle of a layer is ended by signal $1, with status $2: at once, and so is its helper.
end_of_a_stuck_pull() {
	local pid begin
	set -m # ctrl-C is not ignored
	davit_background pull -q 127.0.0.1:5008/stuck:latest >/dev/null 2>&1
	pid=$!
	set +m
	wait_until 20 eval 'find "$STORE/tmp" -name "*.partial" -size +16k | grep -q .'
	wait_until 20 pgrep -P "$pid" davit-registry >/dev/null # what an earlier one has left is there at once
	begin=$SECONDS
	kill "-$1" "$pid"
	wait_status "$2" "$pid"
	wait_until 5 eval '! pgrep -x davit-registry -r S,R,D'
	[ $((SECONDS - begin)) -le 5 ] || fail "too late"
	[ -z "$(davit images -q)" ] || fail "an image"
}

@test "a registry that stops sending: ctrl-C ends the pull at once, and kill -9 its helper too" {
	need_davit
	end_of_a_stuck_pull INT 130
	end_of_a_stuck_pull KILL 137
	nothing_half_made
	# What had come is not asked for again.
	curl -s -X DELETE http://127.0.0.1:5008/_log
	run_status 0 davit_within 60 pull -q 127.0.0.1:5008/slow:latest
	log_of 5008 | grep -qE '^GET .*/blobs/.* bytes=[1-9][0-9]*-' || fail "$(log_of 5008)"
}
