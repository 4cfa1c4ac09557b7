# Containers that start with the machine. Here the boot is that everything on memory is gone; tests/host/reboot has a whole one.

load helpers

setup() {
	need_davit
	own_store
	have_image "$BUSYBOX"
}
teardown() {
	davit rm -f -a -t 0 >/dev/null 2>&1 || :
	wait_until 10 eval '[ -z "$(processes "$STORE")" ]' # monitors that clean up
	remove_store
}

state_of() { davit inspect -f '{{.State.Status}}' "$1"; }
# All processes of the containers die at once, and the run directory is empty.
power_cut() {
	local pid
	for pid in $(pgrep davit-monitor); do kill -KILL "$pid" 2>/dev/null || :; done
	for pid in $(davit ps --filter status=running --format "{{.Pid}}"); do [ "$pid" -gt 1 ] || continue; kill -KILL "$pid" 2>/dev/null || davit unshare kill -KILL "$pid"; done
	wait_until 10 eval '[ -z "$(davit ps -q)" ]'
	rm -rf "$RUNDIR"
	mkdir "$RUNDIR"
	warned_already
}
names() { davit ps "$@" --format '{{.Names}}' | sort | tr '\n' ' '; }

@test "start --all --filter should-start-on-boot: those that should, and no others" {
	local run="davit run -d --network none"
	$run --name always --restart always "$BUSYBOX" sleep 1000 >/dev/null
	$run --name always-ended --restart always "$BUSYBOX" sleep 1000 >/dev/null
	$run --name unless --restart unless-stopped "$BUSYBOX" sleep 1000 >/dev/null
	$run --name unless-ended --restart unless-stopped "$BUSYBOX" sleep 1000 >/dev/null
	$run --name unless-killed --restart unless-stopped "$BUSYBOX" sleep 1000 >/dev/null
	$run --name unless-again --restart unless-stopped "$BUSYBOX" sleep 1000 >/dev/null
	$run --name failure --restart on-failure:3 "$BUSYBOX" sleep 1000 >/dev/null
	$run --name none "$BUSYBOX" sleep 1000 >/dev/null
	davit create --name never --network none --restart always "$BUSYBOX" sleep 1000 >/dev/null
	davit stop -t 0 always-ended unless-ended unless-again >/dev/null
	davit kill unless-killed >/dev/null
	davit start unless-again >/dev/null
	power_cut
	[ "$(names)" = "" ] || fail "something runs"
	is_exited=$(davit ps -a --filter status=exited -q | wc -l)
	[ "$is_exited" = 8 ] || fail "all but one have ended: $is_exited"
	[ "$(names -a --filter restart-policy=always)" = "always always-ended never " ] || fail "$(names -a --filter restart-policy=always)"
	[ "$(names -a --filter restart-policy=no)" = "none " ] || fail "no"
	[ "$(names -a --filter restart-policy=on-failure)" = "failure " ] || fail "on-failure"
	[ "$(names -a --filter restart-policy=on-failure:2)" = "" ] || fail "on-failure:2"
	[ "$(names -a --filter should-start-on-boot=false)" = "failure never none unless-ended unless-killed " ] || fail "$(names -a --filter should-start-on-boot=false)"
	run_davit start --all --filter should-start-on-boot=true
	[ "$(names)" = "always always-ended unless unless-again " ] || fail "$(names)"
	run_davit start --all --filter restart-policy=always
	[ "$(names)" = "always always-ended never unless unless-again " ] || fail "$(names)"
}

@test "stop --until-boot is not the user's wish" {
	for i in a b; do davit run -d --network none --name $i --restart unless-stopped "$BUSYBOX" sleep 1000 >/dev/null; done
	run_davit stop -t 0 a
	run_davit stop --all --until-boot -t 0 --filter restart-policy=always --filter restart-policy=unless-stopped
	[ "$(names)" = "" ] || fail "something runs"
	power_cut
	run_davit start --all --filter should-start-on-boot=true
	[ "$(names)" = "b " ] || fail "$(names)"
}

@test "stopped because it was not healthy is not the user's wish either" {
	for action in stop kill; do
		davit run -d --network none --name $action --restart unless-stopped --stop-timeout 1 --health-cmd false --health-interval 1s --health-retries 1 \
			--health-on-failure $action "$BUSYBOX" sleep 1000 >/dev/null
	done
	wait_until 30 eval '[ "$(names)" = "" ]'
	power_cut
	[ "$(names -a --filter should-start-on-boot=true)" = "kill stop " ] || fail "$(names -a --filter should-start-on-boot=true)"
}

@test "a container in the back-off comes back, one with a network and a volume too" {
	davit run -d --name storm --network none --restart always "$BUSYBOX" false >/dev/null
	wait_until 10 eval '[ "$(davit inspect -f "{{.RestartCount}}" storm)" -ge 2 ]'
	port=$(free_port)
	davit run -d --name web -p 127.0.0.1:$port:80 -v data:/data --restart always "$BUSYBOX" sh -c 'date >>/data/starts; httpd -f -p 80 -h /var/www' >/dev/null
	wait_until 10 curl -sf -o /dev/null http://127.0.0.1:$port/
	power_cut
	run_davit start --all --filter restart-policy=always
	wait_until 10 curl -sf -o /dev/null http://127.0.0.1:$port/
	[ "$(davit exec web wc -l </dev/null /data/starts)" = "2 /data/starts" ] || fail "twice"
	wait_until 10 eval '[ "$(davit inspect -f "{{.RestartCount}}" storm)" -ge 1 ]'
	davit rm -f -t 0 web storm >/dev/null
	davit volume rm data >/dev/null
}

@test "filters that cannot be" {
	run_error 125 ps --filter restart-policy=sometimes -- "sometimes"
	run_error 125 start --all --filter should-start-on-boot=maybe -- "maybe" "true"
}
