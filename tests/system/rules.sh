#!/bin/bash
# Clients and workers that break the rules: it costs them their link, and
# nobody else anything.
. tests/support/calls.sh

install -m 755 "$CUPEL_OUT/tests/chaos/rude" "$work/rude"

rules='garbage garbage-later oversized truncated early greets-twice router
calls-twice unknown version silent takes-back'

misbehaves() {
	local rule socket=$space/run/router.sock before
	start_supervisor
	before=$(named cupel-router)
	ask call echo.sleep '{"ms":6000}' >"$space/slept" 2>&1 &
	caller=$!
	sleep 0.2
	for rule in $rules; do
		is "$tier: $rule ends the link" "$("${as_user[@]}" "$work/rude" "$socket" $rule 8)" closed
		is "$tier: and no other" "$(ask call echo "\"$rule\"")" "\"$rule\""
	done
	wait $caller
	is "$tier: a call that ran all the time" "$(<"$space/slept")" '{"ms":6000}'
	is "$tier: the router is the same" "$(named cupel-router)" "$before"
	stop_supervisor
}

# A worker that greets its monitor, and then talks nonsense to the router.
bad_worker() { # NAME SCRIPT
	cat >"$work/tools.$tier/$1.tool" <<-END
	worker $1 {
		program = /bin/bash
		arguments = { "-c", "$2" }
		policy = tool
		pool = ondemand
		size = 1
	}
	tool $1 { help = "breaks a rule" class = pure deadline = 5s }
	END
}
hello_beat='printf \"\\\\x01\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\" >&4'

bad_workers() {
	folder "$work/tools.$tier"
	rm -f "$work/tools.$tier"/*
	bad_worker babble "$hello_beat; head -c 4000 /dev/urandom >&3; sleep 60"
	bad_worker mute "$hello_beat; exec 3>&-; sleep 60"
	bad_worker liar "printf nonsense >&4; sleep 60"
	start_supervisor --tools "$work/tools.$tier"
	for name in babble mute liar; do
		holds "$tier: a worker that is $name fails its call" \
			test "$(code_of call --timeout 4s $name)" -gt 1
	done
	is "$tier: others are served" "$(ask call echo 4)" 4
	is "$tier: the router says why" "$(grep -c 'rotocol\|frame' "$log" | sed 's/^[1-9].*/some/')" some
	stop_supervisor
	rm -f "$work/tools.$tier"/*
}

for part in misbehaves bad_workers; do
	for_each_tier "$part"
done
done_testing
