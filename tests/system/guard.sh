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

# ---- what a repository names to be run, and git does run ----

repository_of_traps() {
	local hook
	mkdir -p "$work/traps/.git/ran" && cd "$work/traps" || exit
	git init -q -b main
	printf 'COUNT=1\n' >knob
	echo '* filter=trap diff=trap' >.gitattributes
	git add -A && git -c user.name=t -c user.email=t@localhost commit -qm start
	mkdir .git/hooked
	cat >.git/trap <<-END
		#!/bin/sh
		: >"$PWD/.git/ran/\$1"
		case \$1 in filter-*) cat ;; textconv) cat "\$2" ;; esac
	END
	chmod +x .git/trap
	for hook in pre-commit prepare-commit-msg commit-msg post-commit reference-transaction \
		post-index-change post-checkout; do
		printf '#!/bin/sh\nexec %s hook-%s\n' "$PWD/.git/trap" $hook >.git/hooked/$hook
	done
	for hook in fsmonitor gpg; do
		printf '#!/bin/sh\nexec %s %s\n' "$PWD/.git/trap" $hook >.git/$hook
	done
	chmod +x .git/hooked/* .git/fsmonitor .git/gpg
	cat >.git/included <<-END
		[filter "trap"]
			clean = $PWD/.git/trap filter-clean
			smudge = $PWD/.git/trap filter-smudge
			required = true
		[diff "trap"]
			textconv = $PWD/.git/trap textconv
		[core]
			fsmonitor = $PWD/.git/fsmonitor
			hooksPath = $PWD/.git/hooked
			editor = $PWD/.git/trap editor
		[gpg]
			program = $PWD/.git/gpg
		[commit]
			gpgSign = true
		[user]
			name = theirs
			email = theirs@localhost
			signingKey = signed
	END
	git config --file .git/config include.path included
}
ran() { ls .git/ran | tr '\n' ' '; }
git_tool() { # TOOL JQ JSON...
	"$cupel" call --workspace . "git.$1" "$3" 2>&1 | jq -c "$2" 2>&1
}
repository_of_traps
rm -f .git/ran/*
base=$(git -c core.fsmonitor= rev-parse HEAD)
sum=$(sha256sum <knob | cut -d' ' -f1)
who='"improvement": 1, "change": "knob"'
is 'git.status' "$(git_tool status .clean '{}')" true
is 'git.read' "$(git_tool read .sha256 "{\"commit\": \"$base\", \"path\": \"knob\"}")" "\"$sum\""
is 'git.checkout' "$(git_tool checkout .files "{\"commit\": \"$base\", \"copy\": \"a\", \"files\": []}")" 2
is 'git.protect' "$(git_tool protect .changed "{\"commit\": \"$base\", \"copy\": \"a\", \"paths\": [\"knob\"]}")" '[]'
is 'git.artefacts' "$(git_tool artefacts .files "{\"commit\": \"$base\", \"copy\": \"a\", \"except\": []}")" 0
is 'git.commit' "$(git_tool commit .branch "{\"base\": \"$base\", \"branch\": null, \"message\": \"Tune\\n\",
	\"files\": [{\"path\": \"knob\", \"content\": \"COUNT=2\\n\", \"before_sha256\": \"$sum\"}], $who}")" '"main"'
is 'in the file' "$(<knob)" COUNT=2
commit=$(git_tool find .commit "{$who}" | tr -d '"')
is 'git.revert' "$(git_tool revert .branch "{\"commit\": \"$commit\", $who}")" '"main"'
is 'in the file, too' "$(<knob)" COUNT=1
is 'git.clean' "$(git_tool clean . '{"copies": null}')" '{}'
is 'of what the repository names, nothing ran' "$(ran)" ''
"$cupel" run --policy tool --workspace "$PWD:direct" -- .git/trap confined
is 'control: in such a sandbox it would have left a mark' "$(ran)" 'confined '
rm .git/ran/*
# Git itself has to be asked several things, some of which fail for it.
echo COUNT=3 >knob
git status >../out 2>&1
git diff >../out 2>&1
git commit -am mine --edit --no-gpg-sign >../out 2>&1
git commit --amend -am mine --no-edit >../out 2>&1
rm knob && git checkout HEAD~1 -- knob >../out 2>&1
git checkout -b side >../out 2>&1
is 'control: git runs all of it' "$(ran)" 'editor filter-clean filter-smudge fsmonitor gpg hook-commit-msg hook-post-checkout hook-post-commit hook-post-index-change hook-pre-commit hook-prepare-commit-msg hook-reference-transaction textconv '
done_testing
