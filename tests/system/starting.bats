# A container that is just being started, seen and acted on by others; and starts whose processes are all killed.
# The moments are met by trying many, as the start takes a few milliseconds: what must hold, holds at each of them.

load helpers

setup() {
	need_davit
	default_setup
}
teardown() { default_teardown; }

# Runs a start and at a moment kills everybody who takes part in it, or stops them. Arguments: kill or stop, seconds, the
# run directories, the command. "stop" counts from when the container's row is written (who is stopped while he writes into
# the database stops all others with him), and prints the numbers of the stopped processes.
cat_moment() {
	cat <<'PYTHON'
import glob, os, signal, subprocess, sys, time
mode, delay, places, command = sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4:]
null = open(os.devnull, "r+")
main = subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)
if mode == "stop":
    while not glob.glob(places + "/*/hostname") and main.poll() is None:
        pass
end = time.monotonic() + delay
while time.monotonic() < end:
    pass
def children(pid):
    try:
        return [int(word) for word in open(f"/proc/{pid}/task/{pid}/children").read().split()]
    except OSError:
        return []
def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
# The command stands still while its launcher works on its memory, and is stopped with it.
send(main.pid, signal.SIGSTOP)
launchers = children(main.pid)
for pid in launchers:
    send(pid, signal.SIGSTOP)
if mode == "kill":
    for pid in [main.pid] + launchers:
        send(pid, signal.SIGKILL)
    main.wait()
else:
    print(main.pid, *launchers)
PYTHON
}
at_moment() {
	local command mode=$1 delay=$2
	shift 2
	[ -e "$BATS_TEST_TMPDIR/moment" ] || cat_moment >"$BATS_TEST_TMPDIR/moment"
	mapfile -t command < <(DAVIT_COMMAND)
	python3 "$BATS_TEST_TMPDIR/moment" "$mode" "$delay" "$RUNDIR/containers" "${command[@]}" "$@"
}
# $1 moments of 0 to $2 milliseconds. On a busy machine everything takes longer, so that they come earlier in what is done.
moments() { awk -v count="$1" -v most="$2" 'BEGIN { srand('"$RANDOM"'); for (i = 0; i < count; i++) printf "%.5f\n", rand() * most / 1000 }'; }
# What was killed takes its time to die, and looks like a start that goes on as long as it does.
died() { [ "$(davit ps -a --format '{{.State}}')" != initialized ]; }
go_on() { kill -CONT "$@" 2>/dev/null || :; }
all_gone() {
	local pid
	for pid in "$@"; do [ ! -e "/proc/$pid" ] || return 1; done
}

@test "in the middle of a start ps and inspect say Created or Up, and it goes on" {
	local seen=
	for moment in $(moments 16 3); do
		stopped=$(at_moment stop "$moment" run -d --name c --network none "$BUSYBOX" sleep 100)
		run --separate-stderr davit ps -a --format '{{.Names}} {{.State}} {{.Status}}'
		said=$output
		run --separate-stderr davit inspect -f '{{.State.Status}} {{.State.ExitCode}}' c
		go_on $stopped
		[ "$said" = "" ] || [ "$said" = "c initialized Created" ] || [[ $said == "c running Up"* ]] || fail "after $moment: $said"
		[[ $status -ne 0 || $output == "initialized 0" || $output == "running 0" ]] || fail "after $moment"
		seen+=" ${output%% *}"
		wait_until 10 eval '[ "$(davit inspect -f "{{.State.Running}}" c)" = true ]'
		wait_until 10 all_gone ${stopped%% *}
		davit rm -f -t 0 c >/dev/null
	done
	[[ $seen == *initialized* ]] || fail "no moment was met: $seen"
}

@test "the middle of another start of a container that has ended" {
	davit create --name c --network none "$BUSYBOX" sh -c '[ -e /second ] || { touch /second; exit 3; }; sleep 100' >/dev/null
	davit start -a c || :
	for moment in $(moments 12 3); do
		stopped=$(at_moment stop "$moment" start c)
		run_davit inspect -f '{{.State.Status}} {{.State.ExitCode}}' c
		go_on $stopped
		[[ $output == "exited 3" || $output == "initialized 0" || $output == "running 0" || $output == "exited 137" ]] || fail "after $moment"
		wait_until 10 all_gone ${stopped%% *}
		run_davit inspect -f '{{.State.Running}}' c
		assert_output true
		davit stop -t 0 c >/dev/null
	done
}

@test "stop, kill and rm -f of a container that is being started wait for it and then act" {
	for action in "stop -t 0" "kill" "rm -f -t 0" "stop -a -t 0" "rm -f -a -t 0"; do
		for moment in $(moments 5 3); do
			stopped=$(at_moment stop "$moment" run -d --name c --network none "$BUSYBOX" sleep 100)
			if ! container_exists c; then # not even begun
				go_on $stopped
				wait_until 10 all_gone ${stopped%% *}
				davit rm -f -t 0 c >/dev/null
				continue
			fi
			case $action in
			*-a*) davit_background $action >/dev/null ;;
			*) davit_background $action c >/dev/null ;;
			esac
			pid=$!
			sleep 0.02
			go_on $stopped
			wait_status 0 $pid
			wait_until 10 all_gone ${stopped%% *}
			case $action in
			rm*) container_gone c ;;
			kill) wait_until 10 eval '[ "$(davit inspect -f "{{.State.Status}}" c)" = exited ]' ;;
			*)
				run_davit inspect -f '{{.State.Status}} {{.State.ExitCode}}' c
				assert_output "exited 137"
				;;
			esac
			davit rm -f -t 0 c >/dev/null
			[ -z "$(processes '^sleep 100')" ] || fail "$action after $moment: it runs although it was said to be gone"
		done
	done
}

