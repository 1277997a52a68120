# Bulkhead.  The two commands that do everything: "make run", "make test".
# "make help" lists the rest.

BUILD ?= build/plain
ifeq ($(origin CC),default)
CC = gcc
endif
WERROR ?= -Werror
OPT ?= -O2 -g
SANITIZE ?=
PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
CONFDIR ?= /etc/bulkhead
DESTDIR ?=

WARN = -Wall -Wextra $(WERROR) -Wshadow -Wvla -Wundef -Wformat=2 \
	-Wpointer-arith -Wwrite-strings -Wstrict-prototypes \
	-Wmissing-prototypes
CPPFLAGS_ALL = -D_GNU_SOURCE -Ilib -include lib/base/banned.h $(CPPFLAGS)
CFLAGS_ALL = -std=gnu11 $(OPT) $(WARN) -fstack-protector-strong \
	-fno-common $(SANITIZE) $(CFLAGS)
LDFLAGS_ALL = $(SANITIZE) -Wl,-z,relro,-z,now $(LDFLAGS)
# Debian's libnng-dev and libinih-dev: nng has no .pc file.
LIBS = -luv -lcurl -ljansson -linih -lnng -lmicrohttpd -lgnutls -lnettle
# The simulated Swarm's; not of the programs that are installed.
LIBS_FAKE = -lnghttp2

programs = supervisor extension proxyctl
bin_supervisor = $(BUILD)/bin/bulkhead-supervisor
bin_extension = $(BUILD)/bin/bulkhead-extension
bin_proxyctl = $(BUILD)/bin/proxyctl
bin_fakeswarm = $(BUILD)/bin/fakeswarm

lib_src = $(wildcard lib/*/*.c)
supervisor_src = $(wildcard supervisor/*.c)
extension_src = $(wildcard extension/*.c)
proxyctl_src = $(wildcard proxyctl/*.c proxyctl/agent/*.c)
fake_src = $(wildcard tests/fake/*.c)
unit_src = $(wildcard tests/unit/*_test.c)
fuzz_src = $(wildcard tests/fuzz/*_fuzz.c)
bench_src = $(wildcard tests/bench/*.c)
poison_src = $(wildcard tests/poison/*.c)
stepped_src = $(wildcard tests/nemesis/*.c)
torture_src = $(wildcard tests/torture/*.c)
all_src = $(lib_src) $(supervisor_src) $(extension_src) $(proxyctl_src) \
	$(fake_src) $(unit_src) $(fuzz_src) $(bench_src) $(poison_src) \
	$(torture_src)
all_hdr = $(wildcard lib/*/*.h supervisor/*.h extension/*.h proxyctl/*.h \
	proxyctl/agent/*.h tests/*/*.h)

# V=1 shows whole command lines.
Q = $(if $(V),,@)
say = @$(if $(V),true,echo)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
not_main = $(filter-out %/main.o,$(call obj,$(1)))

bins = $(if $(wildcard supervisor/main.c),$(bin_supervisor)) \
	$(if $(wildcard extension/main.c),$(bin_extension)) \
	$(if $(wildcard proxyctl/main.c),$(bin_proxyctl)) \
	$(if $(wildcard tests/fake/main.c),$(bin_fakeswarm)) \
	$(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(bench_src))
bin_poisoned = $(BUILD)/poison/bulkhead-extension
bin_poisoned_reader = $(BUILD)/poison/bulkhead-supervisor
bins_stepped = $(patsubst %,$(BUILD)/stepped/bin/%,bulkhead-supervisor \
	bulkhead-extension proxyctl)
failmalloc = $(BUILD)/torture/failmalloc.so
unit_bins = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(unit_src))
archives = $(BUILD)/supervisor.a $(BUILD)/extension.a $(BUILD)/proxyctl.a \
	$(BUILD)/fake.a

.PHONY: all help
all: $(bins) ## build the programs (into build/plain/bin)

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | \
		sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(say) "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/lib.a: $(call obj,$(lib_src))
$(BUILD)/supervisor.a: $(call not_main,$(supervisor_src))
$(BUILD)/extension.a: $(call not_main,$(extension_src))
$(BUILD)/proxyctl.a: $(call not_main,$(proxyctl_src))
$(BUILD)/fake.a: $(call not_main,$(fake_src))
$(BUILD)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcs $@ $^

