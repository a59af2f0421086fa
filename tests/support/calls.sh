# What the tests of calls share; sourced by bash: a supervisor (supervisor.sh),
# as each kind of user there is (sandbox.sh), and
#
#	code_of VERB ...	its exit status alone
#	words_of VERB ...	what it says on stderr
#	breaker_of TOOL, breaker_is TOOL STATE
#	call_nothing		sets $bare: the ms of a call as it is now, the
#				measure of what may come on top
. tests/support/sandbox.sh
. tests/support/supervisor.sh

code_of() {
	ask "$@" >/dev/null 2>&1
	echo $?
}
words_of() { ask "$@" 2>&1 >/dev/null; }
breaker_of() { ask status --json | jq -r --arg t "$1" '.tools[] | select(.name == $t).breaker'; }
breaker_is() { [ "$(breaker_of "$1")" = "$2" ]; }
call_nothing() {
	local start=$(milliseconds)
	ask call echo 1 >/dev/null
	bare=$(least "$(($(milliseconds) - start))")
}
