# davit system df, system prune, system check.

load helpers

setup() { own_store; have_image "$BUSYBOX"; }
teardown() {
	default_teardown
	remove_store
}

@test "system df: totals, what is active, what could be had back" {
	davit tag "$BUSYBOX" localhost/other
	davit run --name ended --network none -v data:/mnt "$BUSYBOX" sh -c 'head -c 10000 /dev/zero >/file; head -c 2000 /dev/zero >/mnt/file'
	davit run -d --name runs --network none "$BUSYBOX" sleep 1000 >/dev/null
	davit volume create unused >/dev/null
	run_davit system df
	[[ ${lines[0]} =~ ^TYPE\ +TOTAL\ +ACTIVE\ +SIZE\ +RECLAIMABLE ]] || fail "headings"
	[[ ${lines[1]} =~ ^Images\ +1\ +1\ +[0-9.]+MB\ +0B\ \(0%\) ]] || fail "images"
	need_davit
	run_davit system df --format '{{.Type}} {{.Total}} {{.Active}} {{.RawSize}} {{.RawReclaimable}}'
	assert_line "Containers 2 1 10000 10000"
	assert_line "Local Volumes 2 1 2000 0"
	run_davit system df --format json
	[ "$(jq -r '.[].Type' <<<"$output" | paste -sd,)" = "Images,Containers,Local Volumes" ] || fail "JSON"
	run_davit system df -v
	assert_matches 'REPOSITORY +TAG +IMAGE ID +CREATED +SIZE +SHARED SIZE +UNIQUE SIZE +CONTAINERS'
	assert_matches 'CONTAINER ID +IMAGE +COMMAND +LOCAL VOLUMES +SIZE +CREATED +STATUS +NAMES'
	assert_matches $'VOLUME NAME +LINKS +SIZE *\ndata +1 +2kB *\nunused +0 +0B'
	run_error 125 system df -v --format json -- format verbose
}

@test "system prune: asks, takes what ended and dangles, with more when asked for" {
	davit run --name ended --network none -v data:/mnt "$BUSYBOX" sh -c 'head -c 10000 /dev/zero >/file'
	davit run -d --name runs --network none "$BUSYBOX" sleep 1000 >/dev/null
	davit volume create unused >/dev/null
	run_status 0 davit system prune <<<n
	[[ $stderr == "WARNING! This command removes:"*"- all stopped containers"*"- all dangling images"*"[y/N]"* ]] || fail "question"
	container_exists ended
	run_status 0 davit system prune -a --volumes <<<n
	[[ $stderr == *"- all volumes not used by at least one container"*"- all images without at least one container associated with them"* ]] || fail "question"
	run_davit system prune -f --filter until=24h
	assert_output "Total reclaimed space: 0B"
	id=$(davit inspect -f '{{.Id}}' ended)
	run_davit system prune -f
	assert_output "Deleted Containers
$id
Total reclaimed space: 10kB"
	run_davit volume ls -q
	assert_output $'data\nunused'
	run_davit system prune -f --volumes
	assert_output $'Deleted Volumes\ndata\nunused\nTotal reclaimed space: 0B'
	run_davit image exists "$BUSYBOX"
	davit rm -f -t 0 runs >/dev/null
	run_davit system prune -a -f
	assert_matches '^Deleted Images'
	assert_matches 'Total reclaimed space: [0-9.]+MB$'
	run_status 1 davit image exists "$BUSYBOX"
	run_error 125 system prune -f --filter thing=x -- thing
	run_error 125 system prune -f --filter until=never -- never
}
