# Cupel: one Makefile, no recursion, everything built below build/.
#
#   make              programs into build/bin
#   make chaos MINUTES=n  storms of faults on real processes
#   make faults       each system call of monitor, router and workers fails
#   make resume       200 kills of the improvement loop
#   make check        every test                       make bench     figures against peers
#   make check-asan   the same under ASan and UBSan    make fuzz      bounded fuzzing
#   make check-layers purity, includes, linked libraries
#   make bench-equals decisions over equals on this machine now; 25 minutes at most
#   make lint         clang-tidy, cppcheck, manual pages
#   make install      DESTDIR, PREFIX                  make clean
#   make demo         the improvement loop on a small project, or on REPO=/path
#   make check-debian the same on programs of Debian's, PROJECTS="mawk lz4"; half an hour
#
# V=1 shows the commands. SANITIZE=1 and FUZZ=1 are the two other ways to
# compile the same sources; each has its own folder below build/.

PREFIX  ?= /usr/local
V       ?= 0
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash

version := 0.1.0

# ---- how to compile ----

warnings := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion \
	-Wsign-conversion -Wstrict-prototypes -Wold-style-definition \
	-Wmissing-prototypes -Wmissing-declarations -Wredundant-decls \
	-Wformat=2 -Wvla -Wundef -Wwrite-strings -Wpointer-arith -Wcast-qual \
	-Wcast-align=strict -Wnested-externs -Wswitch-enum -Wnull-dereference \
	-Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wjump-misses-init \
	-Wdouble-promotion -Walloca -Wimplicit-fallthrough
hardening := -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	-fstack-clash-protection -fPIE -fcf-protection
link_hardening := -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,-z,defs
sanitizers := -fsanitize=address,undefined -fno-sanitize-recover=all

CC       = gcc
out     := build
CFLAGS  ?= -O2 -g
cflags   = -std=c17 $(CFLAGS) $(warnings) $(hardening)
ldflags  = $(link_hardening) -Wl,--as-needed

ifdef SANITIZE
out     := build/asan
cflags   = -std=c17 -O1 -g $(warnings) $(sanitizers) -fno-omit-frame-pointer -fPIE
ldflags  = -pie $(sanitizers) -Wl,--as-needed
endif
ifdef FUZZ
CC       = clang
out     := build/fuzz
cflags   = -std=c17 -O1 -g -Wall $(sanitizers) -fsanitize=fuzzer-no-link -DFUZZING
ldflags  = $(sanitizers) -fsanitize=fuzzer
endif

cppflags = -I. -D_GNU_SOURCE -DCUPEL_VERSION='"$(version)"'

ifeq ($(V),0)
quiet = @printf '  %-5s %s\n' $(1) $(2);
endif

# ---- the rooms: a static library each, in the order they may lean on ----

rooms := common sandbox workers improve store git supervisor cli
sources := $(filter-out tests/workspaces/%,\
	$(shell find common sandbox supervisor workers tests -name '*.c' 2>/dev/null))
