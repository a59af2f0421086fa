#!/bin/bash
# System calls that fail, one at a time, in the real monitor and its workers:
# no descriptors, no memory, no processes, no room, a signal in between. While
# it starts the monitor serves all the same or ends with a reason; while it
# runs it goes on, and loses nothing; a worker's caller gets an answer.
# strace(1) makes them fail, and its output shows that they have.
. tests/support/sandbox.sh
. tests/support/supervisor.sh

[ "$(id -u)" -eq 0 ] && become full || become userns
cd "$space" || exit 1

is_traced() { # PID...
	local pid
	for pid; do
		grep -q '^TracerPid:.[1-9]' /proc/"$pid"/status || return 1
	done
}
has_failed() { grep -q INJECTED "$work/trace"; }
injection() { # CALL:ERRNO:N
	local call errno n
	IFS=: read -r call errno n <<<"$1"
	echo "-qq -o $work/trace -e trace=$call -e inject=$call:error=$errno:syscall=getpid:when=$n"
}

# Whether the Nth such call of one of those processes failed while COMMAND ran.
fails_in() { # "PID..." CALL:ERRNO:N COMMAND...
	local pids=$1 fault=$2 tracer
	shift 2
	: >"$work/trace"
	# shellcheck disable=SC2046,SC2086 # lists of words
	strace $(injection "$fault") $(printf -- '-p %s ' $pids) 2>/dev/null &
	tracer=$!
	started+=("$tracer")
	# shellcheck disable=SC2086
	wait_for 5 is_traced $pids || { echo 'it cannot be traced'; return 1; }
	"$@"
	code=$?
	wait_for 2 has_failed
	kill -INT "$tracer" 2>/dev/null
	wait "$tracer" 2>/dev/null
	has_failed || { echo 'no such call was made'; return 1; }
	return $code
}

# ---- the monitor's start ----

