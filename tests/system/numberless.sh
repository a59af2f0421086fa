#!/bin/bash
# A benchmark that ends well and prints no number has failed: as a setting of the
# search it is told and loses, and what was applied before its pattern was changed is
# left as it is. What a run costs is what it prints, so nothing hangs on the
# machine. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve || { not_ok 'a supervisor starts'; done_testing; exit; }
small ws
cat >ws/spin.sh <<'END_OF_PROGRAM'
COUNT=30000
MODE=good
case $COUNT in
7500) echo done ;;
8000) echo "cost nan" ;;
9000) echo "cost -9000" ;;
*) echo "cost $COUNT" ;;
esac
echo $MODE
END_OF_PROGRAM
sed -i -e 's/metric time.*/metric cost { from = stdout  pattern = "^cost ([0-9a-z-]+)" }/' \
	-e 's/sh spin.sh)/sh spin.sh | tail -n 1)/' \
	-e 's/values = { 7500,/values = { 7500, 8000, 9000, 15000,/' ws/cupel.conf
commit ws
cd ws || exit 1

"$cupel" improve --mode auto --seed 1 --json >../report 2>../said
is 'the campaign goes on, and the best that has a number is applied' \
	"$? $(jq -c '[.change, .status]' ../report)$(<../said)" '0 ["count: 30000 to 15000","applied"]'
of() { # COUNT: how its trial ended, and why
	jq -r --arg count "$1" '.trials[] | select(.setting == "count: 30000 to " + $count) |
		.outcome + ": " + .reason' ../report
}
is 'what prints none is told so' "$(of 7500)" \
	"crash: benchmark spin: metric cost: '^cost ([0-9a-z-]+)' finds no number in what the benchmark wrote; see its output and mend the pattern"
is 'what is no number, too' "$(of 8000)" 'crash: benchmark spin: metric cost: nan is no measurement'
is 'and a negative' "$(of 9000)" 'crash: benchmark spin: metric cost: -9000 is no measurement'
is 'these trials are kept' "$(rows 'SELECT count(*) >= 3, count(cost) FROM trials WHERE outcome = 2')" '1|0'
is 'and learnt from' "$("$cupel" lessons --json | jq -c '[.lessons[] | select(.scope == "knob") | .statement | select(test("^count"))] | sort')" \
	'["count=7500: the benchmark fails","count=8000: the benchmark fails","count=9000: the benchmark fails"]'

# Of a commit its own cupel.conf says how it is built, but HEAD's how it is measured.
sed -i 's/"cost \$COUNT"/"price $COUNT"/' spin.sh
sed -i 's/\^cost/^price/' cupel.conf
git -c user.name=test -c user.email=test@localhost commit -qam 'another format'
"$cupel" improve --mode approve --seed 2 --budget runs=1 --json >../report 2>../said
is 'another format: the campaign goes on' "$?$(<../said)" 1
is 'what was applied is not compared any more, and left' "$(jq -c '.watched[0] | [.rolled_back, (.state |
	test("^not to be compared any more: the unchanged program: benchmark spin: metric cost: .*finds no number"))]' ../report)" \
	'[false,true]'

sed -i 's/"price \$COUNT"/"price nan"/' spin.sh
git -c user.name=test -c user.email=test@localhost commit -qam 'no number'
"$cupel" improve --mode observe >../out 2>../said
is 'the unchanged program has to have one' \
	"$? $(wc -l <../said) $(grep -c 'the unchanged program: benchmark spin: metric cost:' ../said)" '65 1 1'
done_testing
