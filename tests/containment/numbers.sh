#!/bin/bash
# Every system call number, natively, by int 0x80 and by x32, under every
# preset, as root and as an ordinary user. Speaks TAP.
. tests/support/sandbox.sh

# compute has no second process: a run a number, and fewer of those that kill;
# as one user, for both have the same filter. Nor has it a timer: what waits
# ends at the wall, which a run of nothing does not reach.
call_all() {
	local preset door step start wall
	for preset in strict tool build net compute; do
		for door in native int80 x32; do
			local command=("${cupel_run[@]}" --quiet --policy "$preset"
				--workspace none --bind "$probe:/probe")
			step=1
			if [ "$preset" = compute ]; then
				[ "$tier" = userns ] || continue 2
				[ $door = native ] || step=16
				start=$(milliseconds)
				"${command[@]}" -- /probe 2>/dev/null
				wall=$((1000 + 20 * ($(milliseconds) - start)))ms
				"$probe" numbers $door $step \
					"${command[@]}" --limit wall=$wall -- /probe
			else
				# On a slow machine it takes longer than strict may.
				"${command[@]}" --limit wall=none -- /probe numbers $door $step
			fi </dev/null >lines
			relay "$tier $preset" <lines
			grep -q 'ok - ' lines || not_ok "$tier $preset: $door numbers were tried"
		done
	done
}
for_each_tier call_all
done_testing
