#!/bin/bash
# The improvement loop on programs as Debian has them: what is fetched from its
# archive is built, tested by its own tests, measured on files of this machine,
# and improved, in a scratch folder. Any gain is measured again by hand: both
# versions built in plain folders and run in turn, with no Cupel around them.
# Speaks TAP; lines that begin with "# |" are the table. PROJECTS and MODES choose;
# GAIN is what `auto` has to exceed, in percent, instead of what cupel.conf says.
#
# A program has here DEBIAN/NAME.conf, its cupel.conf, and a function real_NAME
# that fills its folder `real`. Knobs, build and benchmark by hand are read from
# the same file: the first benchmark is the one that is to be improved.
. tests/support/sandbox.sh
. tests/support/campaign.sh
confs=$top/tests/workspaces/debian
projects=${PROJECTS:-mawk bzip2 lz4} modes=${MODES:-propose auto}

real_mawk() {
	cp "$confs/words.awk" real
	apt-cache dumpavail | head -c 16000000 >real/status
}
real_bzip2() {
	documents 2000000 >real/doc.tar
	bzip2 -k real/doc.tar
}
real_lz4() {
	documents 8000000 >real/doc.tar
	documents 64000000 | lz4 -q - real/docs.lz4
}
documents() { # BYTES
	tar cf - -C /usr/share doc 2>/dev/null | head -c "$1"
}

# ---- the archive ----

# Sources of where this machine's packages come from, with lists of our own.
apt_get() {
	apt-get -qq -o Dir::Etc::SourceList="$work/apt/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$work/apt/lists" \
		-o Dir::Cache="$work/apt" "$@" 2>&1
}
fetch() { # PROJECT: into ./source
	apt_get source --download-only "$1" && dpkg-source -x ./*.dsc source
}
find_archive() {
	mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial"
	apt-get indextargets 'Identifier: Packages' 'Origin: Debian' 'Component: main' \
		--format 'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(REPO_URI) $(RELEASE) main' |
		sort -u >"$work/apt/sources.list"
	apt_get update
}

# ---- a workspace, and by hand what its cupel.conf says ----

keep() { # MESSAGE
	git add -A -f && git -c user.name=test -c user.email=test@localhost commit -q -m "$1"
}
prepare() { # PROJECT
	cd source && mkdir real && "real_$1" && echo 'real/* -text' >>.gitattributes &&
		sed "${GAIN:+s/^\tgain = .*/\tgain = $GAIN/}" "$confs/$1.conf" >cupel.conf &&
		git init -q -b main && keep 'as in Debian'
}
command_of() { # SECTION: of ./cupel.conf, the first there is
	sed -n "/^$1 .*{/,/^}/s/^\tcommand = \"\(.*\)\"$/\1/p" cupel.conf |
		sed -e 's/\\"/"/g' -e 1q
}
knobs() { # the environment ./cupel.conf has now, as NAME=VALUE lines
	sed -n -e 's/^knob \([A-Z]*\) {/\1/;T current;h;d' -e ':current' \
		-e 's/^\tcurrent = "\(.*\)"$/=\1/;T;H;x;s/\n//p' cupel.conf
}
checkout() { # COMMIT FOLDER: built there by hand
	mkdir "$2" && git archive "$1" | tar x -C "$2" || return
	(cd "$2" && mapfile -t environment < <(knobs) &&
		env ${environment[@]+"${environment[@]}"} sh -c "$(command_of build)")
}
# Sets $measured, the table's words, and $gain, the median in percent.
by_hand() { # OLD NEW
	rm -rf ../old ../new
	checkout "$1" ../old >../old.log 2>&1 && checkout "$2" ../new >../new.log 2>&1 ||
		return
	measured=$("$top/tests/workspaces/remeasure" ../old ../new "${ROUNDS:-31}" \
		sh -c "$(command_of benchmark)") || return
	gain=$(sed -n 's/^cpu.*gain \([-0-9.]*\) %.*/\1/p' <<<"$measured")
}

