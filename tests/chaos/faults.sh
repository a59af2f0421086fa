#!/bin/bash
# System calls that fail, one at a time, in the real monitor, router and
# workers: no descriptors, no memory, no processes, no room, a signal between.
# While the monitor starts it serves all the same or ends with a reason; while
# it runs it goes on and loses nothing; whoever else it strikes, the caller gets
# an answer and the next call is served.
#
# Which calls, and how many, is read off a clean run of each subject; the Nth of
# each then fails once, with the errors of its manual page in turn. strace(1)
# makes them fail, and its output shows that they have. CUPEL_FAULTS: so many of
# each subject, picked by CUPEL_SEED (default: 2), or "all" of them (make faults).
. tests/support/sandbox.sh
. tests/support/supervisor.sh

traced=$CUPEL_OUT/tests/chaos/traced
case $traced in /*) ;; *) traced=$top/$traced ;; esac
up= faults=${CUPEL_FAULTS:-2} seed=${CUPEL_SEED:-1} all_made=0 all_chosen=0
only=${CUPEL_SUBJECTS:-.}	# those whose names match, for a closer look
[ "$faults" = all ] || echo "# CUPEL_SEED=$seed"
[ "$(id -u)" -eq 0 ] && become full || become userns
cd "$space" || exit 1

# As section 2 of the manual has them, for what the call is used for here.
errors='accept4 EMFILE ENFILE ECONNABORTED EINTR ENOMEM
access ENOENT EACCES
bind EADDRINUSE ENOMEM
capset EPERM
clone EAGAIN ENOMEM
clone3 EAGAIN ENOMEM ENOSPC
close_range ENOMEM
epoll_create1 EMFILE ENFILE ENOMEM
epoll_ctl ENOMEM ENOSPC
epoll_wait EINTR
faccessat2 ENOENT ENOMEM
fchownat EPERM EIO
fcntl EMFILE EBUSY EINTR
flock EINTR ENOLCK
fsconfig EPERM
fsmount EMFILE ENOMEM
fsopen EMFILE ENOMEM
fspick EMFILE ENOMEM EPERM
fstat ENOMEM
fstatfs EIO ENOMEM EINTR
ftruncate EIO EINTR
getdents64 ENOENT
getrandom EINTR
getsockopt ENOPROTOOPT
inotify_add_watch ENOSPC ENOMEM EACCES
inotify_init1 EMFILE ENFILE ENOMEM
ioctl EPERM ENOTTY
kill ESRCH EPERM
landlock_add_rule EPERM
landlock_create_ruleset EOPNOTSUPP
landlock_restrict_self EPERM
listen EADDRINUSE
madvise EAGAIN ENOMEM
memfd_create EMFILE ENFILE ENOMEM
mkdir ENOSPC EROFS EACCES
mkdirat ENOSPC EROFS EACCES
mmap ENOMEM EAGAIN ENFILE
mount_setattr EPERM EINVAL
move_mount EPERM EINVAL
munmap ENOMEM
newfstatat ENOMEM EACCES
open_tree EMFILE ENOMEM
openat EMFILE ENFILE ENOMEM EINTR
openat2 EMFILE ENFILE ENOMEM EINTR EAGAIN
pidfd_open EMFILE ENFILE ENOMEM
pidfd_send_signal EPERM ESRCH
pipe2 EMFILE ENFILE
poll EINTR ENOMEM
ppoll EINTR ENOMEM
prctl EPERM EINVAL
pread64 EIO EINTR
prlimit64 EPERM
pwrite64 ENOSPC EIO
read EIO EINTR
readlink EIO ENOMEM
readlinkat EIO ENOMEM
recvfrom ENOMEM ECONNRESET EINTR
recvmsg ENOMEM EINTR
renameat EIO ENOSPC
renameat2 EIO ENOSPC
sendmsg ENOBUFS EAGAIN ENOMEM EINTR
sendto ENOBUFS EAGAIN ENOMEM EINTR
setgroups EPERM ENOMEM
setns EPERM ENOMEM
setpgid EPERM
setresgid EPERM EAGAIN
setresuid EPERM EAGAIN
setsockopt ENOMEM ENOPROTOOPT
shutdown ENOTCONN
sigaltstack ENOMEM
signalfd4 EMFILE ENFILE ENOMEM
socket EMFILE ENFILE ENOBUFS ENOMEM
socketpair EMFILE ENFILE
statfs EIO ENOMEM EINTR
statx ENOMEM
timerfd_create EMFILE ENFILE ENOMEM
unlinkat EIO EROFS
unshare ENOMEM ENOSPC EPERM
utimensat EPERM EROFS
vfork EAGAIN ENOMEM
wait4 EINTR
waitid EINTR
write ENOSPC EIO EINTR
writev ENOSPC EIO EINTR'
# These tell of nothing but a wrong argument, or end it: the manual has no other error.
safe=' arch_prctl brk capget clock_gettime close execve exit exit_group futex getcpu getegid
	geteuid getgid getpid getppid getrusage gettid getuid mprotect rseq restart_syscall
	rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield set_robust_list
	set_tid_address setsid sysinfo timerfd_settime umask uname '

is_traced() { # PID...
	local pid
	for pid; do
		grep -q '^TracerPid:.[1-9]' /proc/"$pid"/status || return 1
	done
}
has_failed() { grep -q INJECTED "$work/trace"; }
injection() { # CALL:ERRNO:N, a line an option
	local call errno n
	IFS=: read -r call errno n <<<"$1"
	printf '%s\n' -qq -o "$work/trace" -e "trace=$call" \
		-e "inject=$call:error=$errno:syscall=getpid:when=$n"
}

# Runs COMMAND while those processes are traced; strace's options before --.
under_strace() { # "PID..." OPTION... -- COMMAND...
	local pids=$1 options=() tracer pid code
	shift
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	: >"$work/trace"
	for pid in $pids; do options+=(-p "$pid"); done
	strace "${options[@]}" >/dev/null 2>&1 &
	tracer=$!
	started+=("$tracer")
	# shellcheck disable=SC2086 # a list of words
	if wait_for 5 is_traced $pids; then
		"$@"
		code=$?
		wait_for "${patience:-2}" has_failed
	else
		echo 'it cannot be traced'
		code=1
	fi
	kill -INT "$tracer" 2>/dev/null
	wait "$tracer" 2>/dev/null
	return $code
}

# ---- which calls ----

# CALL FIRST COUNT EXCEPT of a trace; what the C library does first is not the
# program's, and what leaves an epoll set cannot fail but for our own fault.
counts() { # TRACE
	awk -F'(' '$1 !~ /^[a-z0-9_]+$/ { next }
		{ count[$1]++ }
		/^execve/ { early = 1 }
		/EPOLL_CTL_DEL/ { except[$1] = except[$1] "," count[$1] }
		early && /^mprotect/ { early = 0; for (call in count) first[call] = count[call] }
		END { for (call in count) print call, first[call] + 1, count[call], except[call] "," }' "$1" | sort
}
# CALL:ERRNO:N of counts: each N of the first eight, and four more to the last.
cases() {
	awk -v errors="$errors" -v safe="$safe" '
		BEGIN {
			for (n = split(errors, rows, "\n"); n > 0; n--)
				errnos[substr(rows[n], 1, index(rows[n], " ") - 1)] = rows[n]
			for (n = split(safe, rows); n > 0; n--)
				errnos[rows[n]] = ""
		}
		!($1 in errnos) { print $1 ":?:0" }
		{
			many = split(errnos[$1], errno, " ") - 1
			step = $3 - $2 > 12 ? ($3 - $2 - 8) / 4 : 1
			for (n = $2; many > 0 && n <= $3; n += n < $2 + 8 ? 1 : step)
				if (!index($4, "," int(n) ","))
					print $1 ":" errno[2 + int(n - $2) % many] ":" int(n)
		}'
}
chosen() { # NAME: out of all cases
	if [ "$faults" = all ]; then cat; else
		shuf -n "$faults" --random-source=<(yes "$seed $1")
	fi
}
# What a filter lets through and the subject never does cannot be made to fail.
skipped() { # NAME: the filter's calls on stdin, what was made in $work/counts
	[ "$faults" != all ] || echo "# $1: allowed, but never made:" \
		$(sort -u | join -v 1 - <(cut -d' ' -f1 "$work/counts"))
}
calls_of_service() {
	sed -n '/^static .* service_calls\[\]/,/^}/p' "$top/sandbox/generate/filters.c" |
		grep -o '"[a-z0-9_]*"' | tr -d '"'
}
calls_of_policy() { # NAME
	sed -n 's/^\t{ "\([a-z0-9_]*\)", .*/\1/p' "$top/sandbox/syscalls.c" | sort -u |
		while read -r call; do
			"$cupel" policy explain "$call" "$1" 2>/dev/null | grep -q ': allowed' &&
				echo "$call"
		done
}

