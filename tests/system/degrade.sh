#!/bin/bash
# Tools that cannot serve, and what their callers get all the same.
. tests/support/calls.sh

# The worker of "look" is a program of its own, that can be taken away.
write_manifests() {
	tools=$work/tools.$tier
	folder "$tools"
	install -m 755 "$work/bin/cupel-echo" "$space/look"
	chmod 711 "$space"
	cat >"$tools/look.tool" <<-END
	worker look { program = $space/look policy = strict }
	tool look { help = "as echo" class = pure cache = 1s stale = 1h fallback = spare }
	tool look.fail { help = "fails" class = idempotent fallback = spare }
	tool look.sleep { help = "kept" class = pure cache = 1ms stale = 1h }
	tool look.burn { help = "nothing of that" class = pure cache = 1ms }
	tool look.flood { help = "short" class = pure cache = 1ms stale = 1ms }
	END
	cat >"$tools/spare.tool" <<-END
	worker spare { program = cupel-echo policy = strict }
	tool spare { help = "as echo" class = pure }
	tool spare.sleep { help = "waits" class = pure fallback = nobody }
	tool spare.fail { help = "fails" class = pure fallback = look }
	END
}
of_call() { # TOOL JSON: what its caller is told
	ask call --json "$@" 2>/dev/null | jq -c '[.status, .fallback, .stale_ms > 0, .result]'
}
status_of() { of_call "$1" '{"ms":1}' | jq -r '.[0]'; }
number_of() { ask status --metrics | sed -n "s/^$1{tool=\"$2\"} //p"; }

falls_back() {
	write_manifests
	start_supervisor --tools "$tools"
	is "$tier: before, it answers itself" "$(of_call look '"a"')" '["ok","",false,"a"]'
	is "$tier: and fails itself" "$(of_call look.fail '{"code":9}')" '["failed_precondition","",false,null]'
	fails() { ask call look.fail '{"code":13}'; breaker_is look.fail open; }
	holds "$tier: failures open the breaker" wait_for 60 fails
	before=$(number_of cupel_tool_fallbacks_total look.fail)
	is "$tier: then its fallback is called" "$(of_call look.fail '{"code":13}')" '["ok","spare",false,{"code":13}]'
	is "$tier: which is told in a line" "$(words_of call look.fail '{"code":13}')" \
		'cupel: look.fail: the tool cannot serve; its fallback spare was called'
	is "$tier: also as it streams" "$(words_of call --stream look.fail '{"code":13}' | wc -l)" 1
	is "$tier: others of its worker are called themselves" "$(status_of look.burn)" ok
	ask breaker isolate spare 1m >/dev/null
	is "$tier: neither can: the breaker says so" "$(words_of call look.fail '{"code":13}' |
		grep -c '^cupel: look.fail: neither the tool nor its fallback spare can serve; .* (breaker_open from the router, try again after')" 1
	is "$tier: to be tried later" "$(code_of call look.fail '{"code":13}')" 75
	ask breaker reset spare >/dev/null
	is "$tier: counted" "$(($(number_of cupel_tool_fallbacks_total look.fail) - before))" 5
	is "$tier: and shown" "$(ask status |
		grep -c "look.fail: $((before + 5)) calls went to its fallback, 0 got an earlier result")" 1
	ask breaker reset look.fail >/dev/null
	is "$tier: once it can, it is called itself" "$(of_call look.fail '{"code":9}')" '["failed_precondition","",false,null]'
	is "$tier: described" "$(ask tools describe look --json | jq -c '[.fallback, .stale_ms]')" '["spare",3600000]'

	is "$tier: one that is not there is told" \
		"$(grep -c 'spare.tool: tool spare.sleep: fallback nobody: there is no such tool' "$log")" 1
	is "$tier: so is a second step" \
		"$(grep -c 'spare.tool: tool spare.fail: fallback look: that tool has a fallback of its own' "$log")" 1
	is "$tier: these tools have none" "$(ask tools describe spare.fail --json | jq .fallback)" '""'
	sed -i 's/class = pure }/class = pure fallback = echo }/' "$tools/spare.tool"
	told() { grep -q "spare.tool: tool spare: fallback echo: its calls went nowhere else before; 'cupel tools reload' permits it" "$log"; }
	holds "$tier: a new one while it runs is for the owner to say" wait_for 60 told
	stop_supervisor
}

empty() { : >"$space/look"; }	# not while it runs
keeps_serving() {
	local pid
	write_manifests
	start_supervisor --tools "$tools"
	is "$tier: it answers itself" "$(of_call look.sleep '{"ms":1}')" '["ok","",false,{"ms":1}]'
	is "$tier: so does one without more" "$(status_of look.burn)" ok
	ask call look.flood '{"bytes":1}' >/dev/null
	is "$tier: wrong arguments are refused" "$(of_call look.sleep '{"ms":-1}')" '["invalid_argument","",false,null]'
	sleep 0.1
	is "$tier: past its time it is asked, while it can be" "$(of_call look.sleep '{"ms":1}')" '["ok","",false,{"ms":1}]'
	for pid in $(named look); do kill -9 "$pid"; done
	wait_for 60 empty	# in its place, where the supervisor has it open
	served() { [ "$(of_call look.sleep '{"ms":1}')" = '["ok","",true,{"ms":1}]' ]; }
	holds "$tier: without a worker an earlier result is served" wait_for 60 served
	gave_up() { [ "$(ask status --json | jq -r '.pools[] | select(.name == "look").state')" = failed ]; }
	holds "$tier: for the pool is given up" wait_for 60 gave_up
	is "$tier: which is told in a line" "$(words_of call look.sleep '{"ms":1}' |
		grep -cE '^cupel: look.sleep: the tool cannot serve; this is an earlier result, [0-9]+(s|m[0-9]+s) old$')" 1
	is "$tier: also as it streams" "$(words_of call --stream look.sleep '{"ms":1}' | wc -l)" 1
	is "$tier: not for other arguments" "$(of_call look.sleep '{"ms":2}')" '["unavailable","",false,null]'
	is "$tier: nor wrong ones" "$(of_call look.sleep '{"ms":-1}')" '["unavailable","",false,null]'
	is "$tier: nor past that time" "$(of_call look.flood '{"bytes":1}')" '["unavailable","",false,null]'
	is "$tier: nor of a tool that says nothing of it" "$(status_of look.burn)" unavailable
	is "$tier: a fallback of another pool goes first" "$(of_call look '"b"')" '["ok","spare",false,"b"]'
	holds "$tier: counted" test "$(number_of cupel_tool_stale_total look.sleep)" -gt 2
	cat "$work/bin/cupel-echo" >"$space/look"
	ask breaker reset look.sleep >/dev/null
	answers() { [ "$(of_call look.sleep '{"ms":1}')" = '["ok","",false,{"ms":1}]' ]; }
	holds "$tier: once there is a worker, it is asked" wait_for 60 answers
	stop_supervisor
}

for_each_tier falls_back
for_each_tier keeps_serving
done_testing
