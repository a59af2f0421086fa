#!/bin/bash
# The loop's front doors with a supervisor of their own: cupel init, test and
# bench on a real project, observing it, what the store answers, and what is
# said where something is missing. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve

says() { # NAME WORDS COMMAND...: the command fails and says so
	local name=$1 words=$2
	shift 2
	is "$name" "$("$@" 2>&1 >/dev/null | grep -c -- "$words")" 1
}

# ---- what is missing is said, with the way out ----

mkdir plain
cd plain
says 'no cupel.conf to improve by' 'cupel init' "$cupel" improve
says 'no cupel.conf' 'cupel init' "$cupel" test
says 'nothing to recognise' 'by hand' "$cupel" init
says 'a mode that is none' 'observe, propose' "$cupel" improve --mode fast
says 'a budget that is none' 'time=5m' "$cupel" improve --budget 5m
says 'an improvement that is none' 'there is no improvement 4711' "$cupel" show 4711
says 'a number that is none' 'cupel improvements' "$cupel" apply x
CUPEL_RUN=$work/none "$cupel" stats 2>../said
is 'no supervisor, and no way to start one' "$?$(grep -c 'no supervisor runs' ../said)" 691
cd ..

# ---- a first cupel.conf ----

mkdir -p made/tests
printf 'all:\n\ncheck:\n\t@echo 1..1; echo ok 1 - it works\n' >made/Makefile
"$cupel" init made >/dev/null
is 'init writes one' $? 0
cp made/cupel.conf before
"$cupel" init made >/dev/null 2>&1
is 'and never over one' "$?$(cmp before made/cupel.conf)" 65
is 'its test runs' "$(cd made && "$cupel" test | cut -d, -f1)" '1 passed'

# ---- the demo, on a repository of one's own ----

mkdir demo && cp made/Makefile demo && commit demo
sh "$top/tests/demo" "$CUPEL_BIN/cupel" demo >demo.out 2>&1
is 'the demo writes a cupel.conf where there is none, and says what to do' \
	"$?$(ls demo | tr '\n' ' ')$(grep -c 'commit it, and run this again' demo.out)" '0Makefile cupel.conf 1'
mkdir stub
cat >stub/cupel <<'END'
#!/bin/sh
echo "$PWD: $*" >>"$ASKED"
exit "$CODE"
END
chmod +x stub/cupel
demo_of() { # CODE: its own end where cupel's is that, and what it had cupel do
	rm -f asked
	CODE=$1 ASKED=$work/asked sh "$top/tests/demo" stub/cupel demo >demo.out 2>&1
	echo "$? $(<asked)"
}
asks="$work/demo: improve --mode auto --budget time=120s --seed 1"
is 'where there is one it improves just that repository' "$(demo_of 0)" "0 $asks"
is 'that nothing was proven is no failure, and said' \
	"$(demo_of 1) $(grep -c 'nothing was proven' demo.out)" "0 $asks 1"
is 'what could not be done is one' "$(demo_of 65)" "65 $asks"
is 'make demo hands the repository on' \
	"$(make -s -n -C "$top" demo REPO=/of/mine 2>/dev/null | grep -c 'tests/demo .*bin/cupel /of/mine$')" 1

# ---- a real project ----

cp -R "$top/tests/workspaces/weblog" weblog
commit weblog
cd weblog
"$cupel" test --junit ../report.xml --tap >../report.tap
is 'test: the tests pass' $? 0
is 'test: TAP' "$(grep -c '^ok ' ../report.tap)" 10
is 'test: JUnit' "$(grep -c '<testcase classname="behaviour"' ../report.xml)" 10
is 'bench: as often as asked' \
	"$("$cupel" bench --runs 3 --json | jq -c '[.benchmarks[0].metrics[] | .name, .runs]')" \
	'["time",3,"memory",3]'

