#!/bin/bash
# cupel config, version and help from outside: exit codes, and what is said of
# a configuration that makes no sense. Speaks TAP; run from the top folder with
# CUPEL_BIN naming the folder of the programs.
. tests/support/tap.sh
unset XDG_CONFIG_HOME
cupel=$CUPEL_BIN/cupel
work=$(mktemp -d) && chmod 755 "$work" && cd "$work" || exit 1
trap 'rm -rf "$work"' EXIT
export HOME=$work/home

# The bad text is refused with the sentence, the good one is accepted.
check() { # NAME BAD SENTENCE GOOD
	printf '%b' "$2" >bad.conf
	printf '%b' "$4" >good.conf
	is "$1" "$(outcome "$cupel" config check bad.conf)" \
		"exit 78"$'\n'"err: $3"
	is "$1, mended" "$(outcome "$cupel" config check good.conf)" 'exit 0'
}

# Refused with exactly these words on stderr and nothing on stdout.
usage() { # NAME ERROR ARGUMENT...
	local name=$1 error=$2
	shift 2
	is "$name" "$(outcome "$cupel" "$@")" "exit 64"$'\n'"$error"
}

# ---- config check ----

check 'an unknown key' \
	'log {\n\tlevle = info\n}\n' \
	"bad.conf:2: there is no 'levle' in log; did you mean 'level'?" \
	'log {\n\tlevel = info\n}\n'
check 'an unknown section' \
	'\n\nlgo {\n}\n' \
	"bad.conf:3: there is no 'lgo'; did you mean 'log'?" \
	'\n\nlog {\n}\n'
check 'a word for a number' \
	'log {\n\tbackups = many\n}\n' \
	"bad.conf:2: log.backups: 'many' is not a whole number between 1 and 100 files" \
	'log {\n\tbackups = 7\n}\n'
check 'a number over its range' \
	'log { backups = 101 }' \
	'bad.conf:1: log.backups: 101 is not between 1 and 100 files' \
	'log { backups = 100 }'
check 'a number under its range' \
	'log { backups = 0 }' \
	'bad.conf:1: log.backups: 0 is not between 1 and 100 files' \
	'log { backups = 1 }'
check 'a size out of range' \
	'log {\n\n\tfile_size = 10K\n}\n' \
	'bad.conf:3: log.file_size: 10K is not between 64K and 1T' \
	'log {\n\n\tfile_size = 64K\n}\n'
check 'a duration without a unit' \
	'log { repeat_window = 30 }' \
	"bad.conf:1: log.repeat_window: '30' is not a duration like 30s between 0 and 1h" \
	'log { repeat_window = 30s }'
check 'a choice there is not' \
	'log { level = loud }' \
	"bad.conf:1: log.level: 'loud' is not one of debug, info, notice, warning, error, critical" \
	'log { level = notice }'
check 'a setting given twice' \
	'log {\n\tlevel = info\n\tlevel = debug\n}\n' \
	'bad.conf:3: log.level: set a second time, first on line 2' \
	'log {\n\tlevel = info\n\tbackups = 3\n}\n'
check 'a block that is not closed' \
	'\nlog {\n\tlevel = info\n' \
	'bad.conf:2: the block opened here is never closed' \
	'\nlog {\n\tlevel = info\n}\n'
check 'a string that is not closed' \
	'log {\n\tdir = "/var\n}\n' \
	'bad.conf:2: a string is not closed on its line' \
	'log {\n\tdir = "/var"\n}\n'
check 'a value that is missing' \
	'log {\n\tlevel =\n}\n' \
	"bad.conf:3: unexpected token '}'" \
	'log {\n\tlevel = info\n}\n'
check 'the environment' \
	'log { dir = "${HOME}" }' \
	"bad.conf:1: \${...} has no meaning here: write it in '...'" \
	"log { dir = '\${HOME}' }"
check 'bytes that are not UTF-8' \
	'\n# \xff\n' \
	'bad.conf:2: not UTF-8' \
	'\n# \xc3\xa9\n'

mkfifo fifo
mkdir folder
head -c 1048577 /dev/zero | tr '\0' '\n' >long.conf
head -c 1048576 long.conf >fits.conf
for row in 'none.conf: No such file or directory' 'fifo: not a regular file' \
	'folder: not a regular file' 'long.conf: longer than 1048576 bytes'; do
	is "$row" "$(outcome timeout 10 "$cupel" config check "${row%%:*}")" \
		"exit 78"$'\n'"err: $row"
done
is 'a file just short enough' "$(outcome "$cupel" config check fits.conf)" 'exit 0'

is 'every bad file is named' \
	"$(outcome "$cupel" config check none.conf good.conf bad.conf)" \
	'exit 78
err: none.conf: No such file or directory
err: bad.conf:2: not UTF-8'

# ---- conf.d and dump ----

mkdir -p site/conf.d
printf 'log {\n\tbackups = 6\n\tlevel = debug\n}\n' >site/cupel.conf
printf 'log { backups = 8 }\n' >site/conf.d/20-more.conf
printf '\nlog { backups = 7 dir = "/x" }\n' >site/conf.d/10-less.conf
is 'dump tells where each setting comes from' \
	"$(outcome "$cupel" config dump site/cupel.conf | tr '\t' ' ')" \
	'exit 0
