#!/bin/bash
# cupel policy from outside: what is shown, explained and scored, and the exit
# codes. Speaks TAP; run from the top folder with CUPEL_BIN naming the folder
# of the programs.
. tests/support/tap.sh
cupel=$CUPEL_BIN/cupel
work=$(mktemp -d) && chmod 755 "$work" && cd "$work" || exit 1
trap 'rm -rf "$work"' EXIT
export HOME=$work/home XDG_CONFIG_HOME=$work/xdg
mkdir -p xdg/cupel/policies

policy() { outcome "$cupel" policy "$@"; }

# ---- list and show ----

names='strict tool build test net compute'
# shellcheck disable=SC2086
set -- $names
is 'list names the presets' \
	"$("$cupel" policy list | awk '/^[a-z]/ { printf "%s%s", s, $1; s = " " }')" "$names"
is 'list --json says the same' \
	"$("$cupel" policy list --json | jq -r '[.policies[] | select(.file == null) | .name] | join(" ")')" "$names"
for name; do
	"$cupel" policy show "$name" >"$name.policy"
	is "show $name is the installed file" \
		"$(<"$name.policy")" "$(<"$top/etc/policies/$name.policy")"
	is "show of that file is the same" \
		"$("$cupel" policy show "./$name.policy")" "$(<"$name.policy")"
	is "show --json $name is whole" \
		"$("$cupel" policy show --json "$name" | jq -r '"\(.name) \(.limits | length) \(.syscalls | index("execve") != null)"')" \
		"$name 9 true"
	is "show --bpf $name ends every way" \
		"$("$cupel" policy show --bpf "$name" | grep -oE 'kill the process|fail with ENOSYS|refuse, and tell the launcher|allow$' | sort -u | wc -l)" 4
done
is 'ci is build' "$("$cupel" policy show ci)" "$(<build.policy)"

# ---- explain ----

is 'a call that is refused' "$(policy explain ptrace tool)" 'exit 0
out: ptrace: refused by tool (EPERM)
out:   risk   high: it takes over other processes of the sandbox
out:   allow  syscalls { allow = { "ptrace" } }
out:   group  @debug'
is 'a call that is allowed' "$(policy explain read strict)" 'exit 0
out: read: allowed by strict
out:   group  @basic-io'
is 'a call with conditions' "$(policy explain clone tool)" 'exit 0
out: clone: allowed by tool
out:   only   processes and threads without new namespaces
out:   group  @process'
is 'a call that is hidden' "$(policy explain clone3 tool)" 'exit 0
out: clone3: does not exist in a sandbox (ENOSYS): no filter sees what it is asked to do'
is 'a call by number' "$(policy explain 101 tool | head -n 2)" 'exit 0
out: ptrace: refused by tool (EPERM)'
is 'a number without a call' "$(policy explain 9999 tool)" 'exit 0
out: 9999: does not exist in a sandbox (ENOSYS): no call that cupel knows'
is 'a path of the host' "$(policy explain /usr/bin/make tool)" 'exit 0
out: /usr/bin/make: the host'"'"'s /usr/bin/make, read-only, if it is there'
is 'a path like one of the host' "$(policy explain /usrx tool | head -n 2)" 'exit 0
out: /usrx: not there, unless the workspace brings it'
is 'a private path' "$(policy explain /tmp/x tool)" 'exit 0
out: /tmp/x: private and writable, empty at the start, gone at the end'

# ---- a policy of one's own ----

cat >mine.policy <<'END'
include = tool
files {
	bind = { "/srv/data:/data:rw" }
	hide = { "/usr/share/doc" }
}
syscalls { allow = { "ptrace" } }
limits { pids = 7 }
END
is 'it is loaded by its path' \
	"$("$cupel" policy show ./mine.policy | grep -E 'pids =|/data' | tr -d '\t')" \
	'"/srv/data:/data:rw"
pids = 7'
is 'what it binds' "$(policy explain /data/x ./mine.policy)" 'exit 0
out: /data/x: the host'"'"'s /srv/data/x, writable'
is 'what it hides' "$(policy explain /usr/share/doc/x ./mine.policy)" 'exit 0
out: /usr/share/doc/x: covered by nothing (hide = /usr/share/doc)'
is 'what it allows' "$(policy explain ptrace ./mine.policy | sed -n 2p)" \
	'out: ptrace: allowed by mine'
is 'a bare name is not looked up here' "$(policy show mine)" \
	"exit 78
err: cupel policy: there is no policy 'mine'; 'cupel policy list' shows them"
is 'a name nearly right' "$(policy show stric)" \
	"exit 78
err: cupel policy: there is no policy 'stric'; did you mean 'strict'?"
printf 'include = tool\nlimits {\n\tmemory = 512\n}\n' >bad.policy
is 'a mistake is named with its line' "$(policy show ./bad.policy)" \
	"exit 78
err: cupel policy: ./bad.policy:3: limits.memory: limit memory: '512' has no unit; write 512M or none"
cp mine.policy open.policy
chmod 666 open.policy
is 'a file that others may change' "$(policy show ./open.policy)" \
	'exit 78
err: cupel policy: ./open.policy: others may change it; chmod go-w ./open.policy'

# The user's own directory is for users; the programs may lie where one cannot go.
as_user=()
[ "$(id -u)" -ne 0 ] || as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
cp mine.policy xdg/cupel/policies/own.policy
if "${as_user[@]}" test -x "$cupel"; then
	is "a user's policy is found by name" \
		"$("${as_user[@]}" "$cupel" policy show own | grep -c 'pids = 7')" 1
	is 'and listed with its file' \
		"$("${as_user[@]}" "$cupel" policy list --json | jq -r '.policies[] | select(.name == "own") | .file')" \
		"$work/xdg/cupel/policies/own.policy"
else
	skip "a user's own policies" "an ordinary user cannot run $cupel"
fi

# ---- lint ----

score() { "$cupel" policy lint --json "$1" | jq -r '.policies[0].exposure'; }
is 'strict is tighter than tool, tool than net, net than open' \
	"$(printf '%s\n' "$(score strict)" "$(score tool)" "$(score net)" | sort -nuc && echo ordered)" ordered
is 'reasons come with the score' \
	"$("$cupel" policy lint ./mine.policy | awk '{ print $2 }' | grep -cE '^(debug|writable)$')" 2
is 'below the threshold' "$(policy lint --max 0.5 strict | head -n 1)" 'exit 0'
is 'above the threshold' "$(policy lint --max 0.5 strict net | head -n 1)" 'exit 1'
is 'a bad one among good ones' "$(policy lint strict ./bad.policy | head -n 1)" 'exit 78'

# ---- usage ----

usage() { # NAME ARGUMENT...
	local name=$1
	shift
	is "$name" "$(policy "$@" | head -n 1)" 'exit 64'
}
usage 'no verb'
usage 'show of nothing' show
usage 'show of two' show tool net
usage 'two forms at once' show --json --bpf tool
usage 'an option of another verb' show --max 3 tool
usage 'a score that is none' lint --max x tool
usage 'a score out of range' lint --max 10.5 tool
usage 'explain without a policy' explain read
usage 'explain of no call' explain raed tool
usage 'list of something' list tool
done_testing
