#!/bin/bash
# Metrics that bear the same name in two benchmarks are two aims: what was proven,
# or begun, for the one says nothing of the other. What a run costs is what it
# prints. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve
mkdir ws && cd ws || exit 1
cat >spin.sh <<'END'
COUNT=30000
small=$((50000 - (30000 - COUNT) / 15))
echo "cost $COUNT"
echo "small $small"
echo "size 900"
END
cat >cupel.conf <<'END'
test runs { command = "sh spin.sh" }
benchmark a {
	command = { "sh", "spin.sh" }
	warmup = 0
	metric cost { from = stdout  pattern = "^cost ([0-9]+)"  target = 20000 }
	metric size { from = stdout  pattern = "^size ([0-9]+)"  target = 100 }
	metric ghost { from = stdout  pattern = "^ghost ([0-9]+)"  target = 1 }
}
benchmark b {
	command = { "sh", "spin.sh" }
	warmup = 0
	metric cost { from = stdout  pattern = "^small ([0-9]+)"  target = 10000 }
	metric time { target = 0.0001 }
}
benchmark c {
	command = "echo >>warm; exit 1"
	metric time { target = 1 }
}
knob count {
	kind = file  file = "spin.sh"  pattern = "COUNT=([0-9]+)"
	values = { 7500, 30000 }
}
END
commit .
improve() { # OPTION...: leaves ../report
	"$cupel" improve --json "$@" >../report 2>../said
}
report() { # JQ
	jq -c "$1" ../report
}

# ---- what has a target is compared with it ----

improve --mode observe --metric a.cost
is 'observing runs every benchmark, and names what misses its target' \
	"$(report '[.bottlenecks[].metric] | sort')" '["a.cost","a.size","b.cost","b.time"]'
is 'what gives no number is told, and holds up nothing' \
	"$(report .unmeasured) $("$cupel" improve --mode observe --metric a.cost |
		grep -c '^target .* [ac]\.[a-z]* gave no number')" '["a.ghost","c.time"] 2'
is 'and so it is listed' "$("$cupel" bottlenecks --json | jq -c '[.bottlenecks[].metric] | sort')" \
	'["a.cost","a.size","b.cost","b.time"]'
improve --mode propose --metric a.cost
is 'a campaign names those of the benchmarks that it runs' \
	"$(report '[.bottlenecks[].metric] | sort')" '["a.cost","a.size"]'
is 'and goes on where one gives no number' "$(report .unmeasured)" '["a.ghost"]'
is 'and proves its own' "$(report '[.metric.benchmark, .improvement]')" '["a",1]'
improve --mode observe --metric b.time
is 'where processor time judges, wall time is told, once' \
	"$(report '[.bottlenecks[] | select(.metric == "b.time")] | length')" 1
is 'and once a campaign it was seen' \
	"$("$cupel" bottlenecks --json | jq -c '.bottlenecks[] | select(.metric == "b.time") | .seen')" 3

# ---- what was proven ----

before=$(git rev-parse HEAD)
improve --mode auto --metric b.cost
is 'what the one gained is not applied for the other' \
	"$(git rev-parse HEAD) $(report .commit)" "$before null"
is 'they are two improvements' \
	"$(rows "SELECT count(DISTINCT hash) || ' ' || count(*) FROM improvements")" '2 2'
is 'each with what it gained itself' \
	"$("$cupel" improvements --json | jq -c '[.improvements[] | .gain // .gain_percent // 0 | (. > 0.5)] | sort')" '[false,true]'

# ---- what was begun ----

cut_short() {	# as if the last campaign had been
	sqlite3 "$CUPEL_STATE/store/cupel.db" 'UPDATE sessions SET ended = NULL WHERE id = (SELECT max(id) FROM sessions)'
}
cut_short
improve --mode propose --metric a.cost
is 'a campaign for the one does not go on as one for the other' "$(report .resumed)" false
cut_short
improve --mode propose --metric a.cost
is 'only as its own' "$(report .resumed)" true

done_testing
