#!/bin/bash
# The verdict: one JSON object a run, of schema cupel.run/1, that tells the
# cause, what was in force and what was refused. Speaks TAP.
. tests/support/sandbox.sh

fields='["cause","command","denied","denied_total","enforced","exit_code","exit_status","output","plan","schema","setup_ns","signal","usage"]'

# ---- every cause ----

# NAME, cause:exit_code:signal:exit_status; the rest goes to cupel run.
ends() {
	local name=$1 want=$2
	shift 2
	try_run --workspace none "$@"
	is "$tier: $name" "$(verdict '"\(.cause):\(.exit_code):\(.signal):\(.exit_status)"')" "$want"
	is "$tier: $name: the exit status is the verdict's" "$code" "${want##*:}"
	holds "$tier: $name: all fields are there" \
		jq -e --argjson f "$fields" '.schema == "cupel.run/1" and ($f - keys == [])' verdict
}

tell_causes() {
	ends 'exited' exited:3:null:3 -- sh -c 'exit 3'
	ends 'signaled' signaled:null:9:137 -- sh -c 'kill -9 $$'
	ends 'wall' wall:null:15:124 --limit wall=200ms -- sleep 30
	ends 'cpu' cpu:null:9:124 --limit cpu=100ms -- sh -c 'while :; do :; done'
	ends 'disk' disk:1:null:1 --limit disk=1M -- \
		sh -c 'head -c 5000000 /dev/zero >/tmp/full'
	ends 'output' output:null:15:143 --limit output=10k -- sh -c 'yes; sleep 30'
	ends 'denied' denied:null:31:159 --bind "$probe:/probe" -- \
		/probe numbers try int80 20
	ends 'setup_failed' setup_failed:null:null:127 -- no-such
	is "$tier: setup_failed names the step" "$(verdict .failed_step)" exec
	holds "$tier: and the reason" grep -q not.found <<<"$(verdict .reason)"
	ends 'oom' oom:null:9:137 --limit memory=32M -- \
		perl -e 'my @x; push @x, "x" x 1000000 while @x < 400; sleep 1'
	[ "$(verdict .enforced.cgroup)" = none ] ||
		ends 'pids' pids:1:null:1 --limit pids=5 --bind "$probe:/probe" -- \
			/probe bomb process 50

	env --default-signal=INT "${cupel_run[@]}" --quiet --workspace none --json verdict -- \
		sh -c 'echo ready; exec sleep 30' >out </dev/null &
	for _ in {1..500}; do grep -q ready out && break; sleep 0.01; done 2>/dev/null
	kill -INT $!
	wait $!
	is "$tier: cancelled" "$?:$(verdict .cause):$(verdict .signal)" 130:cancelled:2
}
for_each_tier tell_causes 2>/dev/null

# ---- what was in force ----

tell_enforced() {
	local nothing=0000000000000000
	try_run --workspace none -- true
	is "$tier: the tier" "$(verdict .enforced.tier)" "$tier"
	is "$tier: every namespace" "$(verdict '.enforced.namespaces | sort | join(" ")')" \
		'cgroup ipc mnt net pid time user uts'
	is "$tier: no capability in any set" "$(verdict '.enforced.capabilities | map(.) | unique[]')" $nothing
	is "$tier: and so for ever" "$(verdict '.enforced | "\(.securebits_locked) \(.no_new_privs)"')" 'true true'
	is "$tier: the filter, seen to refuse" "$(verdict '.enforced | "\(.seccomp_mode) \(.seccomp_denies)"')" '2 true'
	holds "$tier: Landlock, seen to refuse" jq -e '.enforced | .landlock_abi >= 1 and .landlock_denies' verdict
	is "$tier: a fresh keyring, no descriptor" "$(verdict '.enforced | "\(.keyring_fresh) \(.open_fds)"')" 'true 0'
	is "$tier: user 1000" "$(verdict '.enforced | "\(.uid) \(.gid)"')" '1000 1000'
	holds "$tier: every phase has a time" jq -e '.setup_ns | length >= 9 and all(. >= 0) and .mounts > 0' verdict
	holds "$tier: limits are a cgroup's, or it says why not" jq -e \
		'if .enforced.cgroup == "none" then .no_cgroup != null else .enforced.cgroup_limits | length > 0 end' verdict
	try_run --policy net --workspace none -- true
	is "$tier: a network that is the host's is no namespace" \
		"$(verdict '"\(.cause) \(.enforced.namespaces | index("net"))"')" 'exited null'
}
for_each_tier tell_enforced

