#!/bin/bash
# A storm over a whole supervisor (storm.c), and what is left of it afterwards.
# Speaks TAP. CHAOS_SECONDS (60) and CHAOS_KILLS (2000) say how much of it,
# CHAOS_ESCAPES (12) how many jobs flee, CHAOS_DEADLINES (200) how many calls end
# at theirs, CUPEL_SEED (1) which storm it is; `make chaos MINUTES=n` runs one
# after the other.
. tests/support/sandbox.sh
. tests/support/supervisor.sh

install -m 755 "$CUPEL_OUT"/tests/chaos/{storm,late} "$work"
seconds=${CHAOS_SECONDS:-60} kills=${CHAOS_KILLS:-2000} pools=5 escapes=${CHAOS_ESCAPES:-12}
kinds=(ondemand static per_call)

# Every kind of pool, each worker an echo; and one whose workers are let alone.
manifests() {
	local i kind
	install -m 755 -d "$work/tools"
	for ((i = 0; i < pools; i++)); do
		kind=${kinds[i % 3]}
		sed -e "s/^worker echo/worker storm$i/; s/^tool echo/tool storm$i/" \
			-e "s/pool = ondemand/pool = $kind/; s/size = 2/size = 8/" \
			-e "s/warm = 1/warm = 2/" -e "s/^tool .*/&\n\tbreaker = enforce/" \
			-e "$([ $kind = per_call ] && echo 's/calls = 8/calls = 1/')" \
			"$top/etc/tools/echo.tool" | sed "/^tool .*\\.leak/,/^}/d" >"$work/tools/storm$i.tool"
	done
	sed -e "s/^worker echo/worker haven/; s/^tool echo/tool haven/" \
		-e "s/pool = ondemand/pool = static/" -e "s/^tool .*/&\n\tbreaker = enforce/" \
		"$top/etc/tools/echo.tool" |
		sed "/^tool .*\\.leak/,/^}/d" >"$work/tools/haven.tool"
}

# Lines "token times" of the effects the log holds: once a line, as it is cut
# into files by size while it is written.
effects() {
	grep -ho 'effect.*storm-[0-9]*' "${log%/*}"/* | grep -o 'storm-[0-9]*$' |
		sort | uniq -c | awk '{ print $2, $1 }'
}
# What the callers were told, held against it.
judge_effects() {
	effects >"$space/effects"
	awk -v tier="$tier" '
		NR == FNR { times[$1] = $2; next }
		times[$1] > 1 { twice++; print "# twice: " $1 }
		$2 == "never" && times[$1] { never++; print "# not begun, but done: " $1 }
		$2 == "once" { once++; if (!times[$1]) missing++ }
		END {
			print "# " once + 0 " effects ended well, " missing + 0 " of them not in the log"
			print (twice ? "not " : "") "ok - no effect was executed twice"
			print (never ? "not " : "") "ok - none that was said not to have begun"
			print (once > 0 && missing <= once / 20 ? "" : "not ") "ok - those that ended well were executed"
		}' "$space/effects" "$space/tokens"
}

storms() {
	local family_then boot=$(milliseconds)
	manifests
	start_supervisor --tools "$work/tools" || not_ok "$tier: it did not start" "$(<"$space/supervisor.err")"
	boot=$(($(milliseconds) - boot))
	relay "$tier" < <("${as_user[@]}" "CUPEL_SEED=${CUPEL_SEED:-1}" "$work/storm" "$supervisor" \
		"$space/run/router.sock" $pools "$seconds" "$kills" "$space/tokens" "$boot" 2>&1)
	relay "$tier" < <(judge_effects)
	is "$tier: no worker was said to be one that cannot be killed" "$(grep -c 'cannot be killed' "$log")" 0
	holds "$tier: it serves" serves
	holds "$tier: the monitor has not grown" \
		test "$(awk '/VmRSS/ { print $2 }' /proc/"$supervisor"/status)" -le 6144
	holds "$tier: nor has the router ever, beyond 96 MiB" \
		test "$(awk '/VmHWM/ { print $2 }' /proc/"$(named cupel-router)"/status)" -le 98304
	family_then=$(family "$supervisor")
	stop_supervisor
	is "$tier: it ends well" "$code" 0
	# shellcheck disable=SC2086 # a list of numbers
	holds "$tier: no process is left" wait_for 3 all_dead $family_then
	holds "$tier: no group" stale_groups
	is "$tier: no socket" "$(ls -A "$space/run")" ''
}

# Jobs that leave session, group and parent behind them and ignore what they are
# told, ten processes each, with a number to be found by; then their callers leave.
bomb='trap "" TERM INT HUP; for i in 1 2 3 4; do (setsid sh -c "trap \"\" TERM; sleep $0 & sleep $0" &) ; done; sleep $0 & exec sleep $0'
fled() { [ "$(pgrep -c -f "^sleep $number\$")" -eq $((10 * $1)) ]; }
# Of so many jobs: sets $took, ms until none of their processes lives.
flee_together() { # JOBS
	local pids callers= start before=("${started[@]}")
	for ((n = 0; n < $1; n++)); do
		ask breaker reset job >/dev/null 2>&1	# where all that run take long, it opens
		"${as_user[@]}" "$work/bin/cupel" call job --timeout 9m \
			"{\"argv\":[\"sh\",\"-c\",$(jq -n --arg b "$bomb" '$b'),\"$number\"]}" >said.$n 2>&1 </dev/null &
		callers+=" $!"
		started+=($!)
		if wait_for 60 fled $((n + 1)); then seen=$((seen + 1)); else sed 's/^/# /' said.$n; fi
	done
	pids=$(pgrep -f "^sleep $number\$")
	start=$(milliseconds)
	# shellcheck disable=SC2086 # lists of numbers, here and below
	kill -TERM $callers
	wait_for 60 all_dead $pids
	took=$(($(milliseconds) - start))
	wait $callers
	started=("${before[@]}")	# soon their numbers are others'
}
escapes() {
	local n number=$((700000 + RANDOM)) seen=0 took most=0 bare start together=$((escapes < 8 ? escapes : 8))
	start_supervisor
	for ((fleeing = 0; fleeing < escapes; fleeing += together)); do
		start=$(milliseconds)
		ask call job '{"argv":["true"]}' >/dev/null 2>&1
		bare=$(least $(($(milliseconds) - start)))
		flee_together $together
		# As if the call of nothing had taken no more than it must.
		[ $((took - 2 * bare)) -le $most ] || most=$((took - 2 * bare))
	done
	is "$tier: each of $fleeing jobs was seen to flee" "$seen" "$fleeing"
	holds "$tier: none has outlived its call by 2.1 s (${most} ms beyond two calls of nothing)" test $most -le 2100
	is "$tier: nor at all" "$(pgrep -c -f "^sleep $number\$")" 0
	sleep $number &
	wait_for 60 pgrep -f "^sleep $number\$"
	is "$tier: as one that is nobody's would be seen" "$(pgrep -c -f "^sleep $number\$")" 1
	kill $!
	stop_supervisor
}

# How late results are that come at their deadline (late.c).
deadlines() {
	start_supervisor
	relay "$tier" < <("${as_user[@]}" "$work/late" "$space/run/router.sock" \
		"$(named cupel-router)" "${CHAOS_DEADLINES:-200}" 5 2>&1)
	stop_supervisor
}

for tier in ${CHAOS_TIERS:-full userns}; do
	case $tier in
	full) [ "$(id -u)" -eq 0 ] || { skip 'full: storms' 'needs root'; continue; } ;;
	esac
	become $tier
	cd "$space" && storms && escapes && deadlines
	cd "$top"
done
done_testing
