#!/bin/bash
# A test that is held out is run of the base and to prove, never to search: what
# it is not asked of has not lost it, and what it fails is not proven. What a
# run costs is what it prints, so that nothing here hangs on the machine. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve
held() { # DIRECTORY COMMAND: improves it, with that test held out
	small "$1"
	sed -i -e '$s/.*/echo $MODE; echo cost $COUNT/' -e '/^i=/,/^while/d' "$1/spin.sh"
	sed -i -e 's/metric time.*/metric cost { from = stdout  pattern = "^cost ([0-9]+)" }/' \
		-e 's/sh spin.sh)/sh spin.sh | head -n 1)/' "$1/cupel.conf"
	echo "test held { holdout = true  command = \"$2\" }" >>"$1/cupel.conf"
	commit "$1"
	"$cupel" improve "$1" --mode approve --seed 1 --json >report 2>said
}
runs() { # DIRECTORY: how often the one that is held out ran, and the other oftener
	rows "SELECT count(*) FILTER (WHERE c.name = 'held'), count(*) FILTER (WHERE c.name = 'answer') >
		count(*) FILTER (WHERE c.name = 'held') FROM test_cases c JOIN test_runs r ON r.id = c.test_run_id
		JOIN sessions s ON s.id = r.session_id WHERE s.workspace = '$work/$1'"
}
held passes 'sh spin.sh | grep -q cost'
is 'what passes it is proven' "$? $(jq -r '.status, .change' report | xargs)" '0 approved count: 30000 to 7500'
[ -s report ] || sed 's/^/# /' said
is 'it runs thrice of the base and once to prove' "$(runs passes)" '4|1'
held fails 'grep -q COUNT=30000 spin.sh'
is 'what fails it is rejected' "$? $(jq -r '.status, .decision.reason' report | xargs)" \
	'1 rejected 1 tests failed, 0 vanished, 0 were skipped that passed before; first: held'
is 'having led until then' "$(runs fails)" '4|1'
done_testing