out: log.dir = "/x" # site/conf.d/10-less.conf:2
out: log.level = debug # site/cupel.conf:3
out: log.file_size = 10M # default
out: log.backups = 8 # site/conf.d/20-more.conf:1
out: log.repeats = 5 # default
out: log.repeat_window = 10s # default
out: log.free_space = 64M # default
out: supervisor.idle = 10m # default
out: store.raw = 7d # default
out: store.minutes = 30d # default
out: store.events = 30d # default'
is 'dump --json says the same in base units' \
	"$("$cupel" config dump --json site/cupel.conf | jq -c '
		[.schema_version, (.settings.log | .dir, .file_size, .repeat_window, .backups)]')" \
	'[1,{"value":"/x","origin":"site/conf.d/10-less.conf:2"},{"value":10485760,"unit":"bytes","origin":"default"},{"value":10000000000,"unit":"ns","origin":"default"},{"value":8,"unit":"files","origin":"site/conf.d/20-more.conf:1"}]'
printf 'log { backups = 0 }' >site/conf.d/30.conf
is 'a bad file in conf.d is named' \
	"$(outcome "$cupel" config check site/cupel.conf)" \
	'exit 78
err: site/conf.d/30.conf:1: log.backups: 0 is not between 1 and 100 files'
strange=$(printf 'strange\xff.conf')
printf "log { repeats = 7 }" >"$strange"
is 'dump --json of a file whose name is no text leaves nothing out' \
	"$("$cupel" config dump --json "$strange" |
	jq -r '.settings.log | length, .repeats.origin')" \
	'7'$'\n''strange\xff.conf:1'
is 'dump refuses what check refuses' \
	"$(outcome "$cupel" config dump --json site/cupel.conf)" \
	'exit 78
err: site/conf.d/30.conf:1: log.backups: 0 is not between 1 and 100 files'

# ---- the usual file of a user, and files that may not be read ----

as_user=()
[ "$(id -u)" -ne 0 ] || as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
backups_line() { # ENVIRONMENT...
	env "$@" "${as_user[@]}" "$cupel" config dump | grep -F log.backups | tr '\t' ' '
}
# The programs may lie where another user cannot go.
if "${as_user[@]}" test -x "$cupel"; then
	mkdir -p home/.config/cupel xdg/cupel
	is 'without any file there are defaults' "$(backups_line HOME="$work/none")" \
		'log.backups = 5 # default'
	printf 'log { backups = 11 }' >home/.config/cupel/cupel.conf
	is "a user's settings are in ~/.config" "$(backups_line HOME="$HOME")" \
		"log.backups = 11 # $HOME/.config/cupel/cupel.conf:1"
	printf 'log { backups = 12 }' >xdg/cupel/cupel.conf
	is 'XDG_CONFIG_HOME comes first' "$(backups_line XDG_CONFIG_HOME="$work/xdg")" \
		"log.backups = 12 # $work/xdg/cupel/cupel.conf:1"
	printf '' >secret.conf
	chmod 0 secret.conf
	is 'a file that may not be read' \
		"$(outcome "${as_user[@]}" "$cupel" config check secret.conf)" \
		'exit 78
err: secret.conf: Permission denied'
else
	for name in 'no file' '~/.config' XDG_CONFIG_HOME 'unreadable file'; do
		skip "$name" "an ordinary user cannot run $cupel"
	done
fi

# ---- what the rows print ----

"$cupel" config default >default.conf
is 'the default is etc/cupel.conf' "$(<default.conf)" "$(<"$top/etc/cupel.conf")"
is 'the default is accepted' "$(outcome "$cupel" config check default.conf)" 'exit 0'
is 'man is the list in cupel.conf.5' "$("$cupel" config man)" \
	"$(sed -n '/^\.\\" settings: /,/^\.\\" settings end/{/^\.\\"/!p}' "$top/etc/man/cupel.conf.5")"
is 'help config lists the settings' \
	"$("$cupel" help config | grep -c '^  [a-z]*\.')" "$("$cupel" config dump fits.conf | wc -l)"

# ---- verbs ----

version=$("$cupel" version)
is 'version' "${version%% [0-9]*}" 'cupel'
is '--version is version' "$("$cupel" --version)" "$version"
is 'version --json' "$("$cupel" version --json | jq -r '"\(.schema_version) \(.name) \(.version)"')" \
	"1 $version"
is '--help is help' "$("$cupel" --help)" "$("$cupel" help)"
is 'a verb knows --help' "$("$cupel" config dump --help | head -n 1)" \
	'usage: cupel config dump [--json] [FILE]'
usage 'an unknown verb' "err: cupel: there is no 'confg'; did you mean 'config'?" confg
usage 'a verb unlike any' "err: cupel: there is no 'zzz'; see 'cupel --help'" zzz
usage 'an unknown verb of config' \
	"err: cupel config: there is no 'chekc'; did you mean 'check'?" config chekc
usage 'help on an unknown verb' "err: cupel: there is no 'versoin'; did you mean 'version'?" help versoin
usage 'check without a file' 'err: usage: cupel config check FILE...' config check
usage 'dump of two files' 'err: usage: cupel config dump [--json] [FILE]' config dump a b
usage 'an argument too many' 'err: usage: cupel version [--json]' version now
usage 'an unknown option' "err: cupel: there is no option '--jsn'
err: usage: cupel version [--json]" version --jsn
"$cupel" >/dev/null 2>err
is 'no verb at all' "$? $(grep -c '^  config' err)" '64 1'
"$cupel" help >/dev/full 2>err
is 'output that cannot be written' "$? $(<err)" '74 cupel: stdout: No space left on device'
done_testing
