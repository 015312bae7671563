# sockwatch: build, test, install. "make help" lists the targets.

VERSION := 0.1.0
REVISION := $(shell git describe --always --dirty 2>/dev/null || echo release)

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
DATADIR ?= $(PREFIX)/share/sockwatch

# O is where a build goes; WERROR=1 makes warnings errors; SANITIZE names
# sanitizers, e.g. SANITIZE=address,undefined.
O ?= build
WERROR ?=
SANITIZE ?=

BUILD_PACKAGES := gcc libc6-dev make pkg-config \
	libmnl-dev libmicrohttpd-dev libconfig-dev libsystemd-dev libjansson-dev
TEST_PACKAGES := clang clang-format clang-tidy cppcheck libcmocka-dev libclang-rt-14-dev shellcheck mandoc git \
	python3 iproute2 systemd mariadb-server redis-server dnsmasq-base prometheus

LIBRARIES := libmnl libmicrohttpd libconfig libsystemd jansson

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wundef -Wvla -Wwrite-strings -Wcast-qual -Wpointer-arith \
	-Wformat=2 -Wnull-dereference -Wimplicit-fallthrough -Wdouble-promotion -fno-common
HARDENING := -fstack-protector-strong -fstack-clash-protection -fPIE
ifeq ($(SANITIZE),)
HARDENING += -D_FORTIFY_SOURCE=2
else
WARNINGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SANITIZE)
endif
ifneq ($(WERROR),)
WARNINGS += -Werror
endif

CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu17 $(CFLAGS) $(WARNINGS) $(HARDENING) -pthread -MMD -MP
ALL_CPPFLAGS = -D_GNU_SOURCE -I. -I$(O) -DCONFIG_DEFAULT_PATH='"$(SYSCONFDIR)/sockwatch/sockwatch.conf"' \
	$$(pkg-config --cflags $(LIBRARIES)) $(CPPFLAGS)
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now,--as-needed $(LDFLAGS)
LIBS = $$(pkg-config --libs $(LIBRARIES))

FOLDERS := core config collectors exporters
LIB_SOURCES := $(foreach folder,$(FOLDERS),$(wildcard $(folder)/*.c))
DAEMON_SOURCES := $(wildcard daemon/*.c)
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(O)/%.o)
DAEMON_OBJECTS := $(DAEMON_SOURCES:%.c=$(O)/%.o)
UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
HEADERS := $(wildcard $(addsuffix /*.h,$(FOLDERS) daemon tests/unit))
ALL_SOURCES := $(LIB_SOURCES) $(DAEMON_SOURCES) $(wildcard tests/unit/*.c tests/integration/*.c tests/bench/*.c)

all: $(O)/sockwatch

$(O)/sockwatch: $(LIB_OBJECTS) $(DAEMON_OBJECTS)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# The header is touched only when what it says changes.
$(O)/version.h: FORCE
	@mkdir -p $(@D)
	@printf '#define SOCKWATCH_VERSION "%s"\n#define SOCKWATCH_REVISION "%s"\n' '$(VERSION)' '$(REVISION)' > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(DAEMON_OBJECTS): $(O)/version.h

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# What each unit test links, besides itself: a growing line is growing coupling.
CORE_MODEL := core/net core/services core/policy core/listener_table core/conn_table core/snapshot
NEEDS_test_err := core/err
NEEDS_test_buf := core/buf
NEEDS_test_duration := core/duration
NEEDS_test_net := core/net
NEEDS_test_services := core/services core/net
NEEDS_test_conn_table := core/conn_table
NEEDS_test_policy := core/policy core/net
NEEDS_test_listener_table := core/listener_table core/net core/services core/policy
NEEDS_test_snapshot := $(CORE_MODEL)
NEEDS_test_rules := core/rules core/buf core/err $(CORE_MODEL)
NEEDS_test_alert := core/alert core/net
NEEDS_test_scan := config/scan
NEEDS_test_schema := config/schema config/config core/duration core/net core/policy core/buf
NEEDS_test_config := config/load config/show config/scan $(NEEDS_test_schema) core/err
NEEDS_test_inet_diag_parse := collectors/inet_diag_parse
NEEDS_test_proc_raw_parse := collectors/proc_raw_parse
NEEDS_test_prom := exporters/prom core/rules core/alert core/buf core/err $(CORE_MODEL)
NEEDS_test_json := exporters/json core/rules core/alert core/buf core/err $(CORE_MODEL)
NEEDS_test_table := exporters/table core/rules core/buf core/err $(CORE_MODEL)
NEEDS_test_page := exporters/page core/rules core/alert core/buf core/err $(CORE_MODEL)

.SECONDEXPANSION:
$(O)/tests/unit/test_%: $(O)/tests/unit/test_%.o $$(patsubst %,$(O)/%.o,$$(sort $$(NEEDS_test_$$*)))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

FORCE:
.PHONY: FORCE all
