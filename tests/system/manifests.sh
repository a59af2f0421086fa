#!/bin/bash
# Manifests that come, change, are wrong, and go, beside calls that run.
. tests/support/calls.sh

manifest() { # NAME HELP PROGRAM [MORE]
	cat >"$work/tools.$tier/.new" <<-END
	worker $1 {
		program = $3
		policy = strict
		pool = ondemand
		size = 1
	}
	tool $1 { help = "$2" class = pure ${4-} }
	tool $1.sleep { help = "$2" class = pure ${4-} }
	END
	mv "$work/tools.$tier/.new" "$work/tools.$tier/$1.tool"
}
help_of() { ask tools describe "$1" --json 2>/dev/null | jq -r .help; }
help_is() { [ "$(help_of "$1")" = "$2" ]; }
reason_is() { grep -q "$1" "$log"; }

manifests() {
	folder "$work/tools.$tier"
	rm -f "$work/tools.$tier"/*
	start_supervisor --tools "$work/tools.$tier"
	sed -e 's/^worker echo/worker mirror/' -e 's/^tool echo/tool mirror/' \
		"$top/etc/tools/echo.tool" >"$work/tools.$tier/mirror.tool"
	new() { ask call mirror 5; }
	holds "$tier: a new manifest is noticed" wait_for 60 new
	ask call mirror.sleep '{"ms":3000}' >"$space/slept" 2>&1 &
	caller=$!
	sleep 0.3
	sed -i 's/answer with the arguments/mirror them/' "$work/tools.$tier/mirror.tool"
	holds "$tier: so is a changed one" wait_for 60 help_is mirror 'mirror them'
	wait $caller
	is "$tier: a call from before ends well" "$(<"$space/slept")" '{"ms":3000}'
	cp "$work/tools.$tier/mirror.tool" "$space/mirror.good"
	while IFS='|' read -r what script words; do
		sed "$script" "$space/mirror.good" >"$work/tools.$tier/.new"
		mv "$work/tools.$tier/.new" "$work/tools.$tier/mirror.tool"
		refused() { reason_is "$words"; }
		holds "$tier: $what is refused, with the reason" wait_for 60 refused
		is "$tier: the old one stays" "$(ask call mirror 6)" 6
		cp "$space/mirror.good" "$work/tools.$tier/mirror.tool"
		sleep 0.5
	done <<-'END'
	a manifest that is none|1i nonsense {|mirror.tool
	an unknown key|s/size = 2/sise = 2/|sise
	a missing program|s/cupel-echo/no-such-program/|no-such-program
	a wider policy|s/policy = strict/policy = tool/|policy tool leaves open
	END
	rm "$work/tools.$tier/mirror.tool"
	gone() { ! new; }
	holds "$tier: one that is gone is forgotten" wait_for 60 gone
	stop_supervisor
}

for part in manifests; do
	for_each_tier "$part"
done
done_testing
