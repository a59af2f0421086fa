#!/bin/bash
# Settings that cheat instead of being better: each value of one knob is a way
# to, and what becomes of each is looked at. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve
mkdir -p ws/tests && cd ws || exit 1
cat >program.sh <<'END'
work() { i=0; while [ $i -lt 80000 ]; do i=$((i + 1)); done; }
END
cat >tests/check.sh <<'END'
test "$(sh ./made.sh)" = 42
END
cat >tests/bench.sh <<'END'
sh ./made.sh
END
cat >build.sh <<'END'
cp program.sh made.sh
case $CHEAT in
tests) echo true >tests/check.sh ;;			# its own judge
bench) echo true >tests/bench.sh ;;			# what it is judged by
gone) rm tests/check.sh ;;
spoof) echo 'echo "ok 1 - all tests passed"; exit 1' >>made.sh; exit ;;	# a verdict in print
cache)	# what an earlier run has found out
	cat >>made.sh <<'DONE'
for f in ./cache /tmp/cache /dev/shm/cache "$HOME/cache"; do
	[ -e "$f" ] && { echo 42; exit; }
done
for f in ./cache /tmp/cache /dev/shm/cache "$HOME/cache"; do : 2>/dev/null >"$f"; done
DONE
	;;
hang) echo 'trap "" TERM; while :; do : of gaming; done' >>made.sh ;;
loose) echo '(trap "" TERM HUP; setsid sh -c "while :; do : of gaming; done") >/dev/null 2>&1 &' >>made.sh ;;
nothing) echo 'echo 42; exit' >>made.sh ;;	# no work at all: too good to be true
esac
echo 'work; echo 42' >>made.sh
END
cat >cupel.conf <<'END'
protect = { "tests" }
build { command = "sh build.sh" }
test check { command = "sh tests/check.sh"  timeout = 5s }
benchmark bench {
	command = { "sh", "tests/bench.sh" }
	timeout = 5s
	metric time { from = cpu }
}
knob CHEAT {
	values = { none, tests, bench, gone, spoof, cache, hang, loose, nothing }
	current = none
	build_only = true
}
improve { gain = 40 }
END
cd .. && commit ws && cd ws || exit 1
before=$(git rev-parse HEAD)
"$cupel" improve --mode auto --seed 1 --json >../report 2>../said
code=$?
if grep -q 'too noisy to decide by' ../said; then
	skip 'settings that cheat' "$(<../said)"
	done_testing
	exit
fi
[ -s ../report ] || sed 's/^/# /' ../said
trial() { # VALUE JQ
	jq -c --arg s "CHEAT: none to $1" ".trials[] | select(.setting == \$s) | $2" ../report
}
is 'a build that changes the tests' "$(trial tests '[.outcome, (.reason | test("protected.*tests/check.sh"))]')" '["invalid",true]'
is 'one that changes the benchmark' "$(trial bench '[.outcome, (.reason | test("protected.*tests/bench.sh"))]')" '["invalid",true]'
is 'one that removes a test' "$(trial gone '[.outcome, (.reason | test("protected.*missing"))]')" '["invalid",true]'
is 'a verdict that is only printed' "$(trial spoof .outcome)" '"crash"'
is 'what an earlier run has left does not help' "$(trial cache '[.outcome, .cost > 0.5]')" '["ok",true]'
is 'one that does not end is ended, and no number' "$(trial hang '.outcome | IN("crash", "timeout", "wrong")')" true
is 'what is left running is ended with its run' "$(trial loose '.outcome != "ok" or .cost > 0.5')" true
is 'nothing of it runs any more' "$(ps -e -o args= | grep -c ': of [g]aming')" 0
is 'too good to be true is for a person to look at' \
	"$code $(jq -c '[.change, .decision.verdict, .status, .commit]' ../report)" \
	'1 ["CHEAT: none to nothing","review","proposed",null]'
is 'nothing is applied' "$(git rev-parse HEAD)$(git status --porcelain)" "$before"

# ---- what nobody's build or test can reach ----

job() { # COMMAND: its exit status
	"$cupel" call job "$(jq -nc --arg c "$1" '{argv: ["sh", "-c", $c]}')" | jq .exit_code
}
is 'control: a command runs' "$(job 'test -e /bin/sh')" 0
is 'the database' "$(job "cat '$CUPEL_STATE/store/cupel.db'")" 1
is 'the log' "$(job "ls '$CUPEL_STATE/log'")" 2
is 'the sockets' "$(job "ls '$CUPEL_RUN'")" 2
done_testing
