#!/bin/bash
# Where something was measured is kept with it, and nothing is compared across
# environments without a word. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
small small
echo 'test report { command = { "cat", "report.xml" } }' >>small/cupel.conf
echo '<testsuite><testcase name="a" file="a.c"/></testsuite>' >small/report.xml
commit small
cd small || exit 1
cpus=$(nproc)

serve
"$cupel" test >/dev/null 2>&1
"$cupel" bench --runs 1 >/dev/null 2>&1
here=$(rows 'SELECT hash FROM environments')
is 'one environment, by the hash of its text' "$here" "$(rows 'SELECT facts FROM environments' | head -c -1 | sha256sum | cut -d ' ' -f 1)"
is 'which sessions and runs of tests name' \
	"$(rows 'SELECT DISTINCT env_hash FROM sessions UNION SELECT env_hash FROM test_runs')" "$here"
is 'a case names its suite, and its file where that is told' \
	"$(rows 'SELECT suite, file FROM test_cases ORDER BY suite' | tr '\n' ' ')" 'answer| report|a.c '
rows 'SELECT facts FROM environments' >"$work/facts"
is 'the kernel is in it' "$(sed -n 's/^kernel: //p' "$work/facts")" "$(uname -sr)"
is 'the processors' "$(sed -n 's/^cpus: //p' "$work/facts")" "$cpus"
is 'the C library' "$(sed -n 's/^libc: //p' "$work/facts")" "$(getconf GNU_LIBC_VERSION)"
is 'the compiler' "$(sed -n 's/^compiler: //p' "$work/facts")" "$(cc --version | head -n 1)"
is 'Cupel itself' "$(sed -n 's/^cupel: //p' "$work/facts")" "$("$cupel" version | grep -o '[0-9.]*' | head -n 1)"
holds 'and that it was confined' grep -q '^confinement: .*NoNewPrivs 1 Seccomp 2' "$work/facts"
is 'what asked for that is no command of the workspace' \
	"$(rows "SELECT count(*) FILTER (WHERE command LIKE '%uname%'), count(*) > 0 FROM executions")" '0|1'
is 'each value of a benchmark is kept as it was' "$(rows "SELECT json_array_length(samples, '\$.\"spin.time\"'),
	json_extract(samples, '\$.\"spin.time\"[0]') = json_extract(metrics_json, '\$.\"spin.time\"')
	FROM performance_metrics")" '1|1'
holds 'a trend within one has no break' eval '! "$cupel" trend spin.time | grep -q before'

proofs() { rows "SELECT count(*) FROM experiments WHERE kind = 'validate'"; }
if "$cupel" improve --mode propose --seed 1 --json >../first 2>../said && [ "$cpus" -gt 1 ] &&
		taskset -cp 0 $$ >/dev/null; then
	is 'each pair that calibrated' "$(rows "SELECT count(*) = 2 * count(DISTINCT pair), min(pair), count(*) > 10, min(wall_ns) > 0
		FROM samples s JOIN experiments e ON e.id = experiment_id WHERE kind = 'calibrate'")" '1|0|1|1'
	is 'or proved' "$(rows "SELECT count(*) >= 2 * (SELECT pairs FROM experiments WHERE kind = 'validate')
		FROM samples s JOIN experiments e ON e.id = experiment_id WHERE kind = 'validate'")" 1
	is 'and what was observed' "$(rows "SELECT count(*), min(json_array_length(samples, '\$.\"spin.time\"')) > 5
		FROM performance_metrics m JOIN sessions s ON s.id = session_id WHERE kind = 'improve'")" '1|1'
	is 'a baseline names where it is of' "$(rows 'SELECT env_hash FROM baselines')" "$here"
	"$cupel" improve --mode propose --seed 1 --json >../again 2>../said
	is 'a verdict is known again where it was found' "$(jq -c '[.improvement, .change]' ../again) $(proofs)" \
		"$(jq -c '[.improvement, .change]' ../first) 1"
	unserve
	serve		# on one processor
	"$cupel" bench --runs 1 >/dev/null 2>&1
	there=$(rows "SELECT hash FROM environments WHERE hash <> '$here'")
	holds 'elsewhere is another environment' test -n "$there"
	"$cupel" trend spin.time >"$work/shown"
	holds 'a trend marks the break' grep -Eq -- "-- before: +cpus was $cpus\$" "$work/shown"
	holds 'and sums up what is of the newest' grep -q '^1 values in this environment' "$work/shown"
	is 'the report has both' "$("$cupel" trend spin.time --json | jq -r '.environments[].environment' | sort)" \
		"$(printf '%s\n' "$here" "$there" | sort)"
	# As if that campaign had been cut short where it was.
	"$cupel" call store.session "{\"workspace\": \"$PWD\", \"kind\": \"improve\", \"seed\": 1,
		\"environment\": \"$here\", \"options\": {\"base\": \"$(git rev-parse HEAD)\"}}" >/dev/null
	"$cupel" improve --mode propose --seed 1 --json >../there 2>../said
	is 'elsewhere it is proven anew' "$(jq -c '[.resumed, .improvement]' ../there) $(proofs)" '[false,2] 2'
	taskset -cp "0-$((cpus - 1))" $$ >/dev/null
else
	skip 'a second environment' "$cpus processors; $(<../said)"
fi
done_testing
