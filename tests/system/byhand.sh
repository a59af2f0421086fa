#!/bin/bash
# What is applied or taken back by hand: beside a campaign, of whose proof it
# leaves everything as it is; where a call was cut short; and taking back with
# no more than what was applied. What a run costs is what it prints, so that
# nothing here hangs on the machine. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve

change() { # SQL
	python3 - "$CUPEL_STATE/store/cupel.db" "$1" <<-'END'
		import sqlite3, sys
		database = sqlite3.connect(sys.argv[1], timeout=30)
		database.execute(sys.argv[2])
		database.commit()
	END
}
status_of() { # IMPROVEMENT
	"$cupel" show "$1" --json | jq -r .status
}

# ---- beside a campaign that is proving ----

small ws
sed -i -e '$s/.*/echo $MODE; echo cost $COUNT/' -e '/^i=/,/^while/d' ws/spin.sh
sed -i -e 's/metric time.*/metric cost { from = stdout  pattern = "^cost ([0-9]+)" }/' \
	-e 's/sh spin.sh)/sh spin.sh | head -n 1)/' ws/cupel.conf
echo "test slow { command = \"sleep $token.0; test \$? = 143\" }" >>ws/cupel.conf
commit ws
cd ws || exit 1
head=$(git rev-parse HEAD)
approve ws "$head" mode good bad
other=$made

pass() { false; }
judge pass improve --mode propose --seed 1 --json
is 'a gain is proven and proposed' "$? $(jq -r .status ../report)" '0 proposed'
[ -s ../report ] || sed 's/^/# /' ../said
proven=$(jq -r .improvement ../report)

meddle() { # while the proof is at its tests
	[ "$(status_of "$proven")" = testing ] || return
	"$cupel" apply "$other" >../applied 2>&1
	echo $? >>../applied
	false
}
change "DELETE FROM test_results WHERE improvement_id = $proven"
"$cupel" approve "$proven" >../refused 2>&1
is 'control: with a verdict and no result of it, nobody can approve it' $? 65
judge meddle improve --mode approve --seed 2 --json
is 'it is proven anew' "$? $(jq -r '.status, .known' ../report | xargs)" '0 approved null'
[ -s ../report ] || sed 's/^/# /' ../said
is 'while it is, another one is applied' "$(tail -n 1 ../applied) $(status_of "$other")" '0 applied'
is 'and what is told of it holds' "$(status_of "$proven") $("$cupel" show "$proven" --json |
	jq -c '[.tests[].success]')" 'approved [1]'
store settle "{\"improvement\":$proven,\"success\":true,\"reason\":\"\",\"to\":\"approved\",\"confidence\":1}" \
	>../out 2>../refused
is 'of what is not being tested no verdict is kept' "$? $(grep -c 'not being tested' ../refused)" '65 1'

begin ws "$head" mode good bad
"$cupel" improve --mode observe >../observed 2>&1 </dev/null &
asked=$!
for _ in $(seq 600); do
	pgrep -f "sleep $token.0" >/dev/null && break
	sleep 0.1
done
is 'whoever holds the copies takes back what nobody tests any more' "$(status_of "$made")" proposed
kill -INT $asked
wait $asked

# ---- what was cut short is ended for the one that is asked for, and no other ----

approve ws "$head" mode good bad
first=$made
approve ws "$head" mode good bad
store apply_begin "{\"improvement\":$first,\"rollback\":{\"base\":\"$head\",\"files\":[]}}" >/dev/null
store apply_begin "{\"improvement\":$made,\"rollback\":{\"base\":\"$head\",\"files\":[]}}" >/dev/null
"$cupel" apply "$made" --here >../applied 2>&1
is 'what a call was cut short in is applied' "$? $(status_of "$made") $(grep -c MODE=bad spin.sh)" '0 applied 1'
is 'and what another one is at is left alone' \
	"$(rows "SELECT coalesce(success, 'open') FROM applied_improvements WHERE improvement_id = $first")" open
