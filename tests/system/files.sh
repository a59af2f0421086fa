#!/bin/bash
# The improvement loop on a folder that is no git repository: found, proven,
# applied to the files, watched, taken back byte by byte; and refused where a
# file has changed since. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve
small folder
cd folder || exit 1
mkdir -p src out
printf 'a\0b\r\n' >src/binary
ln -s ../spin.sh src/link
printf 'out/\n' >.gitignore
head -c 100000 /dev/urandom >out/result
chmod 750 spin.sh
print() { # of every file there is, with its mode
	find . -path ./.cupel -prune -o ! -type d -printf '%p %m %l\n' -exec sh -c 'test -h "$1" || sha256sum "$1"' _ {} \; |
		sort
}
print >../before

"$cupel" improve --mode auto --seed 1 --json >../report 2>../said
code=$?
if grep -q 'too noisy to decide by' ../said; then
	skip 'the loop without git' "$(<../said)"
	done_testing
	exit
fi
is 'a gain is proven and applied' "$code $(jq -c '[.repository, .status, .change]' ../report)" \
	'0 [false,"applied","count: 30000 to 7500"]'
[ $code -eq 0 ] || sed 's/^/# /' ../said
is 'in the file' "$(grep -c COUNT=7500 spin.sh)$(stat -c %a spin.sh)" 1750
is 'and in no other' "$(print | diff ../before - | grep -c '^[<>]')" 2
is 'it is watched' "$(jq -r '.watched[0].state' ../report)" quiet
is 'no repository is made of it' "$(ls -A | tr '\n' ' ')" '.cupel .gitignore cupel.conf out spin.sh src '
is 'what is ignored is not kept' "$(find .cupel -size +90k)" ''
recorded() { # JQ
	"$cupel" show 1 --json | jq -r ".apply.rollback$1"
}
is 'the inverse is recorded by content' \
	"$(recorded '.files[0] | .path, .before_sha256, .after_sha256' | tr '\n' ' ')" \
	"spin.sh $(sed 's/COUNT=7500$/COUNT=30000/' spin.sh | sha256sum | cut -d' ' -f1) $(sha256sum <spin.sh | cut -d' ' -f1) "
cp -a . ../patched
(cd ../patched && "$cupel" show 1 --inverse | patch -s -p1) >../patch.out 2>&1
is 'and patch(1) does it' "$(cd ../patched && print | diff ../before - | tee -a ../patch.out | wc -l)$(<../patch.out)" 0

# ---- not over what somebody did since ----

echo '# mine' >>spin.sh
print >../mine
"$cupel" rollback 1 2>../refused
is 'a changed file is refused, with the way out' \
	"$?$(grep -c 'spin.sh has changed since.*--inverse' ../refused)" 651
is 'and left as it is' "$(print | diff ../mine -)" ''
sed -i '$d' spin.sh

"$cupel" rollback 1 >../back 2>&1
is 'taken back' "$?$("$cupel" show 1 --json | jq -r .status)" 0rolled_back
is 'byte by byte' "$(print | diff ../before -)" ''
is 'twice is once' "$("$cupel" rollback 1 >../back 2>&1; echo $?)$(print | diff ../before -)" 0
is 'it is not proposed again' "$("$cupel" lessons --json |
	jq -r '.lessons[] | select(.scope == "setting") | .evidence.status')" rolled_back

# ---- an apply by hand, and one that does not fit any more ----

"$cupel" lessons --json | jq '.lessons[].id' | while read -r id; do "$cupel" lessons --forget "$id"; done >../forgotten
echo changed >src/new
"$cupel" improve --mode approve --seed 2 --json >../report 2>../said
code=$?
if grep -q 'too noisy to decide by' ../said; then
	skip 'a second campaign' "$(<../said)"
	done_testing
	exit
fi
is 'what has changed is measured anew' "$code$(jq -r .status ../report)" 0approved
[ $code -eq 0 ] || { jq -c .decision ../report; cat ../said; } 2>&1 | sed 's/^/# /'
echo '# mine' >>spin.sh
print >../mine
"$cupel" apply 2 2>../refused
is 'a file that was measured and has changed is refused' "$?$(print | diff ../mine -)" 65
is 'with the way out' "$(grep -c 'cupel improve again' ../refused)" 1
sed -i '$d' spin.sh
"$cupel" apply 2 >../applied 2>&1
is 'as it was, it is applied' "$?$(grep -c COUNT=7500 spin.sh)" 01

# ---- a test that fails once, on both, and on what was applied alone ----

sed -i "s/^test answer.*/test answer { command = \"sleep $token.0; test \$? = 143\" }/" cupel.conf
next() { # the next of $verdicts is to fail
	local verdict=${verdicts%% *}
	verdicts=${verdicts#* }
	[ "$verdict" = fail ]
}
# The base has three runs; then what was applied has its own, and the old one.
look() { # VERDICT...
	verdicts="pass pass pass $* pass "
	judge next improve --mode approve --seed 3 --budget runs=1 --json
	watched=$(jq -c '.watched[0] | [.state, .rolled_back]' ../report)
	[ -s ../report ] || sed 's/^/# /' ../said
}
look fail pass
is 'a test that fails once and not again is no reason' "$watched$verdicts" '["quiet",false]pass '
look fail fail fail
is 'nor one that fails on what was there before, too' "$watched$verdicts" '["quiet",false]pass '
look fail fail pass
is 'what fails twice where the old does not is taken back' "$watched" '["tests fail that passed before",true]'
is 'in the file' "$(grep -c COUNT=30000 spin.sh)$("$cupel" show 2 --json | jq -r .status)" 1rolled_back
done_testing
