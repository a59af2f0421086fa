#!/bin/bash
# A client that asks for streams and never reads: it is cut, and neither other
# callers nor the tool's breaker pay for it.
. tests/support/calls.sh

install -m 755 "$CUPEL_OUT/tests/chaos/rude" "$work/rude"

deaf() {
	local deaf
	start_supervisor
	# Beside it: another pool, for its calls keep the echoes.
	"${as_user[@]}" "$work/rude" "$space/run/router.sock" deaf 45 >"$space/deaf" &
	deaf=$!
	sleep 1
	is "$tier: beside one that never reads, others are served" "$(code_of call store.stats)" 0
	streams() { ask status --json | jq -e '[.tools[] | select(.name == "echo.flood").running] | add > 1'; }
	holds "$tier: its streams run" wait_for 10 streams
	sleep 11	# past the time after which a call counts as slow
	is "$tier: that they take long is not the tool's doing" "$(breaker_of echo.flood)" closed
	wait $deaf
	is "$tier: it is cut" "$(<"$space/deaf")" closed
	is "$tier: nor is that" "$(breaker_of echo.flood)" closed
	is "$tier: the tool serves others" "$(code_of call echo.flood '{"bytes":1000000}')" 0
	stop_supervisor
}

for_each_tier deaf
done_testing
