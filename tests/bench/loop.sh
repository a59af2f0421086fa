#!/bin/bash
# What the loop adds to the user's own commands: a measured run and a test,
# each of /bin/true, beside fork and exec of it; and how much of the time a
# benchmark of real length takes is the loop's. Medians of interleaved rounds,
# each the difference of a long series and a short one, so that what is done
# once per command is not counted.
. tests/support/sandbox.sh
. tests/support/campaign.sh

rounds=11
serve

# So many tests, and two benchmarks: no work at all, and some 60 ms of it.
workspace() { # TESTS
	mkdir "$work/$1" && cd "$work/$1" || exit
	printf '#!/bin/sh\ni=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done\n' >busy
	chmod +x busy
	for i in $(seq "$1"); do
		echo "test t$i { command = { \"/bin/true\" }  format = exit }"
	done >cupel.conf
	cat >>cupel.conf <<-END
		benchmark quick { command = { "/bin/true" }  warmup = 0  metric time { } }
		benchmark usual { command = { "./busy" }  warmup = 0  metric time { } }
	END
}

now() { date +%s%N; }
# Nanoseconds a command takes.
time_of() { # COMMAND...
	local from
	from=$(now)
	"$@" >/dev/null 2>"$work/said" || { echo "loop.sh: $*: $(cat "$work/said")" >&2; return 1; }
	echo $(($(now) - from))
}
# What one more of a series of so many costs, in nanoseconds.
step() { # COUNT FUNCTION
	local long short
	long=$(time_of "$2" "$1") && short=$(time_of "$2" 1) &&
		echo $(((long - short) / ($1 - 1)))
}
bare_true() { seq "$1" | xargs -n 1 /bin/true; }
bare_busy() { seq "$1" | xargs -n 1 ./busy; }
quick() { "$cupel" bench --runs "$1" quick; }
usual() { "$cupel" bench --runs "$1" usual; }
tests() { cd "$work/$1" && "$cupel" test; }

# Lines of "ours peer", each of a round.
compare() { # COUNT OURS PEER
	local ours peer
	for _ in $(seq $rounds); do
		ours=$(step "$1" "$2") && peer=$(step "$1" "$3") || exit 1
		echo "$ours $peer"
	done
}
# FIGURE BAR UNIT SCALE, of "ours peer" lines: the median of DIFFERENCE / SCALE,
# or in percent of the peer where SCALE is "peer".
figure() {
	local lines
	lines=$(cat)
	awk '{ printf "  %.2f ms, bare %.2f ms\n", $1 / 1e6, $2 / 1e6 }' <<<"$lines" |
		sort -n | sed -n "$(((rounds + 1) / 2))p"
	awk -v scale="$4" '{ print ($1 - $2) / (scale == "peer" ? $2 / 100 : scale) }' <<<"$lines" |
		sort -g | sed -n "$(((rounds + 1) / 2))p" | awk -v name="$1" -v bar="$2" -v unit="$3" '{
			printf "%-56s %9.2f %s (bar %.2f)  %s\n", name, $1, unit, bar,
				$1 <= bar ? "met" : "MISSED" }'
}

workspace 61
workspace 1
compare 61 quick bare_true >"$work/quick" || exit
compare 11 usual bare_busy >"$work/usual" || exit
compare 61 tests bare_true >"$work/tests" || exit
figure 'loop: a measured run over fork and exec' 3 ms 1e6 <"$work/quick"
figure 'loop: beside the command itself' 5 % peer <"$work/usual"
figure 'cupel test: a test over fork and exec' 3 ms 1e6 <"$work/tests"