@test "rm without -f does not remove what is being started" {
	for moment in $(moments 6 3); do
		stopped=$(at_moment stop "$moment" run -d --name c --network none "$BUSYBOX" sleep 100)
		if container_exists c; then
			davit_background rm c >/dev/null 2>&1
			pid=$!
			sleep 0.02
			go_on $stopped
			wait_status 2 $pid
		fi
		go_on $stopped
		wait_until 10 all_gone ${stopped%% *}
		davit rm -f -t 0 c >/dev/null
	done
}

@test "everybody is killed in the middle of run --rm: nothing is shown, the name and the port are free" {
	port=$(free_port)
	before=$(leaks)
	for moment in $(moments 40 12); do
		at_moment kill "$moment" run -d --rm --name c -p "127.0.0.1:$port:80" "$BUSYBOX" sleep 100
		wait_until 10 died
		run_davit ps -a --format '{{.Names}} {{.Status}}'
		[[ $output == "" || $output == "c Up"* ]] || fail "after $moment"
		[[ $output != "" ]] || run_davit run --rm --name c -p "127.0.0.1:$port:80" "$BUSYBOX" true
		run_davit rm -f -a -t 0
	done
	check_nothing_left "$before"
}

@test "the next run takes the name, even if nobody has looked" {
	for moment in $(moments 20 12); do
		at_moment kill "$moment" run -d --rm --name c --network none "$BUSYBOX" sleep 100
		run --separate-stderr davit run --rm --name c --network none "$BUSYBOX" echo mine
		[[ $status -eq 0 && $output == mine ]] || running c || fail "after $moment"
		davit rm -f -t 0 c >/dev/null
	done
}
running() { [ "$(davit inspect -f '{{.State.Running}}' "$1" 2>/dev/null)" = true ]; }

@test "everybody is killed in the middle of run: the container is what it was, and starts" {
	before=$(leaks)
	for moment in $(moments 40 12); do
		at_moment kill "$moment" run -d --name c --network none "$BUSYBOX" sleep 100
		wait_until 10 died
		run_davit ps -a --format '{{.Names}} {{.Status}}'
		[[ $output == "" || $output == "c Created" || $output == "c Up"* || $output == "c Exited (-1)"* ]] || fail "after $moment"
		if [ "$output" = "c Created" ]; then
			run_davit inspect -f '{{.State.Status}} {{.State.StartedAt}}' c
			assert_output "created 0001-01-01T00:00:00Z"
			run_davit start c
			running c || fail "it starts"
		fi
		run_davit rm -f -a -t 0
	done
	check_nothing_left "$before"
}

@test "everybody is killed in the middle of a later start: how it ended before is still known" {
	davit run --name c --network none "$BUSYBOX" sh -c '[ -e /second ] || { touch /second; exit 3; }; sleep 100' || :
	for moment in $(moments 40 12); do
		at_moment kill "$moment" start c
		wait_until 10 died
		run_davit inspect -f '{{.State.Status}} {{.State.ExitCode}}' c
		[[ $output == "exited 3" || $output == "exited -1" || $output == "running 0" ]] || fail "after $moment"
		[ "$output" = "exited 3" ] || break # it got through: what is known of it now is something else
	done
	run_davit rm -f -a -t 0
}

@test "the run is killed while the monitor stays: it is put away all the same" {
	before=$(leaks)
	for moment in $(moments 20 12); do
		davit_background run --rm --name c --network none "$BUSYBOX" sh -c 'sleep 0.02' >/dev/null 2>&1
		pid=$!
		sleep "$moment"
		kill -KILL $pid 2>/dev/null || :
		wait $pid 2>/dev/null || :
		wait_until 10 eval '[ -z "$(davit ps -aq)" ]'
	done
	check_nothing_left "$before"
}

# The command that ends container c is killed.
kill_ends() {
	local moment
	before=$(leaks)
	for moment in $(moments 30 12); do
		davit run -d --name c --network none "$BUSYBOX" sleep 100 >/dev/null
		at_moment kill "$moment" "$@"
		run_davit ps -a --format '{{.Names}} {{.Status}}'
		[[ $output == "" || $output == "c Up"* || $output == "c Exited (137)"* ]] || fail "after $moment"
		[ -z "$output" ] || run_davit rm -f -t 0 c
		davit ps -a >/dev/null # sweeps
		[ -z "$(ls "$RUNDIR/containers" "$STORE/containers" | grep -E '^[0-9a-f]{64}$')" ] || fail "after $moment a directory of nobody's is left: $(ls "$RUNDIR/containers" "$STORE/containers")"
	done
	check_nothing_left "$before"
}

@test "rm -f is killed at any moment: the container is there or it is not" { kill_ends rm -f -t 0 c; }

@test "stop is killed at any moment: the container runs or it has ended" { kill_ends stop -t 0 c; }

@test "create is killed at any moment: the container is there or it is not" {
	before=$(leaks)
	for moment in $(moments 30 8); do
		at_moment kill "$moment" create --name c --network none "$BUSYBOX" sleep 100
		run_davit ps -a --format '{{.Names}} {{.Status}}'
		[[ $output == "" || $output == "c Created" ]] || fail "after $moment"
		run_davit create --replace --name c "$BUSYBOX" true
		run_davit rm c
		davit ps -a >/dev/null
		[ -z "$(ls "$STORE/containers")" ] || fail "after $moment a directory of nobody's is left"
	done
	check_nothing_left "$before"
}
