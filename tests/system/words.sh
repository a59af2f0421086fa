#!/bin/bash
# What the loop's front doors say: each refusal in the user's own words, with
# the next command to type. Rows of the store without a campaign. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve || { not_ok 'a supervisor starts'; done_testing; exit; }

refused() { # CODE WORDS VERB...: on one line or two, of no method of the store
	local code=$1 words=$2
	shift 2
	"$cupel" "$@" >out 2>said
	is "refused: $*" "$? $(grep -cF -- "$words" said)$(grep -c 'store\.' said)" "$code 10"
	grep -qF -- "$words" said || sed 's/^/# /' said
}

small ws
commit ws
head=$(git -C ws rev-parse HEAD)

# ---- what cannot become of an improvement, by its status ----

propose ws "$head" count 30000 7500
refused 65 "improvement $made is not proven yet, or has just changed; 'cupel improve' proves it" approve "$made"
refused 65 "improvement $made is not approved yet; 'cupel approve $made' approves it" apply "$made"
refused 65 "improvement $made was never applied; 'cupel reject $made' declines it" rollback "$made"
begin ws "$head" count 30000 7500
for verb in approve apply rollback; do
	refused 65 "improvement $made is being tested; 'cupel show $made'" $verb "$made"
done
approve ws "$head" count 30000 7500
refused 65 "improvement $made is approved already; 'cupel apply $made' commits it" approve "$made"
refused 65 "improvement $made was never applied; 'cupel reject $made' declines it" rollback "$made"
store apply_begin "{\"improvement\":$made,\"rollback\":{\"base\":\"$head\",\"files\":[]}}" >/dev/null
for verb in approve reject; do
	refused 65 "improvement $made is approved, and applying it was cut short; 'cupel rollback $made' ends that" $verb "$made"
done
"$cupel" apply "$made" >out 2>said
sed -n '/^  for /,/^  done/p' out >by-hand
(cd ws && PATH=$CUPEL_BIN:$PATH sh ../by-hand) >out 2>&1
is 'what apply prints measures both by hand, and leaves nothing' \
	"$(grep -c '^spin.time ' out) $(git -C ws worktree list | wc -l)" '2 1'
for verb in approve reject; do
	refused 65 "improvement $made is applied; 'cupel rollback $made' takes it back" $verb "$made"
done
store rollback_begin "{\"improvement\":$made,\"reason\":\"\"}" >/dev/null
for verb in approve reject apply; do
	refused 65 "improvement $made is being taken back; 'cupel rollback $made' ends that" $verb "$made"
done
"$cupel" rollback "$made" >out 2>said
for verb in approve apply; do
	refused 65 "improvement $made was taken back; 'cupel show $made' tells why" $verb "$made"
done
refused 65 "improvement $made was taken back, which counts as much" reject "$made"
approve ws "$head" count 30000 7500
"$cupel" reject "$made" >out 2>said
for verb in approve reject apply rollback; do
	refused 65 "improvement $made was rejected; 'cupel show $made' tells why" $verb "$made"
done

# ---- options that belong together, and the bounds of their values ----

refused 64 '--jitter: belongs to --every' improve --jitter 1m ws
refused 64 '--load: belongs to --every' improve --mode observe --load 1 ws
refused 64 '--scheduled takes no directory and no option but --json' improve --scheduled ws
refused 64 '--scheduled takes no directory and no option but --json' improve --scheduled --seed 1
refused 64 '--rounds 0: a whole number from 1 to 1000' improve --rounds 0
refused 64 '--budget runs 0: a whole number from 1 to 1000000' improve --budget runs=0
refused 64 '--seed -1: a whole number from 0 to 9007199254740992' improve --seed -1
refused 64 '--every 1ms: a duration such as 30m, 6h, 7d, from 1s to 30d' improve --every 1ms
refused 64 '--jitter 31d: a duration such as 30m, 6h, 7d, from 0s to 30d' improve --every 1h --jitter 31d
refused 64 '--budget time 1ms: a duration such as 90s, 5m, 2h, from 1s to 24h' improve --budget time=1ms
is 'each way to use it is told with the name' "$("$cupel" help improve | grep -c '^ *cupel improve --scheduled')" 1

# ---- what there is, where what was asked for is none of it ----

mkdir named && cat >named/cupel.conf <<'END'
test one { command = "true"  tags = { quick, unit } }
test two { command = "true"  tags = { unit } }
benchmark spin { command = "true"  metric time { target = 0.000001 } }
benchmark parse { command = "true"  metric time { } }
improve { metric = spin.time }
END
commit named
cd named || exit 1
refused 65 "no test has the tag 'slow'; the tags are: quick, unit" test --tag slow
refused 65 "there is no test 'three' in cupel.conf; there are one, two" test three
refused 65 "there is no benchmark 'nosuch' in cupel.conf; there are spin, parse" bench nosuch
refused 65 "there is no benchmark 'nosuch' in cupel.conf; there are spin, parse" bench spin nosuch
"$cupel" improve --mode observe >../out 2>../said
is 'what has no unit has no blank for it' "$(grep -c '^target .* spin.time is [0-9.e-]*, [0-9]' ../out)" 1
is 'times are told in UTC' "$("$cupel" trend spin.time | grep -c '^AT (UTC) ')" 1
cd ..
done_testing