# Abstract sockets go by network: in the host's, Landlock keeps them away, or
# the filter lets no Unix socket be made. Of the kinds it has what it says.
keep_abstract_sockets() {
	local wall
	local ask='use Socket; print socket(my $s, AF_UNIX, SOCK_STREAM, 0) ? 1 : 0;
		print socketpair(my $a, my $b, AF_UNIX, $_, 0) ? 1 : 0 for SOCK_DGRAM, SOCK_STREAM'
	try_run --policy net --net none --workspace none -- perl -e "$ask"
	is "$tier: an own network keeps abstract sockets away" \
		"$(verdict .enforced.abstract_sockets) $(<out)" 'namespace 111'
	try_run --policy net --workspace none -- perl -e "$ask"
	wall=$(verdict .enforced.abstract_sockets)
	if [ "$(verdict .enforced.landlock_abi)" -ge 6 ]; then
		is "$tier: in the host's, Landlock's scope does" "$wall $(<out)$(<err)" 'scope 111'
	else
		is "$tier: in the host's, the filter does" "$wall $(<out)" 'filter 001'
		holds "$tier: and it is said" grep -q "Unix sockets are refused: .*Linux 6.12" err
		holds "$tier: and what was refused" jq -e '[.denied[] | select(.allow == null) |
			.name] | sort == ["socket", "socketpair"]' verdict
	fi
}
for_each_tier keep_abstract_sockets

# ---- what was asked for and is not shown ----

