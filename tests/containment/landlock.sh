#!/bin/bash
# Tier landlock: every attempt of the probe without namespaces or mounts, the
# end of a whole tree without a pid namespace, and what the tier will not do.
# Speaks TAP.
. tests/support/sandbox.sh
become userns	# an ordinary user; as root the tier is refused
folder "$space/w" "$space/shown"
cd "$space/w"
bare=("${cupel_run[@]}" --tier landlock)

"${bare[@]}" --quiet --workspace none -- true 2>why ||
	if grep -q 'needs Landlock ABI' why; then
		skip 'tier landlock' "$(<why)"
		done_testing
		exit
	fi

# ---- every attempt, after it has been seen to work unconfined ----

own=$space/shown/own shown=$space/shown/shown
echo untouched >"$own"; echo untouched >"$shown"
folder "$space/shown"
chmod 600 "$own" "$shown"
export CANARY_FILE=$own CANARY_SHOWN=$shown CANARY_PATH_SOCKET=$work/socket
export CANARY_SOCKET=cupel-canary-$$ CANARY_SECRET=secret
${as[@]+"${as[@]}"} sleep 1000 &
export CANARY_PID=$!
"$probe" listen "$work/heard" "$CANARY_SOCKET" "$CANARY_PATH_SOCKET" &
started+=($CANARY_PID $!)
until [ -s "$work/heard" ] && [ -S "$CANARY_PATH_SOCKET" ]; do sleep 0.01; done
chmod 777 "$CANARY_PATH_SOCKET"
export CANARY_PORT=$(head -n 1 "$work/heard")

relay outside < <(env LD_LIBRARY_PATH=/nowhere GLIBC_TUNABLES=glibc.malloc.check=3 \
	BASH_ENV=/nowhere PYTHONPATH=/nowhere NODE_OPTIONS=--none \
	"$probe" outside </dev/null 9</dev/null)
chmod 600 "$own" "$shown"
echo untouched >"$own"; echo untouched >"$shown"

