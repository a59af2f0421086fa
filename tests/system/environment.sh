#!/bin/bash
# Where something was measured is kept with it, and nothing is compared across
# environments without a word. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
small small
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
rows 'SELECT facts FROM environments' >"$work/facts"
is 'the kernel is in it' "$(sed -n 's/^kernel: //p' "$work/facts")" "$(uname -sr)"
is 'the processors' "$(sed -n 's/^cpus: //p' "$work/facts")" "$cpus"
is 'the C library' "$(sed -n 's/^libc: //p' "$work/facts")" "$(getconf GNU_LIBC_VERSION)"
is 'the compiler' "$(sed -n 's/^compiler: //p' "$work/facts")" "$(cc --version | head -n 1)"
is 'Cupel itself' "$(sed -n 's/^cupel: //p' "$work/facts")" "$("$cupel" version | grep -o '[0-9.]*' | head -n 1)"
holds 'and that it was confined' grep -q '^confinement: .*NoNewPrivs 1 Seccomp 2' "$work/facts"
is 'what asked for that is no command of the workspace' \
	"$(rows "SELECT count(*) FILTER (WHERE command LIKE '%uname%'), count(*) > 0 FROM executions")" '0|1'
holds 'a trend within one has no break' eval '! "$cupel" trend spin.time | grep -q before'

proofs() { rows "SELECT count(*) FROM experiments WHERE kind = 'validate'"; }
if "$cupel" improve --mode propose --seed 1 --json >../first 2>../said && [ "$cpus" -gt 1 ] &&
		taskset -cp 0 $$ >/dev/null; then
	is 'so does a baseline' "$(rows 'SELECT env_hash FROM baselines')" "$here"
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