tell_paths() {
	local there=/var/lib/dpkg/status
	local ask="cat $there; cat $there; cat $there.none; echo >/usr/new; true"
	try_run --workspace none -- sh -c "$ask"
	is "$tier: paths are not told unless asked for" "$(verdict '.denied | length')" 0
	try_run --workspace none --explain -- sh -c "$ask"
	is "$tier: a path of the host that is not shown, and its count" \
		"$(verdict ".denied[] | select(.name == \"$there\") | \"\(.kind) \(.count) \(.allow)\"")" \
		"path 2 files { read = { \"$there\" } }"
	is "$tier: a write to what may only be read" \
		"$(verdict '.denied[] | select(.name == "/usr/new") | "\(.allow): \(.risk)"' | cut -c1-45)" \
		'files { write = { "/usr/new" } }: high: what '
	is "$tier: nothing else; what the host has not, is not told" "$(verdict '.denied | length')" 2
	is "$tier: observing allows nothing: a checked call" "$("${cupel_run[@]}" --quiet --explain \
		--workspace none --bind "$probe:/probe" -- /probe attempt 'create a setuid file' </dev/null; echo $?)" 1
	is "$tier: nor hides a refused one" "$("${cupel_run[@]}" --quiet --explain --workspace none \
		--bind "$probe:/probe" -- /probe attempt 'unshare a user namespace' </dev/null; echo $?)" 1
	is "$tier: bytes are the same" "$("${cupel_run[@]}" --quiet --explain --workspace none -- \
		sh -c 'ls /usr | md5sum' </dev/null)" "$("${cupel_run[@]}" --quiet --workspace none -- \
		sh -c 'ls /usr | md5sum' </dev/null)"
}
for_each_tier tell_paths

# ---- what was refused ----

tell_denied() {
	try_run --workspace none -- sh -c 'unshare -U true; unshare -U true; unshare -n true; exit 0'
	is "$tier: a refused call and its count" \
		"$(verdict '.denied[] | select(.name == "unshare") | "\(.kind) \(.count)"')" 'syscall 3'
	is "$tier: all of them" "$(verdict .denied_total)" 3
	holds "$tier: with a sentence, the line that would allow it and its risk" jq -e '
		.denied[0] | (.sentence | test("unshare")) and (.allow | test("unshare")) and (.risk | length > 3)' verdict
	try_run --workspace none -- perl -e 'use Socket; socket(my $s, 40, SOCK_STREAM, 0); exit 0'
	is "$tier: no line allows a call beyond what may be asked of it" "$(verdict '.denied[0] |
		"\(.name) \(.allow) \(.sentence | test("more than it may be .TCP and UDP"))"')" 'socket null true'
	try_run --workspace none --bind "$probe:/probe" -- /probe numbers native 1
	holds "$tier: many kinds are bounded" jq -e '(.denied | length) == 32 and .denied_total > 60' verdict
	try_run --workspace none -- true
	is "$tier: nothing refused, nothing told" "$(verdict '"\(.denied) \(.denied_total)"')" '[] 0'
}
for_each_tier tell_denied

# ---- what others run later ----

tell_later() {
	local leave='mkdir -p .git/hooks .github/workflows sub/.vscode; echo 1 >.git/hooks/pre-push
		echo 1 >.github/workflows/c.yml; echo 1 >sub/.vscode/tasks.json; echo 2 >.envrc; echo 1 >main.c'
	local rows='[.changes.rows[] | "\(.change) \(.path) \(.executed_later_by)"] | join(", ")'
	folder "$space/later"
	cd "$space/later"
	echo 1 >.envrc; echo 1 >.bashrc
	[ ${#as[@]} -eq 0 ] || chown "$user:$user" .envrc .bashrc
	try_run --policy build --workspace .:direct -- true
	is "$tier: a run that leaves nothing for others says nothing" \
		"$(<err)$(verdict '.changes | "\(.count) \(.omitted)"')" '0 0'
	try_run --policy build --workspace .:direct -- sh -c "$leave; rm .bashrc"
	is "$tier: what a run left for others is in the verdict" "$(verdict "$rows")" \
		'D .bashrc shell, M .envrc direnv, A .git/hooks/pre-push git hook, A .github/workflows/c.yml CI, A sub/.vscode/tasks.json editor'
	is "$tier: and on the terminal" "$(<err)" 'cupel: the command removed .bashrc, which others run later: shell
cupel: the command changed .envrc, which others run later: direnv
cupel: the command added .git/hooks/pre-push, which others run later: git hook
cupel: the command added .github/workflows/c.yml, which others run later: CI
cupel: the command added sub/.vscode/tasks.json, which others run later: editor'
	try_run --policy build --workspace .:direct -- sh -c 'echo 2 >>.git/hooks/pre-push'
	is "$tier: a .git that is there is read-only to build" "$(verdict .changes.count)" 0
	try_run --policy tool --quiet --workspace .:direct -- sh -c 'echo 2 >>.git/hooks/pre-push'
	is "$tier: quiet is quiet" "$(<err)$(verdict "$rows")" 'M .git/hooks/pre-push git hook'
	try_run --policy build --workspace .:overlay -- sh -c 'echo 3 >.envrc'
	is "$tier: an overlay's changes are all of them" "$(verdict "$rows")" 'M .envrc direnv'
	is "$tier: nothing was left that no command made" "$(find . -type f | sort | tr '\n' ' ')" \
		'./.envrc ./.git/hooks/pre-push ./.github/workflows/c.yml ./err ./main.c ./out ./sub/.vscode/tasks.json ./verdict '
	cd "$space"
}
for_each_tier tell_later

# ---- figures ----

tell_figures() {
	try_run --workspace none --limit output=100k -- \
		sh -c 'head -c 1000 /dev/zero; head -c 500 /dev/zero >&2; exit 0'
	is "$tier: output, counted" "$(verdict '.output | "\(.stdout.bytes) \(.stdout.dropped) \(.stderr.bytes)"')" '1000 0 500'
	try_run --workspace none --limit output=20k -- \
		sh -c 'trap "" TERM; seq 1 100000; echo last'
	holds "$tier: what was dropped is told" jq -e '.cause == "output" and
		(.output.stdout | .bytes == .passed + .dropped and .bytes == 588900)' verdict
	is "$tier: and so in place of it" "$(grep -c 'cupel: [1-9][0-9]* bytes dropped' out)" 1
	is "$tier: the tail came" "$(tail -n 1 out)" last
	is "$tier: the head came" "$(head -n 1 out)" 1
	is "$tier: more output than allowed is told, however quick" "$(for i in 1 2 3 4 5 6 7 8; do
		try_run --workspace none --limit output=20k -- seq 1 100000
		verdict '"\(.cause) \(.output.stdout | .bytes > 20480 and .bytes == .passed + .dropped)"'
	done | sort -u)" 'output true'
	try_run --workspace none --limit output=20k -- head -c 22000 /dev/zero
	is "$tier: what fits head and tail is whole" "$(tr -d '\0' <out; wc -c <out)" 22000
	try_run --workspace none -- sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; sleep 0.2'
	holds "$tier: times" jq -e '.usage | .wall_ns > 2e8 and .cpu_ns > 5e6 and .cpu_ns < .wall_ns * 2 and .rss_peak_bytes > 1e5' verdict
	try_run --workspace none -- printf '%s' "$(printf 'x\001"\\\377')" 'é'
	holds "$tier: arguments of any bytes" jq -e '.command | length == 4 and .[3] == "é"' verdict
	is "$tier: to stderr, too" "$("${cupel_run[@]}" --quiet --json - --workspace none -- true 2>&1 </dev/null | jq -r .cause)" exited
	is "$tier: --dry-run is its plan" "$("${cupel_run[@]}" --dry-run --workspace none -- true | jq -S 'del(.filter_instructions)' | head -c 20000)" \
		"$(try_run --workspace none -- true; jq -S '.plan | del(.filter_instructions)' verdict)"
}
for_each_tier tell_figures
done_testing