# Whether COMMAND held; a call that was not made, or cannot fail, proves nothing.
judge() { # NAME COMMAND...
	local text code
	text=$("${@:2}" 2>&1)
	code=$?
	if grep -q 'EPOLL_CTL_DEL.*INJECTED' "$work/trace"; then
		skip "$1" 'to leave an epoll set cannot fail'
	elif [ $code -ne 0 ]; then
		not_ok "$1" "$text"$'\n'"$(grep INJECTED "$work/trace" | cut -c1-200)"
	elif ! has_failed; then
		skip "$1" 'it was not called so often this time'
	else
		ok "$1"
		made=$((made + 1))
	fi
	return $code
}
enough() { # NAME
	local most=${#chosen[@]}
	all_made=$((all_made + made)) all_chosen=$((all_chosen + most))
	[ "$most" -gt 0 ] || { skip "$1" 'it may not be traced'; return; }
	[ "$faults" = all ] || return	# of two, none may be called so often again
	holds "$1: $made of $most were seen to fail" test $((2 * made)) -ge "$most"
}

# ---- a start ----

# Its exit status, or "serves". The monitor itself is traced, or its router is.
launch() { # PROGRAM STRACE-OPTION...
	local launcher pid tracer=()
	rm -f err run/*	# or `cupel` may take it for a dead one, and start its own
	set_user
	: >"$work/trace"
	if [ "$1" = cupeld ]; then
		tracer=(strace "${@:2}")
	else
		printf '%s\n' "${@:2}" >"$work/bin/$1.faults"
		chmod 666 "$work/bin/$1.faults" "$work/trace"
	fi
	"${as_user[@]}" "${tracer[@]}" "$work/bin/cupeld" 2>err </dev/null &
	launcher=$!
	started+=("$launcher")
	# `cupel call` starts a supervisor of its own where there is none any more.
	up_or_gone() { is_up && ask status && alive "$launcher" && serves || ! alive "$launcher"; }
	wait_for 15 up_or_gone
	cp "$work/trace" "$work/begun"
	if alive "$launcher"; then
		pid=$(cat run/lock)
		kill -TERM "$pid"
		wait_for 40 all_dead "$launcher" || { echo 'serves, and does not end'; kill -9 "$pid"; }
		wait "$launcher" && echo serves || echo "serves, then $?"
	else
		wait "$launcher"
		echo "$?"
	fi
}
ends_well() { # PROGRAM CALL:ERRNO:N
	local how options
	mapfile -t options < <(injection "$2")
	how=$(launch "$1" "${options[@]}")
	case $how in
	serves) ;;
	70 | 71 | 75 | 78) grep -q '^cupeld: .*: ' err || { echo "$how without a reason"; return 1; } ;;
	*) echo "it ended with $how"; cat err; return 1 ;;
	esac
	wait_for 3 stale_groups || { echo 'a group is left'; return 1; }
	wait_for 3 none_left || { echo 'a process is left'; return 1; }
}
left() { find /proc -maxdepth 2 -name exe -lname "$work/bin/*" 2>/dev/null | cut -d/ -f3; }
none_left() { [ -z "$(left)" ] && ! pgrep -f "^$work/bin/cupel" >/dev/null; }
# shellcheck disable=SC2046 # a list of numbers
rest_is_ended() { none_left || ! kill -9 $(left); }

starts() { # PROGRAM
	local fault made=0
	[[ "start of $1" =~ $only ]] || return
	launch "$1" -qq -o "$work/trace" >/dev/null
	counts "$work/begun" >"$work/counts"
	[ "$1" = cupeld ] || calls_of_service | skipped "start of $1"
	mapfile -t chosen < <(cases <"$work/counts" | chosen "$1")
	for fault in "${chosen[@]}"; do
		judge "start of $1, $fault" ends_well "$1" "$fault"
	done
	enough "start of $1"
}
starts cupeld
mv "$work/bin/cupel-router" "$work/bin/cupel-router.real"
install -m 755 "$traced" "$work/bin/cupel-router"
starts cupel-router
mv "$work/bin/cupel-router.real" "$work/bin/cupel-router"

# ---- at work ----

# A pool that fails five times in a minute is left alone: they take turns.
tools=$work/tools
mkdir -m 755 "$tools"
for n in 0 1 2 3 4 5 6 7; do
	printf 'worker run%s {\n program = cupel-job\n policy = tool\n pool = per_call\n warm = 1\n size = 2\n}\ntool run%s {\n help = "run"\n class = effectful\n}\n' $n $n >"$tools/run$n.tool"
	printf 'worker say%s {\n program = cupel-echo\n warm = 1\n}\ntool say%s {\n help = "say"\n class = pure\n}\n' $n $n >"$tools/say$n.tool"
done

# What it holds but for its workers, who may be more or fewer: each has five, and
# one group, in as many trees as there could be, and eight empty ones are kept for
# those to come (GROUPS_MAX); and but for programs, of which one may be opened
# late, and another generation's are there for a while.
children() { cat /proc/"$supervisor"/task/*/children 2>/dev/null; }
programs() { find /proc/"$supervisor"/fd -lname "$work/bin/*" 2>/dev/null | wc -l; }
# shellcheck disable=SC2046 # lists of numbers
descriptors() {
	local workers=$(cat $(printf '/proc/%s/comm ' $(children)) 2>/dev/null | grep -cx cupeld)
	find /proc/"$supervisor"/fd -printf '%l\n' 2>/dev/null |
		awk -v workers="$workers" -v bin="$work/bin/" -v most="${programs_most:-256}" '
		index($0, bin) { programs++; next }
		!/^\/sys\/fs\/cgroup/ { held++ }
		match($0, /cupel-[0-9-]+/) && !known[substr($0, RSTART, RLENGTH)]++ { groups++ }
		END {
			print held - 5 * workers (groups > workers + 8 ? " " groups " groups" : "") \
				(programs > most ? " " programs " programs" : "")
		}'
}
# shellcheck disable=SC2046 # lists of numbers
no_zombies() { ! grep -lq '^State:.Z' $(printf '/proc/%s/status ' $(children)) 2>/dev/null; }
processes() { # NAME: of a pool, or a program
	ps -e -o pid=,ppid=,args= | awk -v top="$supervisor" -v name="$1" '
		{ parent[$1] = $2 }
		$3 == name && (NF == 3 || $4 ~ "^/") { found[$1] }
		END { for (one in found) {
			for (pid = one; pid > 1 && pid != top; pid = parent[pid]) {}
			if (pid == top) print one
		} }'
}

# Never the same twice: what kills workers again and again is refused.
said=0
call() { # POOL [OPTION...]
	ask call "$1" "${@:2}" "{\"argv\":[\"/bin/true\",\"$((said++)) $BASHPID\"]}"
}
# A result, or an error that says what it is; silence, or a worker that died of it, is neither.
answers() { # POOL [OPTION...]
	local text since=$SECONDS
	text=$(call "$@" 2>&1 </dev/null)
	case $?:$text in
	*'(signal '*) echo "its worker died: $text"; return 1 ;;
	0:* | *' from the '*) ;;
	*) echo "no answer: $text"; return 1 ;;
	esac
	[ $((SECONDS - since)) -le 10 ] || { echo "too late: $text"; return 1; }
}
in_workspace() { # POOL
	local text
	folder "$space/ws"
	text=$(answers "$1" --workspace "$space/ws") && return
	[[ $text == *': the supervisor does not take '*': '* ]] || { echo "$text"; return 1; }
}
dies() { # POOL
	# shellcheck disable=SC2046 # a list of numbers
	kill -9 $(processes "$1")
	answers "$1"
}
generation() { grep -c '"a catalog holds"' "$log"; }
has_another() { [ "$(generation)" -gt "$1" ]; }
reloads() { # POOL
	local then=$(generation)
	sed -i 's/help = .*/help = "'$EPOCHREALTIME'"/' "$tools/$1.tool"
	kill -HUP "$supervisor"
	wait_for 2 has_another "$then"
	answers "$1"
}
looks() { # POOL: at all there is to see
	answers "$1" && ask status --json >/dev/null && ask status --metrics >/dev/null
}
hands_over() { # POOL: more than one frame, in pieces
	local bytes
	bytes=$(head -c 300000 /dev/zero | tr '\0' a | sed 's/.*/{"text":"&"}/' | ask call "$1" - | wc -c)
	[ "$bytes" -gt 300000 ] || answers "$1"
}

