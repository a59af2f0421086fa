#!/bin/bash
# Calls that outlive their callers, and calls that are asked for twice.
. tests/support/calls.sh

status_of() { ask "$@" --json 2>/dev/null | jq -r .status; }

attaches() {
	local id start took
	start_supervisor
	call_nothing
	start=$(milliseconds)
	id=$(ask call --detach echo.sleep '{"ms":1500}' 2>"$space/err")
	is "$tier: a detached call has an id" "$(grep -cE '^[0-9a-f]{32}$' <<<"$id")" 1
	is "$tier: and says how to come back" "$(grep -c "call --attach $id" "$space/err")" 1
	is "$tier: as JSON, too" "$(ask call --detach --json echo.sleep '{"ms":10}' | jq -rc '[.tool, (.id | length)]')" \
		'["echo.sleep",32]'
	ask call --attach "$id" >"$space/second" &
	second=$!
	is "$tier: whoever comes back waits for it" "$(ask call --attach "$id")" '{"ms":1500}'
	took=$(($(milliseconds) - start))
	holds "$tier: as long as it takes ($took ms, a call of nothing $bare)" \
		test $took -ge 1500 -a $took -lt $((1500 + 50 * bare))
	wait $second
	is "$tier: so does another" "$?:$(<"$space/second")" '0:{"ms":1500}'
	is "$tier: and whoever comes later" "$(ask call --attach "$id")" '{"ms":1500}'
	is "$tier: as JSON" "$(ask call --attach "$id" --json | jq -rc '[.tool, .status, .result]')" \
		"[\"$id\",\"ok\",{\"ms\":1500}]"

	id=$(ask call --detach echo.flood '{"bytes":400000,"stream":1}' 2>/dev/null)
	is "$tier: its output is kept" \
		"$(ask call --attach "$id" --stream | head -c 400000 | cksum)" \
		"$(for _ in {1..7}; do
			yes abcdefghijklmnopqrstuvwxyz | tr -d '\n' | head -c 65536
		   done | head -c 400000 | cksum)"
	id=$(ask call --detach echo.flood '{"bytes":4000000,"stream":1}' 2>/dev/null)
	wait_for 60 eval '[ "$(status_of call --attach "$id")" = ok ]'
	ask call --attach "$id" --json >"$space/cut"
	is "$tier: of too much of it the beginning and the end, and how much is not" \
		"$(jq -c '[.status, .dropped_bytes > 2900000, (.stdout | length) + .dropped_bytes, .stdout[:27]]' "$space/cut")" \
		'["ok",true,4000000,"abcdefghijklmnopqrstuvwxyza"]'
	is "$tier: which a person is told, too" \
		"$(words_of call --attach "$id" | grep -c ' bytes from the middle of its output were not kept$')" 1
	is "$tier: of another nothing is missing" \
		"$(ask call --json echo.flood '{"bytes":4000000,"stream":1}' | jq -c '[.dropped_bytes, (.stdout | length)]')" \
		'[0,4000000]'
	id=$(ask call --detach echo.fail '{"code":9}' 2>/dev/null)
	is "$tier: its failure is told" "$(status_of call --attach "$id")" failed_precondition
	is "$tier: by the exit status, too" "$(code_of call --attach "$id")" "$(code_of call echo.fail '{"code":9}')"
	id=$(ask call --detach --timeout 700ms echo.sleep '{"ms":9000}' 2>/dev/null)
	is "$tier: and its deadline" "$(code_of call --attach "$id")" 124

	id=$(ask call --detach echo.sleep '{"ms":2500}' 2>/dev/null)
	is "$tier: not waiting any more" "$(code_of call --attach "$id" --timeout 300ms)" 124
	is "$tier: is not the end of the call" "$(ask call --attach "$id")" '{"ms":2500}'

	is "$tier: an id nobody has" "$(words_of call --attach nobody)" \
		'cupel: nobody: no call of this id is known; one is for a day from its end (not_found from the router)'
	is "$tier: is the caller's fault" "$(code_of call --attach nobody)" 65
	is "$tier: attaching takes no tool" "$(code_of call --attach nobody echo)" 64
	stop_supervisor
	is "$tier: and starts no supervisor" "$(code_of call --attach "$id")" 69
}

# How often that effect has happened, by the worker's own word.
times() { ask log --json --component echo | jq -s --arg t "$1" 'map(select(.msg == "effect" and .token == $t)) | length'; }

