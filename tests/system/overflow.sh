#!/bin/bash
# A tool whose queue is full, by what its manifest says of that.
. tests/support/calls.sh

look() { ask status --json | jq -c '.tools[] | select(.name == "'"$1"'") | '"$2"; }
looks() { [ "$(look "$1" "$2")" = "$3" ]; }
# One runs for as long as its caller, $first, is there; one waits in the queue.
fill() { # TOOL
	"${as_user[@]}" "$work/bin/cupel" call "$1" '{"ms":60000}' >/dev/null 2>&1 </dev/null &
	first=$!
	wait_for 60 looks "$1" .running 1
	ask call --json "$1" '{"ms":1}' >"$space/second" 2>/dev/null &
	second=$!
	wait_for 60 looks "$1" .queued 1
}
make_room() {
	kill "$first"
	wait "$first" 2>/dev/null
}
# What that process has been told; its words are in that file.
told() { # WHAT PROCESS FILE STATUS
	wait "$2"
	is "$1" "$(jq -r .status "$space/$3")" "$4"
}

overflows() {
	local tools=$work/tools.$tier policy third
	folder "$tools"
	for policy in reject drop-oldest block; do
		sed -e "s/^worker echo/worker $policy/; s/^tool echo/tool $policy/" \
			-e 's/size = 2/size = 1/; s/calls = 8/calls = 1/; s/concurrency = .*//' \
			-e "s/^tool .*/&\n\tqueue = 1\n\toverflow = $policy/" \
			"$top/etc/tools/echo.tool" >"$tools/$policy.tool"
	done
	start_supervisor --tools "$tools"
	is "$tier: a description tells it" "$(ask tools describe block.sleep | grep -c 'overflow *block')" 1

	fill reject.sleep
	is "$tier: reject: one more is refused" \
		"$(words_of call reject.sleep '{"ms":1}' | grep -c 'queue_full from the router, try again after [0-9]* ms')" 1
	make_room
	told "$tier: reject: the one that waits is served" "$second" second ok

	fill drop-oldest.sleep
	ask call --json drop-oldest.sleep '{"ms":1}' >"$space/third" 2>/dev/null &
	third=$!
	told "$tier: drop-oldest: the one that waits gives way" "$second" second shed
	make_room
	told "$tier: drop-oldest: and the newcomer is served" "$third" third ok

	fill block.sleep
	ask call --json block.sleep '{"ms":1}' >"$space/third" 2>/dev/null &
	third=$!
	holds "$tier: block: one more waits for room" wait_for 60 looks block.sleep .blocked 1
	is "$tier: block: others are served meanwhile" "$(ask call echo 1)" 1
	is "$tier: block: who cannot wait so long is told in time" \
		"$(ask call --json --timeout 2s block.sleep '{"ms":1}' 2>/dev/null | jq -r .status)" deadline_exceeded
	make_room
	told "$tier: block: the others in the queue are served" "$second" second ok
	told "$tier: block: and so is the one at the door" "$third" third ok

	is "$tier: all that is counted" "$(ask status --metrics | grep '^cupel_queue_overflows_total.*sleep' |
		grep -v echo | sort)" 'cupel_queue_overflows_total{tool="block.sleep",policy="block"} 2
cupel_queue_overflows_total{tool="drop-oldest.sleep",policy="drop-oldest"} 1
cupel_queue_overflows_total{tool="reject.sleep",policy="reject"} 1'
	stop_supervisor
}

for_each_tier overflows
done_testing
