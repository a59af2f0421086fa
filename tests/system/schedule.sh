#!/bin/bash
# cupel improve --every: campaigns again and again, one schedule a workspace,
# when nothing else goes on; what becomes of them outlives the process. TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve
small ws
commit ws
cd ws || exit 1

campaigns() { # how many there were here
	rows 'SELECT count(*) FROM sessions'
}
keep() { # OPTION...: sets $keeper; the report goes to $report
	: >../said	# what an earlier one was told there
	"$cupel" improve --mode observe --load 1000 --jitter 0 "$@" >"${report:-../out}" \
		2>../said </dev/null &
	keeper=$!
	started+=("$keeper")
}
end() {
	kill "$keeper"
	wait "$keeper"
}
until_there() { # COMMAND...: for as long as it takes
	for _ in $(seq 300); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	return 1
}
more_than() { [ "$(campaigns)" -gt "$1" ]; }
listed() { # FILTER: of the one schedule
	"$cupel" improve --scheduled --json | jq -c ".[0] | $1"
}
told() { grep -q "$1" ../said; }

is 'without one that is said' "$("$cupel" improve --scheduled 2>&1)" \
	"cupel: no schedule; 'cupel improve --every 6h' keeps one"

# ---- again and again ----

keep --every 1s
holds 'the first begins at once, and others follow' until_there more_than 2
timeout 20 "$cupel" improve --every 1h >../out2 2>../said2
is 'a second schedule of the same workspace is refused' \
	"$? $(grep -c "another 'cupel improve --every' keeps the schedule of $PWD; end it first" ../said2)" '75 1'
end
is 'SIGTERM ends it' "$(listed '[.kept, .workspace == "'"$PWD"'", .mode, .failures]')" '[false,true,"observe",0]'

# ---- not early, also in another process ----

keep --every 1h
holds 'it was begun not long ago: the next is later' until_there told 'the next one in'
end
is 'and that it was ended while it waited is no failure' $? 0
before=$(campaigns)
keep --every 1h
until_there told 'the next one in'
is 'a new process knows when it is due' "$(campaigns) $(listed '[.kept, .due_ns > .began_ns + 3500e9]')" \
	"$before [true,true]"
is 'cupel status tells of it' \
	"$("$cupel" status | grep -c "^$PWD *observe *1h")$("$cupel" status --json | jq -c '[.schedules[].kept]')" '1[true]'
end

# ---- what was missed is one; busy, loaded ----

