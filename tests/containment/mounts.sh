#!/bin/bash
# Where mounts cannot be made by descriptor, mount(2) makes the same tree, or
# nothing runs. Speaks TAP.
if [ "$(id -u)" -eq 0 ] && [ -z "${MOUNTS_OWN-}" ]; then	# what it mounts is gone with it
	MOUNTS_OWN=yes exec unshare -m --propagation private "$0"
fi
. tests/support/sandbox.sh

# Cut short, it must not find its folder busy.
unmount_all() {
	awk -v work="$work/" 'index($5, work) == 1 { print $5 }' /proc/self/mountinfo | tac |
		while IFS= read -r place; do umount "$(printf %b "$place")"; done
}
trap 'unmount_all; clean_up' EXIT

# What is mounted inside: its root, place, attributes and type.
tree() { # OPTION...
	"${cupel_run[@]}" --quiet "$@" -- awk '{
		for (i = 7; $i != "-"; i++) ; print $4, $5, $6, $(i + 1) }' /proc/self/mountinfo </dev/null 2>&1
}
same_tree() { # NAME OPTION...
	local name=$1 wanted
	shift
	wanted=$(tree "$@")
	[ "$(grep -c ' /proc ro,nosuid,nodev,noexec' <<<"$wanted")" = 1 ] ||
		not_ok "$tier: $name: the control has its mounts" "$wanted"
	cupel_run=("${refusing[@]}" "${cupel_run[@]}")
	is "$tier: $name: the same $(wc -l <<<"$wanted") mounts" "$(tree "$@")" "$wanted"
	cupel_run=("${plain[@]}")
}

mount_everything() {
	local preset call mode
	plain=("${cupel_run[@]}") refusing=("${by_mount[@]}")
	for preset in strict tool build test net; do
		same_tree "policy $preset" --policy "$preset" --workspace none
	done
	for call in open_tree=428 move_mount=429 fsopen=430 fsconfig=431 fsmount=432 \
		mount_setattr=442; do
		for number in "${call#*=}" "!${call#*=}"; do
			refusing=("$probe" refuse "$number")
			same_tree "without ${call%=*} ($number)" --workspace none
		done
	done
}
for_each_tier mount_everything

# Of root nothing is shown unmapped; of others, the run gets their id.
own_workspace() { # COMMAND... before cupel where no ids can be mapped
	try_run --workspace w -- cat file
	is "$tier: where ids can be mapped, root's workspace is used" "$code:$(<out)" 0:old
	mkdir ramfs && mount -t ramfs none ramfs && chown $user:$user ramfs
	try_run --workspace ramfs:direct -- sh -c 'echo new >new; cat new'
	is "$tier: a file system that maps no ids is used as its owner" \
		"$code:$(<out):$(stat -c %u ramfs/new)" "0:new:$user"

	cupel_run=("$@" "${cupel_run[@]}")
	try_run --workspace w -- cat file
	is "$tier: where they cannot, it is refused" "$code:$(<out)" 125:
	holds "$tier: with the way out" grep -q 'an ordinary user who may use it (--tier userns)' err
	chown -R $user:$user w
	chmod 755 .	# the name is looked up by the owner here
	try_run --workspace w:direct -- sh -c 'echo new >new; cat file'
	is "$tier: another's is used as its owner" "$code:$(<out):$(stat -c %u w/new)" "0:old:$user"
	holds "$tier: and that is said" grep -q "cannot be mapped: .*runs as its owner, $user" err
	chown 0 w
	try_run --workspace w:direct -- true
	is "$tier: not if root owns it with another's group" "$code" 125
	chown -R $user:0 w
	try_run --workspace w:direct -- true
	is "$tier: nor another with root's group" "$code" 125
}

use_workspace() {
	local mode
	plain=("${cupel_run[@]}") refusing=("${by_mount[@]}")
	mkdir w && echo old >w/file
	folder w
	if [ "$tier" = full ]; then
		own_workspace "${refusing[@]}"
		return
	fi
	for mode in direct readonly overlay; do
		same_tree "workspace $mode" --workspace "w:$mode"
	done
	cupel_run=("${refusing[@]}" "${cupel_run[@]}")
	try_run --workspace w:readonly -- sh -c 'echo new >file'
	is "$tier: a read-only workspace stays as it is" "$code:$(<w/file)" 2:old
	try_run --workspace w:overlay -- sh -c 'echo new >file; cat file'
	is "$tier: what an overlay keeps apart" "$(<out):$(<w/file)" new:old
	try_run --workspace w:overlay --on-exit commit -- sh -c 'echo new >file; rm -rf gone'
	is "$tier: what an overlay commits" "$code:$(<w/file)" 0:new
	try_run --workspace w:direct -- sh -c 'echo newer >file'
	is "$tier: a direct workspace is written" "$code:$(<w/file)" 0:newer
}
for_each_tier use_workspace

# ---- what is mounted below what is shown ----

look_at_shown() { # NAME
	try_run --policy ./shown.policy --workspace none -- sh -c '
		awk "/shown/ { print \$5, \$6 }" /proc/self/mountinfo
		cat "/shown/a b/x/deep"; echo y >"/shown/a b/x/deep"'
	is "$tier: $1, all of it is read-only" "$code:$(<out)" '2:/shown ro,nosuid,nodev,relatime
/shown/a\040b ro,nosuid,nodev,relatime
/shown/a\040b/x ro,nosuid,nodev,relatime
deep'
}

show_mounts() {
	local shown=$work/shown plain=("${cupel_run[@]}")
	if [ "$(id -u)" -ne 0 ]; then
		skip "$tier: mounts below what is shown" 'needs root to mount something first'
		return
	fi
	mkdir -p "$shown/a b" && mount -t tmpfs -o mode=755 none "$shown/a b"
	mkdir "$shown/a b/x" && mount -t tmpfs -o mode=777 none "$shown/a b/x"
	echo deep >"$shown/a b/x/deep" && chmod 666 "$shown/a b/x/deep"
	chmod 755 "$shown"
	printf 'include = tool\nfiles {\n\tbind = { "%s:/shown" }\n}\n' "$shown" >shown.policy
	folder .
	look_at_shown 'by descriptor'
	cupel_run=("${by_mount[@]}" "${plain[@]}")
	look_at_shown 'by mount(2)'

	mount -t tmpfs -o mode=755 none "$shown/a b/x"
	try_run --policy ./shown.policy --workspace none -- true
	is "$tier: by mount(2) a mount below another is refused" "$code" 125
	holds "$tier: in a sentence" grep -q 'cannot be reached to be restricted by mount(2)' err
	cupel_run=("${plain[@]}")
	try_run --policy ./shown.policy --workspace none -- true
	is "$tier: by descriptor it is not" "$code" 0
	unmount_all
}
for_each_tier show_mounts

# On most hosts / is shared: what is mounted on a clone of it appears there too.
keep_inside() {
	if [ "$(id -u)" -ne 0 ]; then
		skip "$tier: mounts stay inside" 'needs root to share mounts first'
		return
	fi
	folder shared/.git
	is "$tier: where mounts are shared, none of a run comes out of it" \
		"$(unshare -m --propagation shared sh -c '"$@"; echo $?; grep -c shared/ /proc/self/mountinfo' - \
			"${cupel_run[@]}" --policy build --workspace shared:direct -- \
			sh -c 'grep -c "/shared/[.]git .* ro" /proc/self/mountinfo' </dev/null)" $'1\n0\n0'
}
for_each_tier keep_inside
holds 'no cgroup is left' stale_groups
done_testing
