# memelens. `make demo` and `make test` are the two commands of the README; `make help` names the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := all

PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

# SANITIZE=address,undefined and COVERAGE=1 build apart, so that no object is shared between them.
BUILD ?= build$(if $(SANITIZE),/sanitize)$(if $(COVERAGE),/coverage)

# V=1 shows the commands.
Q    := $(if $(V),,@)
say   = $(if $(V),,@echo '  $(1) $@')

CC      ?= cc
CFLAGS  ?= -O3 -g
# Long messages are cut on purpose.
WARN    := -Wall -Wextra -Wno-format-truncation -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(CI),-Werror)
PACKAGES := libturbojpeg sqlite3 libxxhash jansson chafa libpcre2-8 libutf8proc libmicrohttpd expat zlib
# Opened at run time (src/pixels/decode_vips.c, src/net/http.c and src/ocr/engine.c say why): their headers are needed, and the tests link them.
HEADERS  := vips libcurl tesseract libpq
CPPFLAGS_ALL := -std=c11 -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE -DLENS_VERSION='"$(VERSION)"' -Iinclude -Isrc -Itests/support \
	$(shell pkg-config --cflags $(PACKAGES) $(HEADERS) 2>/dev/null | sed 's/-I/-isystem /g') $(CPPFLAGS)
CFLAGS_ALL := $(CFLAGS) $(WARN) -pthread -ffp-contract=off $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all) \
	$(if $(COVERAGE),--coverage -O1)
LDLIBS_ALL := $(LDFLAGS) $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -ldnnl -lgomp -ldl -lstdc++ -lm -pthread $(LDLIBS)

# hnswlib's headers want C++: one file has that (src/search/graph_build.cc), and a clang its own compiler for it.
CXX     := $(if $(findstring clang,$(CC)),$(subst clang,clang++,$(CC)),g++)
CXXFLAGS_ALL = $(filter-out -std=%,$(CPPFLAGS_ALL)) -std=c++17 $(filter-out -Wstrict-prototypes -Wmissing-prototypes,$(CFLAGS_ALL))

LIBRARY_SOURCES := $(filter-out src/cli/%,$(wildcard src/*/*.c src/*/*/*.c src/*/*.cc))
PROGRAM_SOURCES := $(wildcard src/cli/*.c)
TEST_PROGRAMS   := $(wildcard tests/unit/test_*.c tests/golden/test_*.c tests/cli/test_*.c tests/http/test_*.c)
TEST_SUPPORT    := $(wildcard tests/support/*.c)
FUZZ_TARGETS    := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_PROGRAMS  := $(wildcard bench/*.c)
BENCH_SUPPORT   := $(wildcard bench/support/*.c)
WORD_MAP_SOURCES := tools/fit_word_map.c tools/word_pairs.c

object = $(patsubst %,$(BUILD)/%.o,$(basename $(1)))
LIBRARY := $(BUILD)/libmemelens.a
PROGRAM := $(BUILD)/memelens
TESTS   := $(patsubst %.c,$(BUILD)/%,$(TEST_PROGRAMS))
REPLAYS := $(patsubst %.c,$(BUILD)/%,$(FUZZ_TARGETS))
BENCHES := $(patsubst %.c,$(BUILD)/%,$(BENCH_PROGRAMS))

.PHONY: all help deps demo test run-tests check-includes coverage bench limits corpus word-map fuzz print-libs install uninstall clean

all: $(PROGRAM)

help:
	@echo 'make deps      install the system packages that are missing'
	@echo 'make           build $(PROGRAM)'
	@echo 'make demo      all of it on real pictures, ending in demo.html'
	@echo 'make test      every test (SANITIZE=address,undefined for the sanitizers)'
	@echo 'make coverage  every test, then the share of the lines of src/ that ran'
	@echo 'make fuzz      each fuzz target for SECONDS=60 (needs clang)'
	@echo 'make bench     everything that is claimed about speed, as a table (QUICK=1; bench/README.md says more)'
	@echo 'make limits    what very large and deep folders cost (QUICK=1: smaller ones)'
	@echo 'make word-map  the map from words to pictures that is built in, made again from PHOTOS=$(PHOTOS) with captions'
	@echo 'make install   into PREFIX=$(PREFIX), below DESTDIR'

deps:
	@tools/deps.sh

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.cc
	@mkdir -p $(@D)
	$(call say,c++)
	$(Q)$(CXX) $(CXXFLAGS_ALL) -MMD -MP -c -o $@ $<

# The loops that run on several threads of one stream. (clang has an OpenMP of its own, beside which oneDNN's would run too.)
$(BUILD)/src/nn/attention.o $(BUILD)/src/nn/finish.o $(BUILD)/src/nn/norm.o: CFLAGS_ALL += $(if $(findstring clang,$(CC)),,-fopenmp)

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
	$(Q)$(AR) rcs $@ $^

$(PROGRAM): $(call object,$(PROGRAM_SOURCES)) $(LIBRARY)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)

$(TESTS): $(BUILD)/%: $(BUILD)/%.o $(call object,$(TEST_SUPPORT)) $(LIBRARY)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_ALL) -o $@ $(filter-out $(LIBRARY),$^) $(LIBRARY) $(LDLIBS_ALL) -lcmocka $(shell pkg-config --libs $(HEADERS) 2>/dev/null)

# With gcc a fuzz target is linked to a driver that replays the corpus; `make fuzz` builds it with libFuzzer.
$(REPLAYS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/tests/fuzz/replay.o $(LIBRARY)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)

# The committed corpus is made again only by hand: encoders of another version write other bytes.
corpus: $(BUILD)/tests/fuzz/make_picture_corpus
	$<

$(BUILD)/tests/fuzz/make_picture_corpus: %: %.o $(call object,$(TEST_SUPPORT)) $(LIBRARY)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL) -lcmocka $(shell pkg-config --libs $(HEADERS) 2>/dev/null)

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

run-tests: $(PROGRAM) $(TESTS) $(REPLAYS) $(BENCHES) check-includes
	@BUILD=$(BUILD) PROGRAM=$(PROGRAM) tests/run.sh

check-includes:
	@tests/check-includes.sh

coverage: deps
	@tools/coverage.sh

fuzz: deps
	@tools/fuzz.sh

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
	@echo '$(LDLIBS_ALL)'

install: all
	install -D -m 755 $(PROGRAM) '$(DESTDIR)$(PREFIX)/bin/memelens'
	install -D -m 644 docs/memelens.1 '$(DESTDIR)$(PREFIX)/share/man/man1/memelens.1'
	install -d '$(DESTDIR)$(PREFIX)/share/bash-completion/completions' '$(DESTDIR)$(PREFIX)/share/zsh/site-functions'
	$(PROGRAM) completion bash >'$(DESTDIR)$(PREFIX)/share/bash-completion/completions/memelens'
	$(PROGRAM) completion zsh >'$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_memelens'

uninstall:
	rm -f '$(DESTDIR)$(PREFIX)/bin/memelens' '$(DESTDIR)$(PREFIX)/share/man/man1/memelens.1' \
	  '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/memelens' '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_memelens'

clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
