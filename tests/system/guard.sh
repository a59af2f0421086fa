#!/bin/bash
# A build may write in its workspace, and not in what tells git and cupel which
# programs to start: .git and .cupel. Each denial has its control. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

attempts=(
	'echo evil >.git/hooks/post-commit'
	'echo evil >>.git/config'
	'mv .git .away'
	'rm -rf .git'
	'mount --bind .away .git'
	'ln -sf /tmp .git/hooks'
	'echo evil >.cupel/config'
)
repository() {
	folder "$space/ws/.git/hooks" "$space/ws/.cupel" "$space/ws/.away"
	echo good >"$space/ws/.git/config" && echo good >"$space/ws/.cupel/config"
	[ ${#as[@]} -eq 0 ] || chown -R "$user:$user" "$space/ws"
}
print() {
	(cd "$space/ws" && find .git .cupel -printf '%p %y\n' -type f -exec cat {} + | sort)
}
build_cannot() {
	local attempt before
	repository
	before=$(print)
	for attempt in "${attempts[@]}"; do
		try_run --policy build --workspace "$space/ws:direct" -- sh -c "$attempt"
		is "$tier: $attempt" "$([ "$code" != 0 ] && echo refused) $(print | diff - <(echo "$before"))" 'refused '
	done
	try_run --policy build --workspace "$space/ws:direct" -- sh -c 'cat .git/config && echo built >made && mkdir -p .github && echo x >.github/a'
	is "$tier: it can be read, and the rest written" "$code$(cat "$space/ws/made" out)" 0$'built\ngood'
	try_run --policy build --workspace "$space/ws:overlay" -- sh -c 'echo evil >.git/config'
	is "$tier: nor through an overlay" "$code$(print | diff - <(echo "$before"))" 2
	for attempt in "${attempts[0]}" "${attempts[1]}" "${attempts[6]}"; do
		try_run --policy tool --workspace "$space/ws:direct" -- sh -c "$attempt"
		is "$tier: control, another policy: $attempt" "$code" 0
	done
	rm -rf "$space/ws"
}
for_each_tier build_cannot

# ---- the build of a workspace's own tests ----

cd "$work" || exit 1
serve
mkdir ws && cd ws || exit 1
cat >cupel.conf <<'END'
build { command = "echo built >made; echo '#!/bin/sh' >.git/hooks/post-commit; true" }
test made { command = "test -e made" }
END
git init -q -b main
"$cupel" test >../out 2>../said
is 'job.build: control, it writes in the workspace' "$?$(cat made)" 0built
is 'job.build: and not in .git' "$(ls .git/hooks | grep -c '^post-commit$')" 0
done_testing
