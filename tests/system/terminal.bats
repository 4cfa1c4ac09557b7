# run -it under a real terminal: tmux is the terminal, its panes are what a person would see.

load helpers

setup() {
	command -v tmux >/dev/null || skip "tmux is missing"
	default_setup
	SESSION=t$$
	SOCKET=$BATS_TEST_TMPDIR/tmux
	mapfile -t command < <(DAVIT_COMMAND)
}
teardown() {
	tmux -S "$SOCKET" kill-server 2>/dev/null || :
	default_teardown
}

tmux_do() { tmux -S "$SOCKET" "$@"; }
# A shell in a terminal of 80 x 24, with the engine as $D.
open_terminal() {
	tmux_do -f /dev/null new-session -d -s $SESSION -x 80 -y 24 "env PS1='outer> ' D='${command[*]}' bash --norc --noprofile" 3>&-
	wait_until 10 screen_has "outer>"
}
type_keys() { tmux_do send-keys -t $SESSION "$@"; }
screen() { tmux_do capture-pane -p -t $SESSION; }
screen_has() { screen | grep -qE -- "$1"; }
# Types a line and waits until the screen shows the pattern.
enter() {
	type_keys -l -- "$1"
	type_keys Enter
	wait_until "${3:-10}" screen_has "$2" || { screen >&2; return 1; }
}

@test "a terminal inside: size, name, job control" {
	open_terminal
	enter "\$D run -it --rm --network none --name c $BUSYBOX sh" '^/ # *$'
	enter 'tty; stty size; echo "$TERM"' '^24 80$'
	screen_has '^/dev/(pts/0|console)$' || fail "$(screen)"
	screen_has '^xterm' || fail "TERM"
	enter 'sleep 1001' 'sleep 1001'
	wait_until 10 pgrep -f '^sleep 1001$' # now it has the terminal
	type_keys C-z
	wait_until 10 screen_has 'Stopped'
	enter 'jobs' '\[1\]'
	enter 'kill -9 %1; sleep 1; echo still-$((40 + 2))' '^still-42$'
	type_keys C-c
	enter 'exit 3' '^outer> *$'
	enter 'echo "status $?"' '^status 3$'
}

@test "ctrl-C inside reaches the foreground job, not us" {
	open_terminal
	enter "\$D run -it --rm --network none $BUSYBOX sh" '^/ # *$'
	enter 'sleep 1001' 'sleep 1001'
	wait_until 10 pgrep -f '^sleep 1001$' # now it has the terminal
	type_keys C-c
	enter 'echo alive-$((40 + 2))' '^alive-42$'
}

@test "a resized terminal is passed on" {
	open_terminal
	enter "\$D run -it --rm --network none $BUSYBOX sh" '^/ # *$'
	tmux_do resize-window -t $SESSION -x 100 -y 30
	enter 'until [ "$(stty size)" = "30 100" ]; do sleep 0.1; done; stty size' '^30 100$'
	enter 'trap "echo resized" WINCH; echo set' '^set$'
	tmux_do resize-window -t $SESSION -x 90 -y 28
	enter 'until [ "$(stty size)" = "28 90" ]; do sleep 0.1; done; stty size' '^28 90$'
}

@test "ctrl-p ctrl-q leaves it running, and start -a or logs finds it again" {
	open_terminal
	enter "\$D run -it --name c --network none $BUSYBOX sh" '^/ # *$'
	type_keys C-p
	type_keys C-q
	wait_until 10 screen_has 'outer> *$' || fail "$(screen)"
	enter 'echo "status $?"' '^status 0$'
	run_davit inspect -f '{{.State.Running}}' c
	assert_output true
	# The terminal is as it was: echo and line editing work.
	enter 'stty -a | tr -s " ;" "\n" | grep -xE "(-?)(echo|icanon|isig)"' '^icanon$'
}

@test "other detach keys" {
	open_terminal
	enter "\$D run -it --name c --detach-keys ctrl-x,x --network none $BUSYBOX sh" '^/ # *$'
	type_keys C-x
	type_keys x
	wait_until 10 screen_has 'outer> *$' || fail "$(screen)"
	run_davit inspect -f '{{.State.Running}}' c
	assert_output true
}

@test "the terminal is given back when the container dies" {
	open_terminal
	enter "\$D run -it --rm --name c --network none $BUSYBOX sh" '^/ # *$'
	davit kill c >/dev/null
	wait_until 10 screen_has 'outer> *$' || fail "$(screen)"
	enter 'echo "status $?"' '^status 137$'
	enter 'stty -a | tr -s " ;" "\n" | grep -xE "(-?)(echo|icanon|isig)"' '^icanon$'
}

@test "-t without -i: output through a terminal" {
	run_davit run -t --rm --network none "$BUSYBOX" sh -c 'tty; echo line'
	[[ $output == *$'line\r'* ]] || fail "a terminal's line ends"
}

@test "without -t the terminal's ctrl-C ends it with 130" {
	open_terminal
	enter "\$D run --rm --init --network none $BUSYBOX sleep 1002" 'sleep'
	wait_until 10 pgrep -f '^sleep 1002$'
	type_keys C-c
	wait_until 12 screen_has 'outer> *$' || fail "$(screen)" # the terminal's "^C" may stand before it
	enter 'echo "status $?"' '^status 130$'
}
