#!/bin/bash
# An upstream that flaps (flap.c), for FLAP_SECONDS (30); `make chaos MINUTES=n`
# lets it flap for as long.
. tests/support/sandbox.sh
. tests/support/supervisor.sh

install -m 755 "$CUPEL_OUT/tests/chaos/flap" "$work"

flaps() {
	start_supervisor
	relay "$tier" < <("${as_user[@]}" "$work/flap" "$space/run/router.sock" "${FLAP_SECONDS:-30}" 2>&1)
	holds "$tier: it serves" serves
	stop_supervisor
	is "$tier: it ends well" "$code" 0
}

# Which user's it is makes no difference to a router.
if [ "$(id -u)" -eq 0 ]; then become full; else become userns; fi
cd "$space" && flaps
cd "$top"
done_testing
