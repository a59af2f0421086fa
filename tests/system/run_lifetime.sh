#!/bin/bash
# How a run ends: limits of time, signals, processes that try to stay. Speaks
# TAP.
. tests/support/sandbox.sh

# A duration nobody else sleeps for: what is left of a run is found by it.
mark=9$$
left_behind() { # the marked processes that are still there after a second
	local left
	for _ in {1..50}; do
		left=$(pgrep -fa "^sleep $mark" || true)
		[ -n "$left" ] || return 0
		sleep 0.02
	done
	echo "$left"
	pkill_marked
	return 1
}
pkill_marked() {
	pgrep -f "^sleep $mark" | xargs -r kill -9
}
trap 'pkill_marked; clean_up' EXIT

# What a run of nothing takes just now: the measure of what may come on top.
run_nothing() {
	local start=$(milliseconds)
	try_run --workspace none -- true
	bare=$(least "$(($(milliseconds) - start))")
}
# The end of try_run OPTION..., that DUE ms are over by then, and that it was
# not waited for anything else.
timed() { # NAME CAUSE:SIGNAL:STATUS DUE OPTION...
	local name=$1 want=$2 due=$3 start took
	shift 3
	run_nothing
	start=$(milliseconds)
	try_run --workspace none "$@"
	took=$(($(milliseconds) - start))
	is "$tier: $name" "$(verdict '"\(.cause):\(.signal)"'):$code" "$want"
	holds "$tier: $name, after $due ms ($took, a run of nothing $bare)" \
		[ $took -ge $due -a $took -le $((due + 40 * bare)) ]
}

# ---- limits of time ----

grace=2000	# from TERM to KILL
spend_time() {
	local limit
	run_nothing
	limit=$((700 + 5 * bare))	# the shell is to have set its trap by then
	timed 'a command that obeys TERM' wall:15:124 300 --limit wall=300ms -- sleep $mark
	timed 'one that says goodbye' wall:null:124 $limit --limit wall=${limit}ms -- \
		sh -c 'trap "echo bye; exit 5" TERM; sleep '$mark' & wait'
	is "$tier: its goodbye was heard" "$(<out)" bye
	timed 'one that ignores TERM' wall:9:124 $((limit + grace)) --limit wall=${limit}ms -- \
		sh -c 'trap "" TERM HUP INT; sleep '$mark'; sleep '$mark
	timed 'one that is stopped' wall:9:124 $((300 + grace)) --limit wall=300ms -- \
		sh -c 'kill -STOP $$'
	timed 'its children ignore TERM' wall:15:124 300 --limit wall=300ms -- \
		sh -c '(trap "" TERM; sleep '$mark'; sleep '$mark') & wait'
	timed 'within the limit' exited:null:0 100 --limit wall=20s -- sleep 0.1
	holds "$tier: none of them is left" left_behind
}
for_each_tier spend_time

# ---- those who try to stay ----

try_to_stay() {
	local daemon='(setsid sh -c "trap \"\" TERM HUP INT; sleep '$mark'; sleep '$mark'" &) &'
	timed 'a daemon does not outlive its run' exited:null:0 100 -- sh -c "$daemon sleep 0.1"
	holds "$tier: it is gone" left_behind
	timed 'nor one that holds stdout open' exited:null:0 0 -- \
		sh -c 'sleep '$mark' & echo done'
	is "$tier: what was written came" "$(<out)" done
	timed 'nor with output unlimited' exited:null:0 0 --limit output=none -- \
		sh -c 'sleep '$mark' & echo done'
	is "$tier: that came as well" "$(<out)" done
	# A reader after us must see the end, too.
	is "$tier: a pipe's reader is not kept waiting" "$(timeout 10 \
		"${cupel_run[@]}" --quiet --workspace none --limit output=none -- \
		sh -c 'sleep '$mark' & echo done' </dev/null | cat; echo "${PIPESTATUS[0]}")" \
		done$'\n'0
	timed 'a stopped grandchild' exited:null:0 100 -- \
		sh -c '(sleep '$mark' & kill -STOP $!) & sleep 0.1'
	timed 'orphans are reaped' exited:null:0 200 -- sh -c '
		for i in 1 2 3 4 5 6 7 8; do (true &); done; sleep 0.2
		grep -l "^State:.Z" /proc/[0-9]*/status; true'
	is "$tier: no zombie is seen" "$(<out)" ''
	timed 'the command is not process 1' signaled:15:143 0 -- sh -c 'kill -TERM $$'
	timed 'a signal to all reaches nobody else' exited:null:3 0 -- \
		sh -c 'trap "" TERM; kill -TERM -1; kill -TERM 0; exit 3'
	timed 'nor does killing its group' signaled:9:137 0 -- sh -c 'kill -9 0; sleep 10'
	is "$tier: it leads its own session" "$("${cupel_run[@]}" --quiet --workspace none -- \
		sh -c 'read -r pid name state parent group session rest </proc/self/stat
			echo $((session == $$))')" 1
	holds "$tier: none of all these is left" left_behind
}
for_each_tier try_to_stay

