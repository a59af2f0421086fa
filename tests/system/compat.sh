#!/bin/bash
# Real programs do their ordinary work under the preset build. A program that
# is not installed here is skipped, by name. Speaks TAP.
. tests/support/sandbox.sh
export LC_ALL=C.UTF-8

# Runs a script in the workspace; what it prints last must be the word done.
works() { # NAME PROGRAM SCRIPT
	if ! PATH=/usr/local/bin:/usr/bin:/bin command -v "$2" >/dev/null; then
		skip "$tier: $1" "no $2 here"
		return
	fi
	rm -f verdict
	"${cupel_run[@]}" --policy build --json "$space/verdict" --workspace "$PWD" -- \
		sh -euc "$3" >"$work/out" 2>&1 </dev/null
	if [ "$?:$(tail -n 1 "$work/out")" = 0:done ]; then
		ok "$tier: $1"
	else
		not_ok "$tier: $1" "$(tail -n 20 "$work/out"; jq -c '[.cause, .denied]' "$space/verdict")"
	fi
}

project() {
	mkdir src tests
	cat >Makefile <<'END'
CFLAGS = -O1 -Wall
all: hello
hello: src/main.o src/words.o
	$(CC) -o $@ $^
src/%.o: src/%.c src/words.h
	$(CC) $(CFLAGS) -c -o $@ $<
check: hello
	@tests/run ./hello
clean:
	rm -f hello src/*.o
.PHONY: all check clean
END
	printf 'const char *words(void);\n' >src/words.h
	printf '#include "words.h"\nconst char *words(void) { return "hello"; }\n' >src/words.c
	printf '#include <stdio.h>\n#include "words.h"\nint main(void) { return puts(words()) < 0; }\n' >src/main.c
	printf '#!/bin/sh\n[ "$($1)" = hello ] && echo "1 passed"\n' >tests/run
	chmod +x tests/run
}

work_on() {
	mkdir -p "$space/project" && cd "$space/project" && project
	[ ${#as[@]} -eq 0 ] || chown -R "$user:$user" .

	works 'make builds, tests and cleans' make '
		make -j2; make check | grep "1 passed"; make clean
		make; touch src/words.h; make | grep -c "words.o"; echo done'
	works 'gcc compiles and links, and what it made runs' gcc '
		cat >/tmp/x.c <<END
#include <math.h>
#include <stdio.h>
int main(int count, char **words) { (void)words; return printf("%f", sqrt(count + 1.0)) < 0; }
END
		gcc -O2 -g -Wall -pipe -flto -o /tmp/x /tmp/x.c -lm; /tmp/x | grep 1.41
		gcc -c -o /tmp/x.o /tmp/x.c; ar rcs /tmp/x.a /tmp/x.o; ldd /tmp/x >/dev/null; echo done'
	works 'gcc with threads and a sanitizer' gcc '
		printf "#include <pthread.h>\nstatic int n;\nstatic void *f(void *a) { __atomic_add_fetch(&n, 1, 5); return a; }\nint main(void) { pthread_t t[8]; for (int i = 0; i < 8; i++) pthread_create(t + i, 0, f, 0); for (int i = 0; i < 8; i++) pthread_join(t[i], 0); return n != 8; }" >/tmp/t.c
		gcc -pthread -o /tmp/t /tmp/t.c; /tmp/t
		gcc -pthread -fsanitize=address,undefined -o /tmp/t /tmp/t.c; ASAN_OPTIONS=detect_leaks=0 /tmp/t; echo done'
	works 'git makes, changes, branches and shows a repository' git '
		git init -q repo; cd repo; git config user.name u; git config user.email u@cupel.invalid
		echo one >file; git add file; git commit -qm first; echo two >>file
		git diff --stat | grep file; git commit -qam second; git log --oneline | wc -l | grep 2
		git checkout -qb side HEAD~1; echo x >other; git add .; git commit -qm third
		git rebase -q master 2>/dev/null || git rebase -q main; git log --oneline | wc -l | grep 3
		git stash list; git gc -q; git fsck; git worktree add -q ../tree; git clone -q . ../copy; cd ..
		rm -rf repo tree copy; echo done'
	works 'python3 parses, starts processes and keeps temporary files' python3 '
		cat >/tmp/t.py <<END
import json, subprocess, multiprocessing, tempfile, threading, socket, os, sqlite3, concurrent.futures, asyncio, ctypes, hashlib
def double(x): return 2 * x
if __name__ == "__main__":
    assert json.loads(json.dumps({"a": [1, None]}))["a"] == [1, None]
    assert subprocess.run(["sh", "-c", "echo hi; exit 4"], capture_output=True).returncode == 4
    with multiprocessing.Pool(2) as pool: assert pool.map(double, range(9))[8] == 16
    with multiprocessing.Manager() as manager: assert manager.dict(a=1)["a"] == 1
    with tempfile.TemporaryDirectory() as d: open(d + "/x", "w").write("x")
    with tempfile.NamedTemporaryFile() as f: f.write(b"x")
    lock = multiprocessing.Lock(); lock.acquire(); lock.release()
    with concurrent.futures.ThreadPoolExecutor(4) as e: assert sum(e.map(double, range(100))) == 9900
    server = socket.create_server(("127.0.0.1", 0)); client = socket.create_connection(server.getsockname()); client.close()
    async def hi(): return (await (await asyncio.create_subprocess_exec("echo", "x", stdout=-1)).communicate())[0]
    assert asyncio.run(hi()) == b"x\n"
    db = sqlite3.connect("t.db"); db.execute("create table t(a)"); db.execute("insert into t values(1)"); db.commit(); db.close(); os.unlink("t.db")
    assert ctypes.CDLL(None).getpid() == os.getpid()
    print("done")
END
		python3 /tmp/t.py'
	works 'node reads, starts processes and serves on loopback' node '
		cat >/tmp/t.js <<END
const fs = require("fs"), cp = require("child_process"), http = require("http"), { Worker } = require("worker_threads");
fs.writeFileSync("x.txt", "x"); fs.unlinkSync("x.txt");
if (cp.execSync("echo hi").toString() !== "hi\n") process.exit(1);
let s = 0; for (let i = 0; i < 1e6; i++) s += i % 7;
const server = http.createServer((q, r) => r.end("page")).listen(0, "127.0.0.1", () =>
  http.get({ port: server.address().port, host: "127.0.0.1" }, r => { let b = ""; r.on("data", d => b += d);
    r.on("end", () => { server.close(); new Worker("require(\"worker_threads\").parentPort.postMessage(1)", { eval: true })
      .on("message", () => console.log(b === "page" ? "done" : b)); }); }));
END
		node /tmp/t.js'
	works 'perl matches, pipes and forks' perl '
		perl -MPOSIX -MFile::Temp=tempfile -MIO::Socket::INET -e "
			my (\$f, \$n) = tempfile(UNLINK => 1); print \$f qq(x); close \$f;
			open my \$p, q(-|), q(seq 1 10) or die; my @l = <\$p>; close \$p; die unless @l == 10;
			my \$c = fork; if (!\$c) { POSIX::_exit(3) } waitpid \$c, 0; die unless \$? >> 8 == 3;
			my \$s = IO::Socket::INET->new(Listen => 1, LocalAddr => q(127.0.0.1)) or die;
			print qq(done\n);"'
	works 'the shell and the usual tools' find '
		mkdir -p a/b; echo text >a/b/c; tar cf /tmp/a.tar a; rm -r a; tar xf /tmp/a.tar; gzip -k a/b/c; zcat a/b/c.gz | grep text
		sed -i s/text/word/ a/b/c; find a -type f -newer Makefile -exec wc -c {} + >/dev/null; ln -s c a/b/l; cp -a a d; diff -r a d
		chmod 700 d; touch -d yesterday d/b/c; sort -R /etc/passwd | uniq | xargs -n1 echo >/dev/null; mkfifo f; (echo x >f &); cat f
		rm -r a d f; date >/dev/null; nproc >/dev/null; df . >/dev/null; ps >/dev/null 2>&1 || true; timeout 5 true; echo done'
	# What was made belongs to the user who has the workspace.
	is "$tier: the files made are the owner's" \
		"$(find . -newer Makefile ! -user "$(stat -c %u .)" | head)" ''
	rm -rf ./*
}
for_each_tier work_on
done_testing
