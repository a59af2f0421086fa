#!/bin/bash
# As many cases as are read, and more output than the memory of a call: what a run
# brings is given back with the run. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh
mkdir -p "$work/ws" && cd "$work/ws" || exit 1
serve

cat >cupel.conf <<'END'
test unit { command = "cat cases.xml"  format = junit }
benchmark loud {
	command = "cat out"
	metric time { from = time }
}
END
{
	echo '<testsuite>'
	seq -f "<testcase name='case %g' file='src/part/file.c'/>" 20000
	echo '</testsuite>'
} >cases.xml
yes 'a line that a benchmark prints' | head -c 700000 >out

"$cupel" test --json >../report 2>../said
is 'twenty thousand cases with their files are read' \
	"$? $(jq -r '[.passed, .failed, .cases[19999].name, .cases[0].file] | join(" ")' ../report)" \
	'0 20000 0 unit: case 20000 src/part/file.c'
is 'and kept' "$(rows "SELECT json_extract(totals, '\$.passed') FROM test_runs")" 20000
"$cupel" bench --runs 60 --json >../report 2>../said
is 'sixty runs that print 700 KB' \
	"$? $(jq -r '.benchmarks[0].metrics[0].runs' ../report)" '0 60'

small . && echo 'test unit { command = "cat cases.xml"  format = junit }' >>cupel.conf
commit .
"$cupel" improve --json >../report 2>../said
code=$?
if grep -q 'too noisy' ../said; then
	skip 'a campaign with twenty thousand cases' "$(<../said)"
else
	is 'a campaign with twenty thousand cases comes to its end' \
		"$((code <= 1)) $(jq -r '.tests.passed, .decision.verdict != null' ../report | paste -s)" \
		$'1 20000\ttrue'
	is 'and each run of its tests is kept' "$(rows "SELECT count(*) >= 6,
		sum(json_extract(totals, '\$.passed') < 19999) FROM test_runs
		WHERE commit_id IS NOT NULL")" '1|0'
	[ -s ../report ] || sed 's/^/# /' ../said
fi
done_testing