# ---- signals ----

# Starts the command in the background, waits for its word "ready".
begin() { # OPTION... -- COMMAND
	rm -f out verdict
	# A shell has INT and QUIT ignored by what it starts in the background.
	env --default-signal=INT,QUIT "${cupel_run[@]}" --quiet --json verdict --workspace none "$@" </dev/null >out 2>err &
	pid=$!
	started+=($pid)
	for _ in {1..3000}; do
		grep -q ready out 2>/dev/null && return
		sleep 0.01
	done
	not_ok "$tier: it did not start" "$(<err)"
}
finish() {
	code=0
	wait $pid || code=$?
}

send_signals() {
	local signal start
	for signal in TERM INT HUP QUIT USR1 USR2; do
		begin -- sh -c "trap 'echo $signal; exit 7' $signal; echo ready; while :; do sleep 0.01; done"
		kill -$signal $pid
		finish
		is "$tier: $signal is passed on" "$(tail -n +2 out):$code:$(verdict .cause)" \
			"$signal:7:exited"
	done
	for signal in TERM:143 INT:130 HUP:129; do
		begin -- sh -c "echo ready; exec sleep $mark"
		kill -${signal%:*} $pid
		finish
		is "$tier: ${signal%:*} ends what does not mind it" "$code:$(verdict .cause)" \
			"${signal#*:}:cancelled"
	done
	run_nothing
	begin -- sh -c "trap '' INT TERM; echo ready; sleep $mark; sleep $mark"
	kill -INT $pid
	sleep 0.3
	holds "$tier: one INT is the command's to ignore" kill -0 $pid
	start=$(milliseconds)
	kill -INT $pid
	finish
	is "$tier: the second ends it" "$code:$(verdict .cause)" 137:cancelled
	holds "$tier: at once" [ $(($(milliseconds) - start)) -le $((40 * bare)) ]

	begin -- sh -c "(setsid sleep $mark &) ; echo ready; sleep $mark"
	kill -9 $pid
	finish 2>/dev/null
	is "$tier: the launcher was killed" $code 137
	holds "$tier: and all inside with it" left_behind
	holds "$tier: and its cgroup" stale_groups
}
for_each_tier send_signals 2>/dev/null

# ---- control-Z ----

# Those inside count up, in "out" itself: not through the launcher, which stops.
counts() { wc -c <out; }
moves() { # whether they count on
	local before=$(counts)
	for _ in {1..500}; do
		[ "$(counts)" = "$before" ] || return 0
		sleep 0.01
	done
	return 1
}
rests() { # whether they come to stand still, and stay so
	local before
	for _ in {1..100}; do
		before=$(counts)
		sleep 0.3
		[ "$(counts)" != "$before" ] || return 0
	done
	return 1
}
state_of() { # PID
	sed 's/.*) \(.\).*/\1/' "/proc/$1/stat"
}

# One in the command's process group, and with a cgroup one in another session.
suspend_and_resume() {
	local tick='while :; do printf .; sleep 0.01; done' other=
	try_run --workspace none -- true
	[ "$(verdict .enforced.cgroup)" = none ] || other="setsid sh -c '$tick' &"
	begin --limit output=none --limit wall=none -- sh -c "trap 'exit 6' USR1; echo ready; $other $tick"
	holds "$tier: it counts" moves
	kill -TSTP $pid
	holds "$tier: suspended, nothing inside does" rests
	is "$tier: nor the launcher" "$(state_of $pid)" T
	kill -CONT $pid
	holds "$tier: resumed, it counts on" moves
	kill -USR1 $pid
	finish
	is "$tier: and ends as ever" "$code:$(verdict .cause)" 6:exited

	begin --limit output=none --limit wall=none -- sh -c "echo ready; $other $tick"
	kill -TSTP $pid
	rests
	kill -9 $pid
	finish
	holds "$tier: killed when suspended, its cgroup goes" stale_groups
	holds "$tier: and nothing counts on" rests
}
for_each_tier suspend_and_resume

# A launcher that gets no processor for a while finds everything over at once.
be_late() {
	local delay ends
	ends=$(for delay in 1 2 3 4 5 6 7 1 2 3 4 5 6 7; do
		"${cupel_run[@]}" --quiet --workspace none -- sh -c 'exit 3' </dev/null &
		sleep 0.00$delay
		kill -STOP $!
		sleep 0.03
		kill -CONT $!
		wait $!
		echo $?
	done | sort -u)
	is "$tier: a launcher that was kept waiting tells the same" "$ends" 3
}
for_each_tier be_late
done_testing
