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

@test "system df and prune: what clones, snapshots and flattened layers share counts once" {
	need_davit
	numbers() { run_davit system df --format '{{.Type}} {{.Total}} {{.Active}} {{.RawSize}} {{.RawReclaimable}}'; }
	davit run --name c --network none "$BUSYBOX" sh -c 'f=$(mktemp /XXXXXX); head -c 10000 /dev/zero >$f; ln $f $f.2'
	davit snapshot c one >/dev/null
	numbers
	assert_line "Containers 1 0 10000 10000"
	davit clone c d >/dev/null
	davit clone c e >/dev/null
	numbers
	assert_line "Containers 3 0 10000 10000"
	run_davit ps -a -s --no-trunc --format '{{.Names}} {{.Size}}'
	[ "$(grep -c '^[cde] 10kB' <<<"$output")" = 3 ] || fail "each has it"
	run_davit system df -v
	[ "$(grep -cE ' 10kB .*(Exited|Created|created|exited).* [cde] *$' <<<"$output")" = 3 ] || fail "each has it"
	# Two layers become one, by more names of the same files; d and e keep the first.
	davit start -a c
	davit snapshot c two >/dev/null
	davit snapshot --flatten c >/dev/null
	numbers
	assert_line "Containers 3 0 20000 20000"
	# Going back leaves what the other snapshot has.
	davit revert c one >/dev/null
	numbers
	assert_line "Containers 3 0 20000 20000"
	davit rm c e >/dev/null
	run_davit system prune -f
	assert_line "Total reclaimed space: 10kB"
}

@test "system df: what a running container has is not to be had back, whoever else has it" {
	need_davit
	davit run -d --name c --network none "$BUSYBOX" sh -c 'head -c 10000 /dev/zero >/file; sleep 1000' >/dev/null
	wait_until 10 davit exec c sh -c '[ "$(stat -c %s /file)" = 10000 ]'
	davit stop -t 0 c >/dev/null
	davit clone c d >/dev/null
	davit start c >/dev/null
	run_davit system df --format '{{.Type}} {{.Total}} {{.Active}} {{.RawSize}} {{.RawReclaimable}}'
	assert_matches 'Containers 2 1 [12]0000 0'
	run_davit system prune -f
	assert_line "Total reclaimed space: 0B"
}

@test "system prune: asks, takes what ended and dangles, with more when asked for" {
	davit run --name ended --network none -v data:/mnt "$BUSYBOX" sh -c 'head -c 10000 /dev/zero >/file'
	davit run -d --name runs --network none "$BUSYBOX" sleep 1000 >/dev/null
	davit volume create unused >/dev/null
	run_error 125 system prune </dev/null -- "answer" "--force"
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
	run_error 125 image prune -f --filter thing=x -- thing
	run_error 125 image prune -f --filter until=never -- never
}

