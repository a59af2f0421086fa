#!/bin/bash
# cupel test --changed: the tests whose files differ from a commit, however they
# came to differ; where that cannot be known, all of them. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh
cd "$work" || exit 1
serve

mkdir -p ws/src/deep ws/doc && cd ws || exit 1
cat >cupel.conf <<'END'
build { command = "date >made" }
test parse { command = "true"  files = { "src/{parse,lex}*.[ch]" }  tags = { quick } }
test deep { command = "true"  files = { "src/deep" } }
test manual { command = "true"  files = { "doc/*.txt" }  tags = { quick } }
END
for file in src/parse.c src/lex.h src/deep/a.c doc/a.txt; do echo 1 >$file; done
printf 'made\n*.log\n' >.gitignore
commit .
git config user.name test && git config user.email test@localhost

# Which tests run, what is told first, and the exit status.
run() { # ARGUMENT...
	rm -f made
	"$cupel" test "$@" --json >../report 2>../said
	code=$?
	chosen=$(jq -r '[.cases[].name] | join(" ")' ../report)
	told=$("$cupel" test "$@" 2>/dev/null | head -n 1)
}
runs() { # NAME TESTS ARGUMENT...
	local name=$1 tests=$2
	shift 2
	run --changed "$@"
	is "$name" "$code: $chosen" "0: $tests"
}
undo() {
	git reset -q --hard start && git clean -qfd
}
git tag start

run
is 'control: without it all run' "$code: $chosen" '0: parse deep manual'
runs 'nothing differs: none' ''
is 'that is told' "$told" '0 of 3 tests: 0 files differ from HEAD'
is 'and nothing was built' "$(ls made 2>&1 | grep -c 'No such')" 1
is 'in TAP as a plan that skips' "$("$cupel" test --changed --tap | head -n 2)" \
	$'TAP version 13\n1..0 # SKIP no test is affected'

echo 2 >src/parse.c
runs 'an edited file' parse
is 'that is told' "$told" '1 of 3 tests: 1 file differs from HEAD'
git add src/parse.c
runs 'a staged one' parse
git commit -qm two
runs 'a committed one is as in HEAD' ''
runs 'and differs from the commit before' parse --changed=HEAD~1
runs 'or from a tag' parse --changed=start
undo
echo 1 >src/deep/new.c
runs 'an untracked file' deep
undo
echo 1 >src/deep/new.log
runs 'one that is ignored' ''
rm src/deep/new.log doc/a.txt
runs 'a removed one' manual
undo
git mv doc/a.txt src/lex.c
runs 'a renamed one, on both sides' 'parse manual'
undo
chmod +x src/parse.c
runs 'one that is made executable' parse
undo
ln -sf lex.h src/parse.c
runs 'one that is a link now' parse
undo
echo 2 >src/main.c
runs 'a file that no test depends on' ''
is 'that is told' "$told" '0 of 3 tests: 1 file differs from HEAD'
undo

# Together with names and tags.
echo 2 >src/parse.c
echo 2 >src/deep/a.c
runs 'of the tagged ones' parse --tag quick
runs 'of the named ones' deep deep manual
run --changed --tag none
is 'a tag that no test has is no success' "$code $(grep -c "no test has the tag 'none'" ../said)" '65 1'
run --changed nothing
is 'nor a name that is none' "$code $(grep -c "no test 'nothing'" ../said)" '65 1'
undo

# A test that names no files always runs; a failure is one.
git checkout -q -b more
echo 'test any { command = "false" }' >>cupel.conf && git commit -qam more
run --changed
is 'a test without files' "$code: $chosen" '1: any'
git checkout -q main

# Where it cannot be known.
echo >>cupel.conf
runs 'cupel.conf itself differs: all' 'parse deep manual'
is 'that is told' "$told" 'all of 3 tests: cupel.conf itself differs (--changed=HEAD)'
undo
git init -q inner && echo 1 >inner/a
runs 'a repository within: all' 'parse deep manual'
is 'that is told' "$told" 'all of 3 tests: a repository within this one differs (--changed=HEAD)'
rm -rf inner
mkdir ../sub && (cd ../sub && echo 1 >a && commit .)
git -c protocol.file.allow=always submodule --quiet add "$work/sub" src/sub >../said 2>&1
git config -f .gitmodules submodule.src/sub.ignore all
git commit -qam submodule
runs 'a submodule as it was' ''
echo 2 >src/sub/a
runs 'an edited one, whatever .gitmodules says: all' 'parse deep manual'
git submodule --quiet deinit -f src/sub && undo && rm -rf .git/modules src/sub
echo 1 >"$(printf 'src/\377.c')"
runs 'a name that is not UTF-8: all' 'parse deep manual'
undo
run --changed=nowhere
is 'a commit that is none is refused' "$code $(grep -c "no commit 'nowhere' here" ../said)" '65 1'
run '--changed=--all'
is 'and no option' "$code $(grep -c "no commit '--all' here" ../said)" '65 1'
mv .git ../git
runs 'no repository: all' 'parse deep manual'
is 'that is told' "$told" 'all of 3 tests: the top of a git repository is not here (--changed=HEAD)'
is 'and none is made' "$(ls -d .cupel 2>&1 | grep -c 'No such')" 1
git init -q -b main
runs 'no commit yet: all that there is' 'parse deep manual'
rm -rf .git && mv ../git .git

# Nothing that the repository names is run.
cat >evil <<END
#!/bin/sh
touch $work/ran
END
chmod +x evil && echo '*.c filter=evil diff=evil' >.gitattributes
git config core.fsmonitor ./evil && git config filter.evil.clean "$PWD/evil" &&
	git config filter.evil.required true && git config diff.evil.command "$PWD/evil" &&
	git config diff.evil.textconv "$PWD/evil"
echo 2 >src/parse.c
runs 'a filter, a monitor and a differ of its own' parse
is 'are not run' "$(ls ../ran 2>&1 | grep -c 'No such')" 1
done_testing
