# What the tests of a running supervisor share; sourced by bash after
# tests/support/sandbox.sh, whose users and folders it takes over.
#
#	start_supervisor [OPTION...]	as the tier's user; waits until it serves;
#					sets $supervisor (its pid) and $log
#	ask VERB ...			`cupel` as that user, of that supervisor
#	stop_supervisor			TERM, waits; sets $code
#
# Run and state directories stand below $space. Several kinds of process may be
# looked for: by the names of their programs, below a supervisor.

install -m 755 -d "$work/bin"
install -m 755 "$CUPEL_BIN"/* "$work/bin" || exit 1

# The tier's user, as a prefix: what follows it is the process itself.
set_user() {
	as_user=(env ${as[@]+"${as[@]}"} "CUPEL_RUN=$space/run" "CUPEL_STATE=$space/state"
		"XDG_CONFIG_HOME=$space/config")
}
ask() {
	set_user
	"${as_user[@]}" timeout 60 "$work/bin/cupel" "$@"
}
# For what is to come, however slow the machine: a minute, as no limit is meant.
wait_for() { # SECONDS COMMAND...
	local end=$((SECONDS + 1 + $1))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.02
	done
}
# `cupel` starts a supervisor where there is none, which is not what is tested.
is_up() {
	[ -S "$space/run/router.sock" ] && [ -s "$space/run/lock" ]
}
serves() {
	is_up && ask call echo '{"text":"up"}'
}
is_ours() {
	[ "$(cat "$space/run/lock")" = "$supervisor" ] || ! lives "$supervisor"
}
start_supervisor() { # [OPTION...]
	log=$space/state/log/cupel.log
	set_user
	"${as_user[@]}" "$work/bin/cupeld" "$@" 2>"$space/supervisor.err" </dev/null &
	supervisor=$!
	started+=("$supervisor")
	wait_for 60 is_ours	# or `cupel` starts one beside the files of one that was killed
	wait_for 60 serves
	[ "$(cat "$space/run/lock")" = "$supervisor" ]
}
stop_supervisor() {
	code=0
	kill -TERM "$supervisor"
	wait "$supervisor" 2>/dev/null || code=$?
}

# Without a process for each that is looked at: where those take long, a look
# at a whole supervisor would.
lives() { # PID: and is no zombie
	local stat
	read -r stat </proc/"$1"/stat && [[ ${stat##*) } != Z* ]]
} 2>/dev/null
# All processes below one, zombies left out.
family() { # PID
	local list children child
	for list in /proc/"$1"/task/*/children; do
		children=
		read -r children <"$list"
		for child in $children; do
			! lives "$child" || echo "$child"
			family "$child"
		done
	done
} 2>/dev/null
named() { # PROGRAM: of the family of the supervisor
	local pid name
	for pid in $(family "$supervisor"); do
		read -r name </proc/"$pid"/comm && [ "$name" = "$1" ] && echo "$pid"
	done
} 2>/dev/null
alive() { # PID...
	local pid
	for pid; do
		! lives "$pid" || return 0
	done
	return 1
}
all_dead() {
	! alive "$@"
}
