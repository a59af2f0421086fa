#!/bin/bash
# Every attempt of the probe, under every preset, as root and as an ordinary
# user, after the same attempts have been seen to work unconfined; then all
# again where mounts are made by mount(2). Speaks TAP.
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
attempt_under() { # NAME PRESET OPTION...
	local name=$1 preset=$2
	shift 2
	set -- --quiet --workspace none "$@" "${canaries[@]}" --
	if [ "$preset" = compute ]; then
		"${tempted[@]}" "$probe" each compute "${cupel_run[@]}" "$@" /probe
	else
		# All attempts of a preset may take a slow machine longer than it allows.
		"${tempted[@]}" "${cupel_run[@]}" --limit wall=none "$@" /probe inside "$preset"
	fi </dev/null 7</ 8<"$CANARY_FILE" 9</dev/null >lines
	is "$name $preset: the probe ended" $? 0
	relay "$name $preset" <lines
}
attempt_all() {
	local preset
	for preset in $presets; do
		attempt_under "$tier" "$preset" --policy "$preset" --bind "$probe:/probe"
	done
}
for_each_tier attempt_all

# A policy's bind is shown as it is; one of an option would need mapped ids.
attempt_by_mount() {
	local preset cupel_run=("${by_mount[@]}" "${cupel_run[@]}")
	for preset in $presets; do
		printf 'include = %s\nfiles {\n\tbind = { "%s:/probe" }\n}\n' \
			"$preset" "$probe" >"$preset.policy"
		chmod 644 "$preset.policy"
		attempt_under "$tier by mount(2)" "$preset" --policy "./$preset.policy"
	done
}
for_each_tier attempt_by_mount

is 'nobody else was heard' "$(grep -c connection "$work/heard")" 3
is 'the canary is untouched' "$(<"$CANARY_FILE")" untouched
holds 'the canary lives' kill -0 "$CANARY_PID"
done_testing
