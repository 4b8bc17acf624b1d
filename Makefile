# SPDX-License-Identifier: GPL-2.0-only
#
# postern: one Makefile, no configure, everything built lands in $(BUILD). `make help` lists the targets.
#
# Yours: CC CFLAGS CPPFLAGS LDFLAGS BUILD PREFIX DESTDIR SYSCONFDIR UNITDIR; our own flags are added to them.
# Switches: SAN=address,undefined  DEBUG=1  WITH_SYSTEMD=0  REQUIRE_ALL=1 (a skipped test fails)  V=1.
# To work on a part: ROOMS="base wire" builds and tests only these rooms, T=addr runs only tests so named.

VERSION    := 0.1.0
BUILD      ?= build
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR    ?= /etc/systemd/system
SBINDIR    ?= $(PREFIX)/sbin
MANDIR     ?= $(PREFIX)/share/man
ROOMS      ?= base wire policy sys checks proc
CFLAGS     ?= $(if $(DEBUG),-Og -g3,-O2 -g)

CLANG      ?= clang
# Ubuntu's /usr/sbin/bpftool only works with the kernel it came with; the program behind it with any.
BPFTOOL    ?= $(firstword $(wildcard /usr/lib/linux-tools/*/bpftool) $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool) bpftool)
PKG_CONFIG ?= pkg-config
PYTHON     ?= /usr/bin/python3
# Two versions of clang-format never agree: only this one judges.
FORMATTER  ?= clang-format-14
RUN        := $(PYTHON) -B tests/run
OBJ        := $(BUILD)/obj
RESULTS    ?= $(abspath $(BUILD))/results
TAG        ?=

Q   := $(if $(V),,@)
say  = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

.DELETE_ON_ERROR:
.SECONDEXPANSION:
.SUFFIXES:
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules --no-print-directory

# ---- libraries -----------------------------------------------------------------------------------

PKGS     := libbpf libevent_core libssl libcrypto sqlite3 jansson libconfuse libcap libseccomp libcares \
	libidn2 libnftnl libmnl
ifneq ($(WITH_SYSTEMD),0)
HAVE_SYSTEMD := $(shell $(PKG_CONFIG) --exists libsystemd 2>/dev/null && echo 1)
endif
ALL_PKGS := $(PKGS) $(if $(HAVE_SYSTEMD),libsystemd)
LIB_CPPFLAGS := $(shell $(PKG_CONFIG) --cflags $(ALL_PKGS) 2>/dev/null)
LIB_LIBS     := $(shell $(PKG_CONFIG) --libs $(ALL_PKGS) 2>/dev/null)
CLI_LIBS     := $(shell $(PKG_CONFIG) --libs jansson 2>/dev/null)
TEST_LIBS    := $(shell $(PKG_CONFIG) --libs cmocka 2>/dev/null)

# ---- flags ---------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wconversion \
	-Wno-sign-conversion -Wswitch-enum -Wformat-security -Werror
# The empty value lets a source say `#define _GNU_SOURCE` as well.
OUR_CPPFLAGS := -D_GNU_SOURCE= -DPOSTERN_VERSION='"$(VERSION)"' -DPOSTERN_CONF_DIR='"$(SYSCONFDIR)/postern"' \
	$(if $(HAVE_SYSTEMD),-DHAVE_SYSTEMD) \
	-Idaemon -I. -I$(BUILD)/gen $(LIB_CPPFLAGS)
OUR_CFLAGS   := -std=gnu17 $(WARN) -fPIE -fstack-protector-strong -fno-strict-aliasing -fno-common
OUR_LDFLAGS  := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
ifneq ($(SAN),)
OUR_CFLAGS   += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
OUR_LDFLAGS  += -fsanitize=$(SAN)
else ifeq ($(DEBUG),)
OUR_CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
FLAGS_ID := $(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) $(LIB_LIBS)
COMPILE = $(CC) $(OUR_CPPFLAGS) $(DIR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS)
LINK    = $(CC) $(OUR_CFLAGS) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS)

# ---- sources -------------------------------------------------------------------------------------

LIB_SRC   := $(sort $(wildcard $(ROOMS:%=daemon/%/*.c)))
CLI_SRC   := $(sort $(wildcard cli/*.c))
TEST_SRC  := $(sort $(wildcard $(ROOMS:%=tests/unit/%/test_*.c) tests/unit/cli/test_*.c))
# A sanitizer makes calls of its own: its builds have no filters.
TEST_SRC  := $(if $(SAN),$(filter-out tests/unit/sys/test_sandbox.c,$(TEST_SRC)),$(TEST_SRC))
BPFT_SRC  := $(sort $(wildcard tests/bpf/test_*.c))
SCRIPT_TESTS := $(wildcard tests/unit/scripts/test_*.py)
FUZZ_SRC  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
BENCH_SRC := $(filter-out %.bpf.c,$(sort $(wildcard tests/bench/bench_*.c)))
# libspf2 is what the SPF cases are compared with; not every release has it.
BENCH_SRC := $(if $(wildcard /usr/include/spf2/spf.h),$(BENCH_SRC),$(filter-out %/bench_spf.c,$(BENCH_SRC)))
# What plays in the lab beside the real servers.
LAB_SRC   := $(filter-out %.bpf.c,$(sort $(wildcard tests/lab/*.c)))
ALL_C     := $(filter-out %.bpf.c,$(sort $(wildcard daemon/*.c daemon/*/*.c cli/*.c tests/*.c tests/*/*.c tests/*/*/*.c)))
ALL_H     := $(sort $(wildcard daemon/*/*.h cli/*.h tests/*.h tests/*/*.h tests/*/*/*.h bpf/abi.h))
BPF_FILES := $(wildcard bpf/*.[ch] tests/bench/*.bpf.c tests/lab/*.bpf.c)
MAN       := $(wildcard daemon/*.[158] cli/*.[158] scripts/*.[158])
SCRIPTS   := $(sort $(shell grep -lsE '^.!.*(sh|bash)$$' scripts/* .ci/run tests/run tests/*/* 2>/dev/null))