link = $(Q)$(if $(V),,echo "  LINK  $@";) $(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)

$(bin_supervisor): $(call obj,$(supervisor_src)) $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(link)
$(bin_extension): $(call obj,$(extension_src)) $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(link)
$(bin_proxyctl): $(call obj,$(proxyctl_src)) $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(link)
$(bin_fakeswarm): $(call obj,$(fake_src)) $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(link) $(LIBS_FAKE)
$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(archives) $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(link) $(LIBS_FAKE)
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(archives) $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(link) -lcmocka $(LIBS_FAKE)
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(archives) $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(link) $(LIBS_FAKE)

# An extension and a reader that a service of a certain name ends: for tests
# only, and by the linker, so that what is released has no such switch.
$(bin_poisoned): LDFLAGS += -Wl,--wrap=labels_parse -Wl,--wrap=json_loadb
$(bin_poisoned_reader): LDFLAGS += -Wl,--wrap=json_loadb
$(bin_poisoned_reader): $(call obj,$(supervisor_src)) \
	$(BUILD)/tests/poison/reading.o $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(link)
$(bin_poisoned): $(call obj,$(extension_src)) $(call obj,$(poison_src)) \
	$(BUILD)/lib.a
	@mkdir -p $(@D)
	$(link)

# Preloaded, never linked; banned.h and sanitizers are not for an allocator.
$(failmalloc): tests/torture/failmalloc.c
	@mkdir -p $(@D)
	$(say) "  LINK  $@"
	$(Q)$(CC) -D_GNU_SOURCE -std=gnu11 -O1 -g $(WARN) -fPIC -shared \
		-o $@ $<

# The programs with a wall clock that jumps, for nemesis.
stepped = $(Q)mkdir -p $(@D); $(CC) $(LDFLAGS_ALL) -o $@ \
	-Wl,--export-dynamic-symbol=clock_gettime,--export-dynamic-symbol=time \
	-Wl,--export-dynamic-symbol=gettimeofday \
	-Wl,--export-dynamic-symbol=pthread_cond_timedwait \
	$(filter %.o,$^) $(filter %.a,$^) $(LIBS)
$(BUILD)/stepped/bin/bulkhead-supervisor: $(call obj,$(supervisor_src))
$(BUILD)/stepped/bin/bulkhead-extension: $(call obj,$(extension_src))
$(BUILD)/stepped/bin/proxyctl: $(call obj,$(proxyctl_src))
$(bins_stepped): $(call obj,$(stepped_src)) $(BUILD)/lib.a
	$(stepped)

.SECONDARY:

# Flavours are separate trees: build/plain, build/asan, build/clang ...
ASAN = -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
TSAN = -fsanitize=thread
flavour = $(MAKE) --no-print-directory -j$(JOBS)
JOBS ?= $(shell nproc)
asan = $(flavour) BUILD=build/asan OPT='-O1 -g' SANITIZE='$(ASAN)'
clang = $(flavour) BUILD=build/clang CC=clang OPT=-O1

.PHONY: build-tests deps deps-run deps-test deps-bench
build-tests: $(bins) $(unit_bins) $(bin_poisoned) $(bins_stepped) \
	$(bin_poisoned_reader) $(failmalloc)

deps: deps-test ## install the Debian packages that are missing
deps-run:
	@tests/deps.sh run
deps-test:
	@tests/deps.sh test
deps-bench:
	@tests/deps.sh bench

# ---- trying it ----

.PHONY: run demo
run: deps-run ## start everything on a simulated Swarm (SCRIPT=FILE: a tour)
	@$(flavour) all
	@tests/demo/run.py --build build/plain $(if $(SCRIPT),--script $(SCRIPT))

demo: deps-run ## a scripted tour that shows and checks what Bulkhead does
	@$(flavour) all
	@tests/demo/demo.py --build build/plain

# ---- images, for a Swarm ----

.PHONY: images images-base
VERSION ?= $(shell sed -n 's/.*BULKHEAD_VERSION "\(.*\)"/\1/p' \
	lib/base/version.h)
