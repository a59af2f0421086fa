#!/bin/bash
# What is proven is committed as a whole, whatever the words of cupel.conf: the
# new value of a variable stands in it afterwards. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve

# What a run "takes" is what its settings say, so that no clock has a part in it.
fresh() { # NAME: reads cupel.conf
	cd "$work" && mkdir "$1" && cd "$1" || exit
	cat >run.sh <<-'DONE'
		COUNT=3000
		[ -z "${FAST-}" ] || COUNT=$((COUNT * 3 / 5))
		[ "${QUOTE-}" != "it's" ] || COUNT=$((COUNT * 3 / 5))
		grep -q 'rounds = 5000' cupel.conf && COUNT=$((COUNT * 3 / 5))
		echo "took $((COUNT + $(date +%s%N) / 1000 % 10))"
	DONE
	cat >cupel.conf
	cat >>cupel.conf <<-'DONE'
		test runs { command = "sh run.sh" }
		benchmark run {
			command = { "sh", "run.sh" }
			warmup = 0
			metric took { from = stdout  pattern = "took ([0-9]+)" }
		}
	DONE
	commit .
}
improve() { # SEED
	"$cupel" improve --mode auto --seed "$1" --json >../report 2>../said
	code=$?
	[ -s ../report ] || sed 's/^/# /' ../said
}
became() {
	jq -c '[.change, .status, .not_applied]' ../report
}

# ---- a variable that nobody has set, and a file: one change ----

fresh whole <<'END'
improve { gain = 40 }
knob FAST { values = { "", "--current = 4" } }
knob count { kind = file  file = run.sh  pattern = "COUNT=(3000|1500)"  values = { 3000, 1500 } }
END
improve 1
is 'both are found' "$code$(became)" '0["FAST: (empty) to --current = 4, count: 3000 to 1500","applied",null]'
is 'both are committed' "$(git diff --name-only HEAD~1 | tr '\n' ' ')$(git status --porcelain)" 'cupel.conf run.sh '
is 'the variable is set in its block' "$(git diff -U0 HEAD~1 -- cupel.conf | grep '^[-+]k')" \
	'-knob FAST { values = { "", "--current = 4" } }
+knob FAST { current = "--current = 4" values = { "", "--current = 4" } }'

# ---- variables alone, in words that are easily mistaken ----

fresh words <<'END'
improve { gain = 30 }
knob QUOTE { values = { 'that\'s', "it's" }  when = ""  current = # as "ever":
	'that\'s' }
END
improve 1
is 'a value on a line of its own' "$code$(became)" "0[\"QUOTE: that's to it's\",\"applied\",null]"
is 'is replaced with its quotes' "$(git diff -U0 HEAD~1 | grep '^[-+]	')" "-	'that\\'s' }
+	\"it's\" }"

# ---- words of many bytes a letter ----

long=$(printf 'é%.0s' {1..250})
fresh letters <<END
build { command = "sh build.sh" }
improve { gain = 30 }
knob FAST { values = { "", "$long" }  current = "" }
knob SAY { values = { no, yes }  current = no }
END
cat >build.sh <<'END'
[ "$SAY" = no ] || { printf 'zu gro\337\n' >&2; exit 1; }
END
git add . && git -c user.name=test -c user.email=test@localhost commit -qm build
improve 1
is 'what is cut is cut at a letter, and applied' \
	"$code$(jq -c '[.status, (.change | length)]' ../report)" '0["applied",208]'
is 'so is the first line of the commit' "$(git log -1 --format=%s)" "Tune FAST: (empty) to ${long:0:21}"
is 'what a compiler says is kept, whatever its letters' \
	"$(jq -r '.trials[] | select(.setting == "SAY: no to yes") | .reason' ../report)" \
	'the build failed: exit status 1: zu gro\xdf'

# ---- what cannot be written ----

fresh broken <<'END'
improve { gain = 40  rounds = 40 }
knob FAST { values = { "", "x" } }
knob rounds { kind = file  file = cupel.conf  pattern = "  rounds = ([0-9]+)"  values = { 40, 5000 } }
END
before=$(git rev-parse HEAD)
for seed in 1 2; do
	improve $seed
	is "what cannot be committed is reported, campaign $seed" "$code$(jq -c '[.change, .status, .commit,
		(.not_applied | test("would not be read any more: cupel.conf:1: "))]' ../report)" \
		'0["FAST: (empty) to x, rounds: 40 to 5000","approved",null,true]'
done
is 'nothing is changed, and no session is left open' \
	"$(git rev-parse HEAD)$(git status --porcelain) $(rows 'SELECT count(*) FROM sessions WHERE ended IS NULL')" "$before 0"
"$cupel" apply "$(jq .improvement ../report)" --here 2>../said
is 'by hand neither' "$? $(grep -c 'would not be read any more: cupel.conf:1: ' ../said)$(git status --porcelain)" '65 1'

fresh shut <<'END'
improve { gain = 40 }
knob count { kind = file  file = run.sh  pattern = "COUNT=(3000|1500)"  values = { 3000, 1500 } }
END
chmod 555 .git/objects .git/objects/*
improve 1
chmod 755 .git/objects .git/objects/*
is 'where git has no room for it the campaign ends well, and says so' \
	"$code$(jq -c '[.change, .status, .commit, (.not_applied | length > 0)]' ../report)" \
	'0["count: 3000 to 1500","approved",null,true]'
jq -r '"# " + .not_applied' ../report
"$cupel" apply "$(jq .improvement ../report)" --here >../said 2>&1
is 'and by hand it is applied later' "$? $(grep -c COUNT=1500 run.sh)" '0 1'

# The branch has moved by then, and the file cannot follow: that is no end yet.
fresh stuck <<'END'
improve { gain = 40 }
knob count { kind = file  file = d/count  pattern = "COUNT=(3000|1500)"  values = { 3000, 1500 } }
END
mkdir d && echo COUNT=3000 >d/count && sed -i 's/^COUNT=3000$/. d\/count/' run.sh &&
	git add . && git -c user.name=test -c user.email=test@localhost commit -qm folder
chmod 555 d
improve 1
chmod 755 d
is 'where the file cannot follow the campaign does not end well' \
	"$((code > 1)) $(jq -s length ../report) $(git show HEAD:d/count) $(<d/count)" \
	'1 0 COUNT=1500 COUNT=3000'
"$cupel" improve --mode observe >../said 2>&1
is 'and the next one brings it to its end' \
	"$(<d/count) $(git status --porcelain)$("$cupel" improvements --json | jq -c '[.improvements[].status]')" \
	'COUNT=1500 ["applied"]'
done_testing
