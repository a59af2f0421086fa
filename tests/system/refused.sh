#!/bin/bash
# What the loop cannot work with is said in one sentence with the way out, and
# nothing is changed by it. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve

print() { # DIRECTORY
	(cd "$1" && git rev-parse HEAD && git status --porcelain && git show-ref && git stash list &&
		find . -path ./.git -prune -o -type f -exec sha256sum {} + | sort)
}
# improve fails so, says so in one line, and leaves everything as it is.
refuses() { # NAME CODE WORDS OPTION...
	local name=$1 want=$2 words=$3 before after
	shift 3
	before=$(print .)
	"$cupel" improve "$@" >../out 2>../said
	local code=$?
	after=$(print .)
	is "$name" "$code $(wc -l <../said) $(grep -c -- "$words" ../said)" "$want 1 1"
	[ "$before" = "$after" ] || not_ok "$name: nothing is changed" "$after"
}
fresh() { # NAME: a small workspace, committed, and one is in it
	cd "$work" || exit
	small "$1"
	commit "$1"
	cd "$1" || exit
}
amend() {
	git -c user.name=test -c user.email=test@localhost commit -qam changed
}
noisy() {
	grep -q 'too noisy to decide by' ../said
}

# ---- a folder without git, and with it from now on ----

cd "$work" && mkdir begun elsewhere && cd begun || exit
said_of() { # what the tool says of it
	"$cupel" call --workspace . git.status '{}' 2>&1 | jq -c '[.repository, .head]'
}
"$cupel" call --workspace . git.snapshot '{}' >../out 2>&1
is 'a folder without git' "$(said_of | cut -d, -f1)" '[false'
git init -q -b main
git -c user.name=test -c user.email=test@localhost commit -q --allow-empty -m begun
is 'one that was begun is seen' "$(said_of)" "[true,\"$(git rev-parse HEAD)\"]"

cd "$work" && small linked && ln -s ../elsewhere linked/.cupel && cd linked || exit
"$cupel" improve >../out 2>../said
is 'a link is no folder of copies' "$?$(grep -c 'cupel is no folder; remove it' ../said)$(ls -A ../elsewhere)" 11
cd "$work" && small within && commit within && ln -s ../../elsewhere within/.git/cupel && cd within || exit
"$cupel" improve >../out 2>../said
is 'nor within .git' "$?$(ls -A ../elsewhere)" 1

# ---- what is missing or wrong ----

fresh no_conf
git rm -q --cached cupel.conf && amend
refuses 'cupel.conf is not committed' 65 'cupel.conf is not in the commit.*commit it first'
rm cupel.conf
refuses 'no cupel.conf' 65 "cupel init"

cd "$work" && mkdir empty && cd empty && git init -q
small .
before=$(ls -A)
"$cupel" improve >../out 2>../said
is 'no commit' "$? $(grep -c 'commit the workspace first' ../said)$(ls -A | diff - <(echo "$before"))" '65 1'

fresh no_number
sed -i 's/metric time.*/metric time { from = stdout  pattern = "took ([0-9]+)" }/' cupel.conf && amend
refuses 'a benchmark without a metric line' 65 'finds no number in what the benchmark wrote.*mend the pattern'

# Counted, or a machine that cannot is named: never a number from elsewhere.
sed -i 's/metric time.*/metric count { from = instructions }/' cupel.conf && amend
"$cupel" bench --runs 3 --json >../out 2>../said
code=$?
if [ $code = 0 ]; then
	is 'instructions are counted' "$(jq '.benchmarks[0].metrics[0].median > 30000' ../out)" true
else
	is 'where instructions are not counted, that is said' \
		"$code $(wc -l <../said) $(grep -c 'instructions are not counted on this machine.*take from = cpu' ../said)" '65 1 1'
fi

fresh no_match
sed -i 's/COUNT=(/COUNTS=(/' cupel.conf && amend
refuses 'a knob whose pattern matches nothing' 65 'knob count: .*spin.sh'

fresh no_metric
refuses 'a metric that is none' 65 'there is no' --metric spin.memory

