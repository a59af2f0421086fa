# What the tests of `cupel run` share; sourced by bash, from the top folder.
#
#	for_each_tier FUNCTION	once as each kind of user there is: root (tier
#				full) and an ordinary user (tier userns)
#	${cupel_run[@]} ...	`cupel run` as that user; a plain command, so
#				that $! of it in the background is cupel itself
#	$tier $space $work	the tier, a folder of its user's, the test's own
#
# An ordinary user is a number nobody has: no account is made. Everything made
# stands below $work, and everything started is killed by its number, at exit.
. tests/support/tap.sh
probe=$CUPEL_OUT/tests/containment/probe
case $probe in /*) ;; *) probe=$top/$probe ;; esac

work=$(mktemp -d /tmp/cupel-test.XXXXXX) && chmod 755 "$work" || exit 1
user=$((1900000000 + $$))
started=()

# Numbers are used again: what is over may be another test's by now.
is_mine() { # PID
	local stat
	read -r stat <"/proc/$1/stat" || return
	[[ ${stat##*) } == ?" $$ "* ]] || grep -qF "$work" "/proc/$1/environ"
}
clean_up() {
	local pid
	for pid in "${started[@]}"; do
		! is_mine "$pid" || kill -9 "$pid"
	done 2>/dev/null
	wait 2>/dev/null
	cd / && rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# The build may stand where an ordinary user cannot look.
install -m 755 "$CUPEL_BIN/cupel" "$probe" "$work" || exit 1
cupel=$work/cupel probe=$work/probe

# On a host where only mount(2) mounts: open_tree, move_mount, fsopen, fsconfig,
# fsmount, fspick and mount_setattr are not there. The same numbers everywhere.
by_mount=("$probe" refuse 428,429,430,431,432,433,442)

# ---- who runs ----

become() { # TIER
	tier=$1 as=()
	space=$work/$tier
	if [ "$tier" = userns ] && [ "$(id -u)" -eq 0 ]; then
		as=(setpriv --reuid "$user" --regid "$user" --clear-groups --
			env "HOME=$space/home")
	fi
	cupel_run=(${as[@]+"${as[@]}"} "$cupel" run)
	[ -d "$space" ] && return
	mkdir -p "$space/home" && chmod 700 "$space"
	[ ${#as[@]} -eq 0 ] || chown -R "$user:$user" "$space"
}

for_each_tier() { # FUNCTION
	if [ "$(id -u)" -eq 0 ]; then
		become full
		cd "$space" && "$1"
	else
		skip "full: $1" 'needs root'
	fi
	if [ "$(id -u)" -ne 0 ] || setpriv --reuid "$user" --regid "$user" \
		--clear-groups -- unshare -U true 2>/dev/null; then
		become userns
		cd "$space" && "$1"
	else
		skip "userns: $1" 'ordinary users cannot make user namespaces here'
	fi
	cd "$top"
}

# ---- verdicts ----

# Runs OPTION... -- COMMAND..., with a verdict; sets $code, leaves files out,
# err and verdict in the working directory.
try_run() {
	rm -f out err verdict
	code=0
	timeout -k 5 "${RUN_SECONDS:-60}" "${cupel_run[@]}" --json verdict "$@" \
		>out 2>err </dev/null || code=$?
}
verdict() { # JQ-EXPRESSION
	jq -rc "$1" verdict 2>&1
}

# A folder of the tier's user.
folder() { # PATH...
	mkdir -p "$@" && { [ ${#as[@]} -eq 0 ] || chown -R "$user:$user" "$@"; }
}

# Where a launcher started from here makes its groups: its own, and above it.
group_parents() {
	local mount path
	awk '$3 ~ /^cgroup/ { print $2 }' /proc/self/mounts | while IFS= read -r mount; do
		cut -d: -f3 /proc/self/cgroup | sort -u | while IFS= read -r path; do
			while [ -n "$path" ]; do
				echo "$mount$path"
				path=${path%/*}
			done
			echo "$mount/"
		done
	done | sort -u
}

# Groups of runs whose launcher is gone (cupel-NAMESPACE-PID-...), after the
# keeper had its time. A test in a pid namespace of its own sees its own alone.
stale_groups() {
	local left namespace=$(stat -Lc %i /proc/self/ns/pid)
	for _ in {1..20}; do
		left=$(group_parents | while IFS= read -r parent; do
			find "$parent" -maxdepth 1 -name "cupel-$namespace-*" 2>/dev/null
		done | while IFS= read -r group; do
			pid=${group##*/cupel-} pid=${pid#*-} pid=${pid%%-*}
			[ -d "/proc/$pid" ] || echo "$group"
		done)
		[ -n "$left" ] || return 0
		sleep 0.1
	done
	echo "$left"
	return 1
}

# ---- the wall clock ----

clock_may_be_set() {
	why_not='as root, where CUPEL_DISPOSABLE=1 says that it may be'
	[ "${CUPEL_DISPOSABLE-}" = 1 ] && [ "$(id -u)" -eq 0 ]
}
set_clock() { # SECONDS: on
	local then=$(date +%s)
	date -s "@$((then + $1))" >/dev/null
	[ $(($(date +%s) - then)) -ge $(($1 - 60)) ] && [ $(($(date +%s) - then)) -le $(($1 + 60)) ]
}