objs      = $(patsubst %.c,$(OBJ)/%.o,$(1))
SKEL     := $(patsubst bpf/%.bpf.c,$(BUILD)/gen/%.skel.h,$(wildcard bpf/*.bpf.c))
LIB      := $(BUILD)/libpostern.a
CLI_LIB  := $(if $(filter-out cli/main.c,$(CLI_SRC)),$(BUILD)/libpostern-cli.a)
PROGRAMS := $(if $(wildcard daemon/main.c),$(BUILD)/posternd) $(if $(CLI_SRC),$(BUILD)/postern)
picked    = $(if $(T),$(foreach p,$(1),$(if $(findstring $(T),$(p)),$(p))),$(1))
TESTS    := $(call picked,$(TEST_SRC:%.c=$(BUILD)/%))
BPFTESTS := $(call picked,$(BPFT_SRC:%.c=$(BUILD)/%))
FUZZERS  := $(call picked,$(FUZZ_SRC:%.c=$(BUILD)/%))
BENCHES  := $(BENCH_SRC:%.c=$(BUILD)/%)
PLAYERS  := $(LAB_SRC:%.c=$(BUILD)/%)

# ---- what is built -------------------------------------------------------------------------------

## all: daemon, CLI and BPF object (default)
all: $(PROGRAMS) $(LIB) $(SKEL)

## tests: build every test program without running it
tests: $(TESTS) $(BPFTESTS) $(FUZZERS) $(BENCHES) $(PLAYERS)

# Rewrites the target only when the words have changed, so that what depends on it is built again only then.
remember = mkdir -p $(@D) && printf '%s\n' '$(subst ','\'',$(1))' >$@.new && \
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

STAMP := $(BUILD)/flags
$(STAMP): FORCE
	$(Q)$(PKG_CONFIG) --print-errors --exists $(PKGS) || { echo "run scripts/install-deps as root"; exit 1; }
	$(Q)$(call remember,$(FLAGS_ID))
# A source that is gone must leave the archives.
$(BUILD)/sources: FORCE
	$(Q)$(call remember,$(LIB_SRC) $(CLI_SRC))
FORCE:

$(OBJ)/tests/%.o: DIR_CPPFLAGS = -Itests -I$(dir $<)
$(OBJ)/%.o: %.c $(STAMP)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(COMPILE) -MMD -MP -c -o $@ $<

$(patsubst %.c,$(OBJ)/%.o,$(shell grep -lsE '(bridge|postern)\.skel\.h' $(ALL_C))): | $(SKEL)
$(OBJ)/tests/bench/bench_xdp.o: | $(BUILD)/gen/bench_xdp.skel.h
$(OBJ)/tests/lab/flood.o: | $(BUILD)/gen/flood.skel.h

# `q`, not `r`: two rooms may each have a file of the same name.
$(LIB): $(call objs,$(LIB_SRC))
$(CLI_LIB): $(call objs,$(filter-out cli/main.c,$(CLI_SRC)))
$(LIB) $(CLI_LIB): $(BUILD)/sources
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) qcsD $@ $(filter %.o,$^)

$(BUILD)/posternd: $(OBJ)/daemon/main.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(LIB_LIBS)

$(BUILD)/postern: $(call objs,$(CLI_SRC) $(filter daemon/base/% daemon/wire/%,$(LIB_SRC)))
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(CLI_LIBS)

# The UAPI headers ask for asm/types.h, which Debian keeps in the directory of the machine.
BPF_CFLAGS := -target bpf -mcpu=v3 -std=gnu17 -O2 -g -Wall -Wextra -Werror -I. -I/usr/include/$(shell gcc -print-multiarch 2>/dev/null)
$(BUILD)/bridge.bpf.o: bpf/bridge.bpf.c
$(BUILD)/postern.bpf.o: bpf/postern.bpf.c
$(BUILD)/bench_xdp.bpf.o: tests/bench/bench_xdp.bpf.c
$(BUILD)/flood.bpf.o: tests/lab/flood.bpf.c
$(BUILD)/%.bpf.o: $(STAMP)
	$(call say,BPF,$(filter %/$*.bpf.c,$^))
	$(Q)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $(filter %/$*.bpf.c,$^)

# bpftool's code is written neither for our warnings nor for clang-tidy.
$(BUILD)/gen/%.skel.h: $(BUILD)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)mkdir -p $(@D) && { echo '#pragma GCC system_header /* NOLINTBEGIN */'; \
		$(BPFTOOL) gen skeleton $< name $*_bpf && echo '/* NOLINTEND */'; } >$@.new && mv $@.new $@

# A test may name helpers of its own in a comment "link: fake_db.c ../fake_clock.c" (paths from the test's
# directory). They are linked before the archive, so their symbols replace those of the real object.
helpers = $(call objs,$(patsubst $(CURDIR)/%,%,$(abspath $(addprefix $(dir $(1)),$(shell sed -n 's|^[/ ]\* *link: *\([^*]*\).*|\1|p' $(1))))))

$(TESTS) $(BPFTESTS) $(BENCHES) $(PLAYERS): $(BUILD)/%: $(OBJ)/%.o $$(call helpers,%.c) $(CLI_LIB) $(LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(LINK) -o $@ $^ $(TEST_LIBS) $(LIB_LIBS)

$(BUILD)/tests/bench/bench_spf: LIB_LIBS += -lspf2

$(FUZZERS): $(BUILD)/%: $(OBJ)/%.o $$(call helpers,%.c) $(OBJ)/tests/fuzz/replay_main.o $(LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(LINK) -o $@ $^ $(LIB_LIBS)

-include $(shell find $(OBJ) $(wildcard $(BUILD)/*.bpf.d) -name '*.d' 2>/dev/null)

# ---- tests ---------------------------------------------------------------------------------------

PYTEST_ENV = POSTERN_BUILD=$(abspath $(BUILD))

## check: unit tests and fuzz corpora; no root, no network (T=name picks)
check: $(TESTS) $(if $(TAG),,$(call picked,$(SCRIPT_TESTS))) $(FUZZERS)
	$(Q)$(RUN) programs --results $(RESULTS) --suite check$(TAG) $^

## check-bpf: verdicts of the XDP program through BPF_PROG_TEST_RUN (root)
check-bpf: $(BPFTESTS)
	$(Q)$(RUN) programs --results $(RESULTS) --suite check-bpf$(TAG) --root $^

## check-net: end to end in network namespaces, with real servers (root)
check-net: all $(PLAYERS)
	$(Q)$(PYTEST_ENV) $(RUN) pytest --results $(RESULTS) --suite check-net$(TAG) --root $(if $(T),-k '$(T)') tests/net

## check-fault: kill -9, disk full, damaged state (root)
check-fault: all
	$(Q)$(PYTEST_ENV) $(RUN) pytest --results $(RESULTS) --suite check-fault$(TAG) --root $(if $(T),-k '$(T)') tests/fault

## check-stock: on a Debian 12 of its own, emulated: its kernel, systemd, mail servers (root, an hour)
check-stock: all tests
	$(Q)$(PYTEST_ENV) $(RUN) pytest --results $(RESULTS) --suite check-stock --root --limit 7200 $(if $(T),-k '$(T)') tests/stock

## fuzz: libFuzzer on one target, T=smtp_data [TIME=60]
fuzz:
	$(Q)$(if $(wildcard tests/fuzz/fuzz_$(T).c),:,echo "T=... is one of: $(FUZZ_SRC:tests/fuzz/fuzz_%.c=%)"; exit 2)
	$(Q)$(MAKE) BUILD=$(BUILD)/fuzz CC=$(CLANG) SAN=fuzzer-no-link,address,undefined $(BUILD)/fuzz/fuzz_$(T)
	$(Q)mkdir -p $(BUILD)/fuzz/found/$(T)
	$(BUILD)/fuzz/fuzz_$(T) -max_total_time=$(or $(TIME),60) -artifact_prefix=$(BUILD)/fuzz/ \
		$(BUILD)/fuzz/found/$(T) $(wildcard tests/fuzz/corpus/$(T))
	@echo "new inputs: $(BUILD)/fuzz/found/$(T)"

$(BUILD)/fuzz_%: $(OBJ)/tests/fuzz/fuzz_%.o $$(call helpers,tests/fuzz/fuzz_$$*.c) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(LINK) -fsanitize=fuzzer -o $@ $^ $(LIB_LIBS)

## coverage: lines that `make check` reaches, file by file
coverage:
	$(Q)$(MAKE) BUILD=$(BUILD)/cov CC=gcc CFLAGS='-O0 -g --coverage' LDFLAGS=--coverage check
	$(Q)find $(BUILD)/cov/obj/daemon -name '*.gcno' | xargs gcov -n -r 2>/dev/null | \
		awk -F"'" '/^File/ { file = $$2 } /^Lines/ && file ~ /^daemon\/.*c$$/ { \
			sub(/Lines executed:/, ""); print file "\t" $$0; file = "" }' | sort | tee $(BUILD)/coverage.tsv
	@echo "written to $(BUILD)/coverage.tsv"

## bench: speed, beside HAProxy and the bare backend (root, quiet machine)
bench: all $(BENCHES) $(PLAYERS)
	$(Q)$(PYTEST_ENV) tests/bench/bench

# What `make run` and `make test` need on a fresh machine.
prepare:
	@[ "$$(id -u)" = 0 ] || { echo 'make $(MAKECMDGOALS): needs root' >&2; exit 1; }
	@scripts/install-deps
	@scripts/make-users

# Each step starts a make of its own: install-deps may just have brought the libraries that the flags come from.
STEP = $(RUN) step --results $(RESULTS)
JOBS := -j2
## test: install what is missing, then every check there is (root)
test: prepare
	@rm -rf $(RESULTS)
	@export REQUIRE_ALL=1 RESULTS=$(RESULTS); rc=0; \
	$(STEP) --suite build -- $(MAKE) $(JOBS) all tests || rc=1; \
	$(STEP) --suite lint -- $(MAKE) -k lint || rc=1; \
	$(STEP) --suite tidy -- $(MAKE) -k $(JOBS) tidy || rc=1; \
	$(MAKE) $(JOBS) check || rc=1; \
	$(MAKE) $(JOBS) BUILD=$(BUILD)/san SAN=address,undefined TAG=-san check || rc=1; \
	$(STEP) --suite build-clang -- $(MAKE) $(JOBS) BUILD=$(BUILD)/clang CC=$(CLANG) all tests || rc=1; \
	$(MAKE) BUILD=$(BUILD)/clang CC=$(CLANG) TAG=-clang check || rc=1; \
	$(MAKE) check-bpf || rc=1; $(MAKE) check-net || rc=1; $(MAKE) check-fault || rc=1; \
	$(RUN) total --results $(RESULTS) || rc=1; exit $$rc

## run: install what is missing, build, play the story in the lab (root)
run: prepare
	@$(MAKE) $(JOBS) all
	@$(PYTEST_ENV) tests/lab/lab run

## lab: build, bring the lab up and leave it up (root)
lab: prepare
	@$(MAKE) $(JOBS) all
	@$(PYTEST_ENV) tests/lab/lab up

# ---- looking at the source ------------------------------------------------------------------------

## lint: layers, sizes, words, headers alone, format, scripts, manuals, cppcheck
lint: lint-layers lint-sizes lint-words lint-manual lint-headers format-check lint-scripts lint-man lint-cppcheck

lint-layers lint-sizes lint-words lint-manual:
	$(call say,LINT,$@)
	$(Q)$(PYTHON) -B scripts/$@

lint-headers: $(SKEL)
	$(call say,LINT,$@)
	$(Q)for h in $(ALL_H); do $(COMPILE) -Itests -fsyntax-only -include $$h -x c /dev/null || bad=1; done; \
	for h in $(filter bpf/%.h,$(BPF_FILES)); do \
		$(CLANG) $(BPF_CFLAGS) -fsyntax-only -include $$h -x c /dev/null || bad=1; done; [ -z "$$bad" ]

lint-scripts:
	$(call say,LINT,$@)
	$(Q)$(if $(SCRIPTS),shellcheck $(SCRIPTS))

lint-man:
	$(call say,LINT,$@)
	$(Q)$(if $(MAN),mandoc -T lint -W warning $(MAN))

PRODUCT_C := $(wildcard daemon/*.c daemon/*/*.c cli/*.c)
# Leaks are left to ASan: cppcheck does not know AUTO(), the cleanup attribute.
# legacyUninitvar does not follow conditions; uninitvar, which does, is on.
lint-cppcheck:
	$(call say,LINT,$@)
	$(Q)[ -z "$(PRODUCT_C)" ] || cppcheck -q -j2 \
		--enable=warning,performance,portability --std=c11 --inline-suppr --error-exitcode=1 \
		--suppress=memleak --suppress=resourceLeak --suppress=legacyUninitvar \
		--library=scripts/lint-cppcheck.cfg -D_GNU_SOURCE -DHAVE_SYSTEMD -Idaemon -I. $(PRODUCT_C)

TIDY := $(PRODUCT_C:%=$(BUILD)/tidy/%.ok)
## tidy: clang-tidy, with the checks of .clang-tidy
tidy: $(TIDY)
$(BUILD)/tidy/%.ok: % $(ALL_H) .clang-tidy scripts/lint-tidy.h $(SKEL)
	$(call say,TIDY,$<)
	$(Q)mkdir -p $(@D) && clang-tidy --quiet --warnings-as-errors='*' $< -- \
		$(OUR_CPPFLAGS) -include scripts/lint-tidy.h -std=gnu17 $(filter-out -Werror,$(WARN)) 2>$@.log || { cat $@.log; exit 1; }
	$(Q)touch $@

FORMATTED = $(ALL_C) $(ALL_H) $(filter-out bpf/abi.h,$(BPF_FILES))
## format: clang-format in place
format:
	$(Q)$(if $(strip $(FORMATTED)),$(FORMATTER) -i $(FORMATTED))

## format-check: say what `make format` would change
format-check:
	$(call say,LINT,$@)
	$(Q)command -v $(FORMATTER) >/dev/null || { echo "SKIP format-check: no $(FORMATTER) here"; exit 0; }; \
	for f in $(FORMATTED); do $(FORMATTER) $$f | cmp -s - $$f || { echo "$$f: not as make format leaves it"; bad=1; }; \
	done; [ -z "$$bad" ]

## compile_commands: write compile_commands.json for editors and tools
compile_commands:
	$(Q)sep='['; for f in $(ALL_C); do printf '%s\n{"directory": "%s", "file": "%s", "command": "%s"}' "$$sep" \
		'$(CURDIR)' "$$f" '$(subst ','\'',$(subst ",\",$(COMPILE))) -Itests -c '"$$f"; sep=','; done >$@.json; echo ']' >>$@.json

# ---- installing ----------------------------------------------------------------------------------

## install: programs, manuals, default configuration, unit, users
install: all
	install -D -m 755 -t $(DESTDIR)$(SBINDIR) $(PROGRAMS) scripts/postern-setup
	sed -i 's|^conf_dir=.*|conf_dir=$(SYSCONFDIR)/postern|' $(DESTDIR)$(SBINDIR)/postern-setup
	for m in $(MAN); do install -D -m 644 -t $(DESTDIR)$(MANDIR)/man$${m##*.} $$m || exit 1; done
	install -d -m 755 $(DESTDIR)$(SYSCONFDIR)/postern
	cd daemon/etc && find . -type f | while read -r f; do to=$(DESTDIR)$(SYSCONFDIR)/postern/$${f#./}; \
		if [ -e $$to ]; then echo "kept $$to"; else install -D -m 644 $$f $$to || exit 1; fi; done
	if [ -n "$(DESTDIR)" ] || [ -d $(UNITDIR) ]; then install -d $(DESTDIR)$(UNITDIR) && \
		sed -e 's|@SBINDIR@|$(SBINDIR)|' -e 's|@CONFDIR@|$(SYSCONFDIR)/postern|' \
		-e 's|@TYPE@|$(if $(HAVE_SYSTEMD),notify,exec)|' scripts/posternd.service \
		>$(DESTDIR)$(UNITDIR)/posternd.service; else echo "no $(UNITDIR) here: no unit installed"; fi
	[ -n "$(DESTDIR)" ] || scripts/make-users
	@echo "Installed. Next: postern-setup --write, or edit $(SYSCONFDIR)/postern/postern.conf; then start posternd."

## uninstall: what install brought, except configuration, users and state; stop posternd first
uninstall:
	[ -n "$(DESTDIR)" ] || [ ! -x $(SBINDIR)/posternd ] || $(SBINDIR)/posternd --detach
	rm -f $(patsubst %,$(DESTDIR)$(SBINDIR)/%,posternd postern postern-setup) $(DESTDIR)$(UNITDIR)/posternd.service
	for m in $(MAN); do rm -f $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/}; done

## clean: remove $(BUILD)
clean:
	rm -rf $(BUILD)

## distclean: clean, and remove compile_commands.json
distclean: clean
	rm -rf compile_commands.json .pytest_cache

## help: this list
help:
	@sed -n 's/^## \([^:]*\): /\1\t/p' Makefile | sort | awk -F'\t' '{ printf "  %-18s%s\n", $$1, $$2 }'

.PHONY: all tests check check-bpf check-net check-fault check-stock fuzz coverage bench prepare test run lab lint lint-layers \
	lint-sizes lint-words lint-manual lint-headers lint-scripts lint-man lint-cppcheck tidy format format-check compile_commands \
	install uninstall clean distclean help FORCE