file=$(ls "$CUPEL_STATE"/schedules/*)
set_due() { # SECONDS: from now
	python3 - "$file" "$1" <<-'END'
		import json, sys, time
		row = json.load(open(sys.argv[1]))
		row["due_ns"] = int((time.time() + float(sys.argv[2])) * 1e9)
		json.dump(row, open(sys.argv[1], "w"))
	END
}
set_due -360000
before=$(campaigns)
keep --every 1h
holds 'days late it begins' until_there more_than "$before"
until_there told 'the next one in'
is 'and once' "$(campaigns)" $((before + 1))
is 'its report is out when it has ended, not when its process does' \
	"$(grep -c '^tests  *ok ' ../out)" 1
end
exec {looks}<"$file"
flock -s "$looks"
keep --every 1h
holds 'who just looks at a schedule is not in its way' until_there told 'the next one in'
flock -u "$looks"
end
set_due -10
"$cupel" call echo.sleep '{"ms": 600000}' >/dev/null 2>&1 </dev/null &
sleeper=$!
started+=("$sleeper")
in_flight() { [ "$("$cupel" status --json | jq .calls.in_flight)" -gt 0 ]; }
until_there in_flight
before=$(campaigns)
keep --every 2s
holds 'while a call runs it waits' until_there told 'waits until no other call runs'
sleep 3
is 'and begins nothing' "$(campaigns)" "$before"
kill "$sleeper"
holds 'until that has ended' until_there more_than "$before"
end
set_due -10
"$cupel" improve --mode observe --load 0 --every 1s >../out 2>../said </dev/null &
keeper=$!
started+=("$keeper")
if [ "$(cut -d' ' -f1 /proc/loadavg)" = 0.00 ]; then
	skip 'under load it waits' 'this machine has none'
else
	holds 'under load it waits' until_there told 'waits until the load, [0-9.]*, is at most 0.00 a processor'
fi
end

# ---- failures ----

set_due -10
report=/dev/full keep --every 1h
until_there told 'the next one in'
is 'one whose report is lost has failed, and that is told at once' \
	"$(grep -c 'stdout: No space left' ../said) $(listed '[.failures, .outcome]')" \
	'1 [1,"its report could not be written to stdout"]'
end
set_due -10
keep --every 1h
until_there told 'the next one in'
is 'the next that is done counts anew' "$(listed .failures)" 0
end

mv cupel.conf ../kept.conf
echo 'test broken' >cupel.conf && git commit -qam broken 2>/dev/null ||
	git -c user.name=test -c user.email=test@localhost commit -qam broken
set_due -10
keep --every 1h
has_failed() { [ "$(listed .failures)" -gt 0 ]; }
holds 'one that fails is counted' until_there has_failed
until_there told 'the next one in'
is 'with its reason, and the next is later' \
	"$(listed '[.outcome | test("cupel.conf")] + [.due_ns - .began_ns > 7190e9]') $(grep -c 'later than asked for' ../said)" \
	'[true,true] 1'
is 'as cupel status tells' "$("$cupel" status | grep -c "^$PWD.* 1  .*cupel.conf")" 1
end
mv ../kept.conf cupel.conf
sed -i "1s/^/build { command = \"sleep $token\" }\n/" cupel.conf
git -c user.name=test -c user.email=test@localhost commit -qam slow
set_due -10
keep --every 1h
until_there pgrep -f "sleep $token"
is 'one that runs is told as that' "$("$cupel" improve --scheduled | grep -c "^$PWD.* runs ")" 1
kill -9 "$keeper"
wait "$keeper" 2>/dev/null
keep --every 1h
until_there told 'the next one in'
is 'one that was killed has failed' "$(listed '[.failures, .outcome]')" '[2,"it was cut short"]'
end
set_due -10
keep --every 1h
until_there pgrep -f "sleep $token"
end
is 'one that is ended while it runs' "$? $(listed '[.failures, .due_ns < .ended_ns]')" '130 [2,true]'

# ---- a file that cannot be written ----

begin() { # one that runs until it is ended
	set_due -10
	keep --every 1h
	until_there pgrep -f "sleep $token"
}
begin
was=$(cat "$file")
prlimit --pid "$keeper" --fsize=${#was}
kill $(pgrep -f "sleep $token")
holds 'that it cannot be written down is told' until_there told 'cannot be written down: No space left'
is 'and what was there stays, whole' "$(cat "$file")" "$was"
kill -9 "$keeper"
wait "$keeper" 2>/dev/null
keep --every 1h
until_there told 'the next one in'
is 'so that it is not forgotten' "$(listed '[.kept, .failures, .outcome]')" \
	'[true,3,"it was cut short"]'
end

# ---- how one ended, by what it did ----

victims() { # NAME
	house | awk -v name="$1" '$2 == name { print $1 }'
}
later='.due_ns - .began_ns > 7190e9'
mkdir -p .git/cupel
exec {held}<.git/cupel
flock "$held"
set_due -10
keep --every 1h
until_there told 'the next one in'
is 'one that others at work refuse is tried again soon, and has not failed' \
	"$(grep -c "another 'cupel improve' is at work" ../said) $(listed '[.failures, .due_ns - .ended_ns <= 300e9]')" \
	'1 [3,true]'
flock -u "$held"
end
begin
kill -9 $(victims cupel-improve)
until_there told 'the next one in'
is 'one whose conductor died on the way has failed' "$(listed "[.failures, $later]")" '[4,true]'
end
cp -r .git/objects ../objects
for object in .git/objects/*/*; do
	chmod u+w "$object" && echo broken >"$object"
done
set_due -10
keep --every 1h
until_there told 'the next one in'
is 'one that exits with 1 for a reason has failed' "$(listed "[.failures, $later]")" '[5,true]'
cp -rf ../objects .git/
end

# ---- a SIGTERM that crosses the end ----

begin
router=$(victims cupel-router)
kill -STOP "$router"
kill "$keeper"
until_there told 'cancelling'
kill -9 "$supervisor" "$router"
has_left() { ! kill -0 "$keeper"; }
holds 'one that is ended while its supervisor dies leaves' until_there has_left
kill -9 "$keeper" 2>/dev/null
wait "$keeper" 2>/dev/null
is 'as one that was cut short, which is no failure' "$? $(listed .failures)" '130 5'
wait "$supervisor" 2>/dev/null
supervisor=

# ---- arguments ----

for words in '--every 1' '--every 0s' '--every 31d' '--every 1h --jitter -1s' '--every 1h --load x'; do
	# shellcheck disable=SC2086
	"$cupel" improve $words >../out 2>../said
	is "refused: $words" "$? $(wc -l <../said)" '64 1'
done
done_testing