# What the other tiers allow and this one, by design, does not, or cannot drop.
lacking='(may write to /tmp|may change a mode|may list the root|may read its own status|has no bounding capability|is user 1000)'
for preset in strict tool build test net compute; do
	options=(--quiet --policy "$preset" --workspace "$space/w:direct"
		--bind "$probe:$probe" --bind "$shown:$shown" --env "TMPDIR=$space/w")
	for name in FILE SHOWN PORT PID SOCKET PATH_SOCKET; do
		options+=(--pass-env "CANARY_$name")
	done
	if [ $preset = compute ]; then
		"$probe" each compute "${bare[@]}" "${options[@]}" -- "$probe"
	else
		"${bare[@]}" "${options[@]}" -- "$probe" bare $preset
	fi </dev/null 7</ 8<"$own" 9</dev/null >lines
	relay "landlock $preset" < <(awk -v lacking="^not ok - $lacking" '
		/^# wanted/ && lacks { lacks = 0; next }
		lacks = ($0 ~ lacking) { sub(/^not ok - /, "ok - it lacks: ") }
		{ print }' lines)
	is "landlock $preset: all that it lacks was seen to be lacking" \
		"$(grep -cE "^not ok - $lacking" lines)" \
		"$(case $preset in compute) echo 3 ;; *) echo 6 ;; esac)"
done
is 'the canaries are untouched' "$(cat "$own" "$shown"; stat -c %a "$own" "$shown")" \
	$'untouched\nuntouched\n600\n600'
holds 'the canary lives' kill -0 "$CANARY_PID"

for door in native int80 x32; do
	"${bare[@]}" --quiet --policy tool --bind "$probe:$probe" -- \
		"$probe" numbers $door 1 </dev/null >lines
	relay 'landlock tool' <lines
	holds "landlock tool: $door numbers were tried" grep -q 'ok - ' lines
done

# ---- the end of all, without a pid namespace ----

# Those who try to stay: other sessions, deaf to signals, subreapers' children.
nap=$((1000000 + $$))
stay="setsid sleep $nap & (setsid setsid sleep $nap &); (trap '' TERM HUP; sleep $nap) &"
left() {
	for _ in {1..50}; do
		[ "$(pgrep -cf "sleep $nap")" != 0 ] || break
		sleep 0.05
	done
	# A zombie that nobody has reaped yet has no command line.
	pgrep -cf "sleep $nap"
}
await() { for _ in {1..200}; do [ "$(pgrep -cxf "sleep $nap")" = "$1" ] && return; sleep 0.02; done; }

sh -c "$stay" </dev/null >/dev/null 2>&1
await 3
is 'control: unconfined, they stay' "$(pgrep -cxf "sleep $nap")" 3
kill -9 $(pgrep -xf "sleep $nap")

"${bare[@]}" --quiet -- sh -c "$stay exit 3" </dev/null
is 'the command ended: its code' $? 3
is 'the command ended: nothing stayed' "$(left)" 0
"${bare[@]}" --quiet --limit wall=300ms -- sh -c "trap '' TERM; $stay sleep $nap; sleep $nap" </dev/null
is 'a limit was reached: the code' $? 124
is 'a limit was reached: nothing stayed' "$(left)" 0

# LAUNCHER or INIT, killed at a moment that differs.
for who in launcher init; do
	for round in 1 2 3 4 5 6; do
		"${bare[@]}" --quiet -- sh -c "$stay wait" </dev/null >/dev/null 2>&1 &
		launcher=$!
		[ $round -gt 3 ] || sleep "0.00$round"
		[ $round -le 3 ] || await 3
		victim=$launcher
		[ $who = launcher ] || victim=$(pgrep -P $launcher -x cupel | head -n 1)
		[ -z "$victim" ] || kill -9 $victim
		wait $launcher
		is "the $who was killed, round $round: nothing stayed" "$(left)" 0
	done 2>/dev/null
done
is 'no helper stayed' "$(ps -eo stat=,comm= | grep -v ^Z | grep -c cupel-guard)" 0

cat >fork.pl <<'END'
$SIG{TERM} = 'IGNORE'; my $n = 0;
for (;;) { my $p = fork; if (!defined $p) { select undef, undef, undef, 0.001 } elsif ($p) { $n++ } }
END
chmod 755 fork.pl
"${bare[@]}" --quiet --limit wall=1s --limit pids=60 --limit memory=none -- perl fork.pl </dev/null >/dev/null 2>&1
is 'a fork bomb ends' $? 124
is 'and leaves nothing' "$(pgrep -cf 'perl fork.pl')" 0
holds 'the user is still there' kill -0 "$CANARY_PID"

# ---- the verdict, and what is refused ----

try_run --tier landlock -- sh -c 'chmod 700 .; exit 0'
is 'the verdict names the tier' "$(verdict '.enforced | "\(.tier) \(.namespaces | length)"')" 'landlock 0'
is 'and what was seen in force' "$(verdict '.enforced |
	"\(.landlock_denies) \(.signals_denied) \(.seccomp_denies) \(.no_new_privs) \(.keyring_fresh)"')" \
	'true true true true true'
holds 'and what it leaves visible' jq -e '.enforced.weaker | length >= 3 and any(test("processes"))' verdict
is 'and that a mode was refused' "$(verdict '.denied[] | select(.name | test("chmod")) | .count')" 1
try_run -- true
is 'it is never chosen by itself' "$(verdict '.enforced | "\(.tier) \(.weaker | length)"')" 'userns 0'

refused() { # NAME PATTERN OPTION...
	local name=$1 pattern=$2
	shift 2
	try_run --tier landlock "$@" -- true
	is "$name is refused" "$code" 125
	holds "$name: in a sentence" grep -qE "^cupel run: .*$pattern" err
}
refused 'an overlay' 'overlay needs mounts' --workspace .:overlay
refused 'a bind elsewhere' '/usr at /mnt needs a mount' --bind /usr:/mnt
printf 'include = tool\nfiles {\n\thide = { "/usr/share" }\n}\n' >hide.policy
printf 'include = tool\nsyscalls {\n\tallow = { "ptrace" }\n}\n' >trace.policy
folder .
refused 'a hidden path' 'hiding /usr/share below /usr' --policy ./hide.policy
refused 'a call that namespaces would confine' 'allows ptrace' --policy ./trace.policy
if [ "$(id -u)" -eq 0 ]; then
	"$cupel" run --tier landlock -- true 2>err
	is 'root is refused' "$?:$(grep -c 'as root take --tier full' err)" 125:1
fi

cd "$top"
holds 'no cgroup is left' stale_groups
done_testing
