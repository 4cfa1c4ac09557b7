# Images made of containers.

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	default_setup
}
teardown() {
	default_teardown
	! mountpoint -q full || umount full
	davit rmi -f made:1 made:2 made:3 >/dev/null 2>&1 || :
}

is_absent() { ! grep -qE "$1" "$2" || fail "'$1' is in $2"; }

# The value of a template over image made:1.
of_image() { davit image inspect --format "{{$1}}" made:1; }

@test "commit makes an image that has the changes and runs" {
	davit run --name c --network none "$BUSYBOX" sh -c 'echo new >/new; rm /bin/ls; chown 3:4 /new; chmod 4711 /new
		rm -r /var; mkdir -p /var/other; ln /new /second; ln -s new /link'
	run_davit commit -q c made:1
	assert_matches '^[0-9a-f]{64}$'
	local id=$output
	run_davit images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}'
	assert_contains "localhost/made:1 "
	assert_contains "$id"
	run_davit run --rm --network none made:1 sh -c 'cat /link; stat -c "%u:%g %a %h" /new; ls /var /bin/ls 2>&1 || busybox ls /var'
	assert_contains "new"
	assert_contains "3:4 4711 2"
	assert_contains "other"
	assert_not_contains "www"
	# The container is as it was.
	run_davit diff c
	assert_line "A /new"
}

@test "commit takes the container's settings over, and changes some" {
	davit create --name c -e A=1 -e B=2 -w /tmp --user 7 --label x=y --expose 99/udp --entrypoint '["/bin/echo"]' "$BUSYBOX" one two
	davit commit -q c made:1
	[ "$(of_image .Config.Entrypoint) $(of_image .Config.Cmd)" = "[/bin/echo] [one two]" ]
	[ "$(of_image .Config.User) $(of_image .Config.WorkingDir)" = "7 /tmp" ]
	[ "$(of_image .Config.Labels.x)" = y ]
	[[ $(of_image .Config.ExposedPorts) == *99/udp* ]]
	[[ $(of_image .Config.Env) == *"A=1 B=2"* ]]
	is_podman || [[ $(of_image .Config.Env) != *container=* ]]
	run_davit run --rm --network none made:1
	assert_output "one two"
	davit commit -q -a ann -c 'ENTRYPOINT ["/bin/sh", "-c"]' -c 'CMD ["echo $C; id -u; pwd"]' -c ENV=C=three -c "USER 8" -c "WORKDIR /home" \
		-c "EXPOSE 80" -c "VOLUME /data" -c "LABEL z=1" -c "STOPSIGNAL SIGINT" c made:1
	run_davit run --rm --network none made:1
	assert_output "three
8
/home"
	[ "$(of_image .Author)" = ann ]
	[ "$(of_image .Config.StopSignal)" = SIGINT ]
	[[ $(of_image .Config.Volumes) == */data* ]]
	[[ $(of_image .Config.Labels) == *x:y*z:1* ]]
	davit volume prune -f >/dev/null 2>&1 || :
}

@test "commit without a name, with an ID file, and with history" {
	davit create --name c "$BUSYBOX" true
	run_davit commit -q --iidfile id c
	local id=$output
	[ "$(cat id)" = "$id" ]
	run_davit images -a --filter dangling=true -q --no-trunc
	assert_contains "$id"
	run_davit history --format '{{.Comment}}' "$id"
	assert_line "FROM $BUSYBOX"
	davit rmi "$id" >/dev/null
	need_davit
	davit commit -q -m "made by hand" c made:1
	run_davit history --format '{{.Comment}}' made:1
	assert_line "made by hand"
	davit commit -q -f docker -m "of Docker" c made:2
	[ "$(davit image inspect --format '{{.Comment}} {{.ManifestType}}' made:2)" = \
		"of Docker application/vnd.docker.distribution.manifest.v2+json" ]
}

@test "commit --squash makes one layer of everything" {
	davit run --name c --network none "$BUSYBOX" sh -c 'echo new >/new; rm /etc/plain.txt'
	davit commit -q --squash c made:1
	[ "$(of_image 'len .RootFS.Layers')" = 1 ]
	run_davit run --rm --network none made:1 sh -c 'cat /new; busybox ls /etc'
	assert_contains "new"
	assert_not_contains plain.txt
	assert_contains passwd
}