# Its exit status, or "serves".
start_with() { # CALL:ERRNO:N
	local launcher pid
	rm -f err run/*	# or `cupel` may take it for a dead one, and start its own
	set_user
	: >"$work/trace"
	# shellcheck disable=SC2046
	"${as_user[@]}" strace $(injection "$1") "$work/bin/cupeld" 2>err </dev/null &
	launcher=$!
	started+=("$launcher")
	up_or_gone() { serves || ! alive "$launcher"; }
	wait_for 10 up_or_gone
	if alive "$launcher"; then
		pid=$(cat run/lock)
		supervisor=$pid
		family_then=$(family "$pid")
		kill -TERM "$pid"
		wait "$launcher" && echo serves || echo "serves, then $?"
	else
		wait "$launcher"
		echo "$?"
	fi
}
ends_well() { # CALL:ERRNO:N
	local how
	how=$(start_with "$1")
	has_failed || { echo 'no such call was made'; return 1; }
	case $how in
	serves) ;;
	70 | 71 | 75 | 78) grep -q '^cupeld: .*: ' err || { echo "$how without a reason"; return 1; } ;;
	*) echo "it ended with $how"; cat err; return 1 ;;
	esac
	wait_for 3 stale_groups || { echo 'a group is left'; return 1; }
	! pgrep -f "^$work/bin/cupel" >/dev/null || { echo 'a process is left'; return 1; }
}

starts=(openat2:EMFILE:1 openat2:ENFILE:3 openat2:EINTR:4 openat2:EMFILE:30 flock:EINTR:1
	ftruncate:ENOSPC:1 pwrite64:ENOSPC:1 clone:EAGAIN:1 epoll_create1:EMFILE:1
	timerfd_create:ENFILE:1 signalfd4:EMFILE:1 socket:EMFILE:1 bind:EADDRINUSE:1
	listen:ENOMEM:1 epoll_ctl:ENOSPC:1 epoll_ctl:ENOMEM:4 epoll_ctl:ENOSPC:5
	epoll_ctl:ENOMEM:6 epoll_ctl:ENOMEM:9 epoll_ctl:ENOSPC:10 epoll_ctl:ENOMEM:11
	epoll_ctl:ENOMEM:12 epoll_ctl:ENOSPC:13 epoll_ctl:ENOMEM:14 epoll_ctl:ENOMEM:15 inotify_init1:EMFILE:1
	memfd_create:ENOMEM:1 pipe2:EMFILE:2 socketpair:EMFILE:1 clone3:EAGAIN:1
	clone3:ENOMEM:2 clone3:EAGAIN:4 getrandom:EINTR:1 mkdirat:ENOSPC:1)
for fault in "${starts[@]}"; do
	holds "start, $fault: it serves, or ends with a reason and leaves nothing" ends_well "$fault"
done

# ---- the monitor at work ----

# A pool that fails five times in a minute is left alone: they take turns.
tools=$work/tools
mkdir -m 755 "$tools"
for n in 0 1 2 3 4 5 6 7; do
	printf 'worker run%s {\n program = cupel-job\n policy = tool\n pool = per_call\n warm = 1\n size = 2\n}\ntool run%s {\n help = "run"\n class = effectful\n}\n' $n $n >"$tools/run$n.tool"
	printf 'worker say%s {\n program = cupel-echo\n warm = 1\n}\ntool say%s {\n help = "say"\n class = pure\n}\n' $n $n >"$tools/say$n.tool"
done

# Those that are not a worker's: each has five, and there may be more or fewer.
children() { cat /proc/"$supervisor"/task/*/children 2>/dev/null; }
descriptors() {
	local pid workers=0
	for pid in $(children); do
		[ "$(cat /proc/"$pid"/comm 2>/dev/null)" = cupeld ] && workers=$((workers + 1))
	done
	echo $(($(find /proc/"$supervisor"/fd 2>/dev/null | wc -l) - 5 * workers))
}
# shellcheck disable=SC2046 # lists of numbers
no_zombies() { ! grep -lq '^State:.Z' $(printf '/proc/%s/status ' $(children)) 2>/dev/null; }
workers_of() { # POOL
	local pid
	for pid in $(family "$supervisor"); do
		[ "$(tr '\0' ' ' 2>/dev/null </proc/"$pid"/cmdline)" = "$1 " ] && echo "$pid"
	done
}

# Never the same twice: what kills workers again and again is refused.
said=0
call() { # POOL
	ask call "$1" "{\"argv\":[\"/bin/true\",\"$((said++)) $BASHPID\"]}"
}
# A result, or an error that says what it is; silence, or a worker that died of it, is neither.
answers() { # POOL
	local text since=$SECONDS
	text=$(call "$1" 2>&1 </dev/null)
	case $?:$text in
	*'(signal '*) echo "its worker died: $text"; return 1 ;;
	0:* | *' from the '*) ;;
	*) echo "no answer: $text"; return 1 ;;
	esac
	[ $((SECONDS - since)) -le 10 ] || { echo "too late: $text"; return 1; }
}
well() { # POOL
	call "$1" && [ "$(workers_of "$1")" ]
}
settled() { [ "$(descriptors)" -eq "$fds" ] && no_zombies; }
recovers() { # POOL
	alive "$supervisor" || { echo 'the monitor has ended'; tail -n 3 "$log"; return 1; }
	wait_for 10 well "$1" || {
		echo "$1 serves no more: $(call "$1" 2>&1)"
		return 1
	}
	wait_for 5 settled || { echo "descriptors: $fds before, $(descriptors) now"; return 1; }
}
goes_on() { # CALL:ERRNO:N POOL
	fails_in "$supervisor" "$1" answers "$2" && recovers "$2"
}
dies() { # POOL
	kill -9 "$(workers_of "$1")"
	answers "$1"
}
goes_on_after_death() { # CALL:ERRNO:N POOL
	fails_in "$supervisor" "$1" dies "$2" && recovers "$2"
}
answers_all_the_same() { # CALL:ERRNO:N POOL
	fails_in "$(workers_of "$2")" "$1" answers "$2" && recovers "$2"
}
turn=0
each() { # NAME KIND CHECK CALL:ERRNO:N...
	local name=$1 kind=$2 check=$3 fault
	shift 3
	for fault; do
		alive "$supervisor" || { not_ok "$name: it is there"; return; }
		holds "$name, $fault" "$check" "$fault" "$kind$((turn++ % 8))"
	done
}

