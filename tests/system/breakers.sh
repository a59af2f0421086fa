#!/bin/bash
# Breakers, and the deaths of workers, as callers see them.
. tests/support/calls.sh

breaks() {
	local pid start took code words
	start_supervisor
	for _ in {1..5}; do ask call echo.fail '{"code":13}' >/dev/null 2>&1; done
	words=$(words_of call echo.fail '{"code":13}')	# before its time is over
	code=$?
	is "$tier: it refuses, with a time" \
		"$(grep -c 'breaker_open from the router, try again after [0-9]* ms' <<<"$words")" 1
	is "$tier: and a later try may succeed" "$code" 75
	is "$tier: five failures open the breaker" "$(breaker_of echo.fail)" open
	is "$tier: which the log tells, as a record of the router's" \
		"$(ask log --json --component router --level warning |
			jq -rc 'select(.name == "echo.fail") | [.component, .level, .msg]' | head -n 1)" \
		'["router","warning","breaker changed"]'
	is "$tier: others go on" "$(ask call echo '1')" 1
	ask breaker reset echo.fail >/dev/null
	is "$tier: reset closes it" "$(breaker_of echo.fail)" closed
	ask breaker isolate echo 1m >/dev/null
	is "$tier: isolated" "$(code_of call echo '1')" 75
	ask breaker reset echo >/dev/null
	is "$tier: and back" "$(ask call echo '1')" 1

	id=$(ask call --json echo.effect '{"token":"told"}' | jq .call)
	told() { [ "$(ask log --json --call "$id" | jq -r 'select(.msg == "effect").token')" = told ]; }
	holds "$tier: whose number its caller is told" wait_for 60 told	# the log is a little behind
	is "$tier: if it fails, in words" \
		"$(words_of call echo.fail '{"code":9}' | grep -cE '\(failed_precondition from the worker, call [0-9]+\)$')" 1
	call_nothing
	"${as_user[@]}" "$work/bin/cupel" call --json echo.effect '{"token":"killed","ms":20000}' \
		>"$space/killed" 2>/dev/null </dev/null &
	caller=$!
	effects() { ask log --json --component echo | jq -c 'select(.token == "killed")'; }
	begun() { [ -n "$(effects)" ]; }
	wait_for 60 begun
	is "$tier: a worker's record is told as its own" \
		"$(effects | jq -rc '[.level, .msg, (.component | split("/")[0]), .generation > 0]')" \
		'["notice","effect","echo",true]'
	is "$tier: and found by its call" \
		"$(ask log --json --call "$(effects | jq .call)" | jq -r .token)" killed
	for pid in $(named cupel-echo) $(named echo); do kill -9 "$pid"; done
	start=$(milliseconds)
	wait $caller
	took=$(($(milliseconds) - start))
	is "$tier: its worker was killed: the outcome is unknown" \
		"$(jq -r .status "$space/killed")" crash_outcome_unknown
	holds "$tier: which is told at once ($took ms, a call of nothing $bare)" test $took -lt $((25 * bare))
	is "$tier: the next is served" "$(ask call echo '2')" 2
	is "$tier: the effect was once" "$(effects | wc -l)" 1
	is "$tier: a crash on demand" "$(ask call --json echo.crash '{"signal":11}' 2>/dev/null |
		jq -r .status | grep -c 'crash\|poison')" 1
	is "$tier: is followed by service" "$(ask call echo '3')" 3
	stop_supervisor
}

# What its operator has ordered outlives the router, and the supervisor.
lose_router() {
	local router=$(named cupel-router)
	kill -9 "$router"
	another() { [ -n "$(named cupel-router)" ] && [ "$(named cupel-router)" != "$router" ]; }
	wait_for 60 another && wait_for 60 serves
}
keeps() {
	start_supervisor
	ask breaker isolate echo.burn 10m >/dev/null
	is "$tier: one is isolated" "$(breaker_of echo.burn)" forced_open
	holds "$tier: the router is killed, and there is another" lose_router
	is "$tier: it is still isolated" "$(breaker_of echo.burn)" forced_open
	is "$tier: and refuses" "$(code_of call echo.burn '{"ms":1}')" 75
	stop_supervisor
	start_supervisor
	is "$tier: also under another supervisor" "$(breaker_of echo.burn)" forced_open
	ask breaker reset echo.burn >/dev/null
	holds "$tier: reset, and the router is killed" lose_router
	is "$tier: it is closed" "$(breaker_of echo.burn)" closed
	stop_supervisor
	head -c 1000 /dev/urandom >"$space/state/breakers"
	start_supervisor
	is "$tier: nonsense in their file is dropped, which is told" \
		"$(ask log --json --component router --level warning |
			jq -r 'select(.msg == "breakers are forgotten").reason')" 'their rows are damaged'
	is "$tier: and all are closed" "$(ask status --json |
		jq -r '[.tools[].breaker] | unique | join(" ")')" closed
	stop_supervisor
}