fresh no_knob
sed -i '/^knob/,/^}/d' cupel.conf && amend
refuses 'no knob' 65 'no knob to tune; declare one.*or only measure by --mode observe'
"$cupel" improve --mode observe --json >../report 2>../said
is 'to measure needs no knob' "$? $(jq -c '[.mode, .tests.passed]' ../report)" '0 ["observe",1]'
is 'what its runs took is kept, and what is not known is not' "$(rows "SELECT query_time_ms > 0, memory_usage_mb > 0,
	cpu_percent > 0, database_size_mb > 0, error_count, indexing_speed IS NULL, active_connections IS NULL,
	cache_hit_rate IS NULL FROM performance_metrics ORDER BY id DESC LIMIT 1")" '1|1|1|1|0|1|1|1'
sed -i 's/metric time.*/metric size { from = stdout  pattern = "([0-9]+)"  target = 1 }/' cupel.conf
sed -i 's/^command = {.*/command = "echo 3"/' cupel.conf && amend
"$cupel" improve --mode observe >/dev/null 2>&1
before=$("$cupel" bottlenecks --json | jq -c '[.bottlenecks[].severity]')
sed -i 's/echo 3/echo 1/' cupel.conf && amend
"$cupel" improve --mode observe >/dev/null 2>&1
is 'just at its target it is met' "$before $("$cupel" bottlenecks --json | jq -c .bottlenecks)" '["critical"] []'

# Both would build in the same copies, whichever way they were begun.
second="another 'cupel improve' is at work in $work/twice; let it end, or end it, and try again"
fresh twice
mkdir .git/cupel
flock .git/cupel "$cupel" improve --seed 1 >../out 2>../said
is 'a second campaign at the same time' \
	"$? $(wc -l <../said) $(grep -c "$second" ../said)" '75 1 1'
is 'and nothing of the first is removed' "$(ls .git/cupel | wc -l)" 8
flock .git/cupel "$cupel" call --workspace . improve.run \
	"{\"workspace\": \"$PWD\", \"copies\": [1, 2, 3, 4]}" >../out 2>../said
is 'nor by a bare call' "$? $(grep -c "$second" ../said)" '75 1'

fresh broken
sed -i '1s/^/build { command = "echo no compiler >\&2; exit 3" }\n/' cupel.conf && amend
refuses 'a build that fails' 65 'no compiler'

# ---- a test that is not the same every time ----

fresh flaky
cat >random.sh <<'END'
echo 1..9
n=0
for byte in $(od -An -N8 -tu1 /dev/urandom); do
	n=$((n + 1))
	[ $((byte % 2)) = 0 ] && echo "ok $n - coin $n" || echo "not ok $n - coin $n"
done
echo "ok 9 - sure"
END
sed -i '1s/^/test coins { command = "sh random.sh"  format = tap }\n/' cupel.conf
git add -A && amend
"$cupel" improve --mode observe --json >../report 2>../said
is 'flaky tests are set apart, by name' "$(jq -c '[.tests.flaky | length > 0,
	all(.[]; test("^coins: .*coin [1-8]$"))]' ../report)" '[true,true]'
"$cupel" improve --mode observe >../out 2>/dev/null
is 'and told' "$(grep -c 'flaky.*coin' ../out)" 1

# ---- nothing is applied without tests ----

fresh untested
sed -i '/^test /d' cupel.conf && amend
before=$(print .)
"$cupel" improve --mode auto --seed 1 --json >../report 2>../said
code=$?
if noisy; then
	skip 'no tests' "$(<../said)"