# ---- one program after another ----

row() { # PROJECT MODE TEXT
	echo "# | $1 $version | $2 | $3"
}

# What the loop says it has won must be there without it, at its lower end.
judge() { # PROJECT MODE OLD NEW REPORT
	local claim least
	claim=$(jq .decision.gain_percent "$5")
	least=$(jq .decision.gain_lower_percent "$5")
	if ! by_hand "$3" "$4"; then
		not_ok "$1, $2: built and measured by hand" "$(tail -n 5 ../old.log ../new.log)"
		return
	fi
	row "$1" "$2" "$(jq -r .change "$5") | $(printf '%.1f %%, at least %.1f %%' "$claim" "$least"
		) | ${measured//$'\n'/; }"
	holds "$1, $2: by hand the gain is at least what was proven" \
		awk "BEGIN { exit !($gain >= $least) }"
}
improve() { # PROJECT MODE SEED
	local code=0 base id
	base=$(git rev-parse HEAD)
	git clean -qfdx
	"$cupel" improve --mode "$2" --budget time="${BUDGET:-4m}" --seed "$3" --json \
		>../report 2>../refused || code=$?
	if grep -q 'too noisy to decide by' ../refused; then
		skip "$1, $2: finds a gain, or says there is none" "$(cat ../refused)"
		row "$1" "$2" 'refused: the machine is too noisy now'
		return
	fi
	if [ $code -gt 1 ]; then
		not_ok "$1, $2: finds a gain, or says there is none" "$(cat ../refused)"
		return
	fi
	ok "$1, $2: finds a gain, or says there is none"
	is "$1, $2: nothing uncommitted is touched" "$(git status --porcelain)" ''
	if [ $code -eq 1 ]; then
		row "$1" "$2" "none: $(jq -r 'if .decision then
			"\(.change): \(.decision.verdict), \(.decision.reason)"
			else "nothing better" end' ../report)"
		is "$1, $2: nothing is committed" "$(git rev-parse HEAD)" "$base"
		return
	fi
	id=$(jq .improvement ../report)
	if [ "$2" = propose ]; then
		holds "$1: approved" "$cupel" approve "$id"
		holds "$1: committed to a branch" "$cupel" apply "$id"
		judge "$1" "$2" "$base" "cupel/improve-$id" ../report
	elif [ "$(jq -r .commit ../report)" = null ]; then
		row "$1" "$2" "not applied: $(jq -r .not_applied ../report)"
		is "$1, $2: nothing is committed" "$(git rev-parse HEAD)" "$base"
	else
		is "$1, $2: committed to the branch" "$(git rev-parse HEAD~1)" "$base"
		row "$1" watched "$(jq -r '.watched[] | "\(.state) after \(.pairs) pairs"' ../report)"
		judge "$1" "$2" "$base" HEAD ../report
	fi
}
try() { # PROJECT
	local text mode
	mkdir -p "$work/$1" && cd "$work/$1" || return
	text=$(fetch "$1") || { skip "$1" "not to be had: $(tail -n 1 <<<"$text")"; return; }
	version=$(sed -n 's/^Version: //p' ./*.dsc)
	holds "$1: is a workspace" prepare "$1"
	cd source
	text=$("$cupel" test) && ok "$1: its own tests pass" || not_ok "$1: its own tests pass" "$text"
	row "$1" test "$(tail -n 1 <<<"$text")"
	text=$("$cupel" bench --runs 5) && ok "$1: is measured" || not_ok "$1: is measured" "$text"
	# Each in a folder of its own: what one has proven the next would know.
	for mode in $modes; do
		cp -a "$work/$1/source" "$work/$1/$mode" && cd "$work/$1/$mode" &&
			improve "$1" "$mode" "${SEED:-1}"
	done
}

cd "$work"
serve

if text=$(find_archive); then
	for project in $projects; do
		try "$project"
	done
else
	skip 'programs of Debian' "no archive of sources: $(tail -n 1 <<<"$text")"
fi
done_testing
