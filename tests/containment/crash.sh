#!/bin/bash
# The launcher is killed at random points: nothing of it may be left. Speaks
# TAP. CRASH_ROUNDS (200) rounds a user, CUPEL_SEED (1) for the moments.
. tests/support/sandbox.sh
rounds=${CRASH_ROUNDS:-200}
export TMPDIR=$work/tmp XDG_STATE_HOME=$work/state XDG_RUNTIME_DIR=$work/runtime \
	XDG_CACHE_HOME=$work/cache
mkdir -m 1777 "$TMPDIR" "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR" "$XDG_CACHE_HOME"

# Writes, leaves a background process that ignores signals, and ends soon; or
# never, so that nothing but the end of its launcher can end it.
busy='echo x >made; echo x >/tmp/made
	(trap "" TERM HUP; setsid sleep 1000 &)
	sleep '
ends=${busy}0.005 stays=${busy}1000

# Without those that other tests have meanwhile in folders of theirs.
mounts() {
	sort /proc/self/mountinfo | awk -v own=" $work/" 'index($0, own) || !/ \/tmp\/cupel-/'
}
# What our kind of run could leave, not what other tests do: below our own
# folder, or of the ordinary user, or of the ids that runs of root have.
files() {
	find "$work" ! -name made | sort
	find /tmp /dev/shm /run /var/tmp -maxdepth 1 \( -uid "$user" -o -uid +1999999999 \) \
		! -path "$work" 2>/dev/null
	cat /proc/sysvipc/* 2>/dev/null | grep -E " ($user|2[0-9]{9}) "
}

# The checks below would see one.
files_before=$(files) mounts_before=$(mounts)
: >"$work/stray"
holds 'a stray file would be noticed' [ "$(files)" != "$files_before" ]
rm "$work/stray"
if mount -t tmpfs none "$TMPDIR" 2>/dev/null; then
	holds 'a stray mount would be noticed' [ "$(mounts)" != "$mounts_before" ]
	umount "$TMPDIR"
else
	skip 'a stray mount would be noticed' 'no mount can be made for it'
fi

kill_at_random() {
	local before_mounts before_files mode command start most_us
	folder "$space/workspace"
	cd "$space/workspace"
	start=${EPOCHREALTIME/./}
	"${cupel_run[@]}" --quiet --workspace "$PWD" -- sh -c "$ends" </dev/null
	most_us=$((${EPOCHREALTIME/./} - start))
	is "$tier: left alone it does its work, in $most_us us" "$(cat made)" x
	before_mounts=$(mounts) before_files=$(files)
	for mode in direct overlay; do
		for command in ends stays; do
			holds "$tier: $((rounds / 4)) launchers killed, workspace $mode, command $command: no process is left" \
				"$probe" crash $((rounds / 4)) "$most_us" "${cupel_run[@]}" --quiet \
				--workspace "$PWD:$mode" -- sh -c "${!command}"
		done
	done
	holds "$tier: $rounds launchers killed as their keeper begins: no process is left" \
		"$probe" crash-early $rounds 500 "${cupel_run[@]}" --quiet \
		--workspace none -- sh -c "$stays"
	holds "$tier: no cgroup is left" stale_groups
	is "$tier: no mount is left" "$(mounts)" "$before_mounts"
	is "$tier: no file is left" "$(files)" "$before_files"
}
for_each_tier kill_at_random

# The keeper is killed as well: the next run removes what is left.
kill_with_keeper() {
	local pid
	"${cupel_run[@]}" --quiet --workspace none -- sleep 1000 &
	pid=$!
	until pgrep -P "$pid" -x sleep >/dev/null || pgrep -P "$pid" >/dev/null; do
		sleep 0.01
	done
	sleep 0.1
	kill -9 "$pid" $(pgrep -P "$pid")
	wait "$pid" 2>/dev/null
	"${cupel_run[@]}" --quiet --workspace none -- true
	holds "$tier: the next run removes what a killed keeper left" stale_groups
}
for_each_tier kill_with_keeper 2>/dev/null
done_testing