@test "commit of a container that runs, paused meanwhile, leaves it running" {
	davit run -d --name c --network none "$BUSYBOX" sh -c 'echo one >/one; exec sleep 100'
	wait_until 5 davit exec c test -s /one
	davit commit -q c made:1
	run_davit run --rm --network none made:1 cat /one
	assert_output one
	if davit pause c 2>/dev/null; then
		davit unpause c
		davit commit -q --pause c made:2
	fi
	run_davit exec c cat /one
	assert_output one
}

@test "an image made by commit has no mount points, volumes or secrets of the container" {
	need_davit
	echo xyzzy-4711 >hidden
	davit secret create file hidden >/dev/null
	davit secret create variable hidden >/dev/null
	davit run --name c --network none -v "$PWD/hidden:/given" -v "$PWD:/mnt" --secret file --secret file,target=/etc/key \
		--secret variable,type=env,target=KEY "$BUSYBOX" sh -c 'cat /given /etc/key /run/secrets/file; echo >/real'
	davit commit -q c made:1
	davit save -q --format oci-dir -o image made:1
	local layer
	layer=$(python3 - <<-'END'
		import json
		blob = lambda digest: "image/blobs/" + digest.replace(":", "/")
		manifest = json.load(open("image/index.json"))["manifests"][0]["digest"]
		print(blob(json.load(open(blob(manifest)))["layers"][-1]["digest"]))
	END
	)
	tar tf "$layer" | grep -vE '^(mnt|etc|run)/$' >names
	[ "$(cat names)" = real ]
	is_absent xyzzy "$layer"
	davit commit -q --squash c made:2
	run_davit run --rm --network none made:2 sh -c 'ls /given; grep -c . /etc/hosts'
	assert_not_contains given
	davit image inspect made:1 made:2 >all.json
	is_absent 'xyzzy|KEY=' all.json
	davit export c >all.tar
	is_absent xyzzy all.tar
	davit secret rm file variable >/dev/null
}

@test "an image made by commit survives save and load, and others can read it" {
	davit run --name c --network none "$BUSYBOX" sh -c 'echo new >/new; rm /bin/ls'
	local id
	id=$(davit commit -q c made:1)
	davit save -q --format oci-dir -o image made:1
	davit save -q -o image.tar made:1
	command -v skopeo >/dev/null && {
		skopeo inspect oci:image | grep -q Layers
		skopeo copy --insecure-policy -q docker-archive:image.tar oci:copy:x
	}
	if is_root && command -v umoci >/dev/null; then
		umoci unpack --image copy:x bundle
		[ "$(cat bundle/rootfs/new)" = new ]
		[ ! -e bundle/rootfs/bin/ls ]
		[ -e bundle/rootfs/bin/cat ]
	fi
	davit rmi made:1 >/dev/null
	davit load -q -i image.tar >/dev/null
	is_podman || [ "$(of_image .Id)" = "$id" ]
	run_davit run --rm --network none made:1 cat /new
	assert_output new
}

@test "commit of a container with other IDs gives the owners that it saw" {
	need_davit
	local mapping=(--userns keep-id)
	! is_root || mapping=(--uidmap 0:100000:2000 --gidmap 0:100000:2000)
	davit run --name c --network none "${mapping[@]}" --user 0 "$BUSYBOX" sh -c 'echo >/f; chown 12:34 /f'
	davit commit -q c made:1
	run_davit run --rm --network none made:1 stat -c %u:%g /f
	assert_output 12:34
	davit commit -q --squash c made:1
	run_davit run --rm --network none made:1 stat -c %u:%g /f
	assert_output 12:34
}

@test "commit says what is wrong, and leaves nothing" {
	davit create --name c "$BUSYBOX" true
	local before
	before=$(davit images -a -q)
	run_error 125 commit -q nobody x -- nobody
	run_error 125 commit -q c 'BAD NAME' -- "BAD NAME|reference"
	run_error 125 commit -q -c "FOO bar" c -- "invalid instruction FOO"
	run_error 125 commit -q -f xml c -- xml
	run_error 125 commit -q -c "EXPOSE many" c -- many
	[ "$(davit images -a -q)" = "$before" ]
}

