#!/bin/bash
# The monitor, cupeld: starts, replaces what dies, cools down what will not
# live, is one at a time, and leaves nothing behind however it ends.
. tests/support/sandbox.sh
. tests/support/supervisor.sh

# Manifests are read by a process that is nobody: their folder is open to all.
tools=$work/tools

# A sanitized router has no filter of its own (sandbox/service.c).
filtered=2
grep -q __asan_init "$CUPEL_BIN/cupel-router" && filtered=0

# In a tree of its own, or in the one of all.
[ -d /sys/fs/cgroup/unified ] && hybrid=/unified || hybrid=
group_of() { # PID CONTROLLER
	if grep -q ":$2:" /proc/"$1"/cgroup; then
		echo "/sys/fs/cgroup/$2$(awk -F: -v c="$2" '$2 == c { print $3 }' /proc/"$1"/cgroup)"
	else
		echo "/sys/fs/cgroup$hybrid$(awk -F: '$1 == 0 { print $3 }' /proc/"$1"/cgroup)"
	fi
}

# Where the root of a tree, which is not even root's to write, is our own group.
override=0
if [ "$(id -u)" -eq 0 ]; then
	for controller in freezer memory pids cpuacct cpu unified; do
		case $(stat -c %A "$(group_of $$ "$controller")") in dr-*) override=2 ;; esac
	done
fi

# What a process holds, by number and kind; and of what kinds how many.
holdings() { # PID
	find /proc/"$1"/fd -type l -printf '%f %l\n' 2>/dev/null | sort -n | sed 's/anon_inode://; s/ (deleted)//; s/:\[.*//'
}
kinds() { holdings "$1" | cut -d' ' -f2- | sort | uniq -c; }
# Another user's, or one that may not be looked into, as an ordinary user.
may_look() { # PID NAME
	[ -n "$(holdings "$1")" ] || { skip "$2" 'it may not be looked into'; return 1; }
}

# Without those that other tests have meanwhile in folders of theirs.
mountings() {
	awk -v own=" $work/" 'index($0, own) || !/ \/tmp\/cupel-/ { n++ } END { print n }' /proc/self/mounts
}
nothing_is_left() { # PID...
	local left
	wait_for 3 all_dead "$@" || { echo "alive: $*"; return 1; }
	left=$(stale_groups) || { echo "groups: $left"; return 1; }
}
# But those of groups: an empty one may be kept for the next worker.
descriptors() { find /proc/"$supervisor"/fd ! -lname '/sys/fs/cgroup/*' 2>/dev/null | wc -l; }

# What a run of the tier's user gets.
verdict_group() {
	set_user
	"${as_user[@]}" "$work/bin/cupel" run --quiet --workspace none --json "$space/verdict" -- /bin/true
	jq -r .enforced.cgroup "$space/verdict"
}

starts_and_stops() {
	local family_then mounts
	mounts=$(mountings)
	start_supervisor
	holds "$tier: it serves" serves
	holds "$tier: router, a worker of a warm pool" test "$(named cupel-router)" -a "$(named cupel-echo)"
	is_running() { [ "$(ask status --json | jq -r .supervisor.state)" = running ]; }
	wait_for 60 is_running
	is "$tier: status tells of it" "$(ask status --json | jq -r '.supervisor.state')" running
	is "$tier: a worker may gain nothing" \
		"$(grep -hE '^(NoNewPrivs|Seccomp|CapEff|CapBnd):' /proc/"$(named cupel-echo | head -1)"/status | tr -s '\t\n' '  ')" \
		'CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2 '
	is "$tier: the router may gain nothing" \
		"$(grep -hE '^(NoNewPrivs|Seccomp|CapEff):' /proc/"$(named cupel-router)"/status | tr -s '\t\n' '  ')" \
		"CapEff: 0000000000000000 NoNewPrivs: 1 Seccomp: $filtered "
	holds "$tier: no more than 4 MiB" test "$(awk '/VmRSS/ { print $2 }' /proc/"$supervisor"/status)" -le 4096
	local worker=$(named cupel-echo | head -1)
	may_look "$worker" "$tier: a worker holds its own descriptors" &&
		is "$tier: a worker holds its own descriptors" "$(holdings "$worker" | tr '\n' ' ')" \
			'0 /dev/null 1 pipe 2 pipe 3 socket 4 socket 5 /memfd:crash 6 [eventpoll] 7 [timerfd] 8 [signalfd] '
	if [ "$tier" = full ]; then
		is "$tier: few capabilities stay" \
			"$(grep -hE '^Cap(Eff|Bnd):' /proc/"$supervisor"/status | tr -s '\t\n' '  ')" \
			"CapEff: 00000000002001e$override CapBnd: 00000000002001e$override "
		is "$tier: a worker's group has the limits of its policy" \
			"$(cat "$(group_of "$(named cupel-store)" pids)/pids.max")" \
			"$(ask policy show tool | sed -n 's/.*pids = //p')"
	fi
	if [ "$tier" = userns ] && [ "$(verdict_group)" = none ]; then
		is "$tier: that workers have no groups is told, once" \
			"$(grep -c '"workers have no groups".*; ' "$log")" 1
	fi
	family_then=$(family "$supervisor")
	stop_supervisor
	is "$tier: TERM ends it well" "$code" 0
	# shellcheck disable=SC2086 # a list of numbers
	holds "$tier: after TERM no process, socket or group is left" nothing_is_left $family_then
	is "$tier: nor a file in the run directory" "$(ls -A "$space/run")" ''
	is "$tier: nor a mount" "$(mountings)" "$mounts"
}