well() { # POOL
	call "$1" && [ "$(processes "$1")" ]
}
settled() { [[ "|$fds|" == *"|$(descriptors)|"* ]] && no_zombies; }
recovers() { # POOL
	alive "$supervisor" || { echo 'the monitor has ended'; tail -n 3 "$log"; return 1; }
	wait_for 15 well "$1" || {
		echo "$1 serves no more: $(call "$1" 2>&1)"
		return 1
	}
	wait_for 5 settled || { echo "descriptors: $fds before, $(descriptors) now"; return 1; }
}

all_are_there() {
	local n	# wait_for has one of its own
	for n in 0 1 2 3 4 5 6 7; do [ "$(processes run$n)" ] && [ "$(processes say$n)" ] || return 1; done
}
is_steady() { now=$(descriptors); sleep 0.3; [ "$(descriptors)" = "$now" ] && no_zombies; }
begin() {
	start_supervisor --tools "$tools"
	wait_for 10 all_are_there && wait_for 10 is_steady || { not_ok 'at work: it serves'; return 1; }
	# Two generations have a catalog each, and ours, router and loader, once.
	turn=0 fds="$now|$((now + 1))" programs_most=$((2 * $(programs) - 2))
	router=$(processes cupel-router) up=1
}
end() {
	up=
	local family_then=$(family "$supervisor")
	stop_supervisor
	# shellcheck disable=SC2086 # a list of numbers
	[ "$code" -eq 0 ] && wait_for 3 all_dead $family_then && wait_for 3 stale_groups && return
	wait_for 20 rest_is_ended	# `cupel` may have started one of its own
	return 1
}
ends() { # NAME
	end || not_ok "$1: TERM ends it well and nothing is left" "exit status $code"$'\n'"$(cat "$space/supervisor.err")"
}
strike() { # CALL:ERRNO:N PIDS-OF ACTION POOL
	local options pids
	mapfile -t options < <(injection "$1")
	pids=$(processes "$2")
	[ "$2" != cupeld ] || pids=$supervisor
	under_strace "$pids" "${options[@]}" -- "$3" "$4" || return 1
	recovers "$4"
}
strikes() { # "CALL:ERRNO:N" PIDS-OF ACTION POOL: once more, where its count was not reached
	strike "$@" || return 1
	has_failed || strike "$@"
}
subject() { # NAME WHOM ACTION KIND ROUND: of run or say; so many faults to a supervisor
	local name=$1 whom=$2 action=$3 kind=$4 round=$5 fault pool made=0
	[[ $name =~ $only ]] || return
	[ "$faults" = all ] || [ $SECONDS -lt 100 ] ||
		{ skip "$name" 'the time for a sample is over'; return; }
	[ -n "$up" ] || begin || return
	pool=${kind}7
	[ "$whom" != pool ] || whom=$pool
	patience=1 under_strace "$([ "$whom" = cupeld ] && echo "$supervisor" || processes "$whom")" \
		-qq -o "$work/trace" -- "$action" "$pool" >/dev/null
	counts "$work/trace" >"$work/counts"
	case $2 in
	cupel-router) calls_of_service | skipped "$name" ;;
	pool) calls_of_policy "$([ "$kind" = say ] && echo strict || echo tool)" | skipped "$name" ;;
	esac
	mapfile -t chosen < <(cases <"$work/counts" | chosen "$name")
	for fault in "${chosen[@]}"; do
		# One whose routers die again and again rests between them.
		if [ "$turn" -eq "$round" ] || [ "$(processes cupel-router)" != "$router" ]; then
			ends "$name"
			begin || return
		fi
		pool=$kind$((turn++ % 8))
		[ "$2" != pool ] || whom=$pool
		if ! judge "$name, $fault" strikes "$fault" "$whom" "$action" "$pool"; then
			end
			begin || return
		fi
	done
	[ -z "$up" ] || [ "$turn" -lt 12 ] || ends "$name"
	enough "$name"
}
subject 'the monitor goes on' cupeld answers run 24
subject 'the monitor goes on after a death' cupeld dies say 24
subject 'the monitor goes on in a workspace' cupeld in_workspace run 24
subject 'the monitor goes on with other manifests' cupeld reloads say 16
subject "the router's caller has an answer" cupel-router looks run 4
subject "the router's caller has an answer in pieces" cupel-router hands_over say 4
subject "a worker's caller has an answer" pool answers say 24
subject "a worker's caller has an answer in pieces" pool hands_over say 24
subject "a job's caller has an answer" pool answers run 24