@test "commit that is killed leaves nothing half-made, and the container goes on" {
	need_davit
	own_store
	davit pull -q "$BUSYBOX" >/dev/null
	davit run -d --name c --network none "$BUSYBOX" sh -c 'dd if=/dev/zero of=/large bs=1M count=60; echo >/done; exec sleep 100'
	wait_until 20 davit exec c test -e /done
	local delay pid pause=
	if davit pause c 2>/dev/null; then
		davit unpause c
		pause=--pause
	fi
	for delay in 0.01 0.03 0.06; do
		davit_background commit -q $pause c made:1 >/dev/null 2>&1
		pid=$!
		sleep "$delay"
		kill -9 "$pid" 2>/dev/null || :
		wait "$pid" || :
		# Either it was faster, or there is no image.
		if davit image exists made:1; then
			davit run --rm --network none made:1 stat -c %s /large
			davit rmi made:1
		fi
		wait_until 5 davit exec c true
	done
	davit commit -q c made:1
	davit rm -f -t 0 c
	davit rmi -f made:1 "$BUSYBOX"
	davit image prune -a -f --external >/dev/null
	[ -z "$(find "$STORE/blobs" -type f)" ]
	[ -z "$(ls "$STORE/layers")" ]
	remove_store
}

@test "diff and commit of a container with snapshots have all that it wrote" {
	need_davit
	davit run --name c --network none "$BUSYBOX" sh -c 'echo one >/one; rm /bin/ls; echo gone >/gone'
	davit snapshot c >/dev/null
	davit commit -q c made:1
	run_davit run --rm --network none made:1 cat /one
	assert_output one
	davit start -a c
	run_davit diff c
	assert_line "A /one"
	assert_line "D /bin/ls"
	davit commit -q c made:2
	run_davit run --rm --network none made:2 sh -c 'cat /one; busybox ls /bin/ls 2>&1 || :'
	assert_contains one
	assert_contains "No such file"
	davit rmi made:1 made:2
}

# bats test_tags=root
@test "commit and import on a full disk say so and leave nothing, and the container is whole" {
	need_davit
	mkdir full
	mount -t tmpfs -o size=60m tmpfs full
	own_store "$PWD/full/store"
	davit pull -q "$BUSYBOX" >/dev/null
	davit run --name c --network none "$BUSYBOX" sh -c 'dd if=/dev/urandom of=/large bs=1M count=25 2>/dev/null; echo >/done'
	run_error 125 commit -q c made:1 -- "commit container 'c'" "space"
	davit export -o large.tar c
	run_error 125 import -q large.tar made:1 -- "large.tar" "space"
	head -c 15M /dev/zero >full/filler
	run_error 125 export -o full/x.tar c -- "space"
	[ ! -e full/x.tar ]
	run_davit diff c
	assert_line "A /large"
	[ "$(find "$STORE/blobs" -type f -size +8M | wc -l)" = 0 ]
	[ -z "$(find "$STORE/layers" -name 'tmp-*')" ]
	davit rm c
	davit rmi "$BUSYBOX"
	umount full
}

@test "commit --change: ports in small letters, retries that are a number" {
	davit create --name c --network none "$BUSYBOX" true >/dev/null
	davit commit -q --change 'EXPOSE 80/TCP 53/Udp' c localhost/made >/dev/null
	run_davit image inspect -f '{{json .Config.ExposedPorts}}' localhost/made
	output=$(jq -cS . <<<"$output")
	assert_output '{"53/udp":{},"80/tcp":{}}'
	need_davit
	for retries in 3x -1 "" 99999999999; do
		run_error 125 commit --change "HEALTHCHECK --retries=$retries CMD true" c localhost/other -- "'$retries'" "--retries=3"
	done
	run_error 125 commit --change "STOPSIGNAL nosuch" c localhost/other -- "STOPSIGNAL" "nosuch"
	davit commit -q --change "STOPSIGNAL RTMIN+3" c localhost/made >/dev/null
	davit rmi -f localhost/made >/dev/null
}
