#!/bin/bash
# Settings that cheat instead of being better: each value of one knob is a way
# to, and what becomes of each is looked at. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve
mkdir -p ws/tests && cd ws || exit 1
cat >program.sh <<'END'
work() { i=$((80000 * skipped / 4)); while [ $i -lt 80000 ]; do i=$((i + 1)); done; }
END
cat >fake.c <<'END'
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *ret) { (void)clock; *ret = (struct timespec){ 0 }; return 0; }
int gettimeofday(struct timeval *ret, void *zone) { (void)zone; *ret = (struct timeval){ 0 }; return 0; }
time_t time(time_t *ret) { if (ret) *ret = 0; return 0; }
int getrusage(__rusage_who_t who, struct rusage *ret) { (void)who; *ret = (struct rusage){ 0 }; return 0; }
clock_t clock(void) { return 0; }
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
clock)	# clocks of its own
	cc -shared -fPIC -o fake.so fake.c || exit
	echo 'export LD_PRELOAD=$PWD/fake.so; date +%Y >&2' >>made.sh ;;
hidden)	# most of the work, and more, by processes that nobody waits for
	echo "skipped=3; perl -e '\$SIG{CHLD} = q(IGNORE); fork or exec qw(sh -c), q(. ./program.sh; work; work; work); wait'" >>made.sh ;;
stops)	# its runs are to be set aside
	echo '( sleep 0.05; kill -CONT $PPID ) & kill -STOP $PPID; skipped=2' >>made.sh ;;
esac
echo 'work; echo 42' >>made.sh
END
# What hangs is told from what is slow on a slow machine.
sh build.sh
start=$(date +%s%N)
sh made.sh >../said
limit=$((5 + 10 * ($(date +%s%N) - start) / 1000000000))s
rm made.sh
cat >cupel.conf <<END
protect = { "tests" }
build { command = "sh build.sh" }
test check { command = "sh tests/check.sh"  timeout = $limit }
benchmark bench {
	command = { "sh", "tests/bench.sh" }
	timeout = $limit
	metric time { from = cpu }
}
knob CHEAT {
	values = { none, tests, bench, gone, spoof, cache, hang, loose, nothing, clock }
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
is 'clocks of its own show nothing' "$(trial clock '[.outcome, .cost > 0.5]')" '["ok",true]'
cc -shared -fPIC -o ../fake.so fake.c
is 'control: others believe them' "$(LD_PRELOAD=$work/fake.so date +%Y)" 1970

# ---- what only a proof can tell, one after the other ----

sed -i 's/values = {.*/values = { none, hidden, stops }/' cupel.conf
sed -i s/80000/30000/g program.sh
git -c user.name=t -c user.email=t@localhost commit -qam proofs
proof() { # SEED: what became of it
	"$cupel" improve --mode approve --seed "$1" --json >../report 2>../said
	jq -c '[.change, .decision.verdict, .decision.reason, .status, .commit]' ../report
	! grep 'too noisy' ../said
}
is 'processor time that nobody was told of is for a person to look at' "$(proof 2)" \
	'["CHEAT: none to hidden","review","implausible","proposed",null]'
id=$(jq .improvement ../report)
is 'who can approve it' "$("$cupel" approve "$id" 2>&1)" "improvement $id is approved; 'cupel apply $id' commits it"
"$cupel" reject "$id" >../out
is 'who has its slow runs set aside wins nothing by it' "$(proof 3)" \
	'["CHEAT: none to stops","reject","invalid-rates","rejected",null]'

# ---- what nobody's build or test can reach ----

job() { # COMMAND: its exit status
	"$cupel" call job "$(jq -nc --arg c "$1" '{argv: ["sh", "-c", $c]}')" | jq .exit_code
}
is 'control: a command runs' "$(job 'test -e /bin/sh')" 0
is 'the database' "$(job "cat '$CUPEL_STATE/store/cupel.db'")" 1
is 'the log' "$(job "ls '$CUPEL_STATE/log'")" 2
is 'the sockets' "$(job "ls '$CUPEL_RUN'")" 2
done_testing
