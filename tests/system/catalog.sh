#!/bin/bash
# cupel-catalog from outside: what becomes of manifests, good and bad, and of
# the catalogue in force when one is bad. Speaks TAP; run from the top folder
# with CUPEL_BIN naming the folder of the programs.
. tests/support/tap.sh
# The leak detector wants to look at threads, which a confined process may not.
export ASAN_OPTIONS=detect_leaks=0
catalog=$CUPEL_BIN/cupel-catalog
case $catalog in /*) ;; *) catalog=$PWD/$catalog ;; esac
work=$(mktemp -d /tmp/cupel-test.XXXXXX) && chmod 755 "$work" && cd "$work" || exit 1
trap 'rm -rf "$work"' EXIT
mkdir tools later


# Writes the catalogue to FILE; says the exit code and the reasons.
load() { # FILE ARGUMENT...
	local file=$1
	shift
	if [ -e previous ]; then
		"$catalog" --previous "$@" tools later 3>"$file" 4<previous 2>err
	else
		"$catalog" "$@" tools later 3>"$file" 2>err
	fi
	echo "exit $?"
	cat err
}
generation() { od -An -tu4 -j8 -N4 "$1" | tr -d ' '; }
says() { grep -qaF "$2" "$1" && echo yes || echo no; }
same() { cmp -s "$1" "$2" && echo same || echo different; }

# A manifest of one tool, complete but for the lines given.
manifest() { # NAME WORKER-LINES TOOL-LINES
	printf 'worker %s {\n\tprogram = /bin/true\n%b}\ntool %s {\n\thelp = "h"\n%b}\n' \
		"$1" "$2" "$1" "$3"
}

# ---- the built-in ones alone ----

is 'the built-in manifests are a catalogue' "$(load builtin)" 'exit 0'
is 'its generation is 1' "$(generation builtin)" 1
is 'it names the tool echo.sleep' "$(says builtin echo.sleep)" yes

# ---- bad ones: the reason names file, line and what is permitted ----

refused() { # NAME REASON TEXT [FILE]
	printf '%s' "$3" >"tools/${4:-x.tool}"
	is "$1 is refused" "$(load out)" "exit 0"$'\n'"$2"
	is "$1: the others are taken" "$(same out builtin)" same
	rm tools/*
}
refused 'what is no manifest' "tools/x.tool:1: there is no 'wroker'; did you mean 'worker'?" \
	'wroker x { }'
refused 'an unknown key' "tools/x.tool:3: there is no 'polcy' in worker; did you mean 'policy'?" \
	"$(manifest x '\tpolcy = strict\n' '')"
refused 'a file without a worker' 'tools/x.tool: there is no worker NAME { ... }' \
	$'tool x {\n\thelp = "h"\n}'
refused 'a file without a tool' 'tools/x.tool: there is no tool NAME { ... }' \
	$'worker x {\n\tprogram = /bin/true\n}'
refused 'a worker without a program' 'tools/x.tool:2: worker.x.program: it must be set' \
	$'worker x {\n}\ntool x {\n\thelp = "h"\n}'
refused 'a worker of another name' 'tools/x.tool: worker y: its file must be called y.tool' \
	"$(manifest y '' '')"
refused 'a tool of another worker' 'tools/x.tool:5: tool y: it must be called x, or x.METHOD' \
	"$(manifest x '' '' | sed 's/^tool x/tool y/')"
refused 'more warm than there may be' 'tools/x.tool:4: worker x: warm must be at most size, which is 2' \
	"$(manifest x '\tsize = 2\n\twarm = 3\n' '' | sed '2d' | sed '1a\\tprogram = /bin/true')"
refused 'several calls in a worker for one' 'tools/x.tool:4: worker x: calls must be 1 in a pool per_call' \
	"$(manifest x '\tpool = per_call\n\tcalls = 2\n' '' | sed '2d;1a\\tprogram = /bin/true')"
refused 'workers of workspaces that are there always' \
	'tools/x.tool:3: worker x: pool must be ondemand or per_call where workers belong to a workspace' \
	"$(manifest x '\tpool = static\n\tworkspace = direct\n' '')"
refused 'a state beside a workspace' 'tools/x.tool:4: worker x: state is for workers without a workspace' \
	"$(manifest x '\tworkspace = direct\n\tstate = true\n' '')"
refused 'a number out of range' 'tools/x.tool:3: worker.x.size: 0 is not between 1 and 128 workers' \
	"$(manifest x '\tsize = 0\n' '')"
refused 'a program that is not there' 'tools/x.tool: program /bin/nothing: there is none' \
	"$(manifest x '' '' | sed 's|/bin/true|/bin/nothing|')"
refused 'a program by a relative path' 'tools/x.tool:2: worker x: program must be an absolute path or a bare name' \
	"$(manifest x '' '' | sed 's|/bin/true|bin/true|')"
refused 'a program that cannot be executed' 'tools/x.tool: program /etc/passwd: it cannot be executed' \
	"$(manifest x '' '' | sed 's|/bin/true|/etc/passwd|')"
refused 'a bare name that is nowhere' "tools/x.tool: program nothing: there is none in ${catalog%/*}" \
	"$(manifest x '' '' | sed 's|/bin/true|nothing|')"
refused 'a policy that is not installed' \
	'tools/x.tool: policy lax: it is none of those the supervisor has loaded; see cupel policy list' \
	"$(manifest x '\tpolicy = lax\n' '')"
refused 'a role nobody has' \
	"tools/x.tool:6: tool x: there is no role 'all'; there are owner, member, agent and improve" \
	"$(manifest x '' '\troles = { owner, all }\n')"
refused 'a cache of what has effects' 'tools/x.tool:7: tool x: cache is for tools of class pure, not effectful' \
	"$(manifest x '' '\tclass = effectful\n\tcache = 5s\n')"
refused 'coalescing of what has effects' \
	'tools/x.tool:6: tool x: coalesce is for tools of class pure, not effectful' \
	"$(manifest x '' '\tcoalesce = true\n')"
refused 'deadlines out of order' 'tools/x.tool:6: tool x: deadline must be at most deadline_max' \
	"$(manifest x '' '\tdeadline = 2h\n')"
refused 'a schema that is no JSON' \
	"tools/x.tool:6: tool x: schema: JSON line 1, column 1: string or '}' expected near end of file: the text is cut off" \
	"$(manifest x '' "\tschema = '{'\n")"
refused 'a schema with words nobody checks' \
	"tools/x.tool:6: tool x: schema: properties.a.maxLenght: no such word of a schema is known; did you mean 'maxLength'?" \
	"$(manifest x '' "\tschema = '{\"properties\":{\"a\":{\"maxLenght\":1}}}'\n")"
refused 'a schema of a tool that is not there' "tools/x.tool: tool x: schema: there is no tool 'y' before it" \
	"$(manifest x '' '\tschema = "@y"\n')"
refused 'a probe that its own schema refuses' \
	'tools/x.tool:7: tool x: probe: the arguments: it must be of type "string", not 1' \
	"$(manifest x '' "\tschema = '{\"type\":\"string\"}'\n\tprobe = 1\n")"
is 'bytes that are no text are refused' "$(head -c 100 /dev/urandom >tools/x.tool
	load out | sed -n '1p;2s/^\(tools.x.tool:\).*/\1/p'; wc -l <err)" \
	$'exit 0\ntools/x.tool:\n1'
