#!/bin/bash
# cupel doctor and cupel verify from outside: what they find, how they say it,
# and that they find what was taken away. Speaks TAP; run from the top folder
# with CUPEL_BIN naming the folder of the programs.
. tests/support/tap.sh
export TERM=xterm
work=$(mktemp -d) && chmod 755 "$work" || exit 1
trap 'rm -rf "$work"' EXIT
cp "$CUPEL_BIN/cupel" "$work" && cd "$work" || exit 1
cupel=$work/cupel
export HOME=$work
root=false
[ "$(id -u)" = 0 ] && root=true


# The exit code and those lines of standard output and error that matter.
lines() { # PATTERN COMMAND...
	local pattern=$1 code
	shift
	"$@" >out 2>err </dev/null
	code=$?
	echo "exit $code"
	cat out err | grep -E "$pattern" | sed 's/  */ /g'
}

as_user() { # COMMAND...
	if $root; then
		setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
	else
		"$@"
	fi
}

# What only root can do to a host, done to a copy of it.
in_copy() { # WHAT COMMAND...
	local what=$1
	shift
	unshare --mount sh -c "$what"'; exec "$@"' sh "$@"
}

# ---- doctor on this host ----

works() { # COMMAND...
	lines '^tier (full|userns) .* works|^Commands run' "$@" | sed -e 's/^exit [01]$/exit 0 or 1/' \
		-e 's/^tier [a-z]* works.*/a tier works/' -e 's/^Commands run.*/and it says so/'
}
good='exit 0 or 1
a tier works
and it says so'
is 'a command can run confined as an ordinary user' "$(works as_user "$cupel" doctor)" "$good"
if $root; then
	is 'a command can run confined as root' "$(works "$cupel" doctor)" "$good"
fi

agreement() { # COMMAND...
	"$@" >out </dev/null
	local code=$? misses
	misses=$(grep -cE '  (weaker|missing)  ' out)
	[ $code = 0 ] && [ "$misses" = 0 ] || [ $code = 1 ] && [ "$misses" -gt 0 ] && echo agree
	[ "$(grep -c '^  fix: ' out)" = "$misses" ] && echo 'a fix per miss'
}
is 'the exit status tells whether something is weaker' \
	"$(agreement as_user "$cupel" doctor)" "$(printf 'agree\na fix per miss')"
as_user "$cupel" doctor >out
is 'the last resort is tried as well' "$(lines '^tier landlock' as_user "$cupel" doctor |
	sed -n 's/^tier landlock \(works\|fails\) .*/told/p')" told
is 'no line is wider than 80 columns' "$(awk 'length > 80' out)" ''

as_user "$cupel" doctor --json >out
is 'JSON says the same' \
	"$(jq -r '"\(.schema) \(.tier.works) \(.last_resort.name)"' out)" 'cupel.doctor/1 true landlock'

# ---- colours ----

colours() { # ENVIRONMENT...
	env "$@" script -qec "$cupel doctor" /dev/null </dev/null | grep -c $'\033'
}
is 'no colour in a pipe' "$("$cupel" doctor | grep -c $'\033')" 0
is 'colour on a terminal' "$([ "$(colours A=b)" -gt 10 ] && echo yes)" yes
is 'no colour under NO_COLOR' "$(colours NO_COLOR=1)" 0
is 'an empty NO_COLOR is none' "$([ "$(colours NO_COLOR=)" -gt 10 ] && echo yes)" yes
is 'no colour on a dumb terminal' "$(colours TERM=dumb)" 0

# ---- doctor on hosts that lack something ----

name='a limit of no user namespaces is found'
if unshare --user --map-root-user true 2>err; then
	is "$name" "$(lines 'found: user|fix: .*user_n|^Nothing' unshare --user --map-root-user \
		sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"' sh "$cupel" doctor)" \
'exit 2
 found: user.max_user_namespaces is 0
 fix: sudo sysctl user.max_user_namespaces=15000
