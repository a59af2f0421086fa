#!/bin/bash
# What gets old in the store of a supervisor, by what cupel.conf says. Speaks TAP.
. tests/support/calls.sh

database() { ${as[@]+"${as[@]}"} python3 - "$space/state/store/cupel.db" "$1" <<-'END'
		import sqlite3, sys
		database = sqlite3.connect(sys.argv[1])
		if sys.argv[2].startswith("SELECT"):
		    print("|".join(str(column) for column in database.execute(sys.argv[2]).fetchone()))
		else:
		    database.executescript(sys.argv[2])
	END
}
shows() { [ "$(database "$1")" = "$2" ]; }
# As if the clock had been so many seconds from now when it was seen last.
seen() { database "UPDATE clock SET seen_ms = 1000 * (strftime('%s', 'now') + $1), trusted_ms = 0"; }
ago="strftime('%Y-%m-%dT%H:%M:00.000Z', 'now', '-' ||"
kept="SELECT (SELECT count(*) FROM points), (SELECT count(*) FROM rollups WHERE step = 'minute'),
	(SELECT count(*) FROM rollups WHERE step = 'hour'), (SELECT group_concat(kind) FROM events)"

retention() {
	local want='raw=7d minutes=30d events=30d'
	folder "$space/config/cupel" "$space/ws"
	echo 'test t { command = "true" }' >"$space/ws/cupel.conf"
	if [ "$tier" != full ]; then	# root's would be the system's own
		echo 'store { raw = 8d minutes = 31d }' >"$space/config/cupel/cupel.conf"
		want='raw=8d minutes=31d events=30d'
	fi
	start_supervisor
	ask call store.event '{"events": [{"kind": "now"}]}' >/dev/null
	is "$tier: the store is told its settings" \
		"$(tr '\0' ' ' <"/proc/$(named cupel-store)/cmdline")" "store $want "
	stop_supervisor
	database "
	INSERT INTO sessions (workspace, kind) VALUES ('$space/ws', 'bench');
	INSERT INTO performance_metrics (session_id, timestamp, metrics_json)
		SELECT 1, $ago '40 days'), json_object('spin.time', value) FROM json_each('[1, 2, 3]');
	INSERT INTO performance_metrics (session_id, timestamp, metrics_json)
		SELECT 1, $ago '15 days'), json_object('spin.time', value) FROM json_each('[4, 5]');
	INSERT INTO performance_metrics (session_id, metrics_json) VALUES (1, '{\"spin.time\": 6}');
	INSERT INTO events (kind, timestamp) VALUES ('old', $ago '40 days'));"

	seen 864000
	start_supervisor
	holds "$tier: a clock that was set back begins anew" \
		wait_for 60 shows "SELECT seen_ms < 1000 * (strftime('%s', 'now') + 60) FROM clock" 1
	is "$tier: and throws nothing away" "$(database "$kept")" '6|0|0|now,old'
	holds "$tier: which the log tells" wait_for 60 grep -q 'the clock was set back' "$log"
	stop_supervisor

	seen -90000
	start_supervisor
	holds "$tier: what is old is rolled up, and the rest stays" wait_for 60 shows "$kept" '1|1|1|now'
	cd "$space/ws" || return
	is "$tier: a trend shows all of it" "$(ask trend spin.time --json |
		jq -r '.trend[] | [.step, .n, .mean, .min, .max, .last, .median] | join(" ")')" \
		$'raw 1 6 6 6 6 6\nminute 2 4.5 4 5 5 \nhour 3 2 1 3 3 '
	ask trend spin.time >"$space/shown" 2>&1
	cd "$space" || return
	holds "$tier: and for a person" grep -q '^6 values from 1 to 6, mean 3.5, last 6$' shown
	holds "$tier: with the range of an hour" grep -q 'bench *3 *2 *1 to 3' shown
	stop_supervisor
}

for_each_tier retention
done_testing
