#!/bin/bash
# A workspace is whoever's has registered it: of two ordinary users of root's
# supervisor neither has calls served in the other's. And a client that comes
# after another has its calls served in its own directory, never the last one's.
if [ "$(id -u)" -eq 0 ] && [ -z "${OWNERS_OWN-}" ]; then	# what it mounts is gone with it
	OWNERS_OWN=yes exec unshare -m --propagation private "$0"
fi
. tests/support/calls.sh

install -m 755 "$CUPEL_OUT/tests/chaos/rude" "$work/rude"
anne=$user bert=$((user + 1))

as_who() { # USER
	as=(setpriv --reuid "$1" --regid "$1" --clear-groups -- env "HOME=/nonexistent")
	[ "$1" != 0 ] || as=()
	set_user
}
enters() { # USER WORKSPACE WORD...: as a client that names any number
	as_who "$1"
	"${as_user[@]}" timeout 60 "$work/rude" "$space/run/router.sock" enter "$2" try "${@:3}"
	as_who 0
}
calls_in() { # USER DIRECTORY ARGUMENTS
	as_who "$1"
	ask call try "$3" --workspace "$2"
	as_who 0
}
where() { # USER DIRECTORY: a call in it is served
	calls_in "$1" "$2" '{"argv":["/bin/pwd"]}' | head -n 1
}
stays_in() { # USER DIRECTORY: a call in it goes on
	calls_in "$1" "$2" '{"argv":["/bin/sh","-c",": >begun; until [ -e over ]; do sleep 0.1; done"]}' >/dev/null &
	caller=$!
	wait_for 60 test -e "$2/begun"
}
leaves() { # DIRECTORY
	: >"$1/over"
	wait $caller
}
begin() {
	tools=$work/tools.$tier
	mkdir -p "$tools" && chmod 755 "$tools" "$space"
	printf '%s\n' 'worker try {' 'program = cupel-job' 'policy = build' 'pool = per_call' \
		'size = 8' 'warm = 1' 'workspace = direct' '}' \
		'tool try {' 'help = "run"' 'class = effectful' 'roles = { owner, member }' '}' >"$tools/try.tool"
	start_supervisor --tools "$tools"
	chmod 755 "$space/run"
	chmod 666 "$space/run"/*.sock	# as the group would have them
}
make_folders() { # NAME OWNER...
	while [ $# -gt 0 ]; do
		mkdir "$space/$1" && chown "$2:$2" "$space/$1"
		shift 2
	done
}

# A campaign whose build says where it was, in that workspace instead of a copy.
builds() { # USER REPOSITORY WORKSPACE
	printf '%s\n' "build { command = \"echo >campaign-of-$1; exit 1\" }" \
		'benchmark b { command = "true" metric m { from = cpu } }' \
		'knob k { kind = file file = "n" pattern = "([0-9])" values = { 1, 2 } }' >"$2/cupel.conf"
	echo 1 >"$2/n"
	git -C "$2" init -q -b main
	git -C "$2" add -A
	git -C "$2" -c user.name=test -c user.email=test@localhost commit -q -m start
	chown -R "$1:$1" "$2"
	as_who "$1"
	ask call improve.run --json --workspace "$2" "{\"workspace\":\"$2\",\"copies\":[$3,$3,$3,$3]}" 2>/dev/null |
		jq -r .reason
	as_who 0
}

# What bert is told, whose campaign is said to be about another directory.
claims() { # REPOSITORY DIRECTORY
	as_who "$bert"
	ask call improve.run --json --workspace "$1" "{\"workspace\":\"$2\",\"copies\":[1,1,1,1]}" 2>/dev/null |
		jq -r .reason
	as_who 0
}
# How a test of his ends, and how often it was said that it was not kept.
tests_as() { # REPOSITORY DIRECTORY
	as_who "$bert"
	ask call improve.test --workspace "$1" \
		"{\"workspace\":\"$2\",\"config\":\"test t { command = \\\"true\\\" }\"}" |
		jq -r '.cases[0].outcome' | tr '\n' ' '
	as_who 0
	sleep 0.3
	grep -c "a run was not kept.*nothing ran in $2" "$log"
}

# The number of the workspace that a call is being served in.
number() { ask status --json | jq -e 'first(.workers[] | select(.pool == "try" and .state == "busy").workspace)'; }

is_another_users() {
	local there
	begin
	make_folders hers "$anne" his "$bert" hers.git 0 his.git 0
	stays_in "$anne" "$space/hers"
	there=$(number)
	is 'the number is hers: control' "$(enters "$anne" "$there" /bin/sh -c ': >by-anne')" ok
	holds 'and what she calls is served there' test -e "$space/hers/by-anne"
	is 'it is root'\''s, too' "$(enters 0 "$there" /bin/sh -c ': >by-root')" ok
	is 'another user is refused' "$(enters "$bert" "$there" /bin/sh -c ': >by-bert')" denied_by_acl
	is 'as often as he asks' "$(for _ in {1..20}; do
		enters "$bert" "$there" /bin/sh -c ': >by-bert'; done | sort | uniq -c | xargs)" '20 denied_by_acl'
	holds 'and nothing of his was there' test ! -e "$space/hers/by-bert"
	is 'her campaign builds where she says: control' "$(builds "$anne" "$space/hers.git" "$there") $(ls "$space/hers" | grep -c campaign)" \
		'the unchanged program: the build failed: exit status 1 1'
	is 'his does not build in hers' "$(builds "$bert" "$space/his.git" "$there") $(ls "$space/hers" | grep -c campaign)" \
		"build: this is another user's workspace: hand over a directory of your own 1"
	is 'nor may he have it kept as hers' "$(claims "$space/his.git" "$space/hers.git")" \
		"workspace: $space/hers.git is not the directory that was handed over, which is $space/his.git"
	is 'his tests are kept as his: control' "$(tests_as "$space/his.git" "$space/his.git")" 'passed 0'
	is 'but not as hers' "$(tests_as "$space/his.git" "$space/hers.git")" 'passed 1'
	is 'nor may he register it' "$(calls_in "$bert" "$space/hers" '{"argv":["/bin/true"]}' 2>&1 |
		grep -c 'Permission denied')" 1
	is 'his own is his' "$(where "$bert" "$space/his")" "$space/his"
	leaves "$space/hers"
	is 'her call has ended well' $? 0
	stays_in "$bert" "$space/his"
	is 'whoever comes next has another number' "$(for who in $anne $bert 0; do
		enters "$who" "$there" /bin/sh -c ': >late'; done | sort | uniq -c | xargs)" '3 failed_precondition'
	is 'and no call with the old one is served anywhere' "$(ls "$space"/h*/late 2>&1 | grep -c 'No such')" 1
	leaves "$space/his"
	is 'his call has ended well' $? 0
	stop_supervisor
	rm "$space/hers/over" "$space/hers/begun"
	begin
	stays_in "$anne" "$space/hers"
	is 'nor does another supervisor give it away again' \
		"$(enters "$anne" "$there" /bin/sh -c ': >late')" failed_precondition
	leaves "$space/hers"
}

