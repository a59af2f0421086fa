#!/bin/bash
# Calls from outside, through a whole supervisor: what comes back, what a bad
# client, worker or manifest gets, and what the other verbs say meanwhile.
. tests/support/sandbox.sh
. tests/support/supervisor.sh

install -m 755 "$CUPEL_OUT/tests/chaos/rude" "$work/rude"

code_of() { # VERB...: the exit status alone
	ask "$@" >/dev/null 2>&1
	echo $?
}
# The words of a call that fails.
words_of() { ask "$@" 2>&1 >/dev/null; }
milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }
breaker_of() { ask status --json | jq -r --arg t "$1" '.tools[] | select(.name == $t).breaker'; }
breaker_is() { [ "$(breaker_of "$1")" = "$2" ]; }
nothing_runs() { ! pgrep -f "^$work/bin/cupeld" -U "$1"; }

# ---- the plain way ----

calls() {
	start_supervisor
	is "$tier: an echo" "$(ask call echo '{"text":"noble"}')" '{"text":"noble"}'
	is "$tier: from stdin" "$(echo '[1,{"a":null}]' | ask call echo -)" '[1,{"a":null}]'
	is "$tier: 60 KB and back" \
		"$(jq -nc '{text: ("noble " * 10000)}' | ask call echo - | cksum)" \
		"$(jq -nc '{text: ("noble " * 10000)}' | cksum)"
	is "$tier: more than a worker takes" \
		"$(jq -nc '{text: ("noble " * 200000)}' | words_of call echo -)" \
		'cupel: echo: the arguments are too long (resource_exhausted from the worker)'
	is "$tier: no JSON" "$(code_of call echo '{')" 65
	is "$tier: no such tool" "$(words_of call ecko '{}')" \
		'cupel: ecko: no such tool; did you mean echo? (not_found from the router)'
	is "$tier: an argument that is none" "$(code_of call echo.sleep '{"ms":"long"}')" 65
	is "$tier: the tool's own failure" "$(code_of call echo.fail '{"code":2}')" 1
	is "$tier: 64 MiB in chunks, whole" \
		"$(ask call echo.flood --stream '{"bytes":67108864}' | head -c 67108864 | cksum)" \
		"$(head -c 65536 < <(yes abcdefghijklmnopqrstuvwxyz | tr -d '\n') >chunk
		   for _ in {1..1024}; do cat chunk; done | cksum)"
	is "$tier: how a call ended, as JSON" \
		"$(ask call --json echo.fail '{"code":9,"reason":"not now"}' 2>/dev/null |
			jq -rc '[.schema, .status, .origin, .reason]')" \
		'["cupel.call/1","failed_precondition","worker","not now"]'
	end_calls
	watch
	stop_supervisor
	is "$tier: it ends well" "$code" 0
}

# Deadlines and cancels, by their time.
end_calls() {
	local start took caller
	start=$(milliseconds)
	is "$tier: a deadline" "$(code_of call --timeout 300ms echo.sleep '{"ms":9000}')" 124
	took=$(($(milliseconds) - start))
	holds "$tier: after 300 ms ($took)" test $took -ge 300 -a $took -lt 2000
	start=$(milliseconds)
	is "$tier: one that ignores its end" \
		"$(code_of call --timeout 300ms echo.hang '{"ms":60000}')" 124
	took=$(($(milliseconds) - start))
	holds "$tier: with 2 s of grace at most ($took)" test $took -lt 2500
	"${as_user[@]}" "$work/bin/cupel" call echo.sleep '{"ms":20000}' >/dev/null 2>&1 </dev/null &
	caller=$!
	sleep 0.4
	start=$(milliseconds)
	pkill -TERM -P $caller 2>/dev/null; kill -TERM $caller 2>/dev/null
	code=0
	wait $caller 2>/dev/null || code=$?
	took=$(($(milliseconds) - start))
	holds "$tier: a cancel ends a call ($code, $took ms)" test $took -lt 2000
	no_call() { [ "$(ask status --json | jq '[.workers[].calls] | add // 0')" -eq 0 ]; }
	holds "$tier: and the work for it" wait_for 3 no_call
}

