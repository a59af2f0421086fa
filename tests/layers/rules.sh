# The rules of the house, as functions. Each prints one line per violation,
# "file: what is wrong", and nothing when the rule holds; so the same function
# judges Cupel (ROOT = .) and the wrong house below tests/layers/fixtures.
# Tables stand beside this file; a '#' in them starts a comment.

layers=$(dirname "${BASH_SOURCE[0]}")

table() { sed -e 's/[[:space:]]*#.*//' -e '/^[[:space:]]*$/d' "$layers/$1"; }

# The sources below ROOT in the named rooms, relative to ROOT.
sources_of() { # ROOT ROOM...
	(cd "$1" && shift && find "$@" -path tests/workspaces -prune -o -name '*.[ch]' -print 2>/dev/null | sort)
}

core_sources() { # ROOT
	sources_of "$1" common sandbox supervisor workers |
		grep -E '^common/core/|_core\.[ch]$'
}

core_objects() { # ROOT OBJECTS
	core_sources "$1" | sed -n "s|^\(.*\)\.c$|$2/\1.o|p"
}

# "file header" for each include; a header in quotes keeps its first quote.
includes() { # ROOT FILE...
	(cd "$1" && shift && [ $# -gt 0 ] &&
		awk '/^[ \t]*#[ \t]*include/ {
			sub(/^[ \t]*#[ \t]*include[ \t]*/, "")
			sub(/^</, ""); sub(/[>"][ \t]*(\/[*\/].*)?$/, "")
			print FILENAME, $0
		}' "$@")
}

# ---- purity ----

# An undefined symbol of a core is another core's function or in the table.
core_calls_only_pure_functions() { # ROOT OBJECTS
	local objects object
	mapfile -t objects < <(core_objects "$1" "$2")
	for object in "${objects[@]}"; do
		[ -e "$object" ] || { echo "$object: not built"; return; }
	done
	[ ${#objects[@]} -eq 0 ] || {
		table pure | tr -s ' \t' '\n\n'
		nm --defined-only -g "${objects[@]}" | awk 'NF == 3 { print $3 }'
		echo ---
		nm -u -A "${objects[@]}"
	} | awk -v prefix="$2/" '
		$0 == "---" { judging = 1; next }
		!judging    { pure[$1]; next }
		!($NF in pure) {
			sub(/\.o:.*/, ".c", $1)
			print substr($1, length(prefix) + 1) ": calls " $NF
		}'
}

# Constants that hold addresses are in .data.rel.ro, read-only once loaded.
core_keeps_no_state() { # ROOT OBJECTS
	local object name
	core_objects "$1" "$2" | while read -r object; do
		name=${object#"$2"/}
		nm -f sysv "$object" | awk -F'|' -v name="${name%.o}.c" '
			{ gsub(/ /, ""); sub(/\.[0-9]+$/, "", $1) }
			$7 ~ /^\.(data|bss|tdata|tbss)/ && $7 !~ /^\.data\.rel\.ro/ ||
			$7 ~ /COM/ { print name ": writable data " $1 }'
	done
}

core_includes_only_pure_headers() { # ROOT
	local files
	mapfile -t files < <(core_sources "$1")
	includes "$1" "${files[@]}" | awk '
		BEGIN {
			n = split("assert errno float inttypes limits math " \
				"stdbool stddef stdint string", c)
			for (i = 1; i <= n; i++)
				pure[c[i] ".h"]
			pure["\"common/span.h"]
			pure["\"common/wire/control.h"]
		}
		$2 in pure || $2 ~ /^"common\/core\// { next }
		$1 !~ /^common\/core\// && $2 ~ /_core\.h$/ { next }
		$1 !~ /^common\/core\// && $2 ~ /^"common\/(wire\/(message|kind|control|pack)|catalog)\.h$/ { next }
		{ sub(/"/, "", $2); print $1 ": includes " $2 }'
}

# ---- arrows: common <- sandbox <- supervisor, workers; tests see all ----

includes_point_one_way() { # ROOT
	local files
	mapfile -t files < <(sources_of "$1" common sandbox supervisor workers tests |
		grep -v '^tests/layers/')
	includes "$1" "${files[@]}" | awk '
		BEGIN {
			below["common"] = "common"
			below["sandbox"] = "common sandbox"
			below["supervisor"] = "common sandbox supervisor"
			below["workers"] = "common sandbox workers"
			below["tests"] = "common sandbox supervisor workers tests"
		}
		$2 !~ /^"/ { next }
		{
			sub(/"/, "", $2)
			split($1, from, "/"); split($2, to, "/")
			if (index(" " below[from[1]] " ", " " to[1] " ") == 0)
				print $1 ": includes " $2
		}'
}

# ---- third-party headers: a home each, so that one file replaces one library ----

homes_of() { # HEADER
	local row
	table headers | while read -ra row; do
		# shellcheck disable=SC2053 # rows hold patterns, here and below
		[[ $1 == ${row[0]} ]] && echo "${row[@]:1}"
	done
}

is_system_header() { # HEADER
	[ -e "$(gcc -print-file-name=include)/$1" ] ||
		grep -qE "^/usr/include/([a-z0-9_]+-linux-gnu/)?${1//./\\.}\$" \
			/var/lib/dpkg/info/{libc6-dev,linux-libc-dev}*.list
}

foreign_headers_have_one_home() { # ROOT
	local files
	mapfile -t files < <(sources_of "$1" common sandbox supervisor workers)
	includes "$1" "${files[@]}" | awk '$2 !~ /^"/' | sort -u -k 2,2 -k 1,1 | {
		declare -A taken
		local file header homes home checked='' system=0
		while read -r file header; do
			if [ "$header" != "$checked" ]; then
				checked=$header system=0
				is_system_header "$header" && system=1
			fi
			[ $system = 1 ] && continue
			read -ra homes < <(homes_of "$header")
			for home in "${homes[@]}" ''; do
				# shellcheck disable=SC2053
				[[ $file == $home ]] && break
			done
			if [ -z "$home" ]; then
				echo "$file: includes $header"
			elif [ -n "${taken[$header $home]-}" ]; then
				echo "$file: includes $header, as does ${taken[$header $home]}"
			else
				taken[$header $home]=$file
			fi
		done
	}
}

# ---- programs ----

# What a program holds: the shared libraries it asks for, and the archives whose
# members its link map names (bin/NAME, maps/NAME.map).
libraries_of() { # PROGRAM
	readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\.so.*/\1/p'
	grep -ohE '/lib[^/ ]*\.a\(' "${1%/bin/*}/maps/${1##*/}.map" 2>/dev/null |
		sed 's|/\(.*\)\.a($|\1|' | sort -u
}

links_only_its_libraries() { # PROGRAM
	table links | awk -v name="${1##*/}" -v needed="$(libraries_of "$1")" '
		$1 == name { known = 1; for (i = 2; i <= NF; i++) allowed[$i] }
		END {
			if (!known)
				print name ": has no row in tests/layers/links"
			n = split(needed, library, "\n")
			for (i = 1; known && i <= n; i++)
				if (!(library[i] in allowed))
					print name ": links " library[i]
		}'
}

is_hardened() { # PROGRAM
	local name=${1##*/} text
	text=$(readelf -hldW "$1")
	has() { grep -qE "$1" <<<"$text"; }
	has 'FLAGS_1.* PIE'        || echo "$name: not position-independent"
	has 'GNU_RELRO'            || echo "$name: no RELRO segment"
	has 'FLAGS.*NOW'           || echo "$name: binds lazily, so RELRO is partial"
	has 'GNU_STACK.* RW  '     || echo "$name: executable stack"
	! has '\((RPATH|RUNPATH)\)' || echo "$name: has a library path of its own"
	! has '\(TEXTREL\)'        || echo "$name: relocates its code"
}

# ---- privileged code opens paths only through the path library ----

# Prints "file:line word" for each plain path call; comments do not count.
plain_path_calls() { # ROOT
	sources_of "$1" sandbox supervisor/monitor | grep -vx 'sandbox/path\.c' |
	while read -r file; do
		gcc -fpreprocessed -dD -E -w -x c "$1/$file" | awk -v file="$file" '
			BEGIN {
				call = "(open|openat|openat2|creat|fopen|freopen|" \
					"opendir|chown|lchown|chmod|mount|umount|" \
					"umount2|truncate)"
				plain = "(^|[^A-Za-z0-9_.>])(" call " *\\(|" \
					"(SYS|__NR)_" call " *,|AT_FDCWD[^A-Za-z0-9_])"
			}
			/^# [0-9]+ "/ { line = $2 - 1; next }
			{
				line++
				for (rest = $0; match(rest, plain); rest = substr(rest, RSTART + RLENGTH)) {
					word = substr(rest, RSTART, RLENGTH)
					gsub(/[^A-Za-z0-9_]/, "", word)
					sub(/^(SYS|__NR)_/, "", word)
					print file ":" line, word
				}
			}'
	done
}

# A row of the table that excuses nothing any more is itself a violation.
paths_go_through_the_path_library() { # ROOT EXCUSES
	{ table "$2"; echo ---; plain_path_calls "$1"; } | awk '
		$0 == "---" { judging = 1; next }
		!judging    { excused[$1 " " $2] = 1; next }
		{
			file = $1
			sub(/:.*/, "", file)
			if ((file " " $2) in excused)
				excused[file " " $2] = 2
			else
				print $1 ": plain " $2
		}
		END {
			for (row in excused)
				if (excused[row] == 1)
					print row ": excused, but not used"
		}'
}