# How many groups were made, by the number at the end of a new job's.
groups_made() { # SECONDS to sleep, like no other
	local pid
	ask call job "{\"argv\":[\"/bin/sleep\",\"$1\"]}" >/dev/null 2>&1 &
	sleeper() { pid=$(pgrep -f "^/bin/sleep $1\$"); }
	wait_for 20 sleeper "$1"
	group=$(group_of "$pid" pids)
	echo "${group##*-}"
}
reuses_groups() {
	local first last
	start_supervisor
	first=$(groups_made 31.26)
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
		ask call job '{"argv":["true"]}' >/dev/null
	done
	last=$(groups_made 31.27)
	if [ $filtered = 0 ]; then
		skip "$tier: what a job leaves empty, another's worker is in" 'a sanitized one does not end with 0'
	elif [[ $first$last =~ ^[0-9]+$ ]]; then
		holds "$tier: what a job leaves empty, another's worker is in ($first, $last)" \
			test $((last - first)) -lt 12
	else
		skip "$tier: what a job leaves empty, another's worker is in" 'no group of its own'
	fi
	stop_supervisor
	holds "$tier: at its end the supervisor removes them all" stale_groups
}

replaces() {
	local before fds router held
	start_supervisor
	steady() { held=$(kinds "$router"); sleep 0.3; [ "$(kinds "$router")" = "$held" ]; }
	router=$(named cupel-router)
	wait_for 10 steady
	before=$(named cupel-echo | head -1)
	kill -9 "$before"
	replaced() { local now; now=$(named cupel-echo | head -1); [ -n "$now" ] && [ "$now" != "$before" ]; }
	holds "$tier: a killed worker is replaced" wait_for 2 replaced
	holds "$tier: and serves" serves
	as_before() { [ "$(kinds "$router")" = "$held" ]; }
	may_look "$router" "$tier: the router holds what it held" &&
		holds "$tier: the router holds what it held" wait_for 5 as_before
	fds=$(descriptors)
	for _ in 1 2; do
		before=$(named cupel-echo | head -1)
		kill -9 "$(named cupel-router)"
		wait_for 60 serves
	done
	holds "$tier: so is a killed router" serves
	is "$tier: but its workers go on" "$(named cupel-echo | head -1)" "$before"
	settled() { [ "$(descriptors)" -eq "$fds" ]; }
	holds "$tier: no descriptor is lost by that" wait_for 60 settled
	stop_supervisor
}

