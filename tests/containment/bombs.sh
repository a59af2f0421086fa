#!/bin/bash
# Bombs: each takes one thing until a limit ends it, with the right cause,
# while the host answers; unlimited it would stop by itself (see bombs.c).
# Speaks TAP.
#
# An ordinary user without a cgroup has rlimits and our own accounting: the
# column "alone" says what holds then, "-" that nothing can (cupel-run(1)).
. tests/support/sandbox.sh

# What another program takes to start, in ms, at worst of a few.
answer_ms() {
	local start worst=0 took
	for _ in 1 2 3 4 5 6 7 8; do
		start=${EPOCHREALTIME/./}
		/bin/true
		took=$(((${EPOCHREALTIME/./} - start) / 1000))
		[ $took -le $worst ] || worst=$took
	done
	echo $worst
}
idle_ms=$(answer_ms)
echo "# an idle host answers within $idle_ms ms"
patience_ms=$((500 + 50 * idle_ms))

# Whether limits are a cgroup's here; else they are rlimits and ours.
grouped() {
	try_run --workspace none -- true
	[ "$(verdict .enforced.cgroup)" != none ]
}

#	name		bomb		most	with a cgroup		alone		limits
bombs='
	processes	process		400	pids:1			exited:1	pids=40
	threads		thread		400	pids:1			exited:1	pids=40
	memory		anonymous	300	oom:137			oom:137		memory=48M
	shared-memory	shared		300	oom:137			oom:137		memory=48M
	memory-files	memfd		300	oom:137			-		memory=48M
	pipes		pipe		300	oom:137			-		memory=48M
	sockets		socket		400	oom:137			-		memory=48M
	scratch-memory	scratch		300	oom:137			-		memory=48M,disk=1G
	shm-memory	dev-shm		300	oom:137			-		memory=48M,disk=1G
	disk		scratch		300	disk:1			disk:1		disk=20M
	shm-disk	dev-shm		300	disk:1			disk:1		disk=20M
	inodes		inode		9000	disk:1			disk:1		inodes=500
	depth		depth		9000	disk:1			disk:1		inodes=2000
	descriptors	descriptor	900	exited:1		exited:1	files=64
	few-descriptors	descriptor	900	exited:1		exited:1	files=16
	output		output		300	output:(3|137)		output:(3|137)	output=1M
	processor	time		400	cpu:124			cpu:124		cpu=500ms
'

explode() { # NAME BOMB MOST WANT LIMITS
	local limit limits=() worst start=${EPOCHREALTIME/./} pid
	for limit in ${5//,/ }; do limits+=(--limit "$limit"); done
	rm -f verdict
	timeout -k 5 60 "${cupel_run[@]}" --json verdict --workspace none --limit wall=40s \
		--cwd /tmp --bind "$probe:/probe" "${limits[@]}" -- /probe bomb "$2" "$3" \
		>out 2>err </dev/null &
	pid=$!
	worst=$(answer_ms)
	wait $pid
	code=$?
	holds "$tier $1: $(verdict .cause) with status $code" \
		grep -qxE "$4" <<<"$(verdict .cause):$code"
	echo "# $(((${EPOCHREALTIME/./} - start) / 1000)) ms; $(tr '\n' ' ' <err)"
	holds "$tier $1: the host answered in $worst ms" [ "$worst" -le $patience_ms ]
}

explode_all() {
	local name bomb most group alone limits want
	folder "$space/bombs"
	cd "$space/bombs"
	grouped && group_holds=yes || group_holds=
	layout=$(verdict .enforced.cgroup)
	[ "$layout" = v2 ] || skip "$tier: the same under cgroup v2" "the layout here is $layout"
	while read -r name bomb most group alone limits; do
		[ -n "$name" ] || continue
		want=$group
		[ -n "$group_holds" ] || want=$alone
		if [ "$want" = - ]; then
			skip "$tier $name" 'no cgroup: nothing but a cgroup can limit this'
			continue
		fi
		explode "$name" "$bomb" "$most" "$want" "$limits"
		[ "$name" != processor ] || holds "$tier $name: not much more than the limit was used" \
			jq -e '.usage.cpu_ns < 800e6' verdict
		[ "$name" != output ] || holds "$tier $name: no more than the head and the tail came" \
			[ "$(wc -c <out)" -le $((1048576 + 8192)) ]
	done <<<"$bombs"
	holds "$tier: no cgroup is left" stale_groups
}
for_each_tier explode_all

# The limits are for what the command makes: the tree it finds does not count.
count_own_files() { # NAME WORKSPACE COMMAND...
	local name=$1 workspace=$2 got= most
	local make='my $i = 0; $i++ while $i < 50 && open(my $f, ">", "f$i"); print "$i "'
	shift 2
	for most in 1 10 20; do
		got+=$("$@" --quiet --workspace "$workspace" --limit inodes=$most -- perl -e "$make")
	done
	got+=$("$@" --quiet --workspace "$workspace" --limit disk=8k -- \
		sh -c 'head -c 30000 /dev/zero >f 2>/dev/null; stat -c %s f')
	is "$tier: so many files and bytes $name" "$got" '1 10 20 8192'
}
count_own() {
	folder "$space/own"
	cd "$space/own"
	count_own_files 'in /tmp' none "${cupel_run[@]}" </dev/null
	count_own_files 'in /tmp by mount(2)' none "${by_mount[@]}" "${cupel_run[@]}" </dev/null
	count_own_files 'in an overlay' .:overlay "${cupel_run[@]}" </dev/null
}
for_each_tier count_own

# ---- limits are told apart, and one cannot have less than was demanded ----

demand() {
	grouped && { skip "$tier: --require limits is refused" 'there is a cgroup'; return; }
	try_run --require limits --workspace none -- true
	is "$tier: --require limits is refused" "$code" 125
	holds "$tier: with the way out" grep -qE 'run as root|systemd-run|move the processes' err
}
for_each_tier demand
done_testing