happens_once() {
	local i
	start_supervisor
	for i in {1..5}; do
		ask call --effect-id paid echo.effect '{"token":"paid","ms":700}' >"$space/paid.$i" 2>&1 &
		callers[i]=$!
	done
	wait "${callers[@]}"
	is "$tier: five who ask at a time for one effect have its result" \
		"$(sort "$space"/paid.* | uniq -c | awk '{ print $1 }')" 5
	is "$tier: and so has whoever asks later" \
		"$(ask call --effect-id paid echo.effect '{"token":"paid","ms":700}')" "$(<"$space/paid.1")"
	is "$tier: it has happened once" "$(times paid)" 1
	is "$tier: what is something else is refused" \
		"$(words_of call --effect-id paid echo.effect '{"token":"other"}' | grep -c 'another call has been made under')" 1
	is "$tier: as the caller's fault" "$(code_of call --effect-id paid echo.sleep '{"ms":1}')" 65
	is "$tier: without an id it happens again" \
		"$(code_of call echo.effect '{"token":"twice"}')$(code_of call echo.effect '{"token":"twice"}')" 00
	twice() { [ "$(times twice)" = 2 ]; }	# the log is a little behind
	holds "$tier: and is told twice" wait_for 60 twice

	is "$tier: what is kept is told at once, too, however long" \
		"$(ask call --timeout 10s --effect-id long --stream echo.flood '{"bytes":900000,"stream":1}' | wc -c)" \
		"$(ask call --timeout 10s --stream echo.flood '{"bytes":900000,"stream":1}' | wc -c)"

	ask call --effect-id torn echo.effect '{"token":"torn","ms":20000}' >/dev/null 2>&1 &
	i=$!
	begun() { [ "$(times torn)" = 1 ]; }
	holds "$tier: an effect has begun" wait_for 60 begun
	for pid in $(named cupel-echo) $(named echo); do kill -9 "$pid"; done
	wait $i
	is "$tier: its worker is killed, and whoever asks again learns that nobody knows" \
		"$(status_of call --effect-id torn echo.effect '{"token":"torn","ms":20000}')" crash_outcome_unknown
	is "$tier: it is not done again" "$(times torn)" 1

	# The router's death is no reason to do it again, nor is the supervisor's; if
	# its worker dies, too, nobody knows.
	ask call --effect-id cut echo.effect '{"token":"cut","ms":20000}' >/dev/null 2>&1 &
	i=$!
	begun() { [ "$(times cut)" = 1 ]; }
	holds "$tier: another has begun" wait_for 60 begun
	# shellcheck disable=SC2046 # numbers
	kill -9 "$(named cupel-router)" $(named cupel-echo) $(named echo)
	wait $i
	is "$tier: router and worker are killed, and whoever asks again learns that nobody knows" \
		"$(wait_for 60 serves; status_of call --effect-id cut echo.effect '{"token":"cut","ms":20000}')" \
		crash_outcome_unknown
	is "$tier: of what had ended, how it did" \
		"$(status_of call --effect-id paid echo.effect '{"token":"paid","ms":700}')" data_loss
	is "$tier: or whoever attaches" "$(words_of call --attach paid)" \
		'cupel: paid: it has ended (ok), and its result is not kept (data_loss from the router)'
	is "$tier: and still that it was another call" \
		"$(status_of call --effect-id paid echo.effect '{"token":"other"}')" invalid_argument
	stop_supervisor
	start_supervisor
	is "$tier: a new supervisor knows it, too" \
		"$(status_of call --effect-id cut echo.effect '{"token":"cut","ms":20000}')" crash_outcome_unknown
	is "$tier: and has done neither again" "$(times cut)$(times paid)" 11
	stop_supervisor
	cp "$space/state/effects" "$space/effects"
	echo 'of another kind' >"$space/state/effects"
	start_supervisor
	is "$tier: with a ledger that cannot be read nothing that has an id is done" \
		"$(words_of call --effect-id new echo.effect '{"token":"new"}')$(times new)" \
		"cupel: echo.effect: it was not executed: its effect's id cannot be written down (unavailable from the router, try again after 1000 ms)0"
	is "$tier: and all else is" "$(code_of call echo.effect '{"token":"new"}')" 0
	is_done() { [ "$(times new)" = 1 ]; }	# the log is a little behind
	holds "$tier: once" wait_for 60 is_done
	is "$tier: the ledger stays as it is" "$(<"$space/state/effects")" 'of another kind'
	stop_supervisor
	cp "$space/effects" "$space/state/effects"
	start_supervisor

	# Whoever leads may leave: the others want it, too.
	"${as_user[@]}" "$work/bin/cupel" call --effect-id left echo.effect '{"token":"left","ms":1500}' \
		>/dev/null 2>&1 </dev/null &
	i=$!
	begun() { [ "$(times left)" = 1 ]; }
	wait_for 60 begun
	ask call --effect-id left echo.effect '{"token":"left","ms":1500}' >"$space/left" 2>&1 &
	caller=$!
	sleep 0.3
	kill -9 $i
	wait $i 2>/dev/null
	wait $caller
	is "$tier: the first to ask is gone, and the second has the result" "$?:$(times left)" 0:1
	stop_supervisor
}

for part in attaches happens_once; do
	for_each_tier "$part"
done
done_testing
