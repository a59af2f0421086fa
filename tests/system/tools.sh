#!/bin/bash
# Tools that are no part of Cupel, and commands, called through a supervisor:
# the examples from a directory of manifests, what becomes of a changed one,
# and cupel-job in its sandbox. Speaks TAP; run from the top folder.
. tests/support/sandbox.sh
. tests/support/supervisor.sh
case $CUPEL_OUT in /*) out=$CUPEL_OUT ;; *) out=$top/$CUPEL_OUT ;; esac

manifests() { # the examples, where this user may read them
	folder "$space/tools" "$space/examples" "$space/config/cupel/policies"
	install -m 644 "$top/etc/examples/words.py" "$space/examples"
	install -m 755 "$out/tests/examples/primes" "$space/examples"
	sed "s|program = .*|program = $space/examples/primes|" \
		"$top/etc/examples/primes.tool" >"$space/tools/primes.tool"
	chmod 755 "$space" "$space/tools" "$space/examples"
	[ "$tier" = userns ] || return 0	# only a user has policies elsewhere
	printf 'include = strict\nfiles {\n\tbind = { "%s:/opt/examples" }\n}\n' "$space/examples" \
		>"$space/config/cupel/policies/words.policy"
	sed -e 's|/usr/local/share/cupel/examples|/opt/examples|' \
		-e 's|policy = strict|policy = words|' \
		"$top/etc/examples/words.tool" >"$space/tools/words.tool"
	folder "$space/config/cupel/policies"
}
answers() { # TOOL ARGUMENTS
	ask call "$1" "$2" 2>&1
}
answer_is() { # WANT TOOL ARGUMENTS
	[ "$(answers "$2" "$3")" = "$1" ]
}
job() { # FIELD-EXPRESSION ARGUMENTS [OPTION...]
	local field=$1 arguments=$2
	shift 2
	ask call "$@" "${tool:-job}" "$arguments" 2>/dev/null | tail -1 | jq -rc "$field"
}

examples() {
	is "$tier: the example in C answers" \
		"$(answers primes '{"n":360}')" '{"n":360,"factors":[2,2,2,3,3,5]}'
	is "$tier: and refuses" "$(answers primes '{"n":"x"}' | grep -c 'write a whole number')" 1
	[ "$tier" = full ] || is "$tier: the example in Python answers" \
		"$(answers words '{"text":"a rose is a rose"}')" '{"words":5,"distinct":3,"most":"a"}'
	sed -i 's|help = .*|help = "of another mind"|' "$space/tools/primes.tool"
	holds "$tier: a changed manifest is noticed" wait_for 60 eval \
		'ask tools describe primes | grep -q "of another mind"'
	echo nonsense >"$space/tools/primes.tool"
	holds "$tier: a bad one is a warning in the log" wait_for 60 grep -q "\"level\":\"warning\".*primes.tool:1: there is no 'nonsense'" "$log"
	is "$tier: and the old one stays" "$(answers primes '{"n":6}')" '{"n":6,"factors":[2,3]}'
	rm "$space/tools/primes.tool"
	holds "$tier: a removed one is gone" wait_for 60 eval \
		'answers primes "{\"n\":6}" | grep -q "no such tool"'
}

jobs() {
	is "$tier: a command has its verdict" \
		"$(job '[.schema, .cause, .exit_code]' '{"argv":["sh","-c","exit 4"]}')" \
		'["cupel.run/1","exited",4]'
	is "$tier: and its output" \
		"$(ask call --stream job '{"argv":["sh","-c","echo out; echo err >&2"]}' 2>"$space/err" | sed -n 1p; cat "$space/err")" \
		$'out\nerr'
	is "$tier: it sees nothing of the worker" \
		"$(ask call --stream job '{"argv":["sh","-c","cat /proc/$PPID/maps; ls /proc/$$/fd | tr -d \"\\n\""]}' 2>/dev/null | sed -n 1p | tr -d '3{' | cut -c1-3)" 012
	is "$tier: what it leaves behind ends with it" \
		"$(job '.cause, .wall_ns < 5e9' '{"argv":["sh","-c","setsid sleep 1000 & setsid setsid sleep 1000 & exit 0"]}')" \
		$'exited\ntrue'
	is "$tier: a limit is kept" \
		"$(job .cause '{"argv":["sleep","60"],"limits":{"wall_ms":200}}')" wall
	folder "$space/ws"
	is "$tier: a build writes in its workspace" \
		"$(tool=job.build job '.collected.made' '{"argv":["sh","-c","pwd >made"],"collect":["made"]}' \
			--workspace "$space/ws"; cat "$space/ws/made")" "$space/ws"$'\n\n'"$space/ws"
	is "$tier: a test does not" \
		"$(tool=job.test job '.collected.made' '{"argv":["sh","-c","echo more >made; touch new"],"collect":["made"]}' \
			--workspace "$space/ws"; ls "$space/ws")" $'more\n\nmade'
}

supervised() {
	manifests
	if start_supervisor --tools "$space/tools"; then
		examples
		jobs
		stop_supervisor
		is "$tier: it leaves in order" "$code" 0
	else
		not_ok "$tier: a supervisor starts" "$(tail -3 "$space/supervisor.err")"
	fi
}
for_each_tier supervised
done_testing
