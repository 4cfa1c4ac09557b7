# The command line itself: global options, help, formats, completion, unshare, system reset.
load helpers

setup() { own_store; }
teardown() {
	davit rm -f -a -t 0 >/dev/null 2>&1 || :
	remove_store
}

@test "version and help touch no disk" {
	need_davit
	run -0 "$DAVIT" --root "$BATS_TEST_TMPDIR/none" --runroot "$BATS_TEST_TMPDIR/none" version
	[[ $output == *Version:* ]]
	run -0 "$DAVIT" --root "$BATS_TEST_TMPDIR/none" run --help
	[[ $output == *--publish* ]]
	[ ! -e "$BATS_TEST_TMPDIR/none" ]
}

@test "a mistake in the command line is one error, a hint, and status 125" {
	run -125 --separate-stderr davit ps --foo
	[ "${stderr_lines[0]}" = "Error: unknown flag: --foo" ]
	[[ ${stderr_lines[1]} == "See "*" ps --help'" ]]
	[ -z "$output" ]
	run -125 --separate-stderr davit nonesuch
	[[ ${stderr_lines[0]} == "Error: unrecognized command"*nonesuch* ]]
	run -125 --separate-stderr davit volume
	[[ ${stderr_lines[0]} == "Error: missing command"* ]]
}

@test "global options stand before or behind the command" {
	need_davit
	run -0 --separate-stderr davit --timing version
	[[ $stderr == *total* ]]
	run -0 --separate-stderr davit version --timing
	[[ $stderr == *total* ]]
	run -125 davit --log-level loud version
}

@test "what cannot be written is an error" {
	need_davit
	run -125 --separate-stderr bash -c '"$0" version >/dev/full' "$DAVIT"
	[[ $stderr == "Error: write to standard output"* ]]
}

@test "lists print headings when empty, and JSON arrays" {
	run -0 davit ps -a
	[[ ${lines[0]} == "CONTAINER ID "*NAMES ]]
	[ "$(davit images --format json)" = "[]" ]
	[ "$(davit ps -aq)" = "" ]
}

@test "templates: fields, tables, and mistakes with their place" {
	davit volume create data >/dev/null
	[ "$(davit volume ls --format '{{.Name}}\t{{.Driver}}')" = $'data\tlocal' ]
	run -0 davit volume ls --format 'table {{.Name}}\t{{upper .Driver}}'
	[ "${lines[0]}" = "VOLUME NAME  DRIVER" ]
	[ "${lines[1]}" = "data         LOCAL" ]
	run -125 davit volume inspect --format '{{.Nmae}}' data
	[[ $output == *1:*Nmae* ]]
	run -125 davit volume ls --format '{{.Name'
}

@test "info tells where things are" {
	run -0 davit info --format '{{.Store.GraphRoot}}'
	[ "$output" = "$STORE" ]
	[ "$(davit info --format '{{.Store.ContainerStore.Number}}')" = 0 ]
}

@test "names are completed" {
	need_davit
	davit volume create data >/dev/null
	run -0 davit __complete --root "$STORE" --runroot "$RUNDIR" volume rm d
	[ "$output" = data ]
}

# bats test_tags=user
@test "unshare is root of the user's mapping and passes the status on" {
	run -0 davit unshare id -u
	[ "$output" = 0 ]
	run -0 davit unshare awk '{ n += $3 } END { print (n > 1) }' /proc/self/uid_map
	[ "$output" = 1 ]
	run -7 davit unshare sh -c 'exit 7'
	run -127 davit unshare nonesuch
	touch "$BATS_TEST_TMPDIR/file"
	davit unshare chown 33:33 "$BATS_TEST_TMPDIR/file"
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/file")" != "$(id -u)" ]
	davit unshare rm "$BATS_TEST_TMPDIR/file"
}

# bats test_tags=root
@test "unshare as root says that it is not needed" {
	run -125 davit unshare true
}

@test "system reset asks, and then removes what is davit's and nothing else" {
	need_davit
	davit volume create data >/dev/null
	davit run -d --name web --network none davit/helloweb
	touch "$STORE/mine"
	run -0 davit system reset <<<n
	[ "$(davit volume ls -q)" = data ]
	run -0 davit system reset <<<y
	[ "$(ls "$STORE")" = mine ]
	[ ! -e "$RUNDIR/containers" ]
	run -0 davit system reset -f
}
