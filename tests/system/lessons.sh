#!/bin/bash
# For which metric a lesson holds, and how to be rid of one that stands in the way.
# What a run costs is what it prints. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve || { not_ok 'a supervisor starts'; done_testing; exit; }
mkdir ws && cd ws || exit 1
cat >spin.sh <<'END'
COUNT=30000
echo "cost $COUNT"
END
cat >cupel.conf <<'END'
test runs { command = "sh spin.sh" }
benchmark a {
	command = { "sh", "spin.sh" }
	metric cost { from = stdout  pattern = "^cost ([0-9]+)" }
}
benchmark b {
	command = { "sh", "spin.sh" }
	metric cost { from = stdout  pattern = "^cost ([0-9]+)" }
}
knob count {
	kind = file  file = "spin.sh"  pattern = "COUNT=([0-9]+)"
	values = { 7500, 30000 }
}
END
commit .
improve() { # METRIC: leaves ../report
	"$cupel" improve --mode propose --metric "$1" --json >../report 2>../said
	jq -c '[.change, .lessons]' ../report
}
store() { # METHOD JSON
	"$cupel" call "store.$1" "$2"
}
lessons() {
	"$cupel" lessons --json | jq -c "[.lessons[] | $1]"
}
change='count: 30000 to 7500'

is 'control: a gain of one metric is proven' "$(improve a.cost)" "[\"$change\",[]]"
"$cupel" reject 1 --reason 'a only' >../out
is 'that it was rejected is a lesson of that metric' "$(lessons '.metric, .statement')" \
	"[\"a.cost\",\"$change\"]"
is 'and so it is listed' "$("$cupel" lessons | grep -c "$change: rejected by a.cost$")" 1
is 'by another metric it is tried, and proven' "$(improve b.cost)" "[\"$change\",[]]"
"$cupel" reject 2 >../out
is 'each metric has its own' "$(lessons .metric)" '["b.cost","a.cost"]'
is 'by the same it is not tried' "$(improve a.cost)" "[null,[\"$change\"]]"
"$cupel" improve --mode propose --metric a.cost >../out 2>../said
is 'where nothing else was left, what helps is said' \
	"$(grep -c 'lessons --forget ID' ../out) $(grep -c 'more knobs' ../out)" '1 0'
for id in $("$cupel" lessons --json | jq '.lessons[].id'); do
	"$cupel" lessons --forget "$id"
done >../out

# What failed is no better by another metric.
made=$(store propose "$(jq -nc --arg workspace "$PWD" --arg change "$change" '{$workspace,
	session: null, hash: "by hand", type: "optimization", source: "hand", confidence: 0.5,
	expected: 1, description: $change, changes: {knobs: [{knob: "count", kind: "file",
	file: "spin.sh", from: "30000", to: "7500"}]}}')" | jq .improvement)
store status "{\"improvement\":$made,\"from\":\"proposed\",\"to\":\"testing\",\"reason\":\"\"}" >../out
experiment=$(store experiment "{\"improvement\":$made,\"kind\":\"validate\",
	\"plan\":{\"benchmark\":\"a\",\"metric\":\"cost\"}}" | jq .experiment)
store settle "{\"improvement\":$made,\"experiment\":$experiment,\"verdict\":\"reject\",
	\"reason\":\"its benchmark fails\",\"success\":false,\"before\":{},\"after\":{},
	\"errors\":[],\"execution_s\":1,\"to\":\"rejected\",\"confidence\":0}" >../out
is 'what failed is not tried by any metric' "$(improve b.cost)" "[null,[\"$change\"]]"
"$cupel" lessons --forget "$(lessons .id | jq '.[0]')" >../out
is 'control: until that is forgotten' "$(improve b.cost | jq -c '.[1]')" '[]'
done_testing