# By turns, both users and two directories each, as quickly as can be.
is_ones_own() {
	local i who there wrong=0
	make_folders anne.0 "$anne" anne.1 "$anne" bert.0 "$bert" bert.1 "$bert"
	for i in {0..49}; do
		who=anne
		[ $((i % 2)) -eq 0 ] || who=bert
		there=$space/$who.$((i / 2 % 2))
		[ "$(where "${!who}" "$there")" = "$there" ] || wrong=$((wrong + 1))
	done
	is 'of 50 clients, one after the other, each is served in its own' "$wrong" 0
	stop_supervisor
	is 'it ends well' "$code" 0
}

# One takes what he gets of places and links, and asks as often as he is answered.
leaves_some() {
	local hoarder taken
	begin
	make_folders much "$anne" little "$bert"
	as_who "$anne"
	"${as_user[@]}" "$work/rude" "$space/run/workspace.sock" hoard "$space/much" 6 >"$space/taken" &
	hoarder=$!
	as_who 0
	wait_for 60 test -s "$space/taken"
	is 'one user has half of the places and links, and no more' "$(head -n 1 "$space/taken")" '33 33'
	is 'more of hers are refused, with the reason' "$(calls_in "$anne" "$space/much" '{"argv":["/bin/true"]}' 2>&1 |
		grep -c 'too many directories')" 1
	is 'another is served beside that' "$(where "$bert" "$space/little")" "$space/little"
	is 'root is, too' "$(where 0 "$space/much")" "$space/much"
	wait $hoarder
	taken=$(tail -n 1 "$space/taken")
	holds "in a second she is heard 32 times ($taken in 6)" test "$taken" -gt 0 -a "$taken" -le $((32 * 8))
	is 'once they are given back she is served herself' "$(where "$anne" "$space/much")" "$space/much"
	stop_supervisor
}