else
	is 'no tests: proven, and not applied' "$code $(jq -c '[.status, .commit, .not_applied]' ../report)" \
		'0 ["approved",null,"there are no tests; declare one in cupel.conf"]'
	is 'no tests: nothing is changed' "$(print .)" "$before"

	# By hand it is; a benchmark that then fails twice where the old one does
	# not, takes it back.
	"$cupel" apply "$(jq .improvement ../report)" --here >../out 2>../said
	sed -i "s/command = {.*/command = \". .\/spin.sh; sleep $token.\$COUNT; test \$? = 143\"/" cupel.conf && amend
	looked=$(rows "SELECT count(*) FROM experiments WHERE kind = 'watch'")
	breaks() { # COUNT: of the program that runs
		[ "$1" = 7500 ] && [ $failures -gt 0 ] &&
			[ "$(rows "SELECT count(*) FROM experiments WHERE kind = 'watch'")" -gt "$looked" ] &&
			failures=$((failures - 1))
	}
	# On the way something stands still, whoever made it: that is no measurement.
	stands_still() { # COUNT PID
		local one
		breaks "$1" && return
		[ "$failures$1" = 07500 ] || return
		case $((++stills)) in
		1) one=$(ps -o ppid= -p "$2") ;;
		2) one=$(house | awk '$2 == "cupel-improve" { print $1 }') ;;
		*) return 1 ;;
		esac
		kill -STOP $one && sleep 1.3 && kill -CONT $one
		false
	}
	failures=1 stills=0
	judge stands_still improve --mode approve --seed 2 --budget runs=1 --json
	is 'a benchmark that fails once is no reason' \
		"$(jq -c '.watched[0] | [.state, .rolled_back]' ../report)$failures" '["quiet",false]0'
	is 'what stood still in its midst is set aside' \
		"$stills $(rows "SELECT count(*), sum(valid = 0) FROM samples WHERE experiment_id =
			(SELECT max(id) FROM experiments WHERE kind = 'watch')")" '9 18|4'
	looked=$((looked + 1)) failures=2
	judge breaks improve --mode approve --seed 2 --budget runs=1 --json
	is 'one that fails twice, and not before the change, is' \
		"$(jq -c '.watched[0] | [.state, .rolled_back]' ../report)$(grep -c COUNT=30000 spin.sh)" \
		'["its benchmark fails, which did not before",true]1'
fi

# ---- a day has its limit ----

fresh daily
sed -i 's/^improve { /&daily = 0 /' cupel.conf && amend
before=$(print .)
"$cupel" improve --mode auto --seed 1 --json >../report 2>../said
code=$?
id=$(jq .improvement ../report)
if noisy; then
	skip 'a full day' "$(<../said)"
else
	is 'a full day: proven, and not applied, with the way out' \
		"$code $(jq -c '[.status, .commit, .not_applied]' ../report)" \
		"0 [\"approved\",null,\"0 changes were applied in the last 24 hours, and improve.daily is 0; look at it, then: cupel apply $id\"]"
	is 'a full day: nothing is changed' "$(print .)" "$before"
	"$cupel" apply "$id" >../out 2>../said
	is 'a full day: by hand it is' "$? $("$cupel" show "$id" --json | jq -r .status)" '0 applied'
	is 'each run of the tests tells of which commit' "$(rows "SELECT count(*) > 3, count(*) - count(commit_id),
		count(DISTINCT commit_id), max(commit_id) FROM test_runs WHERE session_id = (SELECT max(id) FROM sessions)")" \
		"1|0|1|$(git rev-parse HEAD)"
fi

# ---- a test that does not end ----

fresh endless
sed -i '1s/^/test slow { command = "sleep 60"  timeout = 1s }\ntest dead { command = "kill -9 $$" }\n/' cupel.conf
"$cupel" test --junit ../junit.xml --json >../report 2>../said
is 'a test that is ended for its time is told so' "$? $(jq -c '[.failed, .timeouts, .errors,
	(.cases | map(.name + " " + .outcome))]' ../report)$(grep -c '<error type="timeout"' ../junit.xml)" \
	'1 [2,1,1,["slow: did not end by itself timeout","dead: did not end by itself error","answer passed"]]1'
is 'and kept so' "$(rows "SELECT outcome FROM test_cases ORDER BY id DESC LIMIT 3" | tr '\n' ' ')" 'passed error timeout '

# ---- where HEAD is, and whose files they are ----

fresh detached
git checkout -q --detach
before=$(print .)
"$cupel" improve --mode auto --seed 1 --json >../report 2>../said
code=$?
id=$(jq .improvement ../report)
if noisy; then
	skip 'a detached HEAD' "$(<../said)"
