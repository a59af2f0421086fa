#!/bin/bash
# A disk that is full while a change is applied or taken back: refused in one
# sentence with nothing changed, or done; and done once there is room. Speaks
# TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

disk=$work/disk
mkdir "$disk"
if ! mount -t tmpfs -o size=4m,mode=755 cupel-test "$disk" 2>/dev/null; then
	skip 'a full disk' 'mounting one needs root'
	done_testing
	exit
fi
trap 'unserve; cd /; umount "$disk"; clean_up' EXIT

cd "$work" || exit 1
serve
small "$disk/ws"
commit "$disk/ws"
cd "$disk/ws" || exit 1
echo mine >scratch
"$cupel" improve --mode approve --seed 1 --json >"$work/report" 2>"$work/said"
if [ "$(jq -r .status "$work/report" 2>/dev/null)" != approved ]; then
	skip 'a full disk' "nothing was proven on this machine: $(<"$work/said")"
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
done_testing
