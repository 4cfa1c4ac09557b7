# A thin front over meson: `make` builds into build/, from where every program runs uninstalled.
#
#   make            build                          make install   to PREFIX (/usr/local), below DESTDIR
#   make demo       build, and see davit at work   make bench     davit beside its peer and the floor
#   make check      every test                     make fuzz      feed the parsers for FUZZ_SECONDS each
#   make lint       clang-tidy, cppcheck, gcc      make format    clang-format on all sources
#   make clean      remove what was built          make uninstall  what make install has put there

BUILD  ?= build
PREFIX ?= /usr/local
MESON  ?= meson

.PHONY: all demo check install uninstall lint bench fuzz format clean deps

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

# Installs only what is missing; says nothing and costs little when all is there.
deps:
	@tools/install-deps build

$(BUILD)/build.ninja: | deps
	@$(MESON) setup $(BUILD) --prefix $(PREFIX) $(MESON_OPTIONS)

# A build directory keeps its prefix until another one is named.
ifneq ($(origin PREFIX),file)
.PHONY: prefix
prefix: $(BUILD)/build.ninja
	@$(MESON) configure $(BUILD) --prefix $(PREFIX)
all: prefix
endif

demo: all
	@tools/demo $(BUILD)

check: all
	@tools/install-deps test
	@tools/check $(SECTIONS)

install: all
	@$(MESON) install -C $(BUILD) --no-rebuild

uninstall: all
	@tools/uninstall $(BUILD)

lint: all
	@tools/install-deps lint
	@tools/lint $(BUILD)

bench: all
	@tools/install-deps test bench
	@bench/run-all

fuzz:
	@tools/install-deps build lint
	@tools/fuzz

format:
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format -i

clean:
	@rm -rf $(BUILD) build-asan build-fuzz build-lint
