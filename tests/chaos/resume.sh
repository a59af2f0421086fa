#!/bin/bash
# The improvement loop under kill -9: a campaign, an apply and a rollback, in
# each of which a process of the house is killed at a random moment, and which
# are then asked for again until they end. After every kill: HEAD old or new,
# files old or new and never half, what is the user's as it was, the database
# whole. At the end: exactly one commit, exactly one inverse, and git free to
# work. Speaks TAP.
#
# RESUME_SECONDS (50) and RESUME_ROUNDS (none) bound it, a round being a kill;
# CUPEL_SEED (1) says which moments and victims; RESUME_KIND=files does it to a
# folder that is no repository. `make resume` does 200 rounds.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
seconds=${RESUME_SECONDS:-50} rounds_max=${RESUME_ROUNDS:-1000000}
RANDOM=${CUPEL_SEED:-1}
kind=${RESUME_KIND:-git}
case $kind in git) inside=.git keeps=none ;; *) inside=.cupel keeps=.cupel ;; esac
echo "# CUPEL_SEED=${CUPEL_SEED:-1} RESUME_KIND=$kind"
hit=0 applies=0 campaigns=0 whole_ms=0
torn='' lost='' lame=''	# what went wrong
declare -A kills

# ---- the user's ----

theirs() {
	mkdir -p "$1/doc"
	echo read >"$1/doc/read.me"
	echo scratch >"$1/scratch"
	[ "$kind" = git ] || return
	rm "$1/scratch"
	commit "$1"
	echo edited >"$1/doc/read.me"
	echo scratch >"$1/scratch"
	printf '#!/bin/sh\nexit 1\n' >"$1/.git/hooks/pre-commit"
	chmod +x "$1/.git/hooks/pre-commit"
}
print_of_theirs() { # DIRECTORY
	(cd "$1" && sha256sum doc/read.me scratch cupel.conf &&
		{ [ "$kind" != git ] || sha256sum .git/config .git/hooks/pre-commit; } &&
		stat -c %a spin.sh doc/read.me) | sha256sum
}

# ---- a kill ----