rm tools/*
mkfifo tools/x.tool
is 'a pipe is not waited for' "$(load out)" \
	$'exit 0\ntools/x.tool: no regular file of at most 1048576 bytes'
rm tools/*

# ---- good ones ----

manifest hello '\tpool = per_call\n\targuments = { -a, "b c" }\n' \
	"\tclass = pure\n\tschema = { '{\"type\":', '\"object\"}' }\n\tprobe = '{}'\n" >tools/hello.tool
manifest hello.again '' '\tschema = "@hello"\n' >tools/hello.again.tool
is 'good manifests are taken' "$(load both)" 'exit 0'
is 'with their tools' "$(says both hello.again)" yes
is 'hidden files and others are passed over' "$(
	echo x >tools/.x.tool; echo x >tools/x.tool~; echo x >tools/README
	load out; same out both)" $'exit 0\nsame'
manifest hello '' '' | sed 's|"h"|"from the later directory"|' >later/hello.tool
sed -i 's|"@hello"|"@echo"|' tools/hello.again.tool
is 'a later directory replaces an earlier' "$(load out; says out 'from the later directory')" \
	$'exit 0\nyes'
echo 'nonsense' >later/hello.tool
is 'and hides it when it is bad' "$(load out | head -1; strings -n 5 out | grep -cx hello)" $'exit 0\n0'
rm -f tools/* later/*

# ---- beside a catalogue in force ----

manifest x '\tpolicy = strict\n' '\troles = { owner }\n' >tools/x.tool
load first >/dev/null
cp first previous
is 'nothing new: the same generation' "$(load out; same out previous)" $'exit 0\nsame'
keeps() { # NAME REASON WORKER-LINES TOOL-LINES
	manifest x "$3" "$4" >tools/x.tool
	is "$1 is refused" "$(load out)" "exit 0"$'\n'"$2"
	is "$1: the old one stays" "$(same out previous)" same
}
keeps 'a bad one' "tools/x.tool:3: there is no 'nonsense' in worker" '\tnonsense = 1\n' ''
keeps 'a role more' 'tools/x.tool: role agent could call x' '' '\troles = { owner, agent }\n'
keeps 'a policy that permits more' \
	'tools/x.tool: policy net leaves open what strict does not: network' '\tpolicy = net\n' ''
keeps 'a role to call as' 'tools/x.tool: it would call tools as agent' '\tclient_role = agent\n' ''
keeps 'a workspace' 'tools/x.tool: it would have workspaces direct' '\tworkspace = direct\n' ''
keeps 'a state' 'tools/x.tool: it would have a directory that stays' '\tstate = true\n' ''

manifest x '\tpolicy = net\n' '\troles = { owner, agent }\n' >tools/x.tool
is 'what permits more is taken when asked for' "$(load wider --allow-wider; generation wider)" \
	$'exit 0\n2'
cp wider previous
manifest x '\tpolicy = strict\n' '\troles = { owner }\n' >tools/x.tool
is 'what permits less is taken' "$(load out; generation out; same out first)" \
	$'exit 0\n3\ndifferent'
rm tools/x.tool
# The pool and its tool; a hash may hold that letter, too.
is 'what is gone is gone' "$(load out; generation out; strings -n 1 out | grep -cx x)" \
	$'exit 0\n3\n'$(($(strings -n 1 first | grep -cx x) - 2))

# ---- what the manual says ----

page=$top/etc/man/cupel-tool.5
rm -f previous
is 'the manual lists the keys' "$("$top/build/generate_contracts" manual)" \
	"$(sed -n '/^\.\\" keys: /,/^\.\\" keys end/{/^\.\\"/!p}' "$page")"
sed -n '/^worker square/,/^\.Ed/{/^\.Ed/!p}' "$page" | sed 's|/usr/local/libexec/square|/bin/true|' >tools/square.tool
is "the manual's manifest is taken" "$(load out; says out 'the square of a whole number')" $'exit 0\nyes'
for example in words primes; do
	sed 's|program = .*|program = /bin/true|' "$top/etc/examples/$example.tool" >tools/$example.tool
done
is "the examples' manifests are taken" "$(load out; says out 'count the words of a text')" $'exit 0\nyes'
rm tools/*
cp first previous

# ---- as many as there may be ----

# With the built-in ones, the last file is more than there may be.
most=512
for file in {1..7}; do
	{
		printf 'worker w%d {\n\tprogram = /bin/true\n}\n' "$file"
		for n in {10..73}; do printf 'tool w%d.t%d {\n\thelp = "h"\n}\n' "$file" "$n"; done
	} >"tools/w$file.tool"
done
is 'one tool too many is refused, with a way out' "$(load out)" "exit 0
tools/w7.tool: more than $most tools; take manifests out of the directory, or let one tool tell cases apart by an argument"
is 'the files before it are taken' "$(says out w6.t73)$(says out w7.t10)" yesno
rm tools/*
cp first previous

# ---- when it cannot do its work ----

rm previous
is 'without memory it says so' "$("$catalog" 2>err; echo "exit $?"; grep -c . err)" $'exit 70\n1'
head -c 1000 first >previous
is 'a broken one in force is said' "$(load out)" \
	$'exit 70\nthe catalogue in force cannot be read'
is 'an unknown option is refused' "$("$catalog" --what 3>out 2>&1 >/dev/null | cut -c1-22)" \
	'usage: cupel-catalog ['

done_testing
