#!/bin/bash
# What was applied is watched on while it is in force, in the time there is, and
# whatever has become of its files. What a run costs is what it prints. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve || { not_ok 'a supervisor starts'; done_testing; exit; }
small ws
cat >ws/spin.sh <<'END_OF_PROGRAM'
COUNT=30000
MODE=good
echo "cost $COUNT"
echo $MODE
END_OF_PROGRAM
sed -i -e 's/metric time.*/metric cost { from = stdout  pattern = "^cost ([0-9]+)" }/' \
	-e 's/test \\"$(sh spin.sh)/sleep 0.5; test \\"$(sh spin.sh | tail -n 1)/' ws/cupel.conf
commit ws
cd ws || exit 1
amend() {
	git -c user.name=test -c user.email=test@localhost commit -qam changed
}
improve() { # OPTION...: leaves ../report, and $code
	code=0
	"$cupel" improve --json "$@" >../report 2>../said || code=$?
}
watched() {
	jq -c '[.watched[].improvement]' ../report
}

improve --mode auto --seed 1
is 'what is committed is watched at once' "$code $(jq -r .change ../report) $(watched)$(<../said)" \
	'0 count: 30000 to 7500 [1]'
sed -i 's/values = { 7500,/values = { 1500, 7500,/' cupel.conf && amend
improve --mode auto --seed 1
is 'what was before is watched once, and then what is new alone' \
	"$code $(jq -r .change ../report) $(watched)$(<../said)" '0 count: 7500 to 1500 [1,2]'
is 'each look has its pairs' "$(rows "SELECT improvement_id, count(*), json_extract(plan, '\$.metric')
	FROM experiments e JOIN samples ON experiment_id = e.id AND valid WHERE kind = 'watch'
	GROUP BY e.id" | tr '\n' ' ')" '1|20|cost 1|20|cost 2|20|cost '
improve --mode approve --seed 2 --budget runs=1
is 'what a later one has changed again is not watched any more' "$(watched)" '[2]'
is 'and nothing that was measured is forgotten' "$(jq -c '.watched[0] | [.state, .pairs]' ../report)" '["quiet",20]'
improve --mode approve --seed 2 --budget time=1s
is 'without time for it that is said' "$(watched) $(jq .not_watched ../report)" '[] 1'

# A run takes half a second at least, so 34 of them leave 17 of these 34 s at most, in
# half of which no ten pairs can be run; in all of it they could.
sed -i 's/command = { "sh", "spin.sh" }/command = "sleep 0.5; sh spin.sh"/' cupel.conf && amend
improve --mode approve --seed 2 --budget time=34s
if [ "$(jq .not_watched ../report)" = null ]; then
	pairs=$(rows "SELECT count(*) FROM samples WHERE arm = 'base' AND experiment_id =
		(SELECT max(id) FROM experiments WHERE kind = 'watch')")
	holds "half of the time is left for the search: $pairs pairs" test "$pairs" -ge 1 -a "$pairs" -lt 10
	is 'and what was measured by then is judged and counts' \
		"$(jq -c '.watched[0] | [.state, .pairs]' ../report)" "[\"quiet\",$((20 + pairs))]"
else
	skip 'half of the time' 'this machine takes more than 34 s for 34 runs'
fi
sed -i 's/command = "sleep 0.5; sh spin.sh"/command = { "sh", "spin.sh" }/' cupel.conf && amend

# By another metric the old pairs say nothing, least of all by one that is better higher.
sed -i 's/metric cost {/metric rate { better = higher /' cupel.conf && amend
improve --mode approve --seed 3 --budget runs=1
is 'by another metric it is watched anew' "$(jq -c '.watched[0] | [.pairs, .rolled_back]' ../report)" '[10,false]'

# It fails by now, and cannot be taken back: its file is another one.
sed -i 's/COUNT=1500/COUNT=1502/' spin.sh
sed -i -e 's/values = { 1500,/values = { 1502,/' \
	-e 's/command = { "sh", "spin.sh" }/command = "sh spin.sh; ! grep -q COUNT=1500 spin.sh"/' cupel.conf && amend
before=$(git rev-parse HEAD)
improve --mode approve --seed 4 --budget runs=1
is 'what cannot be taken back is left, and the campaign goes on' \
	"$code $(jq -c '.watched[0] | [.rolled_back, (.state |
		test("^its benchmark fails, which did not before, and is not taken back: .*spin.sh has changed since"))]' ../report)$(<../said)" \
	'1 [false,true]'
is 'it is applied as before' "$("$cupel" show 2 --json | jq -r .status) $(git rev-parse HEAD)" "applied $before"
cd ..

# What turns out worse at once is taken back by the campaign that committed it.
small new
cat >new/spin.sh <<'END_OF_PROGRAM'
COUNT=30000
MODE=good
echo "cost $COUNT"
echo $MODE
END_OF_PROGRAM
sed -i -e 's/metric time.*/metric cost { from = stdout  pattern = "^cost ([0-9]+)" }/' \
	-e 's/test \\"$(sh spin.sh)/test \\"$(sh spin.sh | tail -n 1)/' new/cupel.conf
echo "test ended { command = \". ./spin.sh; sleep $token.\$COUNT; test \$? = 143\" }" >>new/cupel.conf
commit new
cd new || exit 1
regresses() { # COUNT PID: the new one does, as soon as it is committed
	[ "$1" = 7500 ] && [ "$(git rev-list --count HEAD)" != 1 ]
}
code=0
judge regresses improve --mode auto --seed 1 --json || code=$?
is 'what turns out worse at once is taken back, and nothing was found' \
	"$code $(jq -c '[.status, .found, (.watched[] | .state, .rolled_back)]' ../report)" \
	'1 ["rolled_back",false,"tests fail that passed before",true]'
[ -s ../report ] || sed 's/^/# /' ../said
is 'as the store has it' "$("$cupel" show "$(jq .improvement ../report)" --json | jq -r .status)" rolled_back
done_testing