else
	is 'a detached HEAD: proven, and not applied' "$code $(jq -c '[.status, .commit]' ../report)" \
		'0 ["approved",null]'
	is 'a detached HEAD: the way out' \
		"$(jq -r .not_applied ../report | grep -c 'check out a branch')" 1
	is 'a detached HEAD: nothing is changed' "$(print .)" "$before"

	git checkout -q main
	echo '# mine' >>spin.sh
	before=$(print .)
	"$cupel" apply "$id" --here 2>../said
	is 'a file with changes of mine' \
		"$? $(grep -c 'spin.sh has changes of yours that are not committed; commit or stash' ../said)" '65 1'
	cp spin.sh ../mine && echo 'spin.sh text eol=crlf' >.git/info/attributes
	rm spin.sh && git checkout -q spin.sh
	"$cupel" apply "$id" --here 2>../said
	is 'one that git converts is not called changed' \
		"$? $(grep -c 'git converts spin.sh when it checks it out.*without --here' ../said)$(git status --porcelain)" '65 1'
	rm .git/info/attributes && cp ../mine spin.sh
	git add spin.sh
	git show HEAD:spin.sh >spin.sh
	"$cupel" apply "$id" --here 2>../said
	is 'one that is only staged' \
		"$? $(grep -c 'spin.sh has changes of yours' ../said)" '65 1'
	git reset -q && echo '# mine' >>spin.sh
	is 'nothing is changed' "$(print .)" "$before"
	# Proven from 30000: from another value it may be no gain.
	git checkout -q spin.sh
	sed -i s/COUNT=30000/COUNT=20000/ spin.sh && sed -i 's/values = { 7500,/values = { 7500, 20000,/' cupel.conf && amend
	"$cupel" apply "$id" --here 2>../said
	is 'a knob that has another value by now' \
		"$? $(grep -c "count is '20000' by now.*run cupel improve again" ../said)" '65 1'
	sed -i -e s/COUNT=20000/COUNT=30000/ spin.sh
	sed -i '/^knob count/,/^}/d' cupel.conf && amend
	"$cupel" apply "$id" 2>../said
	is 'one that is not there any more' \
		"$? $(grep -c 'knob count .*no longer declared.*run cupel improve again' ../said)" '65 1'
	is 'nothing is changed by that' "$(git show-ref | wc -l)" 1
	git reset -q --hard HEAD~2
	# What was committed is measured and applied all the same; mine stays.
	git checkout -q spin.sh && echo mine >scratch && echo '# mine' >>cupel.conf
	"$cupel" apply "$id" --here >../out 2>../said
	is 'other changes of mine are no hindrance, and stay' \
		"$? $(git status --porcelain | tr '\n' ' ')$(git show --stat --format= HEAD | head -1 | tr -d ' ')" \
		'0  M cupel.conf ?? scratch spin.sh|2+-'

	# What somebody took out of the history is told, and is no hindrance.
	git stash -q && git reset -q --hard HEAD~1 && git stash drop -q
	git reflog expire --expire=now --all && git gc -q --prune=now
	"$cupel" improve --mode approve --seed 2 --budget runs=1 --json >../report 2>../said
	is 'a commit that is gone is no hindrance' "$(jq -c '.watched[0] | [.rolled_back,
		(.state | test("not to be compared any more: .*there is no commit"))]' ../report)" '[false,true]'
	"$cupel" rollback "$id" >../out 2>../said
	is 'and taken back by that' "$?$("$cupel" show "$id" --json | jq -r .status)$(git rev-list --count HEAD)" 0rolled_back1
fi

# ---- a layer of the sandbox that is not there ----

unserve
fresh bare_kernel
before=$(print .)
mkdir -m 700 "$work/bare"
CUPEL_RUN=$work/bare "$probe" refuse 444,445,446 "$CUPEL_BIN/cupel" improve --mode auto >../out 2>../said
is 'a kernel without Landlock: nothing is run, and that is why' \
	"$? $(wc -l <../said) $(grep -c 'this kernel has no Landlock' ../said)" '69 1 1'
is 'a kernel without Landlock: nothing is changed' "$(print .)" "$before"

# ---- a database of another cupel ----

python3 - "$CUPEL_STATE/store/cupel.db" <<'END'
import sqlite3, sys
sqlite3.connect(sys.argv[1]).execute("PRAGMA user_version = 99")
END
cp "$CUPEL_STATE/store/cupel.db" "$work/newer"
serve
refuses 'a database of a newer cupel' 65 'made by a newer cupel (version 99.*update cupel' --seed 2
"$cupel" test >../out 2>&1
is 'tests need no database' "$? $(cut -d, -f1 ../out)" '0 1 passed'
is 'it is left as it is' "$(cmp "$CUPEL_STATE/store/cupel.db" "$work/newer" 2>&1)" ''
done_testing