# What the verbs print while all is well.
watch() {
	local verb
	for verb in status health; do
		is "$tier: $verb --json" "$(ask $verb --json | jq -r .schema)" "cupel.$verb/1"
	done
	is "$tier: tools --json" "$(ask tools list --json | jq -r '.tools[] | select(.name == "echo").class')" pure
	is "$tier: log --json" "$(ask log --json | jq -s 'map(has("ts") and has("msg")) | all')" true
	holds "$tier: tools --markdown names each tool" \
		test "$(ask tools --markdown | grep -cE '^#+ .*echo')" -ge 10
	is "$tier: describe" "$(ask tools describe echo.sleep --json | jq -r .name)" echo.sleep
	if command -v promtool >/dev/null; then
		holds "$tier: promtool reads the metrics" \
			bash -c 'promtool check metrics' < <(ask status --metrics)
	else
		skip "$tier: promtool reads the metrics" 'there is no promtool'
	fi
	well() { [ "$(code_of health)" -eq 0 ]; }
	holds "$tier: it is healthy within 8 s" wait_for 8 well
}

# ---- breakers and deaths ----

breaks() {
	local pid start took code
	start_supervisor
	for _ in {1..5}; do ask call echo.fail '{"code":13}' >/dev/null 2>&1; done
	is "$tier: five failures open the breaker" "$(breaker_of echo.fail)" open
	is "$tier: it refuses, with a time" "$(words_of call echo.fail '{"code":13}' |
		grep -c 'breaker_open from the router, try again after [0-9]* ms')" 1
	is "$tier: a later try may succeed" "$(code_of call echo.fail '{"code":13}')" 75
	is "$tier: others go on" "$(ask call echo '1')" 1
	ask breaker reset echo.fail >/dev/null
	is "$tier: reset closes it" "$(breaker_of echo.fail)" closed
	ask breaker isolate echo 1m >/dev/null
	is "$tier: isolated" "$(code_of call echo '1')" 75
	ask breaker reset echo >/dev/null
	is "$tier: and back" "$(ask call echo '1')" 1

	"${as_user[@]}" "$work/bin/cupel" call --json echo.effect '{"token":"killed","ms":20000}' \
		>"$space/killed" 2>/dev/null </dev/null &
	caller=$!
	wait_for 5 grep -q '"killed\|killed\\"' "$log"
	for pid in $(named cupel-echo) $(named echo); do kill -9 "$pid"; done
	start=$(milliseconds)
	wait $caller
	took=$(($(milliseconds) - start))
	is "$tier: its worker was killed: the outcome is unknown" \
		"$(jq -r .status "$space/killed")" crash_outcome_unknown
	holds "$tier: which is told at once ($took ms)" test $took -lt 1000
	is "$tier: the next is served" "$(ask call echo '2')" 2
	is "$tier: the effect was once" "$(grep -c 'killed' "$log")" 1
	is "$tier: a crash on demand" "$(ask call --json echo.crash '{"signal":11}' 2>/dev/null |
		jq -r .status | grep -c 'crash\|poison')" 1
	is "$tier: is followed by service" "$(ask call echo '3')" 3
	stop_supervisor
}

# The breaker of a tool whose callee is well again.
recovers() {
	start_supervisor
	for _ in {1..5}; do ask call echo.fail '{"code":13}' >/dev/null 2>&1; done
	half_open() { breaker_is echo.fail half_open; }
	holds "$tier: an open breaker lets probes out after its time" wait_for 20 half_open
	closes() { ask call echo.fail '{"code":3}' >/dev/null 2>&1; breaker_is echo.fail closed; }
	holds "$tier: and closes when they succeed" wait_for 45 closes
	stop_supervisor
}