# What one says without end keeps the router busy, but not from its beats.
is_heard_out() {
	local router flooder
	begin
	router=$(named cupel-router)
	as_who "$anne"
	"${as_user[@]}" "$work/rude" "$space/run/router.sock" flood 15 >"$space/flood" &
	flooder=$!
	as_who "$bert"
	sleep 5
	is 'beside a flood of calls another is served' "$(code_of call echo 1)" 0
	as_who 0
	wait $flooder
	holds "who was read so often ($(<"$space/flood"))" test "$(<"$space/flood")" -gt 10000
	is 'and the router has lived through it' "$(named cupel-router)" "$router"
	stop_supervisor
}

# A directory that goes while calls are served in it is their fault, no pool's.
is_gone() {
	local there
	begin
	make_folders gone 0 other 0
	stays_in 0 "$space/gone"
	there=$(number)
	is 'a workspace is entered: control' "$(enters 0 "$there" /bin/sh -c ': >there')" ok
	rm -rf "$space/gone"
	for _ in {1..8}; do enters 0 "$there" /bin/true; done >/dev/null	# who was in already
	is 'once it is gone it is not, however often' \
		"$(for _ in {1..12}; do enters 0 "$there" /bin/true; done | sort | uniq -c | xargs)" \
		'12 failed_precondition'
	is 'and another is' "$(where 0 "$space/other")" "$space/other"
	is 'no pool is to blame' "$(grep -c '"state":"crashloop"' "$log")" 0
	kill $caller
	stop_supervisor
}

# As in a container, whose overlay file system maps no ids either.
is_told_why() {
	begin
	make_folders plain 0 rams 0
	mount -t ramfs none "$space/rams" || exit 1
	is 'a directory of root is entered: control' "$(where 0 "$space/plain")" "$space/plain"
	is 'one whose ids cannot be mapped is not, and that is said' \
		"$(ask call try '{"argv":["/bin/pwd"]}' --workspace "$space/rams" 2>&1 |
			grep -c 'ids of its file system cannot be mapped: run cupel as an ordinary user')" 1
	stop_supervisor
	umount "$space/rams"
}

# Where root has a group of that name, its members are let in, and nobody else.
is_for_a_group() {
	local gid=64242
	grep -v '^cupel:' /etc/group >"$space/group"
	echo "cupel:x:$gid:" >>"$space/group"
	mount --bind "$space/group" /etc/group || exit 1
	chmod 755 "$space"
	start_supervisor
	chmod 755 "$space/run"
	is 'the sockets are the group'"'"'s' \
		"$(stat -c '%a %U %g' "$space/run"/{router,workspace}.sock | sort -u)" "660 root $gid"
	as=(setpriv --reuid "$anne" --regid "$anne" --groups $gid -- env "HOME=/nonexistent")
	is 'a member calls' "$(ask call echo 7)" 7
	as_who "$anne"
	is 'one who is none does not' "$(code_of call echo 7)" 77
	is 'and is told the way out' "$(words_of call echo 7 | grep -c 'ask to be in the group cupel')" 1
	as_who 0
	stop_supervisor
	umount /etc/group
}

if [ "$(id -u)" -eq 0 ]; then
	become full
	is_for_a_group
	is_another_users
	is_ones_own
	leaves_some
	is_heard_out
	is_gone
	is_told_why
else
	skip 'two users of one supervisor' 'needs root'
fi
done_testing