# In its first days a tool's breaker only counts, under whatever router, unless its manifest says so.
fails() { for _ in {1..8}; do ask call young.fail '{"code":13}' >/dev/null 2>&1; done; }
young() { ask status --json | jq -c '.tools[] | select(.name == "young.fail") | '"$1"; }
observes() {
	local tools=$work/tools.$tier before
	folder "$tools"
	rm -f "$tools"/*
	sed -e 's/^worker echo/worker young/' -e 's/^tool echo/tool young/' \
		"$top/etc/tools/echo.tool" >"$tools/young.tool"
	start_supervisor --tools "$tools"
	before=$(young .observed_ms)
	holds "$tier: a new tool is observed, for a week" test "$before" -gt $((6 * 86400000))
	holds "$tier: and no longer" test "$before" -le $((7 * 86400000))
	fails
	is "$tier: it fails, and none is rejected" "$(young '[.breaker, .spared, .failed]')" '["observe",3,8]'
	is "$tier: but that is told" "$(ask status | grep -c 'young.fail: failures_in_a_row; let out 3 that it would reject; observed for')" 1
	is "$tier: and counted" "$(ask status --metrics | grep '^cupel_breaker_spared_total{tool="young.fail"}')" \
		'cupel_breaker_spared_total{tool="young.fail"} 3'
	is "$tier: what came with the program is not observed" "$(breaker_of echo.fail)" closed
	before=$(young .observed_ms)
	holds "$tier: the router is killed, and there is another" lose_router
	holds "$tier: the week goes on" test "$(young .observed_ms)" -lt "$before"
	stop_supervisor
	start_supervisor --tools "$tools"
	holds "$tier: also under another supervisor" test "$(young .observed_ms)" -lt "$before"
	ask breaker isolate young.fail 1m >/dev/null
	is "$tier: isolated it rejects" "$(code_of call young.fail '{"code":13}')" 75
	ask breaker reset young.fail >/dev/null
	is "$tier: and then it is observed again" "$(breaker_of young.fail)" observe
	sed -i 's/^tool .*/&\n\tbreaker = enforce/' "$tools/young.tool"
	holds "$tier: its manifest ends that" wait_for 60 breaker_is young.fail closed
	is "$tier: and tells so" "$(ask tools describe young.fail | grep -c 'breaker *enforce')" 1
	fails
	is "$tier: from then on it opens" "$(breaker_of young.fail)" open
	stop_supervisor
}

# A pool that was given up is tried again when that is asked for, and at no other time.
tries() {
	local tools=$work/tools.$tier
	mkdir -p "$tools" && chmod 755 "$tools"
	printf '#!/bin/sh\nexit 78\n' >"$space/hopeless"
	chmod 755 "$space" "$space/hopeless"
	[ "$tier" = full ] || chown "$user" "$space/hopeless"
	printf '%s\n' 'worker hopeless {' "program = $space/hopeless" 'policy = tool' 'pool = static' '}' \
		'tool hopeless {' 'help = "no"' 'class = pure' '}' >"$tools/hopeless.tool"
	install -m 755 "$work/bin/cupel-echo" "$space/brittle"
	sed -e 's/^worker echo/worker brittle/' -e 's/^tool echo/tool brittle/' \
		-e "s|= cupel-echo|= $space/brittle|" "$top/etc/tools/echo.tool" >"$tools/brittle.tool"
	start_supervisor --tools "$tools"
	pool() { ask status --json | jq -r '.pools[] | select(.name == "'"$1"'") | '"$2"; }
	gave_up() { [ "$(pool hopeless .state)" = failed ]; }
	rests() {
		[ "$(pool brittle .ready)" -eq 0 ] || kill -SEGV $(named brittle) 2>/dev/null
		[ "$(pool brittle .state)" = crashloop ]
	}
	ends() { grep -c '"component":"hopeless/.*"the worker has ended"' "$log"; }
	ended_again() { [ "$(ends)" -gt "$before" ]; }
	holds "$tier: a pool is given up" wait_for 60 gave_up
	is "$tier: the reason is told" "$(pool hopeless .reason)" 'it did not get ready: status 78'
	is "$tier: in the table as well" "$(ask status | grep '^  hopeless: it')" \
		'  hopeless: it did not get ready: status 78'
	holds "$tier: the router is killed, and there is another" lose_router
	is "$tier: which knows the reason" "$(pool hopeless .reason)" 'it did not get ready: status 78'
	before=$(ends)
	is "$tier: its tool says how it is tried again" \
		"$(words_of call hopeless 1 | grep -c "'cupel breaker reset' tries them now")" 1
	ask breaker reset hopeless 2>/dev/null
	holds "$tier: which does so" wait_for 60 ended_again
	holds "$tier: and it is given up again" wait_for 60 gave_up
	holds "$tier: a pool whose workers crash rests" wait_for 60 rests
	is "$tier: its reason" "$(pool brittle .reason)" 'it was killed: signal 11'
	is "$tier: and what the crash page says, as the log does" "$(pool brittle .crash_page)" \
		"$(jq -r 'select(.msg == "crash page") |
			"call \(.call), phase \(.phase), build \(.build), backtrace \(.backtrace)"' "$log" | tail -n 1)"
	is "$tier: which is something" "$(pool brittle .crash_page | grep -cE '^call [0-9]+, phase [0-9]+, build .+, backtrace [0-9a-f]+')" 1
	stop_supervisor
}

for_each_tier breaks
for_each_tier keeps
for_each_tier observes
for_each_tier tries
done_testing
