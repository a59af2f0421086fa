#!/bin/bash
# The crash test fails on a cupel that does not clean up: each mutant (a script
# of sed in mutants/, built by make) is noticed by the checks named for it.
# Speaks TAP. CRASH_ROUNDS as in crash.sh.
if [ "$(id -u)" -eq 0 ] && [ $$ -ne 1 ]; then	# what they leave is nobody else's
	exec unshare --pid --fork --kill-child --mount-proc "$0"
fi
. tests/support/sandbox.sh
if [ $$ -eq 1 ]; then become full; else become userns; fi
cd "$space"
try_run --workspace none -- true
group=$(verdict .enforced.cgroup)
cd "$top"

# A kill hits the moment that matters by chance: rounds double until one has.
notices() { # MUTANT CHECK...
	local mutant=$1 checks=("${@:2}") rounds=${CRASH_ROUNDS:-40} check
	until crash_notices || [ "$rounds" -gt 500 ]; do
		rounds=$((rounds * 2))
	done
	holds "$mutant: left alone it does its work" grep -q '^ok .*does its work' "$work/$mutant"
	for check in "${checks[@]}"; do
		holds "$mutant fails: $check" fails "$check"
	done
}
fails() { grep -q "^not ok .*$1" "$work/$mutant"; }
crash_notices() {
	local check
	CUPEL_BIN=$CUPEL_OUT/mutants/$mutant CRASH_PATIENCE_MS=1000 CRASH_ROUNDS=$rounds \
		tests/containment/crash.sh >"$work/$mutant"
	for check in "${checks[@]}"; do
		fails "$check" || return
	done
}

notices no-tree-kill 'workspace direct, command stays: no process is left' \
	'workspace overlay, command stays: no process is left'
if [ $$ -ne 1 ] || [ "$group" = none ]; then
	skip 'deaf-keeper, idle-keeper' 'needs root, and a cgroup'
else
	notices deaf-keeper 'as their keeper begins: no process is left' 'no cgroup is left'
	notices idle-keeper 'no cgroup is left'
fi

# What the mutants left, cupel itself removes.
${as[@]+"${as[@]}"} "$cupel" run --quiet --workspace none -- true
holds 'no cgroup is left' stale_groups
done_testing
