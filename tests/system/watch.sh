#!/bin/bash
# What was applied and turns out worse later is taken back by itself, byte by
# byte, and not proposed again; also where it is so noisy by then that nothing
# can be looked for. What a run costs is what it prints, so that nothing here
# hangs on the machine: the gain lasts until a moment that the program knows.
# Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve
small ws
last=${WATCH_GOOD_UNTIL:-60}
until_s=$(($(date +%s) + last))
cat >ws/spin.sh <<END
COUNT=30000
MODE=good
cost=\$COUNT
byte=\$(od -An -N1 -tu1 /dev/urandom)
[ \$COUNT = 7500 ] && [ \$(date +%s) -gt $until_s ] && cost=\$((COUNT * 10 << byte / 8))
echo "cost \$cost"
echo \$MODE
END
sed -i -e 's/metric time.*/metric cost { from = stdout  pattern = "^cost ([0-9]+)"  target = 7400 }/' \
	-e 's/sh spin.sh)/sh spin.sh | tail -n 1)/' -e '/^improve/d' ws/cupel.conf
commit ws
cd ws || exit 1
print() {
	sha256sum spin.sh cupel.conf && git status --porcelain
}
before=$(print)
"$cupel" improve --mode auto --seed 1 --json >../report 2>../said
if [ "$(jq -r .status ../report 2>/dev/null)" != applied ] || [ "$(date +%s)" -gt "$until_s" ]; then
	skip 'a regression after the fact' "this machine took more than $last s: $(<../said)"
	done_testing
	exit
fi
is 'it is applied, and quiet' "$(jq -r '.watched[0].state' ../report)$(grep -c COUNT=7500 spin.sh)" quiet1
missed() {
	"$cupel" bottlenecks --json | jq -c '.bottlenecks[] | [.metric, .value, .severity, .outdated]'
}
is 'what still misses its target is told as it is now' "$(missed)" '["spin.cost",7500,"low",false]'
sleep $((until_s + 1 - $(date +%s)))
for looks in 1 2 3 4 5 6; do
	"$cupel" improve --mode approve --seed 2 --budget runs=1 --json >../report 2>../said
	jq -e '.watched[0].rolled_back' ../report >/dev/null 2>&1 && break
	[ $SECONDS -lt "${WATCH_SECONDS:-220}" ] && continue
	skip 'taken back a few looks later' "this machine takes too long for a look"
	done_testing
	exit
done
is 'a few looks later it is taken back' \
	"$(jq -c '.watched[0] | [.state, .rolled_back]' ../report)" \
	'["it is slower than what it replaced",true]'
[ -s ../report ] || sed 's/^/# /' ../said
echo "# after $looks looks of ten pairs"
is 'though nothing could be looked for, and that is said' \
	"$(jq -r .not_searched ../report | grep -c 'too noisy to decide by')" 1
is 'byte by byte, by a commit' "$(print | diff - <(echo "$before"))$(git rev-list --count HEAD)" 3
is 'what missed its target is said to be older than that' "$(missed | cut -d, -f1,4)" '["spin.cost",true]'
"$cupel" improve --mode observe >../observed 2>&1
is 'until it is measured again' "$(missed)" '["spin.cost",30000,"critical",false]'
is 'that is told' "$("$cupel" show 1 --json | jq -r '.status, .reason' | tr '\n' ' ')" \
	'rolled_back it is slower than what it replaced '
is 'and a lesson' "$("$cupel" lessons --json |
	jq -r '.lessons[] | select(.scope == "setting") | .evidence.status')" rolled_back
done_testing