Nothing can run confined here; begin with the first fix above.'
else
	skip "$name" "$(head -n 1 err)"
fi

name='a covered /proc is found'
if $root; then
	is "$name" "$(in_copy 'mount -t tmpfs none /proc/irq' "$cupel" doctor |
		grep -A 2 '^fresh /proc' | sed 's/  */ /g')" \
'fresh /proc missing only its own processes are to be seen
 found: mount a new proc: Operation not permitted
 fix: umount what covers parts of /proc'
else
	skip "$name" 'needs root'
fi

name='a container with a covered /proc is told how to start'
if $root; then
	is "$name" "$(unshare --mount --pid --fork --mount-proc sh -c \
		'mount -t tmpfs none /proc/irq; "$@" | grep "fix: .*systempaths"' sh "$cupel" doctor)" \
		'  fix: start the container with --security-opt systempaths=unconfined'
else
	skip "$name" 'needs root'
fi

inside() { # COMMAND...
	"$cupel" run --quiet --workspace none --bind "$cupel:/cupel" -- "$@"
}
name='a sandbox around Cupel is found'
if inside /cupel version >out 2>err; then
	is "$name" "$(lines '^under|^Nothing|^tier userns|^filter that' inside /cupel doctor |
		sed 's/fails.*/fails/')" \
'exit 2
under a system-call filter
filter that tells missing refused calls are named in the verdict
tier userns fails
Nothing can run confined here; begin with the first fix above.'
	is 'verify says where to look when no sandbox can be built' \
		"$(lines 'doctor' inside /cupel verify | sed 's/:.*;/: .../')" \
		"$(printf "exit 125\ncupel verify: ... 'cupel doctor' says more")"
else
	skip "$name" "$(head -n 1 err)"
	skip 'verify says where to look when no sandbox can be built' "$(head -n 1 err)"
fi

# ---- verify ----

all_refused='exit 0
26 of 26 attempts were refused.'
for policy in strict tool build test compute; do
	is "$policy refuses an ordinary user every attempt" \
		"$(lines 'ALLOWED|were refused' as_user "$cupel" verify --policy $policy)" "$all_refused"
done
if $root; then
	is 'tool refuses root every attempt' \
		"$(lines 'ALLOWED|were refused' "$cupel" verify)" "$all_refused"
	is 'root has a control for all that every kernel has' \
		"$(grep 'no control' out | grep -vE 'vsock|io_uring|int 0x80|terminal')" ''
fi
is "an ordinary user has a control for what needs no rights" \
	"$(as_user "$cupel" verify | grep -E '^(list|signal|see a|inherit|connect|trace|start|use|outlive)' |
		grep -c -v 'no control')" 12
is 'what a policy permits is not called refused' \
	"$(lines 'port .*ALLOWED' as_user "$cupel" verify --policy net)" \
'exit 1
connect to a port of the host ALLOWED it worked'

as_user "$cupel" verify --json >out
is 'JSON has every attempt' \
	"$(grep -cE '"refused": true' out) $(grep -cE '"schema": "cupel.verify/1"|"allowed": 0' out)" '26 2'
"$cupel" verify >out
is 'no line of verify is wider than 80 columns' "$(awk 'length > 80' out)" ''
is 'no file of an attempt is left' "$(ls -d /tmp/cupel-verify-* 2>/dev/null)" ''

# ---- misuse ----

is 'an unknown policy is named' "$(lines 'nope' "$cupel" verify --policy nope)" \
	"$(printf "exit 78\ncupel verify: there is no policy 'nope'; 'cupel policy list' shows them")"
is 'a word too many is refused' "$(lines 'what is' "$cupel" verify now)" \
	"$(printf "exit 64\ncupel verify: what is 'now'?")"
is 'an option unknown to doctor is refused' "$(lines 'no option' "$cupel" doctor --fast)" \
	"$(printf "exit 64\ncupel: there is no option '--fast'")"
done_testing
