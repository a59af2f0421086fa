#!/bin/bash
# A storm over a whole supervisor (storm.c), and what is left of it afterwards.
# Speaks TAP. CHAOS_SECONDS (60) and CHAOS_KILLS (2000) say how much of it,
# CHAOS_ESCAPES (12) how many jobs flee, CUPEL_SEED (1) which storm it is; `make
# chaos MINUTES=n` runs one after the other.
. tests/support/sandbox.sh
. tests/support/supervisor.sh

install -m 755 "$CUPEL_OUT/tests/chaos/storm" "$work/storm"
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
			-e "s/warm = 1/warm = 2/" \
			-e "$([ $kind = per_call ] && echo 's/calls = 8/calls = 1/')" \
			"$top/etc/tools/echo.tool" | sed "/^tool .*\\.leak/,/^}/d" >"$work/tools/storm$i.tool"
	done
	sed -e "s/^worker echo/worker haven/; s/^tool echo/tool haven/" \
		-e "s/pool = ondemand/pool = static/" "$top/etc/tools/echo.tool" |
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
	local family_then
	manifests
	start_supervisor --tools "$work/tools" || not_ok "$tier: it did not start" "$(<"$space/supervisor.err")"
	relay "$tier" < <("${as_user[@]}" "CUPEL_SEED=${CUPEL_SEED:-1}" "$work/storm" "$supervisor" \
		"$space/run/router.sock" $pools "$seconds" "$kills" "$space/tokens" 2>&1)
	relay "$tier" < <(judge_effects)
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
# told, each with a number of its own to be found by; their calls are given up.
bomb='trap "" TERM INT HUP; for i in 1 2 3 4; do (setsid sh -c "trap \"\" TERM; sleep $0 & sleep $0" &) ; done; sleep $0 & exec sleep $0'
sleepers() { pgrep -c -f "^sleep $1[0-9]*$"; }
escapes() {
	local n seen=0 number=$((70000 + RANDOM % 1000)) waits=
	flee() { [ "$(sleepers $number)" -gt 0 ]; }
	start_supervisor
	for ((n = 0; n < escapes; n++)); do
		ask call job "{\"argv\":[\"sh\",\"-c\",$(jq -n --arg b "$bomb" '$b'),\"$number$n\"]}" --timeout 2s >/dev/null 2>&1 &
		waits+=" $!"
		[ $((n % 4)) -lt 3 ] && continue
		wait_for 2 flee && seen=$((seen + 1))
		# shellcheck disable=SC2086 # a list of numbers
		wait $waits
		waits=
	done
	none() { ! flee; }
	holds "$tier: jobs were seen to flee" test $seen -gt 0
	holds "$tier: of $escapes that did, none has got away" wait_for 5 none
	stop_supervisor
}

for tier in ${CHAOS_TIERS:-full userns}; do
	case $tier in
	full) [ "$(id -u)" -eq 0 ] || { skip 'full: storms' 'needs root'; continue; } ;;
	esac
	become $tier
	cd "$space" && storms && escapes
	cd "$top"
done
done_testing
