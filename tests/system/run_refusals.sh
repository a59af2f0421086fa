#!/bin/bash
# What makes no sense is refused: the code, one sentence with the reason and
# the way out, and nothing left behind. Speaks TAP.
. tests/support/sandbox.sh

# NAME, exit code and a pattern of the sentence; then the arguments.
refused() {
	local name=$1 want=$2 sentence=$3 before after
	shift 3
	before=$(find "$space" | sort)
	code=0
	timeout 20 "${cupel_run[@]}" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
	after=$(find "$space" | sort)
	is "$tier: $name" "$code" "$want"
	holds "$tier: $name: said in a sentence" says "$sentence" "$want"
	is "$tier: $name: nothing ran, nothing is left" "$(<"$work/out"):$after" ":$before"
}
# One line of our own that has the pattern; usage may follow it with its own.
says() { # PATTERN CODE
	local lines
	lines=$(grep -c '^cupel' "$work/err")
	if [ "$lines" = 1 ] && grep -qiE "^cupel( run)?: .*($1)" "$work/err"; then
		return 0
	fi
	cat "$work/err"
	return 1
}

refuse() {
	local p=$space/policies
	folder "$space/good" "$p" "$space/closed"
	echo text >"$space/file"
	ln -sfn loop-b "$space/loop-a"
	ln -sfn loop-a "$space/loop-b"
	printf '#!/bin/sh\n' >"$space/good/plain"
	printf '#!/nowhere/sh\n' >"$space/good/orphan"
	chmod 755 "$space/good/orphan"
	chmod 644 "$space/good/plain"
	cd "$space/good"

	refused 'an unknown preset' 78 "toll.*tool" --policy toll -- true
	refused 'no such policy file' 78 "nowhere.policy" --policy ./nowhere.policy -- true
	printf 'syscalls {\n\tallow = {"mkdir"}\n}\nnetwrk = none\n' >"$p/key.policy"
	refused 'a policy with an unknown key' 78 "key.policy:4: .*netwrk.*network" \
		--policy "$p/key.policy" -- true
	printf 'syscalls {\n\tallow = {"mkdri"}\n}\n' >"$p/call.policy"
	refused 'a policy with an unknown call' 78 "call.policy:2.*mkdri" \
		--policy "$p/call.policy" -- true
	refused 'a name that would be a file here' 78 "key" --policy key.policy -- true

	refused 'an unknown option' 64 '--wokspace' --wokspace . -- true
	refused 'an option without its value' 64 '--limit' --limit
	refused 'no command' 64 'command' --quiet
	refused 'an unknown limit' 64 'memroy.*memory' --limit memroy=1G -- true
	refused 'a limit without a unit' 64 'wall.*unit.*10s' --limit wall=10 -- true
	refused 'a limit without a value' 64 'memory' --limit memory= -- true
	refused 'a negative limit' 64 'pids' --limit pids=-1 -- true
	refused 'a limit out of range' 64 'memory' --limit memory=99999999999999T -- true
	refused 'a network there is not' 64 'none or host' --net bridge -- true
	refused 'a tier there is not' 64 'full' --tier root -- true
	refused 'a variable without a value' 64 'NAME=VALUE' --env NAME -- true
	refused 'a bind without a target' 64 'SRC:DST' --bind /usr -- true
	refused 'a bind of a relative path' 64 'absolute' --bind usr:/mnt -- true
	refused 'a bind with a mode there is not' 64 'ro or rw' --bind /usr:/mnt:rx -- true
	refused 'a bind that climbs' 64 '\.\.' --bind /usr:/mnt/../etc -- true
	refused 'a workspace mode there is not' 64 'overlay' --workspace .:copy -- true
	refused 'a working directory that climbs' 64 '\.\.' --cwd ../.. -- true
	refused 'a working directory of the kernel' 64 '/proc' --cwd /proc/self/fd -- true

	refused 'a missing workspace' 125 "$space/none.*No such" --workspace "$space/none" -- true
	refused 'a workspace that is a file' 125 "$space/file.*Not a directory" \
		--workspace "$space/file" -- true
	refused 'a workspace that is a loop of links' 125 "loop-a.*[Ll]ink" \
		--workspace "$space/loop-a" -- true
	refused 'the whole machine as the workspace' 64 'directory' --workspace / -- true
	refused 'a bind that is missing' 125 "$space/none" --bind "$space/none:/mnt" -- true
	refused 'a working directory that is missing' 125 'none' --cwd none -- true
	refused 'a verdict that cannot be written' 125 "none/verdict" \
		--json "$space/none/verdict" -- true
	refused 'a command that is not found' 127 'no-such.*not found' -- no-such
	refused 'a path that is not found' 127 '/no/such' -- /no/such
	refused 'a command outside' 127 "$probe" --workspace none -- "$probe"
	refused 'a file that is no program' 126 'plain' -- ./plain
	refused 'a directory as the command' 126 '/tmp' -- /tmp
	refused 'an interpreter that is missing' 127 'orphan' -- ./orphan
	mkdir -p "$space/gone" && cd "$space/gone" && rmdir "$space/gone"
	refused 'a directory that has been deleted' 125 'deleted' -- true
	cd "$space"
}
for_each_tier refuse

refuse_tiers() {
	case $tier in
	full) refused 'a tier that would be weaker' 125 'full' --tier userns -- true ;;
	*) refused 'a tier that needs root' 125 'root' --tier full -- true ;;
	esac
	[ "$tier" != full ] ||
		refused 'a tier that would leave root' 125 'full' --tier landlock -- true
}
for_each_tier refuse_tiers

# Kernels without what the walls are made of, by number: the same everywhere.
refuse_kernels() {
	local -a plain=("${cupel_run[@]}")
	cd "$space/good"
	cupel_run=("$probe" refuse 435 "${plain[@]}")
	refused 'a kernel without clone3' 125 \
		"Function not implemented.*'cupel doctor' finds" -- true
	cupel_run=("$probe" refuse '165,428' "${plain[@]}")
	refused 'a kernel without mount or open_tree' 125 \
		"(Function not implemented|cannot be mapped).*'cupel doctor' finds" -- true
	# By its helper, which shares memory with what runs on meanwhile.
	if [ "$(uname -m)" = x86_64 ]; then
		cupel_run=("$probe" refuse 41 "${plain[@]}")	# socket
		refused 'a network that cannot be made' 125 \
			"network: .* was refused: Function not implemented; 'cupel doctor' finds" -- true
	fi
	cupel_run=("${plain[@]}")
	cd "$space"
}
for_each_tier refuse_kernels

# Whichever step it is that finds no descriptor left: it says so, and not what
# an earlier step was denied that did not need it.
run_short_of_descriptors() {
	local most code short=0 odd=
	cd "$space/good"
	for most in {8..48}; do
		code=0
		(ulimit -n $most; exec "${cupel_run[@]}" -- true) >out 2>err </dev/null || code=$?
		[ $code != 0 ] || continue
		short=$((short + 1))
		[ $code = 125 ] && [ "$(grep -c '^cupel.*: Too many open files' err)" = 1 ] ||
			odd+="$most: $code $(<err)"$'\n'
	done
	is "$tier: too few descriptors, $short times: 125, and why" "$odd" ''
	holds "$tier: too few for many of the steps" [ $short -ge 10 ]
	rm -f out err
	cd "$space"
}
for_each_tier run_short_of_descriptors

holds 'no cgroup is left' stale_groups
done_testing