start_supervisor --tools "$tools"
all_are_there() { for n in 0 1 2 3 4 5 6 7; do [ "$(workers_of run$n)" ] && [ "$(workers_of say$n)" ] || return 1; done; }
holds 'at work: it serves' wait_for 10 all_are_there
is_steady() { fds=$(descriptors); sleep 0.3; settled; }
wait_for 10 is_steady
each 'the monitor goes on' run goes_on socketpair:EMFILE:1 socketpair:ENFILE:2 socketpair:EMFILE:3 \
	memfd_create:ENOMEM:1 ftruncate:ENOMEM:1 pipe2:EMFILE:1 fcntl:ENOMEM:1 \
	openat2:EMFILE:1 openat2:ENFILE:6 \
	clone3:EAGAIN:1 clone3:ENOMEM:1 sendto:ENOBUFS:1 sendmsg:EAGAIN:1 recvmsg:EINTR:1 \
	recvmsg:ENOMEM:2 epoll_wait:EINTR:1 waitid:EINTR:1 \
	read:EINTR:1 read:EIO:2 write:ENOSPC:1 write:EINTR:1
each 'and after a death' say goes_on_after_death clone3:EAGAIN:1 sendmsg:ENOBUFS:1 sendmsg:EMFILE:2 recvmsg:ENOMEM:1
each "a worker's caller has an answer" say answers_all_the_same recvfrom:EINTR:1 recvfrom:ENOMEM:1 \
	recvfrom:ECONNRESET:1 sendto:EAGAIN:1 sendto:EINTR:1 sendto:ENOBUFS:1 epoll_wait:EINTR:1 \
	timerfd_settime:ENOMEM:1
each "so has a job's" run answers_all_the_same openat:EMFILE:1 pipe2:EMFILE:1 pipe2:EMFILE:2 \
	fcntl:EMFILE:1 epoll_ctl:ENOMEM:1 epoll_ctl:ENOSPC:3 vfork:EAGAIN:1 pidfd_open:EMFILE:1 \
	read:EINTR:1 waitid:EINTR:1 wait4:EINTR:1 sendto:ENOBUFS:2

# ---- a death that is told late ----

# The worker's link has ended, so that it is told to go, before its init says
# how; and the monitor listens only when init, which has not read that, is gone.
late() { # POOL
	local worker init tracer asked text
	worker=$(workers_of "$1")
	init=$(awk '$1 == "PPid:" { print $2 }' /proc/"$worker"/status)
	strace -qq -o "$work/trace" -e trace=sendto -e inject=sendto:delay_enter=1000000 \
		-p "$init" 2>/dev/null &
	tracer=$!
	started+=("$tracer")
	wait_for 5 is_traced "$init" || { echo 'it cannot be traced'; return 1; }
	ask call "$1" '{"argv":["/bin/sleep","10"]}' >"$work/said" 2>&1 &
	wait_for 5 has_child "$worker"
	asked=$!
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
holds 'told late, a death is told as it was' late "run$((turn % 8))"

family_then=$(family "$supervisor")
stop_supervisor
is 'after all of it TERM ends it well' "$code" 0
# shellcheck disable=SC2086
holds 'and nothing is left' wait_for 3 all_dead $family_then
holds 'nor a group' wait_for 3 stale_groups
done_testing