# ---- clients and workers that break the rules ----

rules='garbage garbage-later oversized truncated early greets-twice router
calls-twice unknown version silent'

misbehaves() {
	local rule socket=$space/run/router.sock before
	start_supervisor
	before=$(named cupel-router)
	ask call echo.sleep '{"ms":6000}' >"$space/slept" 2>&1 &
	caller=$!
	sleep 0.2
	for rule in $rules; do
		is "$tier: $rule ends the link" "$("${as_user[@]}" "$work/rude" "$socket" $rule 8)" closed
		is "$tier: and no other" "$(ask call echo "\"$rule\"")" "\"$rule\""
	done
	wait $caller
	is "$tier: a call that ran all the time" "$(<"$space/slept")" '{"ms":6000}'
	# Beside it: another pool, for its calls keep the echoes.
	"${as_user[@]}" "$work/rude" "$socket" deaf 45 >"$space/deaf" &
	deaf=$!
	sleep 1
	is "$tier: beside one that never reads, others are served" "$(code_of call store.stats)" 0
	wait $deaf
	is "$tier: which is cut" "$(<"$space/deaf")" closed
	is "$tier: an echo is served afterwards" "$(ask call echo 8)" 8
	is "$tier: the router is the same" "$(named cupel-router)" "$before"
	stop_supervisor
}

# A worker that greets its monitor, and then talks nonsense to the router.
bad_worker() { # NAME SCRIPT
	cat >"$work/tools.$tier/$1.tool" <<-END
	worker $1 {
		program = /bin/bash
		arguments = { "-c", "$2" }
		policy = tool
		pool = ondemand
		size = 1
	}
	tool $1 { help = "breaks a rule" class = pure deadline = 5s }
	END
}
hello_beat='printf \"\\\\x01\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\" >&4'