images: ## bulkhead:VERSION, bulkhead-proxy:VERSION, deploy/images.env (DOCKER_HOST)
	@deploy/images.sh build $(VERSION)

.PHONY: demo-swarm
demo-swarm: deps-test ## deploy/stack.yml on a private real Swarm, step by step
	@$(flavour) all
	@BULKHEAD_BUILD=build/plain tests/swarm/100_stack.py --demo

images-base: ## their Debian by debootstrap, where no registry is (APT_SOURCES=file)
	@deploy/images.sh base

# ---- tests ----

.PHONY: test unit cases hostile system contract torture test-swarm full fuzz-seeds
test: deps-test ## all everyday tests, under ASan and UBSan
	@$(asan) build-tests
	@$(flavour) fuzz-build
	tests/run.py --build build/asan unit cases hostile system contract \
		fuzz torture

unit cases hostile system contract torture: ## one group of tests (unit, cases ...)
	@$(asan) build-tests
	tests/run.py --build build/asan $@

test-swarm: deps-test ## what needs real Swarms of several nodes
	@$(asan) build-tests
	tests/run.py --build build/asan --jobs 1 swarm

.PHONY: test-skew
test-skew: OLD = HEAD~1
test-skew: deps-test ## OLD=REVISION with this: agents, control plane, an upgrade on a real Swarm
	@$(flavour) all
	@rm -rf build/old && mkdir -p build/old
	@git archive $(OLD) Makefile lib supervisor extension proxyctl | \
		tar -x -C build/old
	@$(flavour) -C build/old BUILD=build/plain all
	BULKHEAD_OLD=$(CURDIR)/build/old/build/plain tests/run.py \
		--build build/plain --only 660_version system
	BULKHEAD_OLD=$(CURDIR)/build/old/build/plain tests/run.py \
		--build build/plain --only 110_stack --jobs 1 swarm

full: deps-test ## gcc and clang, plain, ASan, TSan; fuzzing; real Swarms
	$(MAKE) lint
	$(flavour) all build-tests
	tests/run.py --build build/plain unit
	$(flavour) BUILD=build/tsan OPT='-O1 -g' SANITIZE='$(TSAN)' build-tests
	tests/run.py --build build/tsan unit
	$(clang) build-tests
	tests/run.py --build build/clang unit
	$(MAKE) fuzz T=60
	$(MAKE) test
	$(MAKE) torture TORTURE=all
	$(MAKE) test-swarm
	$(MAKE) format
	git diff --exit-code

# ---- what the tests reach: the pure parts; sandboxed processes leave no note

.PHONY: coverage
coverage: deps-test ## lines that unit tests, cases and hostile input reach
	@$(flavour) BUILD=build/coverage OPT='-O0 -g' SANITIZE=--coverage \
		build-tests
	@find build/coverage -name '*.gcda' -delete
	@tests/run.py --build build/coverage unit cases hostile | tail -n 1
	@tests/coverage.py build/coverage

# ---- fuzzing: libFuzzer brings its main; seeds in tests/fixtures ----

.PHONY: fuzz fuzz-build
T ?= 30
fuzz_names = $(patsubst tests/fuzz/%.c,%,$(fuzz_src))
fuzz_flags = BUILD=build/fuzz CC=clang OPT='-O1 -g' \
	SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all'
fuzz-build:
	@$(flavour) $(fuzz_flags) fuzz-bins
.PHONY: fuzz-bins
fuzz-bins: $(patsubst %,$(BUILD)/fuzz/%,$(fuzz_names))
$(BUILD)/fuzz/%: LDFLAGS += -fsanitize=fuzzer
fuzz: deps-test fuzz-build ## each fuzz target for T seconds (T=30)
	tests/fuzz/run.py --build build/fuzz --seconds $(T)

# ---- nemesis: faults at random under load, for T seconds ----

.PHONY: nemesis
nemesis: T = 60
nemesis: deps-test ## kill, stop, fill, cut: T=600 SEED=1 PUSH=0, under ASan
	@$(asan) build-tests
	BULKHEAD_BUILD=build/asan tests/nemesis/nemesis.py --seconds $(T) \
		$(if $(SEED),--seed $(SEED)) $(if $(filter 0,$(PUSH)),--poll)

