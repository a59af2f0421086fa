#!/bin/bash
# The private copies of a repository are one campaign's as long as it runs, and
# no longer, whoever of it is killed. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve
second="another 'cupel improve' is at work in $work/ws; let it end, or end it, and try again"
small ws
sed -i "1s/^/build { command = \"sleep $token\" }\n/" ws/cupel.conf
commit ws
cd ws || exit 1

free() { # SECONDS: whether the copies are within that time
	flock -w "$1" .git/cupel true
}
begin() { # a campaign that goes on until it is ended: sets $asked
	"$cupel" improve --mode observe >../out 2>../said </dev/null &
	asked=$!
	for _ in $(seq 600); do
		sleep 0.1
		pgrep -f "sleep $token" >/dev/null && return
	done
}
victims() { # NAME
	house | awk -v name="$1" '$2 == name { print $1 }'
}
holder() { # the one that has the folder open for as long as its campaign lasts
	local pid
	for pid in $(victims cupel-git); do
		ls -l "/proc/$pid/fd" | grep -q '/.git/cupel$' && echo "$pid"
	done
}
begin
is 'a campaign holds its copies' "$(free 0; echo $?)" 1
"$cupel" improve --seed 1 >../out2 2>../said2
is 'control: and a second one is refused' "$? $(grep -c "$second" ../said2)" '75 1'
kill -STOP "$supervisor"	# so that no other keeper comes first
kill -9 $(victims cupel-git)
exec {taken}<.git/cupel
flock -w 10 $taken
kill -CONT "$supervisor"
wait $asked
is 'whose copies another has taken meanwhile it ends' \
	"$? $(grep -c "$second" ../said) $(ls .git/cupel | wc -l)" '75 1 8'
exec {taken}<&-
begin
keeper=$(holder)
kill -9 "$keeper"
for _ in $(seq 200); do
	sleep 0.1
	[ -z "$(holder)" ] || break
done
is 'whose keeper is killed goes on with another' \
	"$([ "$(holder)" != "$keeper" ]; echo $?) $(free 0; echo $?) $(kill -0 $asked; echo $?)" '0 1 0'
kill -9 $(victims cupel-improve)
wait $asked
holds 'whose conductor is killed lets go' free 20
begin
kill -9 $(victims cupel-router)
wait $asked
holds 'whose router is killed lets go, long before a client would be given up' free 20
for _ in $(seq 100); do serves && break; sleep 0.1; done
begin
kill -INT $asked
wait $asked
is 'one that is cancelled lets go' "$? $(free 20; echo $?)" '130 0'
done_testing
