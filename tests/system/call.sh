#!/bin/bash
# Calls from outside, through a whole supervisor: what comes back, when that
# ends, and what the other verbs say meanwhile.
. tests/support/calls.sh

# ---- the plain way ----

calls() {
	start_supervisor
	is "$tier: an echo" "$(ask call echo '{"text":"noble"}')" '{"text":"noble"}'
	is "$tier: from stdin" "$(echo '[1,{"a":null}]' | ask call echo -)" '[1,{"a":null}]'
	is "$tier: 60 KB and back" \
		"$(jq -nc '{text: ("noble " * 10000)}' | ask call echo - | cksum)" \
		"$(jq -nc '{text: ("noble " * 10000)}' | cksum)"
	is "$tier: more than a worker takes" \
		"$(jq -nc '{text: ("noble " * 200000)}' | words_of call echo - | sed 's/, call [0-9]*//')" \
		'cupel: echo: the arguments are too long (resource_exhausted from the worker)'
	is "$tier: no JSON" "$(code_of call echo '{')" 65
	is "$tier: no such tool" "$(words_of call ecko '{}')" \
		'cupel: ecko: no such tool; did you mean echo? (not_found from the router)'
	is "$tier: an argument that is none" "$(code_of call echo.sleep '{"ms":"long"}')" 65
	is "$tier: its words reach no terminal as they are" \
		"$(words_of call echo.fail '{"code":9,"reason":"\u001b[31mred\u0007"}' | cut -d'(' -f1)" \
		'cupel: echo.fail: \x1b[31mred\x07 '
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

running() { ask status --json | jq '[.workers[].calls] | add // 0'; }
runs() { [ "$(running)" -ge 1 ]; }
runs_none() { [ "$(running)" -eq 0 ]; }

# Deadlines and cancels, by their time.
end_calls() {
	local start took caller
	call_nothing
	start=$(milliseconds)
	is "$tier: a deadline" "$(code_of call --timeout 300ms echo.sleep '{"ms":90000}')" 124
	took=$(($(milliseconds) - start))
	holds "$tier: after 300 ms ($took, a call of nothing $bare)" \
		test $took -ge 300 -a $took -lt $((300 + 42 * bare))
	start=$(milliseconds)
	is "$tier: one that ignores its end" \
		"$(code_of call --timeout 300ms echo.hang '{"ms":90000}')" 124
	took=$(($(milliseconds) - start))
	holds "$tier: with 2 s of grace at most ($took)" \
		test $took -lt $((2300 + 5 * bare))
	wait_for 10 runs_none	# it, too, is over
	cancels echo.sleep '{"ms":90000}'
	cancels job '{"argv":["sleep","90"]}'
}
cancels() { # TOOL ARGUMENTS
	local start took caller
	"${as_user[@]}" "$work/bin/cupel" call "$@" >"$space/cancelled" 2>&1 </dev/null &
	caller=$!
	started+=("$caller")
	wait_for 60 runs
	sleep 0.5	# it has begun by then, as a rule
	start=$(milliseconds)
	pkill -TERM -P $caller 2>/dev/null; kill -TERM $caller 2>/dev/null
	code=0
	wait $caller 2>/dev/null || code=$?
	took=$(($(milliseconds) - start))
	is "$tier: $1: a cancel ends the call" \
		"$code $(grep -o 'cancelled from' "$space/cancelled")" '130 cancelled from'
	holds "$tier: $1: soon ($took ms)" test $took -lt $((50 * bare))
	holds "$tier: $1: and the work for it" wait_for 3 runs_none
}

metric() { awk -v name="$1" '$1 == name { print $2 }' metrics; }

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
	ask status --metrics >metrics
	local name
	for name in 'cupel_worker_start_seconds_count{pool="echo"}' \
		'cupel_worker_lifetime_seconds_count{pool="echo"}' \
		'cupel_calls_stopped_total{cause="client"}' \
		'cupel_calls_stopped_total{cause="deadline"}' \
		cupel_monitor_resident_bytes cupel_monitor_open_fds cupel_db_size_bytes \
		process_resident_memory_bytes process_open_fds; do
		holds "$tier: $name" test "$(metric "$name")" -ge 1
	done
	# How full the machine is, is not its doing.
	well() {
		ask health --json | jq -e '[.reasons[].component] - ["memory", "disk", "cpu"] == []'
	}
	holds "$tier: it becomes healthy" wait_for 60 well
}

# ---- ends ----

# A tool that works to its end keeps its worker; what that was sent after it goes
# to another, for which the pool grows.
blocks() {
	local n waits= caller
	start_supervisor
	"${as_user[@]}" "$work/bin/cupel" call --timeout 100s echo.hang '{"beats":"alive","ms":90000}' >/dev/null 2>&1 </dev/null &
	caller=$!
	started+=("$caller")
	wait_for 60 runs
	for n in 1 2 3; do
		ask call --timeout 50s echo $n >behind.$n 2>&1 &
		waits+=" $!"
	done
	# shellcheck disable=SC2086 # a list of numbers
	wait $waits
	is "$tier: what was sent behind a call that blocks is answered" "$(cat behind.[123] | tr '\n' ' ')" '1 2 3 '
	holds "$tier: which still does" runs
	is "$tier: by a worker more" "$(ask status --json | jq -c '[.workers[] | select(.pool == "echo").calls] | sort')" '[0,1]'
	kill -TERM $caller
	wait $caller 2>/dev/null
	stop_supervisor
}

drains() {
	local caller
	start_supervisor
	ask call echo.sleep '{"ms":1500}' >"$space/slept" 2>&1 &
	caller=$!
	wait_for 60 runs
	ask drain >/dev/null
	is "$tier: draining, it takes no call" "$(words_of call echo 7 | grep -c draining)" 1
	ask drain off 2>/dev/null
	is "$tier: which can be taken back" "$(ask call echo 7)" 7
	ask drain 2>/dev/null
	wait $caller
	is "$tier: one that ran ends well" "$(<"$space/slept")" '{"ms":1500}'
	stop_supervisor
	start_supervisor
	ask shutdown >/dev/null
	holds "$tier: shutdown ends it" wait_for 8 all_dead "$supervisor"
	is "$tier: and all of it" "$(ls -A "$space/run")" ''
}

# A job has 512 MiB. Old groups have their kernel end the process alone.
grows() {
	local all='.status + " " + (.result.exit_code // 0 | tostring)' ended='oom_killed 0'
	[ "$tier" = userns ] || [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || ended='ok 137'
	needs() { # SIZE
		ask call --json job "{\"argv\":[\"sh\",\"-c\",\"head -c $1 /dev/zero | tail -n 1 >/dev/null\"]}" \
			2>/dev/null | jq -r "$all"
	}
	start_supervisor
	is "$tier: a job may use memory" "$(needs 64M)" 'ok 0'
	is "$tier: and is ended when it is more than it may" "$(needs 2G)" "$ended"
	stop_supervisor
}

# A call that lasts keeps a supervisor from leaving while it is looked at.
keep() {
	set_user
	"${as_user[@]}" "$work/bin/cupel" call --timeout 5m echo.sleep '{"ms":290000}' \
		>"$space/keeper" 2>&1 </dev/null &
	keeper=$!
	started+=("$keeper")
}

# The first call starts one; twenty at a time start one, too.
starts_by_itself() {
	local i good=0 keeper
	rm -rf "$space/run"
	folder "$space/config/cupel"
	[ "$tier" = full ] || echo 'supervisor { idle = 10s }' >"$space/config/cupel/cupel.conf"
	for i in {1..20}; do
		ask call echo "$i" >"$space/one.$i" 2>&1 &
		callers[i]=$!
	done
	for i in {1..20}; do
		wait "${callers[i]}"
		[ "$i" -gt 1 ] || keep
		[ "$(<"$space/one.$i")" = "$i" ] && good=$((good + 1)) || sed 's/^/# /' "$space/one.$i"
	done
	is "$tier: twenty first calls at a time are answered" $good 20
	supervisor=$(cat "$space/run/lock")
	started+=("$supervisor")
	wait_for 60 runs || sed 's/^/# /' "$space/keeper"
	is "$tier: by one supervisor" "$(pgrep -f '^cupeld --user' -P 1 | while read -r pid; do
		tr '\0' '\n' </proc/"$pid"/environ 2>/dev/null | grep -c "^CUPEL_RUN=$space/run$"
	done | grep -c 1)" 1
	is "$tier: that is nobody's child" "$(awk '/^PPid/ { print $2 }' /proc/"$supervisor"/status)" 1
	kill -TERM "$keeper"
	[ "$tier" = userns ] || ask shutdown >/dev/null
	holds "$tier: it leaves" wait_for 60 all_dead "$supervisor"
	is "$tier: with nothing left" "$(ls -A "$space/run")" ''
	rm -rf "$space/config"
	is "$tier: without one, status is 69" "$(code_of status)" 69
	is "$tier: and health unknown" "$(code_of health)" 3
}

# One that leaves between its welcome and the first call is followed by another.
follows() {
	local first caller when
	rm -rf "$space/run"
	set_user
	ask call echo 1 >/dev/null
	first=$(cat "$space/run/lock")
	"${as_user[@]}" ASAN_OPTIONS=detect_leaks=0 strace -qq -o /dev/null -e inject=recvfrom:delay_exit=3000000:when=2 \
		"$work/bin/cupel" call echo '"late"' >"$space/late" 2>&1 &
	caller=$!
	sleep 1
	kill -TERM "$first"
	wait "$caller"
	is "$tier: a call after its supervisor has left is another's" "$?$(<"$space/late")" '0"late"'
	supervisor=$(cat "$space/run/lock")
	started+=("$supervisor")
	is "$tier: which has been started for it" "$([ "$supervisor" != "$first" ]; echo $?)" 0
	# Before it takes the directory, and between that and the call.
	for when in 2 3; do
		first=$supervisor
		"${as_user[@]}" ASAN_OPTIONS=detect_leaks=0 strace -qq -o /dev/null -e inject=recvfrom:delay_exit=3000000:when=$when \
			"$work/bin/cupel" call --json --workspace "$space" job '{"argv":["true"]}' >"$space/late" 2>&1 &
		caller=$!
		sleep 1
		kill -TERM "$first"
		wait "$caller"
		is "$tier: so is one in a directory, which is handed over again ($when)" "$?$(jq -r .status "$space/late")" 0ok
		supervisor=$(cat "$space/run/lock")
		started+=("$supervisor")
	done
	ask shutdown 2>/dev/null
	wait_for 60 all_dead "$supervisor"
}

for part in calls blocks grows drains starts_by_itself follows; do
	for_each_tier "$part"
done
done_testing