strike() { # MILLISECONDS: at most so late, and only while $asked runs
	local ms=$(((RANDOM * 32768 + RANDOM) % $1)) choice=$RANDOM names victim
	sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
	[ ${#members[@]} -gt 0 ] || mapfile -t members < <(house)
	kill -0 "$asked" 2>/dev/null && [ ${#members[@]} -gt 0 ] || return 1
	# A name first: of some there are many, of others one for moments.
	mapfile -t names < <(printf '%s\n' "${members[@]#* }" | sort -u)
	mapfile -t members < <(printf '%s\n' "${members[@]}" | grep " ${names[choice % ${#names[@]}]}\$")
	victim=${members[choice % ${#members[@]}]}
	kill -9 "${victim% *}" 2>/dev/null || return 1
	hit=$((hit + 1))
	kills[${victim#* }]=$((${kills[${victim#* }]:-0} + 1))
}
revive() {
	kill -0 "$supervisor" 2>/dev/null && serves && return
	kill -9 "$supervisor" 2>/dev/null
	wait "$supervisor" 2>/dev/null
	start_up
}
# Without a supervisor nothing can be asked: it ends with what it knows.
start_up() {
	serve && return
	not_ok 'a supervisor starts' "$(tail -n 3 "$work/cupeld.log")"
	conclude
}
conclude() {
	echo "# $hit kills: $(for v in "${!kills[@]}"; do echo -n "$v ${kills[$v]} "; done)"
	echo "# $applies times applied and taken back, $campaigns campaigns of $whole_ms ms"
	is 'nothing is ever torn' "$torn" ''
	is 'an apply and a rollback are done once each' "$lost" ''
	is 'a campaign goes on and ends with its one commit' "$lame" ''
	holds 'there were kills' test "$hit" -ge $((applies / 4))
	done_testing
	exit
}

# ---- what must hold ----

old=30000 new=7500
history() { # VERB...: of git, or of what the loop keeps of a folder
	git --git-dir="$work/ws/$inside" "$@"
}
# "COMMITS VALUE" of HEAD, where a commit is what makes it so. HEAD is read once:
# what was not killed may be about to move it.
head_of() {
	local head
	[ "$kind" = git ] || { echo '-'; return; }
	head=$(history rev-parse HEAD)
	echo "$(history rev-list --count "$head") $(history show "$head:spin.sh" | grep -o 'COUNT=[0-9]*')"
}
check_now() { # WHAT: right after a kill
	local file head want=1
	file=$(grep -o 'COUNT=[0-9]*' "$work/ws/spin.sh")
	head=$(head_of)
	case $head in "1 COUNT=$old" | "2 COUNT=$new" | "3 COUNT=$old" | -) ;; *) want=0 ;; esac
	case $file in COUNT=$old | COUNT=$new) ;; *) want=0 ;; esac
	[ "$(wc -l <"$work/ws/spin.sh")" -eq 6 ] || want=0
	[ "$(print_of_theirs "$work/ws")" = "$print" ] || want=0
	[ ! -e "$work/ws/$inside/HEAD" ] || history fsck --strict >"$work/fsck" 2>&1 || want=0
	[ $want = 1 ] || torn+="$1: HEAD $head, file $file; $(cat "$work/fsck")"$'\n'
}
check_store() {
	[ "$(rows 'PRAGMA integrity_check')" = ok ] || torn+="the database is torn"$'\n'
	[ "$("$cupel" call store.verify '{}' | jq -c .broken)" = '[]' ] ||
		torn+="the audit is broken"$'\n'
}
# HEAD, the file's value, commits and inverses, what git says besides, locks and
# leavings.
whole() {
	(
		cd "$work/ws" || exit
		echo "$(head_of), $(grep -o 'COUNT=[0-9]*' spin.sh)," \
			"$(history log --format=%b | grep -c '^Cupel-Improvement: 1$')" \
			"$(history log --format=%b | grep -c '^Cupel-Reverts: 1$')" \
			"$([ "$kind" != git ] || git status --porcelain | tr '\n' ' ')" \
			"$(find "$inside" -name '*.lock' -size +0; find "$inside" -name 'index.lock'
			find . -name '.cupel*' ! -path "./$keeps")"
	)
}
should_be() { # COMMITS VALUE INVERSES
	case $kind in
	git) echo "$1 COUNT=$2, COUNT=$2, 1 $3  M doc/read.me ?? scratch  " ;;
	*) echo "-, COUNT=$2, 1 $3  " ;;
	esac
}

# Asks until it is done, with a kill in each of the first so many tries.
until_done() { # KILLS MILLISECONDS VERB...
	local kills_left=$1 ms=$2 tries=0 start struck
	struck_first=
	shift 2
	for ((code = 99; code != 0 && tries < 15; tries++)); do
		members=()	# a busy machine takes longer to list them than to apply
		[ "$ms" -ge 20 ] || mapfile -t members < <(house)
		start=$(date +%s%N)
		"$cupel" "$@" >"$work/said" 2>&1 </dev/null &
		asked=$!
		if [ $((kills_left--)) -gt 0 ]; then
			strike "$ms" && struck=yes || struck=no
			struck_first=${struck_first:-$struck}
		fi
		code=0
		wait "$asked" || code=$?
		# After the commit there is nothing more to be found.
		[ "$1 $code" = 'improve 1' ] && grep -q '^found  *note' "$work/said" && code=0
		check_now "$*"
		# The router takes it for a call that kills; a new one knows nothing of it.
		grep -q 'has killed two workers' "$work/said" && unserve
		revive
		# Longer each time, lest everything be killed before it gets anywhere.
		ms=$((ms + ($(date +%s%N) - start) / 2000000))
	done
	last=$(tail -n 3 "$work/said")
}
status_of() {
	rows 'SELECT status FROM improvements WHERE id = 1'
}
# Without a kill nothing is shown: then it takes longer.
time_left() {
	local most=$seconds
	[ $hit -gt $((applies / 4)) ] || most=$((3 * seconds))
	[ $((SECONDS - began)) -lt $most ] && [ $hit -lt "$rounds_max" ]
}
# As they were: the workspace, and what the store knew of it.
reset() { # TEMPLATE
	unserve
	cd "$work" && rm -rf ws state && cp -a "$1/." . && start_up && cd ws
}

small ws
theirs ws
print=$(print_of_theirs ws)
mkdir fresh proven
cp -a ws fresh

# ---- one without a kill, to start an apply from ----

start_up && cd ws
start=$(date +%s%N)
until_done 0 0 improve --mode approve --seed 1
whole_ms=$((($(date +%s%N) - start) / 1000000))
if [ "$(rows 'SELECT status FROM improvements')" != approved ]; then
	skip 'the loop under kill -9' "nothing was proven on this machine: $last"
	done_testing
	exit
fi
unserve
cp -a "$work/ws" "$work/state" "$work/proven"
began=$SECONDS

campaign() {
	reset fresh
	until_done 3 "$whole_ms" improve --mode auto --seed "$RANDOM"
	check_store
	if grep -q 'too noisy' "$work/said"; then
		echo "# too noisy for a campaign: $last"
	elif [ "$(whole)" != "$(should_be 2 $new 0)" ] ||
		[ "$(rows "SELECT count(*) FROM improvements WHERE status = 'applied'")" != 1 ]; then
		lame+="after $hit kills: $(whole)"$'\n'"$last"$'\n'
	fi
	campaigns=$((campaigns + 1))
}
# Sooner after a miss and later after a hit: about every other one hits, however
# long an apply takes on this machine.
aim() {
	case $struck_first in no) apply_ms=$((apply_ms * 2 / 3 + 1)) ;; yes) apply_ms=$((apply_ms * 3 / 2)) ;; esac
}
apply_and_back() {
	reset proven
	until_done 1 "$apply_ms" apply 1 --here
	aim
	[ "$(whole)$(status_of)" = "$(should_be 2 $new 0)applied" ] ||
		lost+="apply, after $hit kills: $(whole) $(status_of)"$'\n'"$last"$'\n'
	until_done 1 "$apply_ms" rollback 1
	aim
	[ "$(whole)$(status_of)" = "$(should_be 3 $old 1)rolled_back" ] ||
		lost+="rollback, after $hit kills: $(whole) $(status_of)"$'\n'"$last"$'\n'
	check_store
	applies=$((applies + 1))
}

apply_ms=200
while time_left; do
	for _ in 1 2 3 4; do
		time_left && apply_and_back
	done
	# Some kills in, it takes several times as long as one without.
	[ $((SECONDS - began + 3 * whole_ms / 1000)) -lt "$seconds" ] && time_left && campaign
done
conclude
