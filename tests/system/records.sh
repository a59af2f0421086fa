#!/bin/bash
# How every call ended is in the store, without any call having waited for it.
. tests/support/calls.sh

database() { echo "$space"/state/store/*.db; }
select_all() { sqlite3 -readonly "$(database)" "$1" 2>&1; }
recorded() { # SQL, WANT
	[ "$(select_all "$1")" = "$2" ]
}
metric() { ask status --metrics | awk -v name="$1" '$1 == name { print $2 }'; }

# A frame of the log that ends a transaction says how large the file then is.
commits() {
	python3 - "$(database)-wal" <<-'END'
		import sys
		log = open(sys.argv[1], "rb").read()
		page = int.from_bytes(log[8:12], "big")
		frames = [log[at:at + 24] for at in range(32, len(log), 24 + page)]
		print(sum(f[8:16] == log[16:24] and f[4:8] != bytes(4) for f in frames))
	END
}

records() {
	local i
	start_supervisor
	for i in {1..20}; do ask call echo "$i" >/dev/null & done
	wait $(jobs -p | grep -vx "$supervisor")
	ask call echo.fail '{"code":9}' >/dev/null 2>&1
	ask call --timeout 200ms echo.sleep '{"ms":9000}' >/dev/null 2>&1
	ends="SELECT tool, outcome, count(*) FROM calls WHERE tool LIKE 'echo.%' GROUP BY 1, 2"
	holds "$tier: how calls ended is in the store" wait_for 60 recorded "$ends" \
		$'echo.fail|failed_precondition|1\necho.sleep|deadline_exceeded|1'
	holds "$tier: all of them" wait_for 60 recorded \
		"SELECT count(*) >= 20, min(attempts), max(client_role), min(wall_ns) > 0 FROM calls WHERE tool = 'echo' AND outcome = 'ok'" \
		'1|1|owner|1'
	is "$tier: and nothing about the recording itself" \
		"$(select_all "SELECT count(*) FROM calls WHERE tool = 'store.call'")" 0
	is "$tier: nothing was dropped" "$(metric cupel_calls_unrecorded_total)" 0

	# What comes together is committed together, each with its own answer.
	local asked=() before
	before=$(commits)
	kill -STOP $(named cupel-store)
	for i in {1..10}; do
		ask call store.event "{\"events\": [{\"kind\": \"group\", \"data\": {\"n\": $i}}]}" >>"$space/stored" &
		asked+=($!)
	done
	ask call store.event '{"events": [{"kind": "group", "data": {"n": 11}}, {"data": {}}]}' >"$space/unstored" 2>&1 &
	asked+=($!)
	for i in {1..20}; do	# not so long that it counts as hung
		[ "$(ask status --json | jq '.tools[] | select(.name == "store.event").running')" -lt 5 ] || break
	done
	kill -CONT $(named cupel-store)
	wait "${asked[@]}"
	is "$tier: ten calls that wait are all kept, one that fails is not" \
		"$(grep -c '"stored": *1' "$space/stored") $(select_all "SELECT count(*), count(DISTINCT data) FROM events WHERE kind = 'group'") $(grep -c 'NOT NULL' "$space/unstored")" '10 10|10 1'
	before=$(($(commits) - before))
	holds "$tier: in fewer commits than calls ($before)" test "$before" -ge 1 -a "$before" -lt 10

	# What must be on the disk shares its commit with nothing that need not be.
	local session=$(ask call store.session '{"workspace": "/mixed", "kind": "test"}' | jq .session)
	asked=()
	before=$(commits)
	kill -STOP $(named cupel-store)
	for i in {1..3}; do
		ask call store.event "{\"events\": [{\"kind\": \"mixed\", \"data\": {\"n\": $i}}]}" >"$space/mixed$i" &
		asked+=($!)
	done
	ask call store.experiment "{\"session\": $session, \"kind\": \"watch\", \"plan\": {}}" >"$space/mixed" &
	asked+=($!)
	for i in {1..20}; do	# as above
		[ "$(ask status --json | jq '[.tools[] | select(.name | IN("store.event", "store.experiment")).running] | add')" -lt 4 ] || break
	done
	kill -CONT $(named cupel-store)
	wait "${asked[@]}"
	before=$(($(commits) - before))
	is "$tier: four more are kept" "$(select_all "SELECT (SELECT count(*) FROM events WHERE kind = 'mixed'),
		(SELECT count(*) FROM experiments WHERE session_id = $session)")" '3|1'
	holds "$tier: what must be on the disk is committed apart ($before)" test "$before" -ge 2

	# The store itself, at any path but those of its own directory.
	echo secret >"$space/secret"
	within() { ${as[@]+"${as[@]}"} "$probe" within "$(named cupel-store)" "$@" 2>&1; }
	refused() { within "$@" | grep -Evc ' (ENOENT|EACCES|EPERM|EROFS|EXDEV)$'; }
	is "$tier: the store opens what is its own" "$(within r cupel.db; within w made)" $'cupel.db ok\nmade ok'
	is "$tier: and reads nothing else" "$(refused r /etc/shadow "$space/secret" "$probe" ../log ../log/cupel.log \
		../../secret "/proc/$supervisor/environ" /root /home /var/lib)" 0
	# Around it is an empty place of its sandbox, where it may make what it likes.
	within w ../made ../log/made ../../made "$space/made" /made /etc/made /usr/made >/dev/null
	is "$tier: nor makes anything" "$(find "$work" /made /etc/made /usr/made -name made 2>/dev/null)" "$space/state/store/made"
	is "$tier: control: the tier's user can do both" \
		"$(${as[@]+"${as[@]}"} sh -c 'touch state/made && cat secret && rm state/made state/store/made')" secret

	# With the store away calls go on, and what is kept of them is bounded.
	ask call echo '"before"' >/dev/null
	call_nothing
	kill -STOP $(named cupel-store)
	start=$(milliseconds)
	for i in {1..5}; do ask call echo "$i" >/dev/null; done
	took=$(($(milliseconds) - start))
	holds "$tier: no call waits for a store that hangs ($took ms, one took $bare)" \
		test $took -lt $((50 * bare))
	before=$(select_all "SELECT count(*) FROM calls")
	kill -CONT $(named cupel-store)
	more() { [ "$(select_all "SELECT count(*) FROM calls")" -ge $((before + 5)) ]; }
	holds "$tier: they are told once it is well" wait_for 60 more
	for i in {1..3}; do ask call echo "$i" >/dev/null; done
	want=$(ask status --metrics | awk '/^cupel_tool_calls_total/ && !/store.(call|database)/ { n += $2 } END { print n }')
	stop_supervisor
	# One that asks for the metrics asks the store afterwards.
	got=$(select_all "SELECT count(*) FROM calls WHERE tool <> 'store.database'")
	is "$tier: and at the end each call there was" "$got" "$want"
	echo "# $tier: calls: $got"
}

for_each_tier records
done_testing
