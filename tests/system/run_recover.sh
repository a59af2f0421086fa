#!/bin/bash
# A commit killed on its way through the program: each file is old or new, and
# the next run, or cupel recover, finishes it. Speaks TAP.
. tests/support/sandbox.sh

files=1500
look() { cat w/f* | sort | uniq -c | tr -s ' \n' ' '; }

# Kills a committing run when it has begun to change the workspace.
interrupt() {
	rm -rf w home/.local
	folder "$space/w"
	(cd w && for ((i = 0; i < files; i++)); do echo old >"f$i"; done)
	folder "$space/w"
	sleep 0.05
	"${cupel_run[@]}" --quiet --workspace "$space/w:overlay" \
		--limit inodes=20k --on-exit commit -- sh -c 'for f in f*; do echo new >$f; done' \
		</dev/null 2>said &
	local pid=$!
	for _ in {1..2000}; do
		kill -0 $pid || break
		! grep -q new w/f0 w/f1 w/f2 || break
		sleep 0.005
	done
	kill -9 $pid
	wait $pid
} 2>/dev/null

recover() {
	local way seen
	for way in verb run; do
		for _ in 1 2 3 4 5; do
			interrupt
			seen=$(look)
			[[ $seen != *old*new* && $seen != *new*old* ]] || break
		done
		if [[ $seen != *new*old* ]]; then
			skip "$tier: $way: a commit was interrupted" \
				"the commit was never caught on its way:$seen$(tail -n 1 said)"
			continue
		fi
		ok "$tier: $way: a commit was interrupted:$seen"
		if [ $way = verb ]; then
			"${cupel_run[@]:0:${#cupel_run[@]}-1}" recover "$space/w" 2>err
		else
			"${cupel_run[@]}" --workspace "$space/w:overlay" --on-exit commit -- true 2>err
		fi </dev/null
		is "$tier: $way: it ends well" $? 0
		holds "$tier: $way: and says what it did" grep -q 'finished an interrupted commit' err
		is "$tier: $way: every file is new" "$(look)" " $files new "
		is "$tier: $way: nothing else is left in the workspace" "$(ls -A w | grep -vc '^f')" 0
		"${cupel_run[@]:0:${#cupel_run[@]}-1}" recover "$space/w" 2>err </dev/null
		is "$tier: $way: then there is nothing to do" "$?:$(grep -c 'no commit' err)" 0:1
	done
}
for_each_tier recover

# What runs unasked from then on is named, the rest is not.
name_hooks() {
	folder "$space/h"
	is "$tier: a commit names what others run later" "$("${cupel_run[@]}" --workspace "$space/h:overlay" \
		--on-exit commit -- sh -c 'mkdir -p .git/hooks; echo x | tee file >.git/hooks/pre-commit' 2>&1 </dev/null)" \
		'cupel: committed .git/hooks/pre-commit, which others run later: git hook'
	holds "$tier: and commits it" test -f "$space/h/.git/hooks/pre-commit" -a -f "$space/h/file"
}
for_each_tier name_hooks
done_testing