dies_with_all() {
	local family_then start began took
	start=$(milliseconds)
	start_supervisor
	began=$((5 * $(least $((($(milliseconds) - start) / 5)))))
	family_then=$(family "$supervisor")
	start=$(milliseconds)
	kill -9 "$supervisor"
	wait "$supervisor" 2>/dev/null
	# shellcheck disable=SC2086
	holds "$tier: killed, it takes everything along" wait_for 60 all_dead $family_then
	took=$(($(milliseconds) - start))
	holds "$tier: in no more than ten times its start ($took, $began ms)" \
		test $took -le $((10 * began))
	holds "$tier: and its groups are swept" stale_groups
	rm -f "$space"/run/*	# or `cupel` may start one of its own meanwhile
	start_supervisor
	holds "$tier: another starts in its place" serves
	stop_supervisor
}

# One program that dies at once, one that is stopped: at the same time, since
# each takes a while to be judged.
cools_down() {
	local ended stopped
	mkdir -p "$tools"
	cat >"$tools/bad.tool" <<-END
	worker bad {
		program = /bin/false
		policy = tool
		pool = static
		size = 1
	}
	tool bad { help = "is never there" class = pure }
	END
	start_supervisor --tools "$tools"
	holds "$tier: a pool that does not start keeps nobody from serving" serves
	there() { stopped=$(named cupel-store | head -1) && [ -n "$stopped" ]; }
	wait_for 60 there
	kill -STOP "$stopped"
	pool() { ask status --json | jq -r '.pools[] | select(.name == "bad").state'; }
	looping() { [ "$(pool)" = crashloop ]; }
	holds "$tier: it is a crash loop soon" wait_for 60 looping
	holds "$tier: a worker that hangs is ended" wait_for 60 all_dead "$stopped"
	ended=$(grep '"the worker has ended"' "$log" | grep -c '"bad/')
	holds "$tier: after 5 starts at most ($ended)" test "$ended" -ge 3 -a "$ended" -le 5
	holds "$tier: and no more were passed over in silence" \
		bash -c "! grep -q 'bad/.*the worker has ended.*repeated' '$log'"
	holds "$tier: which is told" wait_for 60 grep -q '"how":"hung"' "$log"
	rm "$tools/bad.tool"
	is "$tier: others are served" "$(ask call echo '{"text":"noble"}')" '{"text":"noble"}'
	stop_supervisor
}

one_at_a_time() {
	local pids=() busy=0 other=0
	rm -f "$space"/run/*	# what was killed left them: `cupel` would start one of its own
	set_user
	for _ in {1..20}; do
		"${as_user[@]}" "$work/bin/cupeld" 2>/dev/null </dev/null &
		pids+=($!)
	done
	started+=("${pids[@]}")
	wait_for 60 serves
	supervisor=$(cat "$space/run/lock")
	for pid in "${pids[@]}"; do
		[ "$pid" = "$supervisor" ] && continue
		wait "$pid"
		case $? in 75) busy=$((busy + 1)) ;; *) other=$((other + 1)) ;; esac
	done
	is "$tier: of 20 that start one stays, 19 say so" "$busy $other" '19 0'
	holds "$tier: the one serves" serves
	stop_supervisor
}

# Two of one state would write over each other's ledger of effects.
shares_no_state() {
	local said
	start_supervisor
	folder "$space/run2"
	set_user
	said=$("${as_user[@]}" "CUPEL_RUN=$space/run2" timeout 20 "$work/bin/cupeld" 2>&1 </dev/null)
	is "$tier: another one of the same state names the first and ends" "$? $said" \
		"75 cupeld: lock: another supervisor, process $supervisor, serves $space/state"
	holds "$tier: the first serves" serves
	if [ "$(id -u)" -eq 0 ]; then
		holds "$tier: the router holds that lock, too: it may outlive its monitor" \
			test /proc/"$(named cupel-router)"/fd/7 -ef "$space/state/effects.lock"
	else
		skip "$tier: the router holds that lock, too" 'it may not be looked into'
	fi
	kill -9 "$supervisor"
	wait "$supervisor" 2>/dev/null
	rm -f "$space"/run/*	# or `cupel` may start one of its own meanwhile
	start_supervisor
	is "$tier: killed, the first is followed by another one" "$? $(cat "$space/state/effects.lock")" "0 $supervisor"
	stop_supervisor
	rm -r "$space/run2"
}

reloads() {
	mkdir -p "$tools"
	start_supervisor --tools "$tools"
	size() { ask status --json | jq -r '.pools[] | select(.name == "echo").size'; }
	has() { [ "$(size)" = "$1" ]; }
	sed 's/size = 2/size = 3/' "$top/etc/tools/echo.tool" >"$tools/echo.tool"
	holds "$tier: a changed manifest is noticed" wait_for 60 has 3
	holds "$tier: its new workers serve" serves
	sed 's/size = 2/size = 4/' "$top/etc/tools/echo.tool" >"$tools/echo.tool"
	holds "$tier: so is the next change, while the first is watched" wait_for 60 has 4
	sed -e 's/size = 2/size = 5/' -e 's/= cupel-echo/= \/bin\/false/' \
		"$top/etc/tools/echo.tool" >"$tools/echo.tool"
	failed() { grep -q 'the new manifests did not hold' "$log"; }
	holds "$tier: one whose program does not start is rolled back" wait_for 60 failed
	holds "$tier: the old one stays" has 4
	holds "$tier: and serves" serves
	rm -f "$tools/echo.tool"
	kill -HUP "$supervisor"
	holds "$tier: one that is gone, too" wait_for 60 has 2
	holds "$tier: the rest is served" serves
	stop_supervisor
}

has_spares() {
	folder "$space/ws"
	mkdir -p "$tools" && chmod 755 "$tools"
	printf '%s\n' 'worker bound {' 'program = cupel-job' 'policy = build' 'pool = per_call' \
		'size = 4' 'warm = 1' 'workspace = direct' '}' \
		'tool bound {' 'help = "run"' 'class = effectful' '}' >"$tools/bound.tool"
	start_supervisor --tools "$tools"
	bound() { # COUNT
		local pid n=0
		for pid in $(family "$supervisor"); do
			[ "$(tr '\0' ' ' 2>/dev/null </proc/"$pid"/cmdline)" = 'bound ' ] && n=$((n + 1))
		done
		[ "$n" -eq "$1" ]
	}
	holds "$tier: no spare without a workspace" bound 0
	ask call bound '{"argv":["/bin/sh","-c","until [ -e over ]; do sleep 0.1; done"]}' \
		--workspace "$space/ws" >/dev/null &
	holds "$tier: beside a call in a workspace waits another worker of it" wait_for 60 bound 2
	: >"$space/ws/over"
	wait $!
	is "$tier: the call ended well" $? 0
	holds "$tier: when the workspace is given back, none is left" wait_for 60 bound 0
	stop_supervisor
	rm -f "$tools/bound.tool"
}

# As in a clone below /root: who reads the manifests could not get there alone.
is_in_a_closed_directory() {
	mkdir -p "$space/closed/share/cupel/tools"
	cp -R "$work/bin" "$space/closed"
	printf '%s\n' 'worker near {' 'program = cupel-echo' '}' \
		'tool near {' 'help = "answer"' 'class = pure' '}' >"$space/closed/share/cupel/tools/near.tool"
	folder "$space/closed"
	chmod 700 "$space/closed"
	rm -f "$space"/run/*
	set_user
	"${as_user[@]}" "$space/closed/bin/cupeld" 2>/dev/null </dev/null &
	supervisor=$!
	started+=("$supervisor")
	wait_for 60 serves
	is "$tier: it serves from a directory that is closed to others" \
		"$(ask call near '{"text":"noble"}' 2>&1)" '{"text":"noble"}'
	stop_supervisor
	rm -rf "$space/closed"
}

yields() {
	local group
	mkdir -p "$tools" && chmod 755 "$tools"
	printf '%s\n' 'worker meek {' 'program = cupel-job' 'policy = tool' 'pool = per_call' \
		'size = 2' 'batch = true' '}' \
		'tool meek {' 'help = "run"' 'class = effectful' '}' >"$tools/meek.tool"
	start_supervisor --tools "$tools"
	ask call meek '{"argv":["/bin/sleep","31.25"]}' >/dev/null 2>&1 &
	sleepers() { pgrep -f '^/bin/sleep 31[.]25$'; }
	wait_for 60 sleepers
	group=$(group_of "$(sleepers)" cpu)
	if [ "$tier" = full ] && [ -e "$group/cpu.idle" ]; then
		is "$tier: a batch pool's group runs when nothing else does" "$(cat "$group/cpu.idle")" 1
		kill -STOP "$(named cupel-job | while read -r pid; do [ "$(group_of "$pid" cpu)" = "$group" ] && echo "$pid"; done)"
		holds "$tier: but at once, when it has not been heard of" wait_for 60 grep -qx 0 "$group/cpu.idle"
	else
		skip "$tier: a batch pool's group runs when nothing else does" 'no group of its own that can'
	fi
	is "$tier: a warm pool's does not" "$(cat "$(group_of "$(named cupel-echo | head -1)" cpu)/cpu.idle" 2>/dev/null | grep -cx 1)" 0
	stop_supervisor
	wait $!
	rm -f "$tools/meek.tool"
}

leaves_when_idle() {
	folder "$space/config/cupel"
	echo 'supervisor { idle = 2s }' >"$space/config/cupel/cupel.conf"
	[ "$tier" = full ] && { skip "$tier: leaves when idle" 'root reads /etc'; return; }
	start_supervisor --user
	holds "$tier: a user's supervisor leaves when idle" wait_for 60 all_dead "$supervisor"
	# On a slow machine it left before it was called, and the call started another.
	is_empty() { [ -z "$(ls -A "$space/run")" ]; }
	holds "$tier: with nothing left" wait_for 60 is_empty
	rm "$space/config/cupel/cupel.conf"
}

refuses() {
	set_user
	"${as_user[@]}" "$work/bin/cupeld" --no-such-option 2>/dev/null
	is "$tier: an option that is none is refused" $? 64
	"${as_user[@]}" "$work/bin/cupeld" --run relative 2>/dev/null
	is "$tier: so is a directory that is not absolute" $? 64
}

for part in refuses starts_and_stops reuses_groups replaces dies_with_all one_at_a_time shares_no_state reloads \
	has_spares yields \
	is_in_a_closed_directory leaves_when_idle cools_down; do
	for_each_tier "$part"
done
done_testing