store rollback_begin "{\"improvement\":$made,\"reason\":\"\"}" >/dev/null
"$cupel" rollback "$made" >../back 2>&1
is 'a rollback that was cut short is ended' "$? $(status_of "$made") $(git diff "$head" | wc -l)" '0 rolled_back 0'
approve ws "$head" mode good bad
"$cupel" apply "$made" --here >../applied 2>&1
store rollback_begin "{\"improvement\":$made,\"reason\":\"\"}" >/dev/null
sed -i 's/MODE=bad/MODE=mine/' spin.sh
judge pass improve --mode observe --json
is 'one that somebody is in the way of ends no campaign' \
	"$? $(status_of "$made") $(grep -c MODE=mine spin.sh)" '0 applied 1'
git checkout -q spin.sh
"$cupel" rollback "$made" >../back 2>&1
is 'and is ended when they are not' "$? $(status_of "$made") $(git diff "$head" | wc -l)" '0 rolled_back 0'

# ---- of another workspace ----

mkdir ../elsewhere
git -C .. init -q elsewhere
says() { # NAME WORDS COMMAND...: it is refused, and says so
	local name=$1 words=$2
	shift 2
	"$@" >../out 2>../refused
	is "$name" "$? $(grep -c -- "$words" ../refused)" '65 1'
}
says "what is another workspace's is left alone" "no improvement $other of $work/elsewhere" \
	"$cupel" call --workspace "$work/elsewhere" improve.rollback \
	"{\"workspace\":\"$work/elsewhere\",\"improvement\":$other}"
is 'as it was' "$(status_of "$other")" applied

# ---- applying needs no metric, and taking back no cupel.conf ----

sed -i 's/^metric cost.*/&\nmetric time { from = cpu }/' cupel.conf
git -c user.name=t -c user.email=t@localhost commit -qam 'two metrics'
approve ws "$(git rev-parse HEAD)" mode good bad
says 'control: two metrics, and none chosen' 'not just one metric' "$cupel" improve
"$cupel" apply "$made" --here >../applied 2>&1
is 'with two metrics, and none chosen, it is applied' "$? $(grep -c MODE=bad spin.sh)" '0 1'
echo 'knob {' >cupel.conf
git -c user.name=t -c user.email=t@localhost commit -qam broken
says 'control: nothing is applied by a broken cupel.conf' 'cupel.conf:' "$cupel" apply "$proven"
"$cupel" rollback "$made" >../back 2>&1
is 'but taken back' "$? $(status_of "$made") $(git diff "$head" spin.sh | wc -l)" '0 rolled_back 0'
git rm -q cupel.conf
git -c user.name=t -c user.email=t@localhost commit -qm gone
says 'control: nor without any' 'cupel.conf' "$cupel" apply "$proven"
"$cupel" rollback "$other" >../back 2>&1
is 'without any, too' "$? $(status_of "$other")" '0 rolled_back'
cd ..

# ---- a folder without git, by then too big to be kept ----

small folder
cd folder || exit 1
approve folder "$("$cupel" call --workspace . git.snapshot | jq -r .commit)" count 30000 7500
cp spin.sh ../spin.before
"$cupel" apply "$made" >../applied 2>&1
is 'a folder without git: applied' "$? $(grep -c COUNT=7500 spin.sh)" '0 1'
mkdir many && (cd many && seq 20001 | xargs touch)
says 'control: it holds too much' 'more than 20000 files' "$cupel" apply "$made"
echo '# mine' >>spin.sh
cp spin.sh ../spin.mine
says "what somebody changed since is refused" 'spin.sh has changed since.*--inverse' "$cupel" rollback "$made"
is 'and left as it is' "$(cmp spin.sh ../spin.mine; echo $?)" 0
sed -i '$d' spin.sh
rm cupel.conf
"$cupel" rollback "$made" >../back 2>&1
is 'and taken back, byte by byte' "$? $(status_of "$made") $(cmp spin.sh ../spin.before; echo $?)" '0 rolled_back 0'
done_testing
