#!/bin/bash
# The breaker of a tool whose callee is well again; calls whose router dies.
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

times() { grep -ho "effect.*$1\"" "${log%/*}"/* | wc -l; }
lose_router() {
	local router=$(named cupel-router)
	kill -9 "$router"
	is_gone() { [ -n "$(named cupel-router)" ] && [ "$(named cupel-router)" != "$router" ]; }
	wait_for 60 is_gone
}
# In the background, its result in $space/NAME.
begin() { # NAME OPTION...
	local name=$1
	shift
	ask call --json "$@" >"$space/$name" 2>/dev/null &
	begun+=" $!"
}
status_in() { jq -r .status "$space/$1"; }

survives() {
	local begun= took workers i id
	start_supervisor
	workers=$(named cupel-echo)
	begin named --effect-id named echo.effect '{"token":"named","ms":10000}'
	has_begun() { [ "$(times named)" = 1 ]; }
	holds "$tier: a call has begun" wait_for 60 has_begun
	begin joined --effect-id named echo.effect '{"token":"named","ms":10000}'
	begin pure echo.sleep '{"ms":2000}'	# and that one, or it waits for a worker,
	begin late echo.effect '{"token":"late","ms":500}'	# as do these
	begin later echo.effect '{"token":"later","ms":500}'
	local lines='{"argv":["sh","-c","for i in $(seq 20); do echo $i; sleep 0.2; done"]}'
	begin lines job "$lines"
	begin effect --effect-id lines job "$lines"
	id=$(ask call --detach job "$lines" 2>/dev/null)
	sleep 1
	kill -STOP "$(named cupel-router)"	# what is said now it does not read
	sleep 0.5
	took=$(milliseconds)
	kill -9 "$(named cupel-router)"
	holds "$tier: the router is killed, and the next one serves" ask status
	echo "# after $(($(milliseconds) - took)) ms"
	# shellcheck disable=SC2086 # a list of numbers
	wait $begun
	for i in named joined pure late later; do
		is "$tier: its caller has the result: $i" "$(status_in $i)" ok
	done
	is "$tier: each has happened once" "$(times named)$(times late)$(times later)" 111
	goes_on() { [[ $'\n'$(named cupel-echo)$'\n' = *$'\n'${workers%%$'\n'*}$'\n'* ]]; }
	holds "$tier: by workers that went on" goes_on
	for i in lines effect; do
		is "$tier: and all that was said before, and after: $i" \
			"$(status_in $i) $(jq -r .stdout "$space/$i" | xargs)" "ok $(seq 20 | xargs)"
	done
	is "$tier: which whoever asks for that effect has, too" \
		"$(ask call --json --effect-id lines job "$lines" | jq -r .stdout | xargs)" "$(seq 20 | xargs)"
	is "$tier: as whoever attaches to a detached one" "$(ask call --json --attach "$id" | jq -r .stdout | xargs)" \
		"$(seq 20 | xargs)"
	stop_supervisor
}

# Nobody reads it while the router dies: as much as there may be on the way is on it.
streams() {
	local begun= bytes=2000000
	start_supervisor
	mkfifo "$space/slow"
	sleep 60 <>"$space/slow" & # holds it open
	local holder=$!
	ask call --stream job "{\"argv\":[\"head\",\"-c\",\"$bytes\",\"/dev/zero\"]}" \
		>"$space/slow" 2>/dev/null &
	begun=$!
	is_stuck() { [ -n "$(named head)" ] && [ "$(sleep 0.2; grep -h ^wchar "/proc/$(named head)/io")" = "$(
		grep -h ^wchar "/proc/$(named head)/io")" ]; }
	holds "$tier: a stream that nobody reads stands still" wait_for 60 is_stuck
	lose_router
	head -c $bytes "$space/slow" | wc -c >"$space/read" &
	wait $begun
	is "$tier: its client has the result" $? 0
	wait $!
	is "$tier: and all of it, once it reads" "$(cat "$space/read")" $bytes
	kill "$holder" 2>/dev/null
	rm "$space/slow"
	stop_supervisor
}

# Every call has its result, and every effect happens once, whenever it dies.
bears() {
	local i j callers=
	start_supervisor
	for i in {1..4}; do
		for j in {1..12}; do
			ask call --json echo.effect "{\"token\":\"t$i-$j\",\"ms\":$((j * 8))}" |
				jq -r .status
		done >"$space/bears$i" 2>/dev/null &
		callers+=" $!"
	done
	for i in 1 2 3; do
		sleep 0.4
		lose_router
	done
	# shellcheck disable=SC2086 # a list of numbers
	wait $callers
	is "$tier: under load it is killed, and each call has its result" \
		"$(cat "$space"/bears? | sort | uniq -c | xargs)" '48 ok'
	is "$tier: and each has happened once" \
		"$(grep -ho 'effect.*"t[0-9]*-[0-9]*"' "${log%/*}"/* | grep -o 't[0-9]*-[0-9]*"$' |
			sort | uniq -c | awk '{ print $1 }' | sort | uniq -c | xargs)" '48 1'
	stop_supervisor
}

draining() { [ "$(ask status --json | jq '[.workers[] | select(.state == "draining")] | length')" -ge "${1-1}" ]; }
none_draining() { ! draining; }

# A single-use worker stays until its caller has the result.
stays() {
	local begun=
	start_supervisor
	begin single job '{"argv":["sh","-c","sleep 2; echo whole; exit 3"]}'
	works() { [ -n "$(named sleep)" ]; }
	rests() { ! works; }
	holds "$tier: a single-use worker works" wait_for 60 works
	kill -STOP "$(named cupel-router)"
	wait_for 20 rests
	sleep 0.2
	lose_router
	# shellcheck disable=SC2086 # a number
	wait $begun
	is "$tier: its result outlives the router that has not read it" \
		"$(jq -r '.status, .result.exit_code, .stdout' "$space/single" | xargs)" 'ok 3 whole'
	holds "$tier: and then it leaves" wait_for 10 none_draining
	stop_supervisor
}

# Whom nobody waits for it stays for a while, unless another needs its place.
lingers() {
	local id _
	start_supervisor
	id=$(ask call --detach job '{"argv":["echo","whole"]}' 2>/dev/null)
	holds "$tier: a detached job ends, and its worker stays" wait_for 20 draining
	lose_router
	is "$tier: its result outlives the router that had it" \
		"$(ask call --json --attach "$id" 2>/dev/null | jq -r '.status, .stdout' | xargs)" 'ok whole'
	for _ in {1..20}; do	# of 16 that there may be
		ask call --detach job '{"argv":["true"]}' >/dev/null 2>&1
	done
	holds "$tier: they stay" wait_for 20 draining 8
	is "$tier: and keep nobody from being served" \
		"$(code_of call --timeout 20s job '{"argv":["true"]}')" 0
	stop_supervisor
}

for part in recovers survives streams stays lingers bears; do
	for_each_tier "$part"
done
done_testing
