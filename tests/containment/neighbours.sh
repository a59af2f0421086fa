#!/bin/bash
# What one run can tell of the host and of another run beside it, and what
# reaches the caller's terminal. Speaks TAP.
. tests/support/sandbox.sh

# A run that leaves a trace in everything that might be shared, and waits.
traces='ipcmk -M 4096; ipcmk -Q; ipcmk -S 1
	echo secret >/dev/shm/trace; echo secret >/tmp/trace; echo secret >/var/tmp/trace
	exec 9>/tmp/lock; flock -n 9; sleep 1000'
# Whatever of it another run can see.
look='ipcs | grep 0x; ls -A /dev/shm /tmp /var/tmp /run | grep -v :; hostname
	for p in /proc/[0-9]*; do echo pid ${p#/proc/}; done; cat /etc/machine-id'

watch_neighbour() {
	local pid seen
	"${cupel_run[@]}" --quiet --workspace none --bind "$probe:/probe" -- \
		sh -c "$traces" >made </dev/null 2>&1 &
	pid=$!
	started+=($pid)
	for _ in {1..100}; do [ "$(grep -c id: made)" = 3 ] && break; sleep 0.02; done
	is "$tier: the control made its traces" "$(grep -c id: made)" 3
	seen=$("${cupel_run[@]}" --quiet --workspace none -- sh -c "$look" </dev/null 2>&1)
	is "$tier: a neighbour sees none of them" \
		"$(grep -vE '^(pid .*)?$' <<<"$seen")" cupel
	# Itself and what it runs; not even init.
	is "$tier: nor its processes" "$(grep -c '^pid ' <<<"$seen")" 1
	kill -9 $pid
	wait $pid 2>/dev/null
}
for_each_tier watch_neighbour 2>/dev/null

learn_host() {
	local uptime
	uptime=$("${cupel_run[@]}" --quiet --workspace none -- cut -d. -f1 /proc/uptime)
	if [ "$(cut -d. -f1 /proc/uptime)" -lt 60 ]; then
		skip "$tier: the host's uptime" 'this host has just started'
	else
		holds "$tier: the host's uptime is not told ($uptime s)" [ "$uptime" -lt 30 ]
	fi
	is "$tier: nor its accounts" "$("${cupel_run[@]}" --quiet --workspace none -- \
		sh -c 'cut -d: -f1 /etc/passwd | tr "\n" " "; id -u; id -un')" \
		"user nobody 1000"$'\n'user
	is "$tier: nor its interfaces" "$("${cupel_run[@]}" --quiet --workspace none -- \
		sh -c 'sed 1,2d /proc/net/dev | cut -d: -f1 | tr -d " "')" lo
	is "$tier: nor its mounts" "$("${cupel_run[@]}" --quiet --policy strict --workspace none -- \
		cut -d' ' -f5 /proc/self/mountinfo | grep -vE \
		'^/(|usr|bin|sbin|lib(32|64|x32)?|etc/.*|dev(/.*)?|proc(/.*)?|tmp|var/tmp|run)$')" ''
	is "$tier: two runs draw different numbers" "$(for i in 1 2 3 4; do
		"${cupel_run[@]}" --quiet --workspace none -- head -c 8 /dev/urandom | od -An -tx1
		"${cupel_run[@]}" --quiet --workspace none -- grep -m1 'stack' /proc/self/maps
	done | sort | uniq -d)" ''
}
for_each_tier learn_host

# Nothing of a workspace is read as configuration.
be_led_astray() {
	local plain
	folder "$space/plain" "$space/hostile"
	for name in cupel.conf .cupel .cupelrc .cupel.conf .cupel.policy tool tool.policy .env; do
		echo 'network = host' >"$space/hostile/$name"
	done
	cd "$space/plain"
	plain=$("${cupel_run[@]}" --dry-run -- true | sed "s/plain/hostile/g")
	cd "$space/hostile"
	is "$tier: a hostile workspace changes nothing" \
		"$("${cupel_run[@]}" --dry-run -- true)" "$plain"
	is "$tier: the plan was one" "$(jq -r .network <<<"$plain")" none
}
for_each_tier be_led_astray

# ---- the caller's terminal ----

typed=$("$probe" terminal "$probe" type | tr -d '\r')
if grep -q '^typed [1-9]' <<<"$typed"; then
	ok 'outside: a program can type into its terminal'
else
	skip 'outside: a program can type into its terminal' \
		'no control here: this kernel or user cannot'
fi
type_inside() {
	local on=("$probe" terminal "${cupel_run[@]}" --quiet --workspace none
		--bind "$probe:/probe")
	is "$tier: nothing is typed, nor is there a terminal to have" \
		"$("${on[@]}" -- /probe type | tr -d '\r')" 'typed 0'
	# With --tty there is one of its own; the caller's gets nothing either.
	is "$tier: nothing is typed with --tty" \
		"$("${on[@]}" --tty -- /probe type | tr -d '\r' | grep -v 'TIOCSCTTY on')" \
		/dev/tty$'\n''typed 0'
	is "$tier: its own terminal has a name" \
		"$("${on[@]}" --tty -- sh -c 'tty; stty -a </dev/tty >/dev/null && echo settings' | tr -d '\r')" \
		/dev/console$'\n'settings$'\n''typed 0'
}
for_each_tier type_inside
done_testing
