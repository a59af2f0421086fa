#!/bin/bash
# The breaker of a tool whose callee is well again.
. tests/support/calls.sh

recovers() {
	start_supervisor
	for _ in {1..5}; do ask call echo.fail '{"code":13}' >/dev/null 2>&1; done
	half_open() { breaker_is echo.fail half_open; }
	holds "$tier: an open breaker lets probes out after its time" wait_for 20 half_open
	# As many as it asks for, however long each takes; then its ramp's own time.
	for _ in {1..40}; do
		ask call echo.fail '{"code":3}' >/dev/null 2>&1
		half_open || break
	done
	holds "$tier: and closes when they succeed" wait_for 45 breaker_is echo.fail closed
	stop_supervisor
}

for_each_tier recovers
done_testing