# ---- figures ----

.PHONY: bench
bench: deps-bench ## measure, side by side in one run; one line of figures each
	@$(flavour) all
	@tests/bench/bench.py --build build/plain

.PHONY: bench-swarm
bench-swarm: deps-test ## the same on a real Swarm: push against polling, labels against Interlock
	@$(flavour) all
	@tests/bench/push.py --build build/plain
	@tests/bench/label.py --build build/plain

.PHONY: bench-scale
bench-scale: ## 10,000 services, 100,000 tasks, 50 clusters, 100 changes/s: T=60
	@$(flavour) all
	@tests/bench/scale.py --build build/plain --seconds $(T)

# ---- lint ----

.PHONY: lint lint-format lint-headers lint-tree lint-tidy lint-clang
lint: deps-test ## format, headers alone, layers, clang, tidy, cppcheck
	@$(MAKE) --no-print-directory -j$(JOBS) lint-format lint-headers lint-tree
	@$(clang) all build-tests
	@$(MAKE) --no-print-directory -j$(JOBS) lint-tidy lint-cppcheck
	@echo "lint: nothing to say"

lint-format:
	@clang-format --dry-run -Werror $(all_src) $(all_hdr)
lint-headers:
	@for h in $(all_hdr); do \
		$(CC) -x c $(CPPFLAGS_ALL) -std=gnu11 $(WARN) -fsyntax-only \
			$$h || exit 1; done
lint-tree:
	@tests/lint/layers.py
	@tests/lint/words.sh
	@shellcheck $$(git ls-files '*.sh') .ci/run
	@python3 -m compileall -q tests
tidy_marks = $(patsubst %.c,build/tidy/%.ok,$(lib_src) $(supervisor_src) \
	$(extension_src) $(proxyctl_src) $(fake_src))
lint-tidy: $(tidy_marks)
build/tidy/%.ok: %.c .clang-tidy $(all_hdr)
	@mkdir -p $(@D)
	@clang-tidy --quiet $< -- -std=gnu11 $(CPPFLAGS_ALL) 2>$@.log || \
		{ cat $@.log >&2; exit 1; }
	@touch $@
.PHONY: lint-cppcheck
lint-cppcheck:
	@cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -Ilib \
		--enable=warning,portability --suppress=missingIncludeSystem \
		--suppress=internalAstError --suppress=nullPointerArithmetic --suppress=invalidPrintfArgType_sint \
		-D_GNU_SOURCE --include=tests/lint/cppcheck.h -j$(JOBS) lib supervisor extension proxyctl

.PHONY: format
format: ## clang-format over the tree
	clang-format -i $(all_src) $(all_hdr)

compile_commands.json: Makefile ## for editors and clangd
	@{ printf '['; sep=; for f in $(all_src); do \
		printf '%s\n{"directory":"%s","file":"%s","command":"%s"}' \
			"$$sep" "$(CURDIR)" "$$f" \
			'$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c '"$$f"; \
		sep=,; done; printf ']\n'; } >$@

# ---- installing ----

.PHONY: install clean
install: all ## programs, man pages and samples (DESTDIR, PREFIX, CONFDIR)
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(BINDIR) \
		$(DESTDIR)$(CONFDIR)/clusters.d
	install -m 755 $(bin_supervisor) $(bin_extension) $(DESTDIR)$(SBINDIR)
	install -m 755 $(bin_proxyctl) $(DESTDIR)$(BINDIR)
	install -m 644 conf/bulkhead.ini $(DESTDIR)$(CONFDIR)/bulkhead.ini.sample
	install -m 644 conf/cluster.ini $(DESTDIR)$(CONFDIR)/cluster.ini.sample
	for page in docs/*.[1-9]; do \
		section=$${page##*.}; \
		install -D -m 644 $$page \
			$(DESTDIR)$(MANDIR)/man$$section/$${page##*/}; done

clean: ## remove what was built
	rm -rf build compile_commands.json

-include $(patsubst %.c,$(BUILD)/%.d,$(all_src))
