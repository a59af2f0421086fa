#!/bin/bash
# cupel log: which records, in which order, through rotation. Speaks TAP.
. tests/support/sandbox.sh

cd "$work"
export CUPEL_STATE=$work/state CUPEL_RUN=$work/run XDG_CONFIG_HOME=$work/config
export HOME=$work
[ "$(id -u)" -eq 0 ] || mkdir -p "$XDG_CONFIG_HOME"
log=$CUPEL_STATE/log
mkdir -p "$log"

record() { # SECOND LEVEL COMPONENT MESSAGE [MORE]
	printf '{"ts":"2026-01-02T03:04:%02d.000000000Z","level":"%s","component":"%s","pid":1%s,"msg":"%s"}\n' \
		"$1" "$2" "$3" "${5-}" "$4"
}
messages() { # OPTION...
	"$cupel" log --json "$@" | jq -r .msg | tr '\n' ' '
}

is 'without a directory there is a way out' \
	"$(CUPEL_STATE=$work/none "$cupel" log 2>&1 | grep -c 'a supervisor that has run')" 1
CUPEL_STATE=$work/none "$cupel" log 2>/dev/null
is 'and exit status 66' $? 66

record 1 info monitor one >"$log/cupeld.log.2"
record 3 error monitor three >"$log/cupeld.log.1"
record 5 info router five ',"call":7' >"$log/cupeld.log"
record 3 error monitor three >"$log/cupeld.error.log"
record 2 warning worker two ',"worker":"echo/3"' >"$log/other.log.1"
record 4 debug worker four ',"worker":"echo/4","call":71' >"$log/other.log"

is 'files of all names in the order of time' "$(messages)" 'one two three four five '
is 'by level' "$(messages --level warning)" 'two three '
is 'by component' "$(messages --component router)" 'five '
is 'by pool' "$(messages --component echo)" 'two four '
is 'by worker' "$(messages --component echo/3)" 'two '
is 'no worker by half its name' "$(messages --component ech)" ''
is 'by call' "$(messages --call 7)" 'five '
is 'by age' "$(messages --since 1h)" ''
is 'by great age' "$(messages --since 1000000h)" 'one two three four five '
is 'for people' "$("$cupel" log --component echo/4)" \
	$'--- 2026-01-02, UTC\n03:04:04.000 debug    worker: four (worker echo/4, call 71)'

for bad in '--level wrning' '--call x' '--call 0' '--since 3' '--nonsense' extra; do
	"$cupel" log $bad >out 2>err
	is "refused: $bad" "$?:$(wc -c <out)" 64:0
done
is 'a level nearly right' "$("$cupel" log --level wrning 2>&1)" \
	"cupel: there is no level 'wrning'; did you mean warning"

printf 'no record\033[31m\n' >>"$log/cupeld.log"
is 'a line that is no record is told, harmless' "$("$cupel" log | tail -n 1)" 'no record\x1b[31m'
is 'but not when records are chosen' "$("$cupel" log --level info | grep -c 'no record')" 0
printf '{"ts":"torn' >>"$log/cupeld.log"
is 'a torn line waits for its end' "$("$cupel" log | grep -c torn)" 0

# ---- between two names of a rotation ----

rm -rf "$log" && mkdir "$log"
for i in 3 2 0; do
	name=$log/w.log.$i
	record 1 info w $i >"${name%.0}"
done
is 'a name that is free hides no older file' "$("$cupel" log --json | jq -r .msg | paste -sd ' ')" '3 2 0'

# ---- follow, while the files are set aside as fast as can be ----

rm -rf "$log" && mkdir "$log"
record 0 info w 0 >"$log/w.log"
"$cupel" log --json -f >followed 2>err &
started+=($!)
follower=$!
total=3000
for ((i = 1; i <= total; i++)); do
	if ((i % 500 == 0)); then
		for n in 4 3 2 1; do
			[ ! -e "$log/w.log.$n" ] || mv "$log/w.log.$n" "$log/w.log.$((n + 1))"
		done
		mv "$log/w.log" "$log/w.log.1"
	fi
	record 1 info w $i >>"$log/w.log"
done
record 1 info late begun >"$log/late.log"
for _ in {1..400}; do
	[ "$(wc -l <followed)" -ge $((total + 2)) ] && break
	sleep 0.1
done
is 'followed through rotation: each line once, in order' \
	"$(jq -r 'select(.component == "w").msg' followed | cksum)" "$(seq 0 $total | cksum)"
is 'a log begun meanwhile is found' "$(jq -r 'select(.component == "late").msg' followed)" begun
kill $follower
wait $follower 2>/dev/null
is 'it goes on until it is stopped' $? 143
done_testing