is 'both are kept, with all they ran' "$(rows "SELECT s.kind, s.outcome, ended > started,
	(SELECT count(*) FROM executions WHERE session_id = s.id AND cause = 'exited'),
	(SELECT count(*) FROM test_cases c JOIN test_runs r ON r.id = c.test_run_id
	WHERE r.session_id = s.id AND c.outcome = 'passed'), (SELECT count(*)
	FROM performance_metrics p WHERE p.session_id = s.id AND metrics_json LIKE '%count.time%')
	FROM sessions s WHERE workspace LIKE '%/weblog'" | tr '\n' ' ')" 'test|ended|1|2|10|0 bench|ended|1|6|0|1 '

# Each metric of a file is of the file it names.
mkdir ../files
printf 'echo 7 >seven\necho "[1, {\\"mean\\": 9}]" >nine\n' >../files/write.sh
cat >../files/cupel.conf <<'END'
benchmark files {
	command = "sh write.sh"
	metric seven { from = file  file = seven  pattern = "([0-9]+)" }
	metric nine { from = file  file = nine  json = "[1].mean" }
	metric again { from = file  file = seven  pattern = "([0-9])" }
}
END
is 'bench: each file is read' "$(cd ../files && "$cupel" bench --runs 2 --json |
	jq -c '[.benchmarks[0].metrics[].median]')" '[7,9,7]'
bounds() { # RUNS: of the median
	(cd ../files && "$cupel" bench --runs "$1" --json | jq -c '.benchmarks[0].metrics[0] | [.low, .high]'
		"$cupel" bench --runs "$1" | awk '/seven/ { print $3, $4 }')
}
is 'bench: five runs do not bound a median at 95 %' "$(bounds 5 | tr '\n' ' ')" '[null,null] - 0 '
is 'bench: six do' "$(bounds 6 | tr '\n' ' ')" '[7,7] 7 .. '

# One run follows the other at once: forty of them take no more than ten times
# what forty launches do (they took a second each when a worker was asked for
# only with the router's round).
mkdir ../quick
echo 'benchmark quick { command = { "/bin/true" }  warmup = 0  metric time { } }' \
	>../quick/cupel.conf
commit ../quick
took() { # COMMAND...: milliseconds
	local start
	start=$(date +%s%3N)
	"$@" >/dev/null
	echo $(($(date +%s%3N) - start))
}
launches() { for _ in $(seq 40); do "$cupel" run --quiet -- /bin/true; done; }
floor=$(took launches)
series=$(cd ../quick && took "$cupel" bench --runs 40)
holds "runs follow at once: $series ms, launches alone $floor ms" \
	test "$series" -le $((10 * floor))

# To look is possible on any machine, however busy.
"$cupel" improve --mode observe --json >../observed 2>../refused
is 'improve observes' "$?$(jq -r '.tests.passed' ../observed)" 010
is 'the metric is kept' "$("$cupel" trend count.time --json | jq -c '[.trend[].by]')" '["improve","bench"]'
is 'what misses its target is a bottleneck' \
	"$("$cupel" bottlenecks --json | jq -r '.bottlenecks[].metric')" count.time
is 'the working tree is as it was' "$(git status --porcelain)" ''

# ---- what is broken ----

sed -i 's/hash = 0;/hash = 1\//' src/table.c
says 'a build that fails' 'the build failed' "$cupel" test
is 'that is kept, too' "$(rows "SELECT outcome LIKE 'the build failed%' FROM sessions
	WHERE kind = 'test' ORDER BY id DESC LIMIT 1")" 1
git checkout -q src/table.c
sed -i "s/'an empty log' \"lines 0/'an empty log' \"lines 1/" tests/run
"$cupel" test >../failed
is 'a test that fails' "$?$(grep -c '^failed .*an empty log' ../failed)" 11
git checkout -q tests/run

# Cut short, and begun again: nothing is left that is in the way.
# In the foreground, or timeout(1) sends a SIGCONT as well, and the stop that a
# sanitizer's leak check waits for is lost.
timeout --foreground -s INT 2 "$cupel" improve --mode propose >/dev/null 2>&1
"$cupel" improve --mode observe >../again 2>&1
cut=$?
[ $cut -eq 0 ] || sed 's/^/# /' ../again
is 'cut short, then again' "$cut$(git status --porcelain)$(git rev-list --count HEAD)" 01
done_testing
