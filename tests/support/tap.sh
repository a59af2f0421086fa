# Results in TAP; sourced by bash, from the top folder, which becomes $top.
#
#	ok NAME, not_ok NAME [WHY], skip NAME REASON
#	is NAME GOT WANT		whether two texts are the same
#	holds NAME COMMAND...		whether a command succeeds
#	outcome COMMAND...		what it says, and how it exits
#	milliseconds			the time, to measure by
#	least MILLISECONDS		40 at least: one quiet moment says nothing of the next
#	done_testing			at the end: how many there were
set -u
export LC_ALL=C.UTF-8
top=$PWD

count=0
ok() { # NAME
	count=$((count + 1))
	echo "ok $count - $1"
}
not_ok() { # NAME [WHY]
	count=$((count + 1))
	echo "not ok $count - $1"
	[ -z "${2-}" ] || sed 's/^/# /' <<<"$2"
}
skip() { # NAME REASON
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}
is() { # NAME GOT WANT
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got:  $2"$'\n'"want: $3"; fi
}
holds() { # NAME COMMAND...
	local name=$1 text
	shift
	if text=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "$text"; fi
}
milliseconds() {
	echo $((${EPOCHREALTIME/./} / 1000))
}
least() { echo $(($1 > 40 ? $1 : 40)); }
# Exit code, standard output and standard error as one text.
outcome() { # COMMAND...
	local code
	"$@" >out 2>err </dev/null
	code=$?
	printf '%s\n' "exit $code"
	sed 's/^/out: /' out
	sed 's/^/err: /' err
}
# Lines "ok - NAME" of the probe, each to be a result labelled so.
relay() { # LABEL
	local line
	while IFS= read -r line; do
		case $line in
		'ok - '*) count=$((count + 1)); echo "ok $count - $1: ${line#ok - }" ;;
		'not ok - '*) count=$((count + 1)); echo "not ok $count - $1: ${line#not ok - }" ;;
		*) echo "# $line" ;;
		esac
	done
}
done_testing() {
	echo "1..$count"
}
