#!/bin/bash
# Settings that build the same are measured once, and what only the build may
# read is not there for what was built. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve
mkdir made
cat >made/build.sh <<'END'
case $LEVEL in two) count=7500 ;; *) count=30000 ;; esac
cat >made.sh <<DONE
i=0
while [ \$i -lt $count ]; do i=\$((i + 1)); done
echo \${LEVEL-unset} \${NICE-unset}
DONE
END
cat >made/cupel.conf <<'END'
build { command = "sh build.sh" }
test unseen { command = "test \"$(sh made.sh | cut -d' ' -f1)\" = unset" }
test seen { command = "test \"$(sh made.sh | cut -d' ' -f2)\" != unset" }
benchmark spin {
	command = { "sh", "made.sh" }
	metric time { from = cpu }
}
knob LEVEL { values = { zero, one, two }  current = zero  build_only = true }
knob NICE { values = { yes, no }  current = no }
improve { gain = 40 }
END
commit made
cd made || exit 1
"$cupel" improve --mode propose --seed 1 --json >../report 2>../said
code=$?
if grep -q 'too noisy to decide by' ../said; then
	skip 'what builds the same' "$(<../said)"
	done_testing
	exit
fi
[ $code -eq 0 ] || sed 's/^/# /' ../said
trial() { # SETTING
	jq -c --arg s "$1" '.trials[] | select(.setting == $s) | [.outcome, .reused, .cost == 1]' ../report
}
is 'what builds what the base is costs nothing' "$(trial 'LEVEL: zero to one')" '["ok",true,true]'
is 'what builds something else is measured' "$(trial 'LEVEL: zero to two')" '["ok",false,false]'
is 'so is what may be read while it runs' \
	"$(jq -c '[.trials[] | select((.setting | test("NICE")) and .reused)]' ../report)" '[]'
is 'and that is counted' "$(jq -c '[.search.reused >= 1, .search.evaluations + .search.reused]' ../report)" '[true,6]'
is 'the gain is found' "$code$(jq -r '.change | test("LEVEL: zero to two")' ../report)" 0true
is 'of the first decisions none is of equals' "$("$cupel" stats --json | jq -c '[.decisions, .self_checks]')" '[1,0]'
is 'tests see only what may be seen' "$(jq -c '[.tests.passed, .tests.failed]' ../report)" '[2,0]'

# ---- applied by hand ----

id=$(jq .improvement ../report) before=$(git rev-parse HEAD)
"$cupel" approve "$id" >../out && "$cupel" apply "$id" >../applied
is 'applied to a branch of its own, as the new standard of its knob' \
	"$?$(git diff --name-only HEAD "cupel/improve-$id") $(git rev-parse "cupel/improve-$id^")" "0cupel.conf $before"
is 'and nothing else is touched' "$(git rev-parse HEAD)$(git status --porcelain)" "$before"
is 'that is told' "$(head -n 1 ../applied)" \
	"improvement $id is $(git rev-parse --short=12 "cupel/improve-$id") on cupel/improve-$id"
"$cupel" apply "$id" >../applied
is 'twice is once' "$?$(head -n 1 ../applied)" \
	"0improvement $id is $(git rev-parse --short=12 "cupel/improve-$id")"
"$cupel" rollback "$id" >../out
is 'taken back on its branch' "$?$(git rev-parse "cupel/improve-$id^^")$(git diff HEAD "cupel/improve-$id")" "0$before"
"$cupel" reject "$id" 2>../said
is 'what was taken back is not rejected as well' "$?$(grep -c 'was taken back, which counts as much' ../said)" 651
done_testing
