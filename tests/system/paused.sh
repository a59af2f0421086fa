#!/bin/bash
# Time that does not pass as it should. Everything is stopped for longer than a
# beat may be late and a call may be slow, as a frozen container or a suspended
# machine is: afterwards nobody is taken for dead, no breaker has opened, nothing
# is done twice, and deadlines hold. And, where CUPEL_DISPOSABLE=1 says that the
# machine may be spoilt, the wall clock is set on and back by an hour.
. tests/support/calls.sh

pause=${PAUSE_SECONDS:-15}

# As ask, which gives up after 20 s.
call() { "${as_user[@]}" timeout 100 "$work/bin/cupel" call "$@" --json 2>/dev/null; }

status_of() { jq -r .status "$1"; }
uptime_ms() { awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime; }
all_stopped() {
	local pid
	for pid; do grep -q '^State:.T' /proc/"$pid"/status || return 1; done
}
# The machine's own memory and disk are not ours to judge.
ails() { ask health --json | jq -c '[.components[] | select(.name | test("^(pool|monitor)")) | select(.status != "healthy") | [.name, .detail]]'; }
is_well() { [ "$(ails)" = '[]' ]; }
nothing_has_happened() { # FAMILY
	is "$tier: $what: the same processes live" "$(family "$supervisor")" "$1"
	is "$tier: $what: no breaker has opened" \
		"$(ask status --json | jq -c '[.tools[] | select(.breaker != "closed") | [.name, .breaker]]')" '[]'
	holds "$tier: $what: monitor and pools are healthy" wait_for 10 is_well
	holds "$tier: $what: it serves" serves
}
# Those that run already and may be warm, but for what a call adds meanwhile.
deaths() { grep -c '"the worker has ended"' "$log"; }
settle() {
	start_supervisor
	ask call echo.sleep '{"ms":1}' >/dev/null
	same() { before=$(family "$supervisor"); sleep 1; [ "$(family "$supervisor")" = "$before" ]; }
	wait_for 10 same
	ended=$(deaths)
}

stopped() {
	local n begins= waits began what='stopped and continued'
	settle
	call echo.sleep '{"ms":2500}' --timeout 90s >sleep.json &
	waits=$!
	call echo.effect '{"token":"paused","ms":2500}' --effect-id paused --timeout 90s >effect.json &
	waits+=" $!"
	call echo.sleep '{"ms":16000}' --timeout 90s >long.json &
	waits+=" $!"
	for n in 1 2 3 4 5 6; do
		call --detach echo.sleep "{\"ms\":5000$n}" --timeout 10s >detached.$n &
		begins+=" $!"
	done
	# shellcheck disable=SC2086 # a list of numbers
	wait $begins
	before=$(family "$supervisor")
	began=$(uptime_ms)
	# shellcheck disable=SC2086 # a list of numbers
	kill -STOP "$supervisor" $before
	# shellcheck disable=SC2086
	holds "$tier: all are stopped" wait_for 2 all_stopped "$supervisor" $before
	sleep "$pause"
	# shellcheck disable=SC2086
	kill -CONT "$supervisor" $before
	holds "$tier: for longer than any of them may be silent" test $(($(uptime_ms) - began)) -ge 12000
	holds "$tier: $what: it serves at once" serves
	# shellcheck disable=SC2086
	wait $waits
	is "$tier: $what: a call that waited ends well" "$(status_of sleep.json)" ok
	is "$tier: $what: so does one that was to be slow meanwhile" "$(status_of long.json)" ok
	is "$tier: $what: so does an effect" "$(status_of effect.json)" ok
	is "$tier: $what: which has happened once" \
		"$(ask log --json --component echo | jq -s 'map(select(.token == "paused")) | length')" 1
	for n in 1 2 3 4 5 6; do
		call --attach "$(jq -r .id detached.$n)" >late.json
		is "$tier: $what: a deadline that passed meanwhile holds" "$(status_of late.json)" deadline_exceeded
	done
	nothing_has_happened "$before"
	is "$tier: $what: no worker was said to have ended" "$(deaths)" "$ended"
	stop_supervisor
}

# What still runs when the clock jumps ends by the clock that does not.
jumps() {
	local by began sleeps what
	clock_may_be_set || { skip "$tier: the wall clock is set" "$why_not"; return; }
	settle
	for by in 3600 -3600; do
		what="the clock set by $by s"
		began=$(uptime_ms)
		call echo.sleep '{"ms":4000}' --timeout 30s >sleep.json &
		sleeps=$!
		call echo.sleep '{"ms":40000}' --timeout 6s >late.json &
		sleep 1
		holds "$tier: $what" set_clock $by
		wait $sleeps
		is "$tier: $what: a call ends well" "$(status_of sleep.json)" ok
		holds "$tier: $what: when it should" test $(($(uptime_ms) - began)) -ge 4000
		wait $!
		is "$tier: $what: a deadline holds" "$(status_of late.json)" deadline_exceeded
		holds "$tier: $what: when it should" test $(($(uptime_ms) - began)) -ge 6000 -a $(($(uptime_ms) - began)) -le 60000
		sleep 12	# a beat would be late by now
		nothing_has_happened "$before"
	done
	is "$tier: no worker was said to have ended" "$(deaths)" "$ended"
	stop_supervisor
}

for_each_tier stopped
for_each_tier jumps
done_testing
