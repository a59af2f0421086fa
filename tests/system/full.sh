#!/bin/bash
# A disk that is full while a change is applied or taken back: refused in one
# sentence with nothing changed, or done; and done once there is room. Speaks
# TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

# An ordinary user cannot mount one: root gives it to one, with this script and
# the programs where such a user can look.
for_another() {
	local tree=$work/tree disk=$work/disk
	mkdir -p "$tree/tests/containment" "$disk"
	cp -r "$top/tests/support" "$tree/tests"
	cp "$top/tests/system/full.sh" "$tree"
	cp "$probe" "$tree/tests/containment"
	cp -rL "$CUPEL_BIN" "$tree/bin"
	mount -t tmpfs -o "size=4m,mode=755,uid=$user,gid=$user" cupel-test "$disk"
	(cd "$tree" && setpriv --reuid "$user" --regid "$user" --clear-groups -- env \
		FULL_DISK="$disk" CUPEL_BIN="$tree/bin" CUPEL_OUT="$tree" bash full.sh) >"$work/another" 2>&1
	relay 'an ordinary user' < <(sed -E 's/^(ok|not ok) [0-9]+/\1/' "$work/another")
	holds 'an ordinary user: all of it was run' grep -q '^1\.\.' "$work/another"
	umount "$disk"
}
if [ -n "${FULL_DISK-}" ]; then
	disk=$FULL_DISK
else
	disk=$work/own
	mkdir "$disk"
	if ! mount -t tmpfs -o size=4m,mode=755 cupel-test "$disk" 2>/dev/null; then
		skip 'a full disk' 'mounting one needs root'
		done_testing
		exit
	fi
	trap 'unserve; cd /; umount "$work/disk" "$work/kept" 2>/dev/null; umount "$disk"; clean_up' EXIT
	for_another
	if "$cupel" run --workspace "$disk" -- true 2>&1 </dev/null | grep -q 'ids cannot be mapped'; then
		skip 'a full disk, as root' 'tmpfs maps no ids before Linux 6.3'
		done_testing
		exit
	fi
fi

cd "$work" || exit 1
serve
small "$disk/ws"
commit "$disk/ws"
cd "$disk/ws" || exit 1
echo mine >scratch
"$cupel" improve --mode approve --seed 1 --json >"$work/report" 2>"$work/said"
if grep -q 'too noisy to decide by' "$work/said"; then
	skip 'a full disk' "$(<"$work/said")"
	done_testing
	exit
fi

print() {
	git rev-parse HEAD && git status --porcelain && git ls-files -s && sha256sum spin.sh scratch &&
		find . .git -maxdepth 1 -name '*.lock' -size +0
	find .git -name index.lock -o -name main.lock
}
# With ever more room, four kilobytes at a time, until it is done.
squeeze() { # NAME VERB...
	local name=$1 page refused=0 wrong='' before code
	shift
	before=$(print)
	for ((page = 0; page < 200; page++)); do
		head -c 8M /dev/zero >"$disk/ballast" 2>/dev/null
		truncate -s "$(($(stat -c %s "$disk/ballast") - page * 4096))" "$disk/ballast"
		code=0
		"$cupel" "$@" >"$work/out" 2>"$work/said" || code=$?
		[ $code = 0 ] && break
		refused=$((refused + 1))
		rm "$disk/ballast"
		[ "$(print)" = "$before" ] || wrong+="with $page pages: $(print)"$'\n'
		[ "$(wc -l <"$work/said")" -eq 1 ] && grep -qi 'no space left' "$work/said" ||
			wrong+="with $page pages: $(<"$work/said")"$'\n'
	done
	rm -f "$disk/ballast"
	is "$name: refused, and nothing changed" "$wrong" ''
	holds "$name: there were refusals" test $refused -gt 0
	is "$name: done with $page pages" "$code" 0
}
squeeze apply apply 1 --here
is 'applied whole' "$(git status --porcelain)$(git rev-list --count HEAD)$(grep -c COUNT=7500 spin.sh)" '?? scratch21'
squeeze rollback rollback 1
is 'taken back whole' "$(git status --porcelain)$(git rev-list --count HEAD)$(grep -c COUNT=30000 spin.sh)" '?? scratch31'
is 'git works' "$(git fsck 2>&1 | grep -v dangling; git -c user.name=t -c user.email=t@localhost commit -q --allow-empty -m mine; echo $?)" 0

# ---- the store's own disk ----

if [ -n "${FULL_DISK-}" ]; then
	done_testing
	exit
fi
keep() { # BYTES: of an event
	head -c "$1" /dev/zero | tr '\0' x | jq -Rc '{events: [{kind: "full", data: {text: .}}]}' >"$work/event"
	"$cupel" call store.event - <"$work/event" >"$work/out" 2>"$work/said"
}
unserve
export CUPEL_STATE=$work/kept
mkdir "$CUPEL_STATE"
mount -t tmpfs -o size=4m,mode=700 cupel-test "$CUPEL_STATE"
serve
keep 10
is 'the store keeps what there is room for' "$?$(jq .stored "$work/out")" 01
head -c 8M /dev/zero >"$CUPEL_STATE/ballast" 2>/dev/null
keep 100000
is 'what there is no room for is not said to be kept' "$?$(<"$work/out") $(grep -c 'is full' "$work/said")" '75 1'
is 'nor without a way out' "$(grep -c 'make room in the state directory' "$work/said")" 1
reads() { "$cupel" call store.bottlenecks '{}' | jq -c .bottlenecks; }
is 'what only reads is served' "$(reads)" '[]'
rm "$CUPEL_STATE/ballast"
keep 10
is 'once there is, it goes on' "$?$(jq .stored "$work/out")$(rows "SELECT count(*) FROM events WHERE kind = 'full'")" 012
unserve
head -c 8M /dev/zero >"$CUPEL_STATE/ballast" 2>/dev/null
serve
is 'started on a full disk, it serves what only reads' "$(reads)" '[]'
keep 10
is 'and refuses the rest' "$?$(<"$work/out") $(grep -c 'resource_exhausted' "$work/said")" '75 1'
rm "$CUPEL_STATE/ballast"
keep 10
is 'until there is room' "$?$(jq .stored "$work/out")" 01
unserve
is 'and nothing was lost' "$(rows "SELECT count(*) FROM events WHERE kind = 'full'")" 3
done_testing
