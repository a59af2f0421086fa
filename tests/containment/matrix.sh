#!/bin/bash
# Every attempt of the probe, under every preset, as root and as an ordinary
# user, after the same attempts have been seen to work unconfined. Speaks TAP.
. tests/support/sandbox.sh
export CANARY_FILE=$work/canary CANARY_PATH_SOCKET=$work/socket
export CANARY_SOCKET=cupel-canary-$$ CANARY_SECRET=secret
echo untouched | tee "$CANARY_FILE" >"$work/shown"
export CANARY_SHOWN=$work/shown
chmod 666 "$CANARY_FILE"

sleep 1000 &
export CANARY_PID=$!
"$probe" listen "$work/heard" "$CANARY_SOCKET" "$CANARY_PATH_SOCKET" &
started+=($CANARY_PID $!)
until [ -s "$work/heard" ] && [ -S "$CANARY_PATH_SOCKET" ]; do sleep 0.01; done
chmod 777 "$CANARY_PATH_SOCKET"
export CANARY_PORT=$(head -n 1 "$work/heard")
presets='strict tool build test net compute'

# What a caller's environment may hold; the probe is static and minds nothing.
tempted=(env LD_LIBRARY_PATH=/nowhere GLIBC_TUNABLES=glibc.malloc.check=3
	BASH_ENV=/nowhere PYTHONPATH=/nowhere NODE_OPTIONS=--none)
canaries=(--pass-env CANARY_FILE --pass-env CANARY_PORT --pass-env CANARY_PID
	--pass-env CANARY_SOCKET --pass-env CANARY_PATH_SOCKET)

relay outside < <("${tempted[@]}" "$probe" outside </dev/null 9</dev/null)
is 'outside: the listeners heard all three' "$(grep -c connection "$work/heard")" 3

# compute has no second process: each attempt is a run of its own.
attempt_all() {
	local preset options
	for preset in $presets; do
		options=(--quiet --policy "$preset" --workspace none
			--bind "$probe:/probe" "${canaries[@]}" --)
		if [ "$preset" = compute ]; then
			"${tempted[@]}" "$probe" each compute \
				"${cupel_run[@]}" "${options[@]}" /probe
		else
			"${tempted[@]}" "${cupel_run[@]}" "${options[@]}" /probe inside "$preset"
		fi </dev/null 7</ 8<"$CANARY_FILE" 9</dev/null >lines
		is "$tier $preset: the probe ended" $? 0
		relay "$tier $preset" <lines
	done
}
for_each_tier attempt_all

is 'nobody else was heard' "$(grep -c connection "$work/heard")" 3
is 'the canary is untouched' "$(<"$CANARY_FILE")" untouched
holds 'the canary lives' kill -0 "$CANARY_PID"
done_testing