# Changes the database behind davit's back: damage SQL
damage() { python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()' "$STORE/davit.db" "$1"; }
as_owner() { if is_root; then "$@"; else davit unshare "$@"; fi; }

@test "system check: nothing is said of what is whole" {
	need_davit
	davit run --name c --network none -v data:/mnt "$BUSYBOX" true
	run_davit system check
	assert_output ""
	run_davit system check --quick
	assert_output ""
}

@test "system check: containers and volumes without their directories, and the other way round" {
	need_davit
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	davit create --name other --network none "$BUSYBOX" true >/dev/null
	davit volume create data >/dev/null
	rm -r "$STORE/containers/$(davit inspect -f '{{.Id}}' c)" "$STORE/volumes/data"
	mkdir -p "$STORE/volumes/lost/_data"
	echo text >"$STORE/volumes/lost/_data/file"
	run_davit ps -a --format '{{.Names}}'
	assert_output $'c\nother'
	run_error 125 system check -- "3 objects" --repair
	assert_matches 'container c .*directory is missing'
	assert_matches 'volume data: .*missing'
	assert_matches 'volumes/lost: it belongs to no volume'
	run_davit system check --repair
	run_davit system check
	assert_output ""
	run_davit start -a c
	run_davit run --rm --network none -v lost:/mnt "$BUSYBOX" cat /mnt/file
	assert_output text
	davit volume rm -a -f >/dev/null
}

@test "system check: a record that cannot be read hides no other, and is removed by force only" {
	need_davit
	davit create --name bad --network none "$BUSYBOX" true >/dev/null
	davit create --name good --network none "$BUSYBOX" true >/dev/null
	damage "UPDATE containers SET spec = '{', labels = '{' WHERE name = 'bad'"
	for command in "ps -a" "ps -a --format json" "ps -a -s" "images" "system df -v" "volume ls" "ps -a --filter label=x"; do
		run_davit $command
	done
	run_error 125 system check --repair -- "1 object" --force
	assert_matches 'container bad .*cannot be read'
	run_davit system check --force
	assert_matches 'removed$'
	run_davit ps -a --format '{{.Names}}'
	assert_output good
}

@test "system check: blobs and layers are brought again by the next pull" {
	need_davit
	layer=$(davit image inspect -f '{{index .RootFS.Layers 0}}' "$BUSYBOX")
	blob=$(ls -S "$STORE/blobs/sha256" | head -n 1)
	printf x | dd of="$STORE/blobs/sha256/$blob" bs=1 seek=50 conv=notrunc status=none
	run_davit system check --quick
	run_error 125 system check -- "1 object"
	assert_matches "blob sha256:$blob: its content is another"
	as_owner rm "$STORE/layers/${layer#sha256:}/diff/bin/busybox"
	run_error 125 system check --repair -- --force
	assert_matches "layer $layer: files in it are missing"
	assert_matches "image $BUSYBOX .*pull it again"
	davit pull -q "$BUSYBOX" >/dev/null
	run_davit system check
	assert_output ""
	run_davit run --rm --network none "$BUSYBOX" echo whole
	assert_output whole
	davit save -q -o "$BATS_TEST_TMPDIR/image.tar" "$BUSYBOX"
}

# bats test_tags=user
@test "system check: a blob that may not be read is told, and stays" {
	need_davit
	davit pull -q "$BUSYBOX" >/dev/null
	blob=$STORE/blobs/sha256/$(ls -S "$STORE/blobs/sha256" | head -n 1)
	chmod 0 "$blob"
	run_error 125 system check --repair -- "1 object"
	[ -e "$blob" ] || fail "it may be whole"
	chmod 600 "$blob"
	run_davit system check
}

@test "system check: an image whose configuration is damaged goes with force, and its containers" {
	need_davit
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	damage "UPDATE images SET config = '{}'"
	run_davit images -q
	run_davit images --filter label=x
	run_error 125 system check --repair -- --force
	run_davit system check --force
	run_davit images -q
	assert_output ""
	run_davit ps -aq
	assert_output ""
}

# bats test_tags=root
@test "system check: ports that are published for a container that does not run" {
	need_davit
	command -v nft >/dev/null || skip "nft is missing"
	port=$(free_port)
	davit run -d --name web -p "$port:80" "$BUSYBOX" sleep 1000 >/dev/null
	element=$(nft list map inet davit published | grep -o "tcp \. $port comment [^:]*: [0-9. ]*[0-9]")
	run_davit system check
	assert_output ""
	davit stop -t 0 web >/dev/null
	nft add element inet davit published "{ $element }"
	run_error 125 system check -- "1 object"
	assert_matches 'container web .*ports'
	run_davit system check --repair
	nft list map inet davit published | grep "$port" && fail "still there"
	run_davit system check
	assert_output ""
}

@test "system check: snapshots and the layers that clones stand on" {
	need_davit
	davit run --name c --network none "$BUSYBOX" sh -c 'echo first >/file; echo base >/base'
	davit snapshot c one >/dev/null
	davit clone c d >/dev/null
	davit run --name other --network none "$BUSYBOX" sh -c 'echo whole >/file'
	davit snapshot other two >/dev/null
	run_davit system check
	assert_output ""
	layer=$(as_owner grep -rlx first "$STORE/snapshots" | head -n 1)
	layer=${layer%/diff/file}
	as_owner rm -r "$layer/diff"
	cp -r "$layer" "$STORE/snapshots/0123456789abcdef0123456789abcdef"
	run_error 125 system check -- "1 object" --repair
	assert_matches 'snapshot one of c: .*missing'
	run_davit system check --repair
	run_davit system check
	assert_output ""
	[ ! -e "$STORE/snapshots/0123456789abcdef0123456789abcdef" ] || fail "it stays"
	# What is whole is as before, and what was damaged can be used.
	davit start -a other
	davit revert other two >/dev/null
	davit start -a c
	davit start -a d
	damage "DELETE FROM frozen_layers WHERE id = '${layer##*/}'"
	run_error 125 system check --force -- "needs a hand"
	assert_matches 'davit.db: a row of (containers|snapshots) needs one of frozen_layers'
	damage "INSERT INTO frozen_layers VALUES('${layer##*/}', NULL, 'x', 0)"
	run_davit system check
}

@test "system check: secrets, and what containers keep of them" {
	need_davit
	printf first | davit secret create one - >/dev/null
	printf second | davit secret create two - >/dev/null
	davit create --name c --network none --secret one "$BUSYBOX" cat /run/secrets/one >/dev/null
	run_davit system check
	assert_output ""
	id=$(davit inspect -f '{{.Id}}' c)
	one=$(grep -lx first "$STORE"/secrets/*)
	two=$(grep -lx second "$STORE"/secrets/*)
	chmod 644 "$one"
	chmod 755 "$STORE/secrets"
	printf lost >"$STORE/secrets/0123"
	rm "$two" "$STORE/containers/$id/secrets/0"
	run_error 125 system check -- "4 objects" --repair
	assert_matches 'secret one: others may read'
	assert_matches 'secret two: its value is gone; make it again'
	assert_matches 'directory secrets: others may enter'
	assert_matches 'container c .*of its secrets is missing'
	run_error 125 system check --repair -- "1 object" --force
	[ "$(stat -c %a "$one" "$STORE/secrets" | tr '\n' ' ')" = "600 700 " ] && [ ! -e "$STORE/secrets/0123" ] || fail "not repaired"
	run_davit start -a c
	assert_output first
	printf third | davit secret create --replace two - >/dev/null
	run_davit system check
	assert_output ""
	rm "$(grep -lx third "$STORE"/secrets/*)"
	run_davit system check --force
	run_davit secret ls --format '{{.Name}}'
	assert_output one
	davit secret rm one >/dev/null
}

@test "system check: what killed commands have left is put away, and is no damage" {
	need_davit
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	printf value | davit secret create s - >/dev/null
	davit snapshot c one >/dev/null
	nobody=$(printf '%064d' 7)
	mkdir -p "$STORE/containers/$nobody/upper" "$STORE/snapshots/$nobody/diff"
	printf lost >"$STORE/secrets/0123"
	mkdir -p "$STORE/volumes/nobody/_data"
	davit run -d --name r --network none "$BUSYBOX" sleep 100 >/dev/null
	kill -KILL "$(davit inspect -f '{{.State.ConmonPid}}' r)"
	kill -KILL "$(davit inspect -f '{{.State.Pid}}' r)" 2>/dev/null || :
	wait_until 5 eval '! davit inspect -f "{{.State.Running}}" r | grep true'
	run_davit system check
	assert_output ""
	[ ! -e "$STORE/containers/$nobody" ] && [ ! -e "$STORE/snapshots/$nobody" ] && [ ! -e "$STORE/secrets/0123" ] &&
		[ ! -e "$STORE/volumes/nobody" ] || fail "it stays"
	davit secret rm s >/dev/null
}

@test "system check: what was mounted and is gone" {
	need_davit
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	id=$(davit inspect -f '{{.Id}}' c)
	mkdir -p "$RUNDIR/mounts/$id" "$RUNDIR/mounts/${id//[0-9]/a}"
	run_error 125 system check -- "1 object" --repair
	assert_matches 'directory mounts/.*gone'
	run_davit system check --repair
	[ "$(ls "$RUNDIR/mounts")" = "$id" ] || fail "$(ls "$RUNDIR/mounts")"
	run_davit system check
	assert_output ""
}

@test "system reset: containers of all kinds end side by side" {
	need_davit
	for i in 1 2 3 4 5; do davit run -d --name "c$i" --network none "$BUSYBOX" sleep 1000 >/dev/null; done
	davit run -d --rm --name gone --network none "$BUSYBOX" sleep 1000 >/dev/null
	davit run -d --restart always --name always --network none "$BUSYBOX" sleep 1000 >/dev/null
	davit run -d --name needs --network container:c1 "$BUSYBOX" sleep 1000 >/dev/null
	davit create --name made --network none -v /mnt "$BUSYBOX" true >/dev/null
	davit pause c2 >/dev/null 2>&1 || :
	davit system reset -f
	[ -z "$(ls -A "$STORE" "$RUNDIR" 2>/dev/null | grep -v '^/\|^$')" ] || fail "$(ls -A "$STORE" "$RUNDIR")"
	have_image "$BUSYBOX"
	run_davit ps -aq
	assert_output ""
}
