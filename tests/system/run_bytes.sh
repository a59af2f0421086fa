#!/bin/bash
# A confined command gives the bytes and the exit code of the unconfined one.
# Speaks TAP.
. tests/support/sandbox.sh
head -c 3000000 /dev/urandom >"$work/random"
head -c 100000 /dev/urandom >"$work/few"
printf 'no newline at the end' >"$work/text"

# A command per line, run by sh with $work/random as its input.
corpus=$(cat <<'END'
true
false
cat
cat >&2
cat; echo end >&2; exit 9
sha256sum
wc -c; wc -c </dev/null
head -c 1
tail -c 1000 | od -c
od -An -tx1 | sort | head -n 100
printf 'a\0b\377\n\r\033[31m'
printf ''
printf x; printf y >&2; printf z
exec 2>&1; echo 1; echo 2 >&2; echo 3; echo 4 >&2
echo out; echo err >&2; kill -TERM $$
kill -KILL $$
kill -SEGV $$
kill -ABRT $$
kill -PIPE $$
yes | head -n 100000
seq 1 50000
seq 1 20000 >&2
exec >&-; echo lost; echo "status $?" >&2
exec 2>&-; ls /nowhere; echo "status $?"
exec <&-; cat 2>/dev/null; echo "status $?"
exit 1
exit 2
exit 63
exit 64
exit 77
exit 123
exit 124
exit 125
exit 126
exit 127
exit 128
exit 137
exit 200
exit 254
exit 255
echo "$#:$0"
cd /usr/bin && ls | sort | head -n 50
sh -c 'exit 5'; echo $?
echo a | tee /dev/stderr >/dev/null
dd bs=4096 count=3 2>/dev/null | sha256sum
perl -e 'binmode STDOUT; print pack("C*", 0..255) x 100'
perl -e '$| = 1; for (1..300) { print STDOUT "o$_\n"; }'
awk 'BEGIN { for (i = 0; i < 3000; i++) printf "%c", i % 256 }'
sleep 0.05; echo late
(sleep 0.05; echo later) & wait; echo last
umask; ulimit -c
echo "é ü 漢字" | iconv -t UTF-16 | od -x
END
)
# Bytes of both streams and the exit code, in WHERE.out, .err and .code.
# A confined one never has SIGPIPE ignored, though its caller may, as services do.
plain() { # WHERE COMMAND
	(cd / && exec env -i --default-signal=PIPE PATH=/usr/bin:/bin LC_ALL=$LC_ALL sh -c "$2" \
		<"$work/random" >"$1.out" 2>"$1.err")
	echo $? >"$1.code"
}
confined() { # WHERE COMMAND OPTION...
	local where=$1 command=$2
	shift 2
	"${cupel_run[@]}" --quiet --workspace none --cwd / --limit wall=none --limit cpu=none \
		"$@" -- sh -c "$command" <"$work/random" >"$where.out" 2>"$where.err"
	echo $? >"$where.code"
}
same() { # WHERE WHERE
	local part
	for part in code out err; do
		cmp "$1.$part" "$2.$part" || {
			echo "codes $(cat "$1.code" "$2.code" | paste -sd' ')"
			head -c 300 "$2.err"
			return 1
		}
	done
}

compare_corpus() {
	local command limit
	while IFS= read -r command; do
		plain "$work/want" "$command"
		for limit in output=64M output=none; do
			# A stream that is the caller's own cannot be opened anew.
			case $command:$limit in */dev/std*:output=none) continue ;; esac
			confined "$work/got" "$command" --limit $limit
			holds "$tier, $limit: $command" same "$work/want" "$work/got"
		done
	done <<<"$corpus"
}
for_each_tier compare_corpus 2>/dev/null

# ---- streams that are not files ----

streams() {
	local limits run
	for limits in output=64M output=none; do
		run=("${cupel_run[@]}" --quiet --workspace none --limit "$limits" --)
		is "$tier, $limits: through pipes" \
			"$(cat "$work/random" | "${run[@]}" cat | sha256sum)" \
			"$(sha256sum <"$work/random")"
		is "$tier, $limits: one pipe for both keeps the order" \
			"$("${run[@]}" sh -c 'for i in 1 2 3 4 5 6 7 8; do echo $i; echo -$i >&2; done' \
				2>&1 </dev/null | { [ "$limits" = output=none ] && cat || sort; })" \
			"$(for i in 1 2 3 4 5 6 7 8; do echo $i; echo -$i; done |
				{ [ "$limits" = output=none ] && cat || sort; })"
		"${run[@]}" sh -c 'echo x; echo "$?" >&2' <&- >&- 2>"$work/err"
		holds "$tier, $limits: closed 0 and 1" [ $? -le 125 ]
		is "$tier, $limits: a reader that leaves" \
			"$("${run[@]}" yes </dev/null 2>/dev/null | head -n 2; echo "${PIPESTATUS[1]}")" \
			y$'\n'y$'\n'0
		echo kept >"$work/appended"
		"${run[@]}" echo added >>"$work/appended" </dev/null
		is "$tier, $limits: a file that is appended to" "$(<"$work/appended")" kept$'\n'added
		is "$tier, $limits: no byte is read ahead" \
			"$(printf 'one\ntwo\n' | { "${run[@]}" sh -c 'read x'; cat; } )" two
		# As it is written, not when the run ends.
		is "$tier, $limits: output comes at once" "$("${run[@]}" sh -c \
			'echo now; sleep 1; echo then' </dev/null | { read -r -t 0.9 line; echo "$line"; cat >/dev/null; })" now
	done
}
for_each_tier streams 2>/dev/null
# The pipe to the reader is full long before the command has ended.
slow_reader() {
	is "$tier: a slow reader gets every byte" "$("${cupel_run[@]}" --quiet --workspace none -- \
		head -c 5000000 /dev/zero </dev/null | (sleep 0.3; wc -c))" 5000000
	is "$tier: a reader that leaves ends the command" "$("${cupel_run[@]}" --quiet --workspace none -- \
		head -c 50000000 /dev/zero </dev/null | (sleep 0.2; head -c 10 | wc -c))" 10
}
for_each_tier slow_reader

# With --tty the input is typed, to its end, whatever it is.
type_it() {
	local run=("${cupel_run[@]}" --quiet --workspace none --limit wall=20s --tty -- sh -c)
	seq 100000 >"$work/typed"
	is "$tier: a file is typed" "$("${run[@]}" 'stty -echo; echo; wc -l' <"$work/typed" |
		tail -n 1 | tr -d '\r')" 100000
	is "$tier: a pipe is typed" "$(cat "$work/typed" | "${run[@]}" 'stty -echo; echo; wc -l' |
		tail -n 1 | tr -d '\r')" 100000
	is "$tier: a last line without an end ends" \
		"$(printf abc | "${run[@]}" 'stty -echo; echo; wc -c' | tail -n 1 | tr -d '\r')" 3
	is "$tier: nothing is typed of /dev/null" \
		"$("${run[@]}" 'test -t 0 && wc -c' </dev/null | tr -d '\r')" 0
}
for_each_tier type_it
done_testing