common_sources  := $(wildcard common/*.c common/core/*.c common/wire/*.c)
sandbox_sources := $(wildcard sandbox/*.c)
workers_sources := $(wildcard workers/*.c)
improve_sources := $(filter-out %/main.c,$(wildcard workers/improve/*.c))
git_sources     := $(filter-out %/main.c,$(wildcard workers/git/*.c))
store_sources   := $(filter-out %/main.c,$(wildcard workers/store/*.c))
cli_sources     := $(filter-out %/main.c,$(wildcard supervisor/cli/*.c))
# Of the supervisor, what its programs and their tests share: the pure cores.
supervisor_sources := $(wildcard supervisor/*/*_core.c)
support_sources := $(wildcard tests/support/*.c)

object  = $(patsubst %.c,$(out)/%.o,$(1))
archive = $(out)/$(1).a
core_objects := $(call object,$(filter common/core/%.c,$(sources)) \
	$(filter-out tests/%,$(filter %_core.c,$(sources))))

# What a room's code needs from outside; --as-needed drops what a program does not use.
libraries := -lmsgpackc -ljansson -lconfuse -lexpat -lsqlite3 -lsodium -lm
ifneq ($(sandbox_sources),)
libraries += -lseccomp -lcap
endif

# ---- the programs: a name, its sources; one without sources is not built ----

cupel_sources := supervisor/cli/main.c $(cli_sources)
cupeld_sources := $(filter-out %_core.c,$(wildcard supervisor/monitor/*.c))
cupel-router_sources := $(filter-out %_core.c,$(wildcard supervisor/router/*.c))
cupel-catalog_sources := $(wildcard supervisor/catalog/*.c)
# A worker program is a folder of workers/ and a manifest of its name.
workers := $(patsubst workers/%/main.c,%,$(wildcard workers/*/main.c))
$(foreach w,$(workers),$(eval cupel-$(w)_sources := \
	$(if $(filter $(w),$(rooms)),workers/$(w)/main.c,$(wildcard workers/$(w)/*.c))))

programs := $(foreach p,cupel cupeld cupel-router cupel-catalog $(workers:%=cupel-%),$(if $($(p)_sources),$(p)))

bins  := $(programs:%=$(out)/bin/%)
units := $(patsubst tests/unit/%.c,$(out)/tests/%,$(wildcard tests/unit/test_*.c))
simulations := $(patsubst tests/simulation/%/main.c,$(out)/tests/sim_%,$(wildcard tests/simulation/*/main.c))
fuzzers := $(patsubst tests/fuzz/%.c,$(out)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
benches := $(patsubst tests/bench/%.c,$(out)/tests/%,$(wildcard tests/bench/bench_*.c))
scripts := $(wildcard tests/system/*.sh)
chaos := $(wildcard tests/chaos/*.sh)
containment := $(wildcard tests/containment/*.sh)
probe := $(out)/tests/containment/probe
# NAME.c is a program, NAME_*.c are its other parts.
storms := $(foreach s,$(basename $(notdir $(wildcard tests/chaos/*.c))),\
	$(if $(findstring _,$(s)),,$(out)/tests/chaos/$(s)))

.PHONY: all bench-equals chaos faults resume check check-debian demo check-asan check-containment check-layers fuzz bench lint install clean
all: $(bins)

# The first step of every build: what is missing is installed, once.
setup := build/.setup
$(setup): etc/setup
	@etc/setup build test
	@mkdir -p $(@D) && touch $@

$(out)/%.o: %.c Makefile | $(setup)
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(cppflags) $(cflags) -MMD -MP -c -o $@ $<

define room_rule
$(call archive,$(1)): $(call object,$($(1)_sources))
	@mkdir -p $$(@D)
	$$(call quiet,AR,$$@)rm -f $$@ && ar rcsD $$@ $$^
endef
$(foreach r,$(rooms) support,$(eval $(call room_rule,$(r))))

# The presets' system-call filters, compiled by a program of our own while
# building; always by the plain compiler, however the rest is compiled.
generator := build/generate_filters
filters   := build/sandbox/preset_filters
$(generator): sandbox/generate/filters.c sandbox/seccomp_compile.c \
		sandbox/seccomp_checks.c sandbox/observe.c sandbox/view.c sandbox/preset.c sandbox/bind.c \
		sandbox/syscalls.c common/arena.c common/error.c \
		common/core/failure.c \
		$(wildcard sandbox/*.h) | $(setup)
	$(call quiet,HOST,$@)gcc $(cppflags) -std=c17 -O1 -o $@ $(filter %.c,$^) -lseccomp

$(filters).c: $(generator)
	@mkdir -p $(@D)
	$(call quiet,GEN,$@)$< >$@

$(out)/sandbox/preset_filters.o: $(filters).c
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(cppflags) $(cflags) -MMD -MP -c -o $@ $<
$(call archive,sandbox): $(out)/sandbox/preset_filters.o

# The built-in manifests: their texts for the loader of catalogues, and what
# each promises for the worker program that keeps it.
manifests := $(wildcard etc/tools/*.tool)
contracts := build/generate_contracts
$(contracts): supervisor/catalog/generate/contracts.c supervisor/catalog/manifest.c \
		$(common_sources) $(wildcard supervisor/catalog/*.h common/*.h common/*/*.h) | $(setup)
	$(call quiet,HOST,$@)gcc $(cppflags) -std=c17 -O1 -o $@ $(filter %.c,$^) \
		-lmsgpackc -ljansson -lconfuse -lsodium -lm

build/supervisor/catalog/builtin.c: $(contracts) $(manifests)
	@mkdir -p $(@D)
	$(call quiet,GEN,$@)$< builtin $(manifests) >$@

build/workers/contract_%.c: etc/tools/%.tool $(contracts)
	@mkdir -p $(@D)
	$(call quiet,GEN,$@)$(contracts) worker $< >$@

generated := $(out)/supervisor/catalog/builtin.o \
	$(workers:%=$(out)/workers/contract_%.o)
$(generated): $(out)/%.o: build/%.c Makefile
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(cppflags) $(cflags) -MMD -MP -c -o $@ $<
$(out)/bin/cupel-catalog: $(out)/supervisor/catalog/builtin.o
$(foreach w,$(workers),$(eval $(out)/bin/cupel-$(w): $(out)/workers/contract_$(w).o))

archives := $(call archive,supervisor) $(call archive,improve) $(call archive,store) $(call archive,git) $(call archive,workers) $(call archive,sandbox) $(call archive,common)

# Linked statically: a launch is as quick as its loader, and what a program
# holds is in its link map, where 'make check-layers' reads it.
static := $(if $(SANITIZE)$(FUZZ),,-static-pie)
# libgit2's own libraries come without archives: that program has a loader.
$(out)/bin/cupel-git: static :=
$(out)/bin/cupel-git: libraries := -lgit2 $(libraries)
define program_rule
$(out)/bin/$(1): $(call object,$($(1)_sources)) $(archives)
	@mkdir -p $$(@D) $(out)/maps
	$$(call quiet,LD,$$@)$(CC) $$(ldflags) $$(static) -Wl,-Map=$(out)/maps/$(1).map -o $$@ $$^ $$(libraries)
endef
# A sanitized monitor could not confine, and a leak checker in its loader would
# have to trace: they are the plain ones, above sanitized routers and workers.
plain := $(if $(SANITIZE),cupeld cupel-catalog)
$(foreach p,$(filter-out $(plain),$(programs)),$(eval $(call program_rule,$(p))))
.PHONY: $(plain:%=$(out)/bin/%)
$(plain:%=$(out)/bin/%):
	@$(MAKE) --no-print-directory SANITIZE= build/bin/$(@F)
	@mkdir -p $(@D) && cp build/bin/$(@F) $@

# ---- tests ----

# The whole monitor inside of a test that counts its allocations; its own
# programs are where an installation has them.
heap_test := $(out)/tests/test_monitor_heap
$(out)/supervisor/monitor/main_of_test.o: $(out)/supervisor/monitor/main.o
	objcopy --redefine-sym main=cupeld_main $< $@
$(heap_test): $(filter-out %/main.o,$(call object,$(cupeld_sources))) \
	$(out)/supervisor/monitor/main_of_test.o | $(out)/libexec/cupel $(bins)
$(heap_test): private ldflags += -Wl,--wrap=loop_run,--start-group

# A part of the monitor's shell, without the rest.
$(out)/tests/test_pool_faults: $(call object,supervisor/monitor/faults.c)

# The loader's own parts.
manifest_test := $(out)/tests/test_manifest
$(manifest_test): $(filter-out %/main.o,$(call object,$(cupel-catalog_sources)))
$(manifest_test): private ldflags += -Wl,--start-group
$(heap_test) $(manifest_test): private libraries += -Wl,--end-group
$(out)/libexec/cupel:
	@mkdir -p $(@D) && ln -sfn ../bin $@

$(units): $(out)/tests/%: $(out)/tests/unit/%.o $(call archive,support) \
		$(call archive,cli) $(archives)
	$(call quiet,LD,$@)$(CC) $(ldflags) -o $@ $^ $(libraries) -lcmocka

# A simulation is a folder.
define simulation_rule
$(1): $(call object,$(wildcard $(1:$(out)/tests/sim_%=tests/simulation/%/*.c))) $(archives)
	$$(call quiet,LD,$$@)$(CC) $$(ldflags) -o $$@ $$^ $$(libraries)
endef
$(foreach s,$(simulations),$(eval $(call simulation_rule,$(s))))

$(benches): $(out)/tests/%: $(out)/tests/bench/%.o $(call archive,support) $(archives)
	$(call quiet,LD,$@)$(CC) $(ldflags) -o $@ $^ $(libraries)

# The tests that link libgit2.
$(patsubst %,$(out)/tests/test_%,change copy snapshot): private libraries += -lgit2

# An example of a tool, built as its own comment says.
example := $(out)/tests/examples/primes
$(example): etc/examples/primes.c etc/examples/cupel_tool.h
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CC) -D_GNU_SOURCE $(cflags) $(ldflags) -o $@ $<
$(out)/tests/test_examples: | $(example)

# Outside FUZZ=1 a fuzz target is linked with a main that replays its corpus.
fuzz_main := $(if $(FUZZ),,$(call object,tests/fuzz/replay.c))
$(fuzzers): $(out)/tests/%: $(out)/tests/fuzz/%.o $(fuzz_main) $(archives)
	$(call quiet,LD,$@)$(CC) $(ldflags) -o $@ $^ $(libraries)

# The faults of real processes: programs that chaos.sh and call.sh use.
define storm_rule
$(1): $(1).o $(call object,$(wildcard $(1:$(out)/%=%_*.c))) $(archives)
	$$(call quiet,LD,$$@)$(CC) $$(ldflags) -o $$@ $$^ $$(libraries)
endef
$(foreach s,$(storms),$(eval $(call storm_rule,$(s))))

# cupel with one thing taken out of it, for a test that must notice: a script
# of sed(1), whose first line names the source, or more, and says what goes.
mutants := $(patsubst tests/containment/%.sed,$(out)/%/cupel,$(wildcard tests/containment/mutants/*.sed))
$(mutants): $(out)/mutants/%/cupel: tests/containment/mutants/%.sed $(call object,$(cupel_sources)) $(archives)
	@mkdir -p $(@D)
	$(call quiet,LD,$@)source=$$(sed -n '1s/^# \([^:]*\):.*/\1/p' $<) && \
		sed -f $< $$source >$(@D)/mutant.c && ! cat $$source | cmp -s - $(@D)/mutant.c && \
		$(CC) $(cppflags) $(cflags) -c -o $(@D)/mutant.o $(@D)/mutant.c && \
		$(CC) $(ldflags) $(static) -o $@ $(filter %.o,$^) $(@D)/mutant.o $(archives) $(libraries)

# Static as well: inside a sandbox there may be no loader, nor a library.
$(probe): $(call object,$(wildcard tests/containment/*.c))
	$(call quiet,LD,$@)$(CC) $(ldflags) $(static) -o $@ $^

# Sanitized, the storms are shorter; what a monitor allocates or a launcher
# confines, campaigns, which measure, statistics, and what mostly waits are left to
# the plain run.
unsanitized := $(heap_test) $(patsubst %,$(out)/tests/test_%,decision_noise sign_flip) \
	$(wildcard $(patsubst %,tests/chaos/%.sh,faults flap resume)) \
	$(patsubst %,tests/system/%.sh,aims breakers budget byhand deaf environment files full gaming guard holdout learn lessons many \
		numberless paused recovery refused reuse run_lifetime run_recover schedule settle thresholds watch watched) \
	$(containment) tests/layers/check

# What takes longest begins first, so that nothing is waited for at the end.
long := $(patsubst %,tests/system/%.sh,watch watched refused files recovery reuse deaf learn paused)

check: $(bins) $(units) $(simulations) $(fuzzers) $(core_objects) $(probe) $(storms) $(if $(SANITIZE),,$(mutants))
	@$(if $(SANITIZE),CHAOS_SECONDS=20 CHAOS_KILLS=300 )tests/run $(out) \
		$(filter-out $(if $(SANITIZE),$(unsanitized)), $(chaos) $(long) \
			$(simulations) $(fuzzers) $(units) $(filter-out $(long),$(scripts)) \
			$(containment) tests/layers/check)

# An upstream that flaps for so many minutes, beside a thousand jobs that flee; then
# storms with one seed after the other, for as many.
MINUTES ?= 10
chaos: $(bins) $(probe) $(storms)
	@FLAP_SECONDS=$$((60 * $(MINUTES))) CHAOS_ESCAPES=1000 CHAOS_DEADLINES=2000 \
		TEST_SECONDS=$$((60 * $(MINUTES) + 900)) tests/run $(out) tests/chaos/{flap,chaos}.sh
	@end=$$((SECONDS + 60 * $(MINUTES))); for ((seed = 1; SECONDS < end; seed++)); do \
		echo "CUPEL_SEED=$$seed"; \
		TEST_SECONDS=900 CUPEL_SEED=$$seed tests/run $(out) $(chaos) || exit 1; \
	done

# Every system call that a clean run makes, failing: an hour and a half.
faults: $(bins) $(probe) $(storms)
	@CUPEL_FAULTS=all TEST_SECONDS=10800 tests/run $(out) tests/chaos/faults.sh

# The improvement loop under 200 kills at random moments.
resume: $(bins) $(probe)
	@RESUME_SECONDS=5400 RESUME_ROUNDS=200 TEST_SECONDS=6000 CUPEL_SEED=$(or $(CUPEL_SEED),1) \
		tests/run $(out) tests/chaos/resume.sh

# What a confined command can do, and nothing else.
check-containment: $(bins) $(probe) $(mutants)
	@tests/run $(out) $(containment) $(filter tests/system/run% tests/system/compat%,$(scripts))

check-asan:
	@$(MAKE) --no-print-directory SANITIZE=1 check

check-layers: $(bins) $(core_objects)
	@tests/run $(out) tests/layers/check

fuzz: etc/setup
	@etc/setup build fuzz
	@$(MAKE) --no-print-directory FUZZ=1 fuzz-run

.PHONY: fuzz-run
fuzz-run: $(fuzzers)
	@tests/fuzz/run $(FUZZ_SECONDS) $(fuzzers)

bench: $(bins) $(benches)
	@etc/setup bench
	@tests/bench/run $(out) $(benches) $(wildcard tests/bench/*.sh)

# The workspace's program beside a copy made in the same way: a file that was
# copied is read faster than one that was written piece by piece.
equals := $(out)/tests/live_equals
$(equals): $(out)/tests/bench/live_equals.o $(call archive,support) $(archives)
	$(call quiet,LD,$@)$(CC) $(ldflags) -o $@ $^ $(libraries)
bench-equals: $(equals)
	@rm -rf $(out)/equals && mkdir -p $(out)/equals
	@for arm in a b; do cp -R tests/workspaces/weblog $(out)/equals/$$arm && \
		$(MAKE) -s -C $(out)/equals/$$arm; done
	@$(equals) $(out)/equals/a $(out)/equals/b ./weblog access.log

# Under three minutes; the scratch folder it leaves is named at its end.
demo: $(bins)
	@tests/demo $(out)/bin/cupel $(REPO)

# Fetches sources; needs an archive of them. The table is what they gained.
check-debian: $(bins) $(probe)
	@etc/setup debian
	@TEST_SECONDS=7200 tests/run $(out) tests/workspaces/debian.sh; code=$$?; \
		sed -n 's/^# | /  /p' $(out)/results/debian.sh.tap; exit $$code

lint: $(setup)
	@etc/setup lint
	@etc/lint

# ---- install ----

pages := $(wildcard etc/man/*.[1-8])
settings := $(wildcard etc/cupel.conf)
policies := $(wildcard etc/policies/*.policy)
examples := $(wildcard etc/examples/*.*)
install: $(bins)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/cupel
	$(if $(bins),install -m 755 $(bins) $(DESTDIR)$(PREFIX)/bin)
	$(if $(settings),install -m 644 $(settings) $(DESTDIR)$(PREFIX)/share/cupel)
	$(if $(policies),install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/cupel/policies $(policies))
	$(if $(examples),install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/cupel/examples $(examples))
	set -e; for page in $(pages); do \
		file=$${page##*/}; man=$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}; \
		install -D -m 644 -t $$man $$page; \
		for name in $$(awk '/^\.Nd/ { exit } /^\.Nm/ { print $$2 }' $$page); do \
			[ $$name.$${page##*.} = $$file ] || \
				ln -sf $$file $$man/$$name.$${page##*.}; \
		done; \
	done

clean:
	rm -rf build

-include $(sources:%.c=$(out)/%.d)
