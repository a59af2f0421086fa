#!/bin/bash
# Names are exchanged again and again while runs start that use them: a
# run has what its verdict says, or does not start. Speaks TAP. RACE_RUNS (40)
# runs of each kind and user.
. tests/support/sandbox.sh
runs=${RACE_RUNS:-40}
canary=$work/canary
mkdir "$canary" && echo canary >"$canary/mark" && chmod -R a+rwX "$canary"

swap() { # A B
	"$probe" swap "$1" "$2" &
	swapper=$!
	started+=($swapper)
}
stop_swapping() {
	kill -9 $swapper
	wait $swapper 2>/dev/null
}
untouched() {
	[ "$(ls -A "$canary"):$(<"$canary/mark")" = mark:canary ] || ls -lA "$canary"
}

# Runs it $runs times; each end is one of the lines wanted, both must be seen.
every_end() { # NAME WANTED COMMAND...
	local name=$1 wanted=$2 i ends
	shift 2
	ends=$(for ((i = 0; i < runs; i++)); do "$@"; done | sort | uniq -c)
	if bad=$(sed 's/^ *[0-9]* //' <<<"$ends" | grep -vxE "$wanted"); then
		not_ok "$tier: $name" "$ends"
	else
		ok "$tier: $name"
		sed 's/^/# /' <<<"$ends"
	fi
}

# "MARK in WORKSPACE", as seen inside and as told by the verdict.
workspace_seen() {
	try_run --workspace "$1" -- sh -c 'cat mark; pwd'
	if [ "$code" = 125 ]; then
		echo 'not started'
	else
		echo "$(tr '\n' ' ' <out)in $(verdict .plan.workspace)"
	fi
}

swap_workspace() {
	folder "$space/race/w" "$space/race/deep/er" "$space/race/fake"
	echo good | tee "$space/race/w/mark" "$space/race/deep/er/mark" >/dev/null
	ln -sfn "$canary" "$space/race/link"
	ln -sfn "$canary" "$space/race/fake/er"
	cd "$space"

	swap "$space/race/w" "$space/race/link"
	every_end 'the workspace and a link to elsewhere' \
		"not started|good ($space/race/(w|link)) in \\1|canary $canary in $canary" \
		workspace_seen "$space/race/w"
	stop_swapping

	swap "$space/race/deep" "$space/race/fake"
	every_end 'a folder above it and one with a link' \
		"not started|good ($space/race/(deep|fake)/er) in \\1|canary $canary in $canary" \
		workspace_seen "$space/race/deep/er"
	stop_swapping
}

# A bind that was asked for read-only is that, whatever it came to be.
bind_seen() {
	try_run --workspace none --bind "$space/race/b:/mnt/b" -- \
		sh -c 'cat /mnt/b/mark; echo x >/mnt/b/mark || echo x >/mnt/b/new || echo refused'
	if [ "$code" = 125 ]; then echo 'not started'; else tr '\n' ' ' <out; echo; fi
}
swap_bind() {
	folder "$space/race/b"
	echo good >"$space/race/b/mark"
	chmod a+w "$space/race/b" "$space/race/b/mark"
	ln -sfn "$canary" "$space/race/link-b"
	cd "$space"
	swap "$space/race/b" "$space/race/link-b"
	every_end 'the source of a bind and a link' \
		'not started|(good|canary) refused ' bind_seen
	stop_swapping
	is "$tier: nothing was written through it" "$(untouched)" ''
}

# The working directory, and a bind's target, become links within the workspace.
inner_seen() {
	try_run --workspace "$space/race/inner" --cwd sub "$@" -- \
		sh -c 'cat mark; echo x >new; cat mark'
	tr '\n' ' ' <out
	echo "$code"
}
swap_inner() {
	folder "$space/race/inner/sub"
	echo good >"$space/race/inner/sub/mark"
	ln -sfn "$canary" "$space/race/inner/link"
	cd "$space"
	swap "$space/race/inner/sub" "$space/race/inner/link"
	every_end 'the working directory and a link to elsewhere' \
		'good good 0|125' inner_seen
	every_end 'the target of a bind and a link to elsewhere' \
		'good good 0|1|125|canary canary 0' inner_seen \
		--bind "$canary:$space/race/inner/sub/below"
	stop_swapping
	is "$tier: no target was made elsewhere" "$(untouched)" ''
}

# The guest replaces the verdict's file by a link while it runs.
replace_verdict() {
	local file
	folder "$space/replace"
	cd "$space/replace"
	for file in verdict out; do
		: >$file
		chmod 666 $file
		"${cupel_run[@]}" --quiet --workspace "$PWD" --json verdict -- \
			sh -c "rm -f $file; ln -s $canary/mark $file; echo x" >>out
		is "$tier: $file replaced by a link changes nothing else" "$(untouched)" ''
		rm -f $file
	done
}
for_each_tier swap_workspace
for_each_tier swap_bind
for_each_tier swap_inner
for_each_tier replace_verdict

# Every run opens its own and init's program for writing, for ever.
before=$(sha256sum "$cupel")
hammer='for i in 1 2 3 4 5 6 7 8 9; do
	for exe in /proc/1/exe /proc/self/exe /proc/$$/exe; do : >>$exe; done 2>/dev/null
done'
hammer() {
	local i
	for ((i = 0; i < runs; i++)); do
		"${cupel_run[@]}" --quiet --workspace none -- sh -c "$hammer" </dev/null
	done
	is "$tier: cupel itself is unchanged" "$(sha256sum "$cupel")" "$before"
}
for_each_tier hammer
done_testing
