# What the tests of the improvement loop share; sourced by bash after
# tests/support/sandbox.sh.
#
#	serve			a supervisor of one's own; sets $supervisor
#	small DIRECTORY		a workspace whose campaign takes seconds: of its
#				two knobs one is a gain nobody can miss, a quarter
#				of the work, which is as far from the 40 % asked
#				for as from the 90 % that a person would have to
#				look at; and one is a trap, half of the work, that
#				its test catches
#	commit DIRECTORY	makes it a repository with one commit
#	rows SQL		what the store holds, a line a row
#	house			"PID NAME" of each process of the supervisor, and itself
#	judge COMMAND VERB...	runs cupel so; each "sleep $token.WORD" of a confined
#				command is ended meanwhile: by KILL if COMMAND WORD PID
#				succeeds, else by TERM ($? is 143 then)
#	store METHOD JSON	asks the store
#	propose DIRECTORY COMMIT KNOB FROM TO
#				a row of the store without a campaign, $made being
#				its number; begin: it is being tested; approve: it
#				was proven, and is approved
export CUPEL_STATE=$work/state CUPEL_RUN=$work/run XDG_CONFIG_HOME=$work/config HOME=$work
mkdir -p -m 700 "$CUPEL_RUN" "$XDG_CONFIG_HOME"

serves() {
	"$cupel" status >/dev/null 2>&1
}
serve() {
	"$CUPEL_BIN/cupeld" --user --foreground --run "$CUPEL_RUN" --state "$CUPEL_STATE" \
		>>"$work/cupeld.log" 2>&1 </dev/null &
	supervisor=$!
	started+=("$supervisor")
	for _ in $(seq 600); do	# on a busy machine it takes its time
		serves && return
		kill -0 "$supervisor" 2>/dev/null || break
		sleep 0.1
	done
	tail -n 3 "$work/cupeld.log" >&2
	return 1
}
unserve() {
	[ -n "${supervisor-}" ] || return
	kill "$supervisor" 2>/dev/null
	wait "$supervisor" 2>/dev/null
}
trap 'unserve; clean_up' EXIT

small() { # DIRECTORY
	mkdir -p "$1"
	cat >"$1/spin.sh" <<-'END'
		COUNT=30000
		MODE=good
		i=0
		[ $MODE = good ] || i=$((COUNT / 2))
		while [ $i -lt $COUNT ]; do i=$((i + 1)); done
		echo $MODE
	END
	cat >"$1/cupel.conf" <<-'END'
		test answer { command = "test \"$(sh spin.sh)\" = good" }
		benchmark spin {
			command = { "sh", "spin.sh" }
			metric time { from = cpu }
		}
		knob count {
			kind = file  file = "spin.sh"  pattern = "COUNT=([0-9]+)"
			values = { 7500, 30000 }
		}
		knob mode {
			kind = file  file = "spin.sh"  pattern = "MODE=([a-z]+)"
			values = { good, bad }
		}
		improve { gain = 40 }
	END
}
commit() { # DIRECTORY
	git -C "$1" init -q -b main
	git -C "$1" add -A
	git -C "$1" -c user.name=test -c user.email=test@localhost commit -q -m start
}
house() {
	ps -e -o pid=,ppid=,comm= | awk -v top="$supervisor" '
		{ parent[$1] = $2; name[$1] = $3 }
		END {
			for (pid in name) {
				up = pid
				while (up != top && up in parent)
					up = parent[up]
				if (up == top && (pid == top ||
				    name[pid] ~ /^cupel-(improve|store|git|job|router)$/))
					print pid, name[pid]
			}
		}' | sort -n
}
token=$((1000000 + $$))
judge() { # COMMAND VERB...: leaves report and said in $work
	local fails=$1 asked pid word last=
	shift
	"$cupel" "$@" >"$work/report" 2>"$work/said" </dev/null &
	asked=$!
	while kill -0 "$asked" 2>/dev/null; do
		while read -r pid word; do
			[ "$pid" != "$last" ] || continue
			last=$pid
			if "$fails" "$word" "$pid"; then kill -KILL "$pid"; else kill "$pid"; fi
		done < <(ps -e -o pid=,args= | awk -v token="$token." '
			$2 == "sleep" && index($3, token) == 1 { print $1, substr($3, length(token) + 1) }')
		sleep 0.02
	done
	wait "$asked"
}
rows() { # SQL: of the store, as the loop left them
	python3 - "$CUPEL_STATE/store/cupel.db" "$1" <<-'END'
		import sqlite3, sys
		database = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True)
		for row in database.execute(sys.argv[2]):
		    print("|".join("" if column is None else str(column) for column in row))
	END
}
store() { # METHOD JSON
	"$cupel" call "store.$1" "$2"
}
propose() {
	proposals=$((proposals + 1))
	made=$(store propose "$(jq -nc --arg workspace "$work/$1" --arg base "$2" --arg knob "$3" \
		--arg from "$4" --arg to "$5" --arg hash "by-hand-$proposals" '{$workspace, $hash,
		session: null, type: "optimization", source: "hand", description: "by hand",
		confidence: 0.5, expected: 1, changes: {$base, knobs: [
			{$knob, kind: "file", file: "spin.sh", $from, $to}]}}')" | jq .improvement)
} >/dev/null
begin() {
	propose "$@"
	store status "{\"improvement\":$made,\"from\":\"proposed\",\"to\":\"testing\",\"reason\":\"\"}"
} >/dev/null
approve() {
	local experiment
	begin "$@"
	experiment=$(store experiment "{\"improvement\":$made,\"kind\":\"validate\",
		\"plan\":{\"benchmark\":\"spin\",\"metric\":\"time\",\"judged_by\":\"CPU time\"}}" | jq .experiment)
	store settle "{\"improvement\":$made,\"experiment\":$experiment,\"verdict\":\"accept\",\"reason\":\"\",
		\"success\":true,\"to\":\"approved\",\"confidence\":0.5,\"gain\":0.5,\"gain_lower\":0.4,
		\"before\":{},\"after\":{},\"errors\":[],\"pairs\":10,\"alpha\":0.01,\"execution_s\":1}"
} >/dev/null
proposals=0
