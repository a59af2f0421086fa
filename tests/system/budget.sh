#!/bin/bash
# A budget is kept, and nothing is taken for decided that is not: a proof that
# it cuts short changes nothing, and the next one has half the share of false
# accepts. Counted in runs, so that it is the same on every machine. One of time is
# counted by a clock that nobody sets. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve || { not_ok 'a supervisor starts'; done_testing; exit; }
small small
commit small
cd small || exit 1

improve() { # OPTION...: leaves ../report, and $code
	code=0
	"$cupel" improve --json "$@" >../report 2>../said || code=$?
}
report() { # JQ
	jq -c "$1" ../report
}
before=$(sha256sum spin.sh; git rev-parse HEAD)

# Half of what is left after calibrating and observing is not enough for the
# first round of a race, and not for ten pairs: the search's leader is proved.
improve --mode auto --seed 1 --budget runs=60
if grep -q 'too noisy to decide by' ../said; then
	skip 'a budget that ends in the proof' "$(<../said)"
	done_testing
	exit
fi
is 'a proof that is cut short is undecided' \
	"$code $(report '[.change, .decision.verdict, .decision.pairs < 10, .budget_spent, .found]')" \
	'1 ["count: 30000 to 7500","undecided",true,true,false]'
is 'in a sentence' "$(report .decision.reason)" \
	'"the budget was spent before there was a decision; nothing was changed"'
is 'nothing was changed' "$(sha256sum spin.sh; git rev-parse HEAD)$(git status --porcelain)" "$before"
is 'the proposal stands, without a verdict' \
	"$(rows 'SELECT i.status, e.kind, e.verdict IS NULL FROM improvements i
		JOIN experiments e ON e.improvement_id = i.id')" 'proposed|validate|1'
runs=$(rows "SELECT count(*) FROM executions WHERE command LIKE 'sh spin.sh%'")
holds "of 60 runs, and a pair, all but a pair are used: $runs" test "$runs" -ge 58 -a "$runs" -le 62

improve --mode approve --seed 2
if grep -q 'too noisy to decide by' ../said; then
	skip 'a proof anew' "$(<../said)"
else
	is 'the next campaign proves it anew, at half the share' \
		"$code $(report '[.change, .decision.verdict, .status]') $(rows "SELECT
			json_extract(plan, '\$.alpha') FROM experiments
			WHERE verdict = 'accept' AND kind = 'validate'")" \
		'0 ["count: 30000 to 7500","accept","approved"] 0.005'
fi

# ---- an hour more and an hour less on the wall clock are no time ----

if ! clock_may_be_set; then
	skip 'the wall clock is set' "$why_not"
	done_testing
	exit
fi
cd .. && small other && commit other && cd other || exit 1
improve --mode auto --seed 1 --budget time=30m &
for by in 3600 -7200 3600; do
	sleep 4
	holds "the clock set by $by s" set_clock $by
done
wait $!
if grep -q 'too noisy to decide by' ../said; then
	skip 'a campaign meanwhile' "$(<../said)"
else
	is 'a campaign of half an hour, that takes minutes, ends well' \
		"$(report '[.change, .decision.verdict, .status]')" \
		'["count: 30000 to 7500","accept","applied"]'
	is 'no pair was held against either side' \
		"$(rows "SELECT count(*) FROM samples JOIN experiments e ON e.id = experiment_id
			WHERE valid = 0 AND session_id = (SELECT max(session_id) FROM experiments)")" 0
fi
done_testing
