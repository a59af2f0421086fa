#!/bin/bash
# A guard is watched after the fact as well: while it stays within its tolerance
# all is quiet; what breaks it in two looks is taken back, though the gain is
# what it was. Nothing here hangs on the machine: a run costs what it prints, and
# what is in force takes as much room as the benchmark's argument says.
# Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve
small ws
cat >ws/spin.sh <<'END'
COUNT=30000
MODE=good
room=100
[ $COUNT = 30000 ] || room=${1:-100}
echo "cost $COUNT"
echo "room $room"
echo $MODE
END
sed -i -e 's/metric time.*/metric cost { from = stdout  pattern = "^cost ([0-9]+)" }\
	metric room { from = stdout  pattern = "^room ([0-9]+)"  unit = MB }/' \
	-e 's/sh spin.sh)/sh spin.sh | tail -n 1)/' -e 's/"spin.sh" }/"spin.sh", "104" }/' \
	-e 's/^improve.*/guard spin.room { tolerance = 5 }/' ws/cupel.conf
echo 'improve { metric = spin.cost }' >>ws/cupel.conf
commit ws
cd ws || exit 1
room() { # N: what it takes from now on, in a commit on top
	sed -i 's/"spin.sh", "[0-9]*"/"spin.sh", "'"$1"'"/' cupel.conf
	git -c user.name=test -c user.email=test@localhost commit -q -a -m "room $1"
}
look() { # SEED: a campaign that has runs for little else
	"$cupel" improve --mode approve --seed "$1" --budget runs=1 --json >../report 2>../said
	jq -c '.watched | map([.state, .rolled_back, .pairs])' ../report || sed 's/^/# /' ../said
}
before=$(sha256sum spin.sh)
"$cupel" improve --mode auto --seed 1 --json >../report 2>../said
is 'it is applied, and quiet' "$(jq -r '.status, .watched[0].state' ../report | tr '\n' ' ')$(
	grep -c COUNT=7500 spin.sh)" 'applied quiet 1'
[ -s ../report ] || sed 's/^/# /' ../said
is 'a guard within its tolerance is quiet' "$(look 2)" '[["quiet",false,20]]'
room 105
is 'and just at it' "$(look 3)" '[["quiet",false,30]]'
is 'and nothing is changed' "$(grep -c COUNT=7500 spin.sh) $(git rev-list --count HEAD)" '1 3'
room 106
reason='guard spin.room is worse by more than its tolerance of 5 %: 100 before, 106 after, in MB'
is 'beyond it, in two looks, it is taken back' "$(look 4)" "[[\"$reason\",true,50]]"
is 'byte by byte, by a commit' "$(sha256sum spin.sh) $(git status --porcelain)$(
	git rev-list --count HEAD)" "$before 5"
is 'that is told' "$("$cupel" show 1 --json | jq -r '.status, .reason' | tr '\n' ' ')" \
	"rolled_back $reason "
is 'and what each look came to' "$("$cupel" show 1 --json | jq -c '[.experiments[] |
	select(.kind == "watch") | [.verdict, .pairs]]')" \
	"[[\"quiet\",10],[\"quiet\",10],[\"quiet\",10],[\"looked at again\",10],[\"$reason\",10]]"
COLUMNS=200 "$cupel" show 1 >../shown
holds 'one by one' grep -q 'watch: at .* spin.cost, 10 pairs: quiet$' ../shown
is 'and a lesson' "$("$cupel" lessons --json |
	jq -r '.lessons[] | select(.scope == "setting") | .evidence.status')" rolled_back
done_testing
