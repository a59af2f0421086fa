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
	"${as_user[@]}" timeout 20 "$work/bin/cupel" "$@"
}
wait_for() { # SECONDS COMMAND...
	local n=$(($1 * 50))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ $((n -= 1)) -gt 0 ] || return 1
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
start_supervisor() { # [OPTION...]
	log=$space/state/log/cupel.log
	set_user
	"${as_user[@]}" "$work/bin/cupeld" "$@" 2>"$space/supervisor.err" </dev/null &
	supervisor=$!
	started+=("$supervisor")
	wait_for 10 serves
	[ "$(cat "$space/run/lock")" = "$supervisor" ]
}
stop_supervisor() {
	code=0
	kill -TERM "$supervisor"
	wait "$supervisor" 2>/dev/null || code=$?
}

# All processes below one, zombies left out.
family() { # PID
	local child
	for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
		grep -q '^State:.Z' /proc/"$child"/status 2>/dev/null || echo "$child"
		family "$child"
	done
}
named() { # PROGRAM: of the family of the supervisor
	local pid
	for pid in $(family "$supervisor"); do
		[ "$(cat /proc/"$pid"/comm 2>/dev/null)" = "$1" ] && echo "$pid"
	done
}
alive() { # PID...
	local pid
	for pid; do
		[ -d /proc/"$pid" ] && ! grep -q '^State:.Z' /proc/"$pid"/status 2>/dev/null &&
			return 0
	done
	return 1
}
all_dead() {
	! alive "$@"
}
