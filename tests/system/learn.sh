#!/bin/bash
# What a campaign leaves behind, and what the next one makes of it: commands,
# runs of tests and their cases, lessons, and how far confidence was worth its
# word. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve
small small
commit small
cd small || exit 1

# A machine too busy to measure on is refused, in words: that is no mistake.
improve() { # OPTION...: leaves ../report
	code=0
	"$cupel" improve --json "$@" >../report 2>../said || code=$?
	! grep -q 'too noisy to decide by' ../said
}
report() { # JQ
	jq -c "$1" ../report
}
stats() { # JQ
	"$cupel" stats --json | jq -c "$1"
}
tried='([.trials[].setting | select(test("bad"))] | length > 0)'

# Cut short, it goes on where it was if it is begun again with its seed.
"$cupel" improve --mode propose --seed 1 >../cut 2>&1 &
asked=$!
for _ in $(seq 600); do
	[ "$(rows 'SELECT count(*) > 0 FROM trials' 2>/dev/null)" = 1 ] && break
	kill -0 $asked 2>/dev/null || break
	sleep 0.1
done
kill -INT $asked
wait $asked
cut=$?
trials=$(rows 'SELECT count(*) FROM trials')
grep -q 'too noisy to decide by' ../cut || is 'Ctrl-C ends it' $cut 130

# As if there had been nineteen decisions: the twentieth is checked by equals.
session=$("$cupel" call store.session "{\"workspace\": \"$PWD\", \"kind\": \"test\"}" | jq .session)
for _ in $(seq "${LEARN_DECISIONS:-19}"); do
	"$cupel" call store.experiment "{\"session\": $session, \"kind\": \"validate\", \"plan\": {}}"
done >../experiments

if improve --mode propose --seed 1; then
	is 'one decision in twenty is of equals, and how it ended is told' \
		"$(stats .self_checks) $("$cupel" stats | grep -c '^self-checks  *1 of equals, of which [01] were called better')" '1 1'
	is 'a gain is proven' "$code $(report .change)" '0 "count: 30000 to 7500"'
	is 'with what was tried before it was cut short' \
		"$(report .resumed) $((trials > 0)) $(rows 'SELECT count(DISTINCT session_id) FROM trials')" 'true 1 1'
	is 'no private copy is left' "$(ls .git/cupel)" ''
	is 'the trap was tried' "$(report "$tried")" true
	is 'commands, tests and cases are kept' \
		"$(stats '.executions > 80, .test_runs >= 5, .test_cases >= .test_runs' | tr '\n' ' ')" \
		'true true true '
	is 'each with its end' "$(rows 'SELECT count(*) FROM executions WHERE cause IS NULL
		OR wall_ns IS NULL OR user_ns IS NULL OR rss_bytes IS NULL')" 0
	is 'the run of tests that failed' "$(rows "SELECT DISTINCT c.outcome FROM test_cases c
		JOIN test_runs r ON r.id = c.test_run_id WHERE r.name = 'mode: good to bad'")" failed
	is 'what the base takes is kept' "$(rows "SELECT count(*) FROM baselines
		WHERE commit_id = '$(git rev-parse HEAD)'
		AND json_extract(metrics, '\$.\"CPU time\".level') > 0")" 2
	is 'what failed is a lesson' "$("$cupel" lessons --json |
		jq -c '[.lessons[] | select(.scope == "knob") | .statement]')" '["mode=bad: a test fails"]'
	is 'its source is proven once' \
		"$(stats '.sources[0] | [.source, .proposed, .accepted, .applied]')" '["tuner",1,1,0]'

	"$cupel" reject 1 --reason 'not this one' >../rejected
	is 'what was rejected is a lesson' "$("$cupel" lessons --json | jq -c \
		'.lessons[] | select(.scope == "setting") | [.statement, .evidence.status]')" \
		'["count: 30000 to 7500","rejected"]'
else
	skip 'a first campaign' "$(<../said)"
fi

if [ -s ../rejected ] && improve --mode propose --seed 2; then
	is 'neither is tried again' "$code $(report "$tried, .improvement, .found" | tr '\n' ' ')" \
		'1 false null false '
	is 'and that is said' "$(report '.lessons | sort')" \
		'["count: 30000 to 7500","mode=bad: a test fails"]'
	"$cupel" lessons | grep -o '^ *[0-9][0-9]*' | while read -r id; do
		"$cupel" lessons --forget "$id"
	done >../forgotten
	is 'a lesson can be taken back' "$(sort ../forgotten | tr '\n' ';')$("$cupel" lessons --json | jq -c .lessons)" \
		'forgotten: count: 30000 to 7500;forgotten: mode=bad: a test fails;[]'
else
	skip 'a second campaign' "$(<../said)"
fi

if [ -s ../forgotten ] && improve --mode propose --seed 3 --rounds 3; then
	is 'then it is tried again' "$(report "$tried")" true
	is 'and no more settings than asked for' "$(report '[.search.evaluations, .search.stopped]')" '[3,"budget"]'
	is 'the verdict of the same change stands' "$(report '.known.verdict')" '"accept"'
else
	skip 'a third campaign' "$(<../said)"
fi
"$cupel" improve --mode propose --seed 5 --budget runs=1 >../out 2>../said
code=$?
grep -q 'too noisy' ../said || is 'no more runs than asked for, and that is said' \
	"$code $(grep -c '^found .*before the --budget was spent' ../out)" '1 1'
is 'no such lesson' "$("$cupel" lessons --forget 99 2>&1 | grep -c 'no such lesson')" 1

sqlite3 "$CUPEL_STATE/store/cupel.db" "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n
	WHERE i < 60) INSERT INTO improvements (workspace, suggestion_type, source, description, hash)
	SELECT '$PWD', 'caching', 's', 'd', 'made ' || i FROM n"
all=$(rows 'SELECT count(*) FROM improvements')
is 'a list that is cut says so' "$("$cupel" improvements | grep -c "^the first 50 of $all;") $("$cupel" \
	improvements --json | jq -c '[.count, (.improvements | length)]')" "1 [$all,50]"
is 'and how to have more' "$("$cupel" call store.improvements '{"limit": 99}' |
	jq '.improvements | length')" "$all"
sqlite3 "$CUPEL_STATE/store/cupel.db" "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n
	WHERE i < 60) INSERT INTO lessons (workspace, scope, statement) SELECT '$PWD', 'knob', 'made ' || i
	FROM n; WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 60)
	INSERT INTO bottlenecks (workspace, metric_name, current_value, target_value, severity,
	impact_score, description) SELECT '$PWD', 'b.m' || i, 2, 1, 'low', 1, 'd' FROM n"
for list in lessons bottlenecks; do
	all=$(rows "SELECT count(*) FROM $list$([ $list = lessons ] || echo ' WHERE resolved = 0')")
	is "$list, too" "$("$cupel" $list | grep -c "^the first 50 of $all;") $("$cupel" call store.$list \
		'{"limit": 99}' | jq ".$list | length")" "1 $all"
done
is 'the working tree is as it was' "$(git status --porcelain)$(git rev-list --count HEAD)" 1
done_testing