# ---- a program that could not be opened with its manifest ----

opens_later() { # POOL
	under_strace "$supervisor" -qq -o "$work/trace" -P "$work/bin/cupel-echo" \
		-e trace=openat2 -e inject=openat2:error=EMFILE -- reloads "$1" || return 1
	has_failed || { echo 'it was not opened anew'; return 1; }
	dies "$1" >/dev/null
	recovers "$1"
}
if [[ 'a program is opened' =~ $only ]]; then
	{ [ -n "$up" ] || begin; } && holds 'a program is opened when it can be' opens_later "say$((turn++ % 8))"
fi

# ---- a death that is told late ----

# The worker's link has ended, so that it is told to go, before its init says
# how; and the monitor listens only when init, which has not read that, is gone.
late() { # POOL
	local worker init tracer text asked
	worker=$(processes "$1")
	init=$(awk '$1 == "PPid:" { print $2 }' /proc/"$worker"/status)
	strace -qq -o "$work/trace" -e trace=sendto -e inject=sendto:delay_enter=1000000 \
		-p "$init" 2>/dev/null &
	tracer=$!
	started+=("$tracer")
	wait_for 5 is_traced "$init" || { echo 'it cannot be traced'; return 1; }
	ask call "$1" '{"argv":["/bin/sleep","10"]}' >"$work/said" 2>&1 &
	asked=$!
	wait_for 5 has_child "$worker"
	kill -SEGV "$worker"
	sleep 0.5
	kill -STOP "$supervisor"
	wait_for 5 all_dead "$init"
	kill -CONT "$supervisor"
	wait "$asked"
	text=$(cat "$work/said")
	kill -INT "$tracer" 2>/dev/null
	wait "$tracer" 2>/dev/null
	grep -q DELAYED "$work/trace" || { echo 'it was not late'; return 1; }
	case $text in *'(signal 11)'*) ;; *) echo "$text"; return 1 ;; esac
}
has_child() { # PID
	[ -n "$(cat /proc/"$1"/task/*/children)" ]
}
if [ "$(id -u)" -ne 0 ]; then
	skip 'told late, a death is told as it was' "an ordinary user may not trace a sandbox's init"
else
	{ [ -n "$up" ] || begin; } && holds 'told late, a death is told as it was' late "run$((turn % 8))"
fi
[ -z "$up" ] || ends 'at last'
holds "$all_made of $all_chosen were seen to fail" test $((2 * all_made)) -ge $all_chosen
done_testing