bad_workers() {
	folder "$work/tools.$tier"
	rm -f "$work/tools.$tier"/*
	bad_worker babble "$hello_beat; head -c 4000 /dev/urandom >&3; sleep 60"
	bad_worker mute "$hello_beat; exec 3>&-; sleep 60"
	bad_worker liar "printf nonsense >&4; sleep 60"
	start_supervisor --tools "$work/tools.$tier"
	for name in babble mute liar; do
		holds "$tier: a worker that is $name fails its call" \
			test "$(code_of call --timeout 4s $name)" -gt 1
	done
	is "$tier: others are served" "$(ask call echo 4)" 4
	is "$tier: the router says why" "$(grep -c 'rotocol\|frame' "$log" | sed 's/^[1-9].*/some/')" some
	stop_supervisor
	rm -f "$work/tools.$tier"/*
}

# ---- manifests ----

manifest() { # NAME HELP PROGRAM [MORE]
	cat >"$work/tools.$tier/.new" <<-END
	worker $1 {
		program = $3
		policy = strict
		pool = ondemand
		size = 1
	}
	tool $1 { help = "$2" class = pure ${4-} }
	tool $1.sleep { help = "$2" class = pure ${4-} }
	END
	mv "$work/tools.$tier/.new" "$work/tools.$tier/$1.tool"
}
help_of() { ask tools describe "$1" --json 2>/dev/null | jq -r .help; }
help_is() { [ "$(help_of "$1")" = "$2" ]; }
reason_is() { grep -q "$1" "$log"; }

manifests() {
	folder "$work/tools.$tier"
	rm -f "$work/tools.$tier"/*
	start_supervisor --tools "$work/tools.$tier"
	sed -e 's/^worker echo/worker mirror/' -e 's/^tool echo/tool mirror/' \
		"$top/etc/tools/echo.tool" >"$work/tools.$tier/mirror.tool"
	new() { ask call mirror 5; }
	holds "$tier: a new manifest is noticed" wait_for 8 new
	ask call mirror.sleep '{"ms":3000}' >"$space/slept" 2>&1 &
	caller=$!
	sleep 0.3
	sed -i 's/answer with the arguments/mirror them/' "$work/tools.$tier/mirror.tool"
	holds "$tier: so is a changed one" wait_for 8 help_is mirror 'mirror them'
	wait $caller
	is "$tier: a call from before ends well" "$(<"$space/slept")" '{"ms":3000}'
	cp "$work/tools.$tier/mirror.tool" "$space/mirror.good"
	while IFS='|' read -r what script words; do
		sed "$script" "$space/mirror.good" >"$work/tools.$tier/.new"
		mv "$work/tools.$tier/.new" "$work/tools.$tier/mirror.tool"
		refused() { reason_is "$words"; }
		holds "$tier: $what is refused, with the reason" wait_for 8 refused
		is "$tier: the old one stays" "$(ask call mirror 6)" 6
		cp "$space/mirror.good" "$work/tools.$tier/mirror.tool"
		sleep 0.5
	done <<-'END'
	a manifest that is none|1i nonsense {|mirror.tool
	an unknown key|s/size = 2/sise = 2/|sise
	a missing program|s/cupel-echo/no-such-program/|no-such-program
	a wider policy|s/policy = strict/policy = tool/|policy tool leaves open
	END
	rm "$work/tools.$tier/mirror.tool"
	gone() { ! new; }
	holds "$tier: one that is gone is forgotten" wait_for 8 gone
	stop_supervisor
}

# ---- ends ----

drains() {
	local caller
	start_supervisor
	ask call echo.sleep '{"ms":1500}' >"$space/slept" 2>&1 &
	caller=$!
	sleep 0.3
	ask drain >/dev/null
	is "$tier: draining, it takes no call" "$(words_of call echo 7 | grep -c draining)" 1
	wait $caller
	is "$tier: one that ran ends well" "$(<"$space/slept")" '{"ms":1500}'
	stop_supervisor
	start_supervisor
	ask shutdown >/dev/null
	holds "$tier: shutdown ends it" wait_for 8 all_dead "$supervisor"
	is "$tier: and all of it" "$(ls -A "$space/run")" ''
}

# The first call starts one; twenty at a time start one, too.
starts_by_itself() {
	local i good=0
	rm -rf "$space/run"
	folder "$space/config/cupel"
	[ "$tier" = full ] || echo 'supervisor { idle = 2s }' >"$space/config/cupel/cupel.conf"
	for i in {1..20}; do
		ask call echo "$i" >"$space/one.$i" 2>&1 &
		callers[i]=$!
	done
	for i in {1..20}; do
		wait "${callers[i]}"
		[ "$(<"$space/one.$i")" = "$i" ] && good=$((good + 1)) || sed 's/^/# /' "$space/one.$i"
	done
	is "$tier: twenty first calls at a time are answered" $good 20
	supervisor=$(cat "$space/run/lock")
	started+=("$supervisor")
	is "$tier: by one supervisor" "$(pgrep -f '^cupeld --user' -P 1 | while read -r pid; do
		tr '\0' '\n' </proc/"$pid"/environ 2>/dev/null | grep -c "^CUPEL_RUN=$space/run$"
	done | grep -c 1)" 1
	is "$tier: that is nobody's child" "$(awk '/^PPid/ { print $2 }' /proc/"$supervisor"/status)" 1
	if [ "$tier" = full ]; then
		ask shutdown >/dev/null
	fi
	holds "$tier: it leaves" wait_for 10 all_dead "$supervisor"
	is "$tier: with nothing left" "$(ls -A "$space/run")" ''
	rm -rf "$space/config"
	is "$tier: without one, status is 69" "$(code_of status)" 69
	is "$tier: and health unknown" "$(code_of health)" 3
}

for part in ${CALL_PARTS:-calls breaks misbehaves bad_workers manifests drains starts_by_itself recovers}; do
	for_each_tier "$part"
done
done_testing
