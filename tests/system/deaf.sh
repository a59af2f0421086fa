#!/bin/bash
# A client that asks for streams and never reads: it is cut, and neither other
# callers nor the tool's breaker pay for it. And one that cannot be taken in, as
# there are no descriptors: nobody spins until there are.
. tests/support/calls.sh

install -m 755 "$CUPEL_OUT/tests/chaos/rude" "$work/rude"

deaf() {
	local deaf before held
	start_supervisor
	used() { ask status --metrics | awk '$1 == "cupel_store_used_bytes" { print $2 }'; }
	before=$(used)
	# Beside it: another pool, for its calls keep the echoes.
	"${as_user[@]}" "$work/rude" "$space/run/router.sock" deaf 45 >"$space/deaf" &
	deaf=$!
	sleep 1
	is "$tier: beside one that never reads, others are served" "$(code_of call store.stats)" 0
	streams() { ask status --json | jq -e '[.tools[] | select(.name == "echo.flood").running] | add > 1'; }
	holds "$tier: its streams run" wait_for 60 streams
	held=$((($(used) - before) / $(ask status --json | jq '[.tools[] | select(.name == "echo.flood").running] | add')))
	holds "$tier: the router holds no more than 1.25 MiB of each ($held)" test $held -gt 0 -a $held -le 1310720
	sleep 11	# past the time after which a call counts as slow
	is "$tier: that they take long is not the tool's doing" "$(breaker_of echo.flood)" closed
	wait $deaf
	is "$tier: it is cut" "$(<"$space/deaf")" closed
	is "$tier: nor is that" "$(breaker_of echo.flood)" closed
	is "$tier: the tool serves others" "$(code_of call echo.flood '{"bytes":1000000}')" 0
	stop_supervisor
}

ticks() { awk '{ print $14 + $15 }' /proc/"$1"/stat; }
knock() { # SOCKET TYPE COUNT
	"${as_user[@]}" perl -MSocket -e 'for (1..$ARGV[2]) {
		socket($s[$_], AF_UNIX, $ARGV[1], 0) || die "$!\n";
		connect($s[$_], sockaddr_un($ARGV[0])) || die "$!\n";
	}
	sleep(2)' "$@"
}
costs_nothing() { # NAME PID
	local spent
	spent=$(ticks "$2")
	sleep 1
	spent=$(($(ticks "$2") - spent))
	holds "$tier: who waits for the $1 socket costs nothing ($spent ticks)" test $spent -lt 15
}
# The router has the limit its monitor had when that began, 256 at most.
crowded() {
	ulimit -Sn 256
	start_supervisor
	ulimit -Sn 1024
	knock "$space/run/router.sock" 1 255 &
	sleep 0.5
	costs_nothing router "$(named cupel-router)"
	wait $!
	"${as_user[@]}" prlimit --pid "$supervisor" --nofile=3:
	knock "$space/run/workspace.sock" 5 1 &
	sleep 0.3
	costs_nothing workspace "$supervisor"
	"${as_user[@]}" prlimit --pid "$supervisor" --nofile=256:
	wait $!
	holds "$tier: with descriptors again it serves" wait_for 60 serves
	is "$tier: workspaces, too" "$(ask call job '{"argv":["pwd"]}' --workspace "$space" --json | jq -r .status)" ok
	stop_supervisor
}

for_each_tier crowded
for_each_tier deaf
done_testing
