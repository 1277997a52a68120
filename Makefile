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
all_src = $(lib_src) $(supervisor_src) $(extension_src) $(proxyctl_src) \
	$(fake_src) $(unit_src) $(fuzz_src) $(bench_src)
all_hdr = $(wildcard lib/*/*.h supervisor/*.h extension/*.h proxyctl/*.h \
	proxyctl/agent/*.h tests/*/*.h)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
not_main = $(filter-out %/main.o,$(call obj,$(1)))

bins = $(if $(wildcard supervisor/main.c),$(bin_supervisor)) \
	$(if $(wildcard extension/main.c),$(bin_extension)) \
	$(if $(wildcard proxyctl/main.c),$(bin_proxyctl)) \
	$(if $(wildcard tests/fake/main.c),$(bin_fakeswarm)) \
	$(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(bench_src))
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
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/lib.a: $(call obj,$(lib_src))
$(BUILD)/supervisor.a: $(call not_main,$(supervisor_src))
$(BUILD)/extension.a: $(call not_main,$(extension_src))
$(BUILD)/proxyctl.a: $(call not_main,$(proxyctl_src))
$(BUILD)/fake.a: $(call not_main,$(fake_src))
$(BUILD)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

link = $(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)

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
	$(link)
$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(archives) $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(link)
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(archives) $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(link) -lcmocka
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(archives) $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(link)

.SECONDARY:

# Flavours are separate trees.
ASAN = -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
asan = $(MAKE) --no-print-directory BUILD=build/asan OPT='-O1 -g' \
	SANITIZE='$(ASAN)'

.PHONY: check-build unit
build-tests: $(bins) $(unit_bins)
unit: ## unit tests alone, under ASan and UBSan
	$(asan) build-tests
	tests/run.py --build build/asan unit

.PHONY: format
format: ## clang-format over the tree
	clang-format -i $(all_src) $(all_hdr)

.PHONY: clean
clean: ## remove what was built
	rm -rf build compile_commands.json

-include $(patsubst %.c,$(BUILD)/%.d,$(all_src))
