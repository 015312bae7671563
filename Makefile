# sockwatch: build, test, install. "make help" lists the targets.

VERSION := 0.1.0
REVISION := $(shell git describe --always --dirty 2>/dev/null || echo release)

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
DATADIR ?= $(PREFIX)/share/sockwatch
EXAMPLEDIR ?= $(PREFIX)/share/doc/sockwatch/examples

# O is where a build goes; WERROR=1 makes warnings errors; SANITIZE names
# sanitizers, e.g. SANITIZE=address,undefined; RELEASE is the Debian release that
# check-bare runs on.
O ?= build
# However it is written: a dependency file names its objects in one way only.
override O := $(patsubst $(CURDIR)/%,%,$(abspath $(O)))
WERROR ?=
SANITIZE ?=
RELEASE ?= bookworm

BUILD_PACKAGES := gcc libc6-dev make pkg-config \
	libmnl-dev libmicrohttpd-dev libconfig-dev libsystemd-dev libjansson-dev libcurl4-gnutls-dev
TEST_PACKAGES := clang clang-format clang-tidy cppcheck libcmocka-dev libclang-rt-dev shellcheck mandoc git \
	python3 iproute2 nftables procps systemd systemd-container mariadb-server redis-server nginx-light dnsmasq-base \
	prometheus

# make V=1 shows the commands.
ifeq ($(V),)
say = @echo "  $(1)";
endif

LIBRARIES := libmnl libmicrohttpd libconfig libsystemd jansson libcurl

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
HEADERS := $(wildcard $(addsuffix /*.h,$(FOLDERS) daemon tests/unit tests/integration tests/bench))
BENCHMARKS := $(patsubst %.c,$(O)/%,$(wildcard tests/bench/*.c))
ALL_SOURCES := $(LIB_SOURCES) $(DAEMON_SOURCES) $(wildcard tests/unit/*.c tests/integration/*.c tests/bench/*.c)

EXAMPLES := $(wildcard docs/examples/*.conf)

TIDY := $(addprefix tidy-,$(LIB_SOURCES) $(DAEMON_SOURCES))

all: $(O)/sockwatch

$(O)/sockwatch: $(LIB_OBJECTS) $(DAEMON_OBJECTS)
	$(call say,LD $@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# The header is touched only when what it says changes.
$(O)/version.h: FORCE
	@mkdir -p $(@D)
	@printf '#define SOCKWATCH_VERSION "%s"\n#define SOCKWATCH_REVISION "%s"\n' '$(VERSION)' '$(REVISION)' > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(DAEMON_OBJECTS): $(O)/version.h

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC $@)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# What each unit test links, besides itself: a growing line is growing coupling.
CORE_MODEL := core/net core/probe core/array core/services core/policy core/port_index core/owner core/program core/listener core/unix_path core/generation \
	core/history core/history_forget core/turnover core/socket_store core/socket_order core/listener_builder core/inventory core/choice core/listener_table core/conn_table core/conn_plane core/conn_row core/ephemeral core/unit_counts core/host_counters core/snapshot core/text core/buf
RULES := core/rules core/duration core/own core/judge_survey core/judge_roles core/judge_expect core/judge_connections core/judge_probe core/judge_deny core/judge_ephemeral core/judge_other core/uid_counts core/err
ALERTS := core/alert core/alert_plan core/alert_series core/alerts core/hand_over core/transition
NEEDS_test_err := core/err
NEEDS_test_buf := core/buf
NEEDS_test_duration := core/duration
NEEDS_test_text := core/text
NEEDS_test_unix_path := core/unix_path core/net core/array core/text
NEEDS_test_owner := core/owner core/program core/text core/buf
NEEDS_test_listener := core/listener core/unix_path core/net core/array core/owner core/program core/text core/buf
NEEDS_test_array := core/array
NEEDS_test_ref :=
NEEDS_test_generation := core/generation
NEEDS_test_turnover := core/turnover $(CORE_MODEL)
NEEDS_test_net := core/net core/array
NEEDS_test_services := core/services core/net core/array
NEEDS_test_conn_table := core/conn_table core/conn_plane core/conn_row core/ephemeral core/net core/array
NEEDS_test_conn_row := core/conn_row
NEEDS_test_unit_counts := core/unit_counts core/array
NEEDS_test_ephemeral := core/ephemeral core/net core/array
NEEDS_test_probe_schedule := core/probe_schedule core/probe core/policy core/port_index core/unix_path core/net core/array core/text
NEEDS_test_probes := collectors/probes collectors/probe_errno $(NEEDS_test_probe_schedule)
NEEDS_test_port_index := core/port_index core/net core/array
NEEDS_test_policy := core/policy core/port_index core/unix_path core/net core/array core/text
NEEDS_test_listener_table := $(CORE_MODEL)
NEEDS_test_uid_counts := core/uid_counts
NEEDS_test_sliding := core/sliding
NEEDS_test_windows := core/windows core/sliding $(RULES) $(CORE_MODEL)
NEEDS_test_told := collectors/told $(CORE_MODEL)
NEEDS_test_choice := $(CORE_MODEL)
NEEDS_test_history := $(CORE_MODEL)
NEEDS_test_snapshot := $(CORE_MODEL)
NEEDS_test_status := core/status
NEEDS_test_own := core/own $(CORE_MODEL)
NEEDS_test_rules := $(RULES) $(CORE_MODEL)
NEEDS_test_rules_owner := $(RULES) $(CORE_MODEL)
NEEDS_test_rules_ephemeral := $(RULES) $(CORE_MODEL)
NEEDS_test_verdict := $(RULES) $(CORE_MODEL)
NEEDS_test_unix_rules := $(RULES) $(CORE_MODEL)
NEEDS_test_rules_shared := $(RULES) $(CORE_MODEL)
NEEDS_test_alert := $(ALERTS) $(RULES) $(CORE_MODEL)
NEEDS_test_transition := $(NEEDS_test_alert)
NEEDS_test_hand_over := $(NEEDS_test_alert)
NEEDS_test_alert_series := $(NEEDS_test_alert)
NEEDS_test_memory := $(NEEDS_test_alert)
NEEDS_test_allowance := core/allowance
NEEDS_test_tell := daemon/tell daemon/clock core/allowance core/limits $(NEEDS_test_alert)
NEEDS_test_scan := config/scan core/text
NEEDS_test_lex := config/lex core/text core/buf
NEEDS_test_schema := config/schema config/connection_keys config/entry_keys config/entry_connections config/entry_matcher config/entry_checks config/entry_path config/probe_keys config/entry_pairs config/config core/duration core/probe core/net core/array \
	core/owner core/program core/policy core/port_index core/unix_path core/text core/buf
NEEDS_test_schema_text := $(NEEDS_test_schema)
SYNTAX := config/lex config/slip config/slips config/slips_text config/syntax
NEEDS_test_config := $(SYNTAX) config/load config/load_files config/report config/file_scan config/drop_ins config/error_list \
	config/read_file config/show config/scan $(NEEDS_test_schema) core/err
NEEDS_test_entries := $(RULES) $(CORE_MODEL) $(NEEDS_test_config)
NEEDS_test_judge_connections := $(NEEDS_test_entries)
NEEDS_test_probe_keys := $(NEEDS_test_config)
NEEDS_test_rules_probe := $(NEEDS_test_entries)
NEEDS_test_error_list := config/error_list core/text core/buf
NEEDS_test_entry_pairs := config/entry_pairs core/net core/array core/policy core/port_index core/unix_path core/text
NEEDS_test_config_large := $(NEEDS_test_config)
NEEDS_test_drop_ins := $(NEEDS_test_config)
NEEDS_test_syntax := $(NEEDS_test_config)
NEEDS_test_unix_config := $(NEEDS_test_config)
NEEDS_test_packet_rules := core/coverage $(RULES) $(CORE_MODEL) $(NEEDS_test_config)
NEEDS_test_netlink_parse := collectors/netlink_parse
NEEDS_test_inet_diag_parse := collectors/inet_diag_parse collectors/sock_diag_parse collectors/netlink_parse core/net core/array
NEEDS_test_packet_diag_parse := collectors/packet_diag_parse collectors/inet_diag_parse collectors/sock_diag_parse collectors/netlink_parse core/net core/array
NEEDS_test_unix_diag_parse := collectors/unix_diag_parse collectors/inet_diag_parse collectors/sock_diag_parse collectors/netlink_parse core/unix_path core/net core/array core/text
NEEDS_test_route_parse := collectors/route_parse collectors/netlink_parse core/net core/array
NEEDS_test_proc_raw_parse := collectors/proc_raw_parse
NEEDS_test_proc_counters_parse := collectors/proc_counters_parse
NEEDS_test_local_ports_parse := collectors/local_ports_parse core/net core/array
NEEDS_test_proc_net := collectors/proc_net collectors/proc_raw_parse
NEEDS_test_proc_pid_parse := collectors/proc_pid_parse core/text
NEEDS_test_unix_files := collectors/unix_files core/unix_path core/net core/array core/text
OWNERS := collectors/owners collectors/owners_gather collectors/owners_known collectors/owners_names collectors/owners_plan \
	collectors/owners_publish collectors/owners_scan collectors/owners_sockets collectors/owners_tables \
	collectors/owners_threads collectors/owners_upkeep collectors/owners_work collectors/process_table \
	collectors/share collectors/proc_pid_parse
NEEDS_test_dirents := collectors/dirents
NEEDS_test_cgroup := collectors/cgroup collectors/dirents collectors/mounts collectors/proc_pid_parse core/array core/text
NEEDS_test_cgroup_flood := collectors/cgroup collectors/dirents core/array
NEEDS_test_proc_scan := collectors/proc_scan collectors/dirents collectors/mounts collectors/proc_exe \
	collectors/proc_pid_parse core/program core/text
NEEDS_test_proc_exe := collectors/proc_exe core/program core/text
NEEDS_test_users := collectors/users core/array
NEEDS_test_user_worker := collectors/user_worker
NEEDS_test_user_database := collectors/user_database core/text
NEEDS_test_share := collectors/share
NEEDS_test_process_table := collectors/process_table core/array core/owner core/program core/text core/buf
NEEDS_test_owners_sockets := collectors/owners_sockets core/owner core/program core/array core/text core/buf
NEEDS_test_owners := $(OWNERS) core/owner core/program core/text core/buf
NEEDS_test_collectors := collectors/collectors collectors/told collectors/listener_source collectors/connection_source collectors/connection_units collectors/host_counter_source \
	collectors/proc_counters_parse collectors/proc_pid_parse collectors/owner_source \
	collectors/class_reader collectors/socket_class collectors/inet_diag_parse collectors/sock_diag_parse collectors/unix_diag_parse collectors/packet_diag_parse collectors/netlink_parse $(CORE_MODEL)
PROM := exporters/prom exporters/prom_probes exporters/prom_expected exporters/prom_host exporters/prom_units exporters/prom_alerts exporters/prom_listeners exporters/prom_connections exporters/prom_ephemeral exporters/exposition core/limits
NEEDS_test_cycle := daemon/cycle daemon/clock collectors/probes collectors/probe_errno core/probe_schedule core/windows core/sliding $(NEEDS_test_alert)
NEEDS_test_prom := $(PROM) exporters/view core/status $(ALERTS) $(RULES) $(CORE_MODEL)
JSON := exporters/json exporters/json_write exporters/expected
NEEDS_test_json := $(JSON) exporters/view core/status $(ALERTS) $(RULES) \
	$(CORE_MODEL)
NEEDS_test_json_read := exporters/json_read $(NEEDS_test_json)
TABLE := exporters/table exporters/table_expected exporters/grid exporters/grid_fit exporters/expected exporters/service_hint
NEEDS_test_table := $(TABLE) exporters/view $(ALERTS) $(RULES) $(CORE_MODEL)
NEEDS_test_expected := $(NEEDS_test_table)
NEEDS_test_service_hint := exporters/service_hint exporters/view $(ALERTS) $(RULES) $(CORE_MODEL)
NEEDS_test_render := exporters/page $(TABLE) $(PROM) $(NEEDS_test_json_read)
NEEDS_test_unix_view := $(NEEDS_test_render)
NEEDS_test_coverage := core/coverage $(RULES) $(CORE_MODEL)
NEEDS_test_baseline := exporters/baseline exporters/baseline_plan exporters/baseline_owner core/coverage \
	$(NEEDS_test_config) $(RULES) $(CORE_MODEL)
NEEDS_test_page := exporters/page exporters/expected exporters/view core/status $(ALERTS) $(RULES) $(CORE_MODEL)
NEEDS_test_board := exporters/board exporters/view config/config config/schema config/connection_keys config/entry_keys config/entry_connections config/entry_matcher config/entry_checks config/entry_path config/probe_keys config/entry_pairs \
	core/duration core/status \
	$(ALERTS) $(RULES) $(CORE_MODEL)
NEEDS_test_shelf := exporters/shelf core/buf
NEEDS_test_guests := exporters/guests
NEEDS_test_bodies := exporters/bodies exporters/shelf $(PROM) exporters/page $(JSON) $(NEEDS_test_board)
NEEDS_test_size := $(NEEDS_test_bodies)
NEEDS_test_threads := $(NEEDS_test_bodies)
NEEDS_test_http_routes := exporters/http_routes core/net core/array
NEEDS_test_http_listen := exporters/http_listen core/err $(CORE_MODEL)

# Functions that a test puts itself in front of; those of memory for the tests
# that refuse it (tests/unit/refuse.h).
ALLOCATORS := malloc calloc realloc reallocarray strdup
REFUSING := test_array test_choice test_told test_cycle test_listener_table test_history test_memory test_board test_bodies test_shelf test_guests test_http_listen \
	test_collectors test_unit_counts test_entry_pairs test_ephemeral test_verdict test_windows
$(foreach test,$(REFUSING),$(eval WRAPS_$(test) := $(ALLOCATORS)))
WRAPS_test_json_read := listener_key_compare
WRAPS_test_render := malloc calloc realloc reallocarray
WRAPS_test_threads := $(ALLOCATORS) free prom_render

.SECONDEXPANSION:
$(O)/tests/unit/test_%: $(O)/tests/unit/test_%.o $$(addsuffix .o,$$(addprefix $(O)/,$$(sort $$(NEEDS_test_$$*))))
	$(call say,LD $@)$(CC) $(ALL_LDFLAGS) $(WRAPS_test_$*:%=-Wl,--wrap=%) -o $@ $^ $(LIBS) -lcmocka

# make deps installs what "make run" needs, make deps-check what "make check"
# needs besides; where all is there, nothing is installed.
define install_packages
	@if ! command -v dpkg-query > /dev/null; then \
		echo "deps: not a Debian system, please provide: $(1)"; exit 0; \
	fi; \
	missing=; \
	for package in $(1); do \
		case $$(dpkg-query -W -f '$${Status}' $$package 2> /dev/null) in \
		*" installed") ;; \
		*) missing="$$missing $$package" ;; \
		esac; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "deps: missing packages; install them with:" >&2; \
		echo "  sudo apt-get install --no-install-recommends$$missing" >&2; exit 1; \
	fi; \
	echo "deps: installing$$missing"; \
	tests/install-packages$$missing
endef

deps:
	$(call install_packages,$(BUILD_PACKAGES))

deps-check:
	$(call install_packages,$(BUILD_PACKAGES) $(TEST_PACKAGES))

run: deps
	@$(MAKE) --no-print-directory all
	@echo "Starting sockwatch with its default configuration; stop it with Ctrl-C. Look at:"
	@echo "  http://127.0.0.1:10066/         a page for people"
	@echo "  http://127.0.0.1:10066/metrics  for Prometheus"
	@echo "  $(O)/sockwatch list              every listener of this machine"
	@exec $(O)/sockwatch daemon

# The whole suite: lint, then unit and integration tests of three builds, and
# those that have threads of a fourth. Of the two by clang only the sanitized one
# runs the modules that take longest.
LONG_MODULES := test_bounds test_owners test_users test_mariadb test_baseline test_generations
GCC_BUILD := O=$(O)/gcc CC=gcc WERROR=1
CLANG_BUILD := O=$(O)/clang CC=clang WERROR=1
SANITIZED_BUILD := O=$(O)/sanitized CC=clang WERROR=1 SANITIZE=address,undefined CFLAGS='-O1 -g'
THREADS_BUILD := O=$(O)/threads CC=clang WERROR=1 SANITIZE=thread CFLAGS='-O1 -g'

PARALLEL = $(MAKE) --no-print-directory -j"$$(nproc)"

check: deps-check
	@$(MAKE) --no-print-directory lint
	@$(PARALLEL) $(GCC_BUILD) built
	@$(MAKE) --no-print-directory $(GCC_BUILD) check-unit check-integration
	@$(PARALLEL) $(CLANG_BUILD) built
	@$(MAKE) --no-print-directory $(CLANG_BUILD) LEFT_OUT="$(LONG_MODULES)" check-unit check-integration
	@$(PARALLEL) $(SANITIZED_BUILD) built
	@$(MAKE) --no-print-directory $(SANITIZED_BUILD) check-unit check-integration
	@$(MAKE) --no-print-directory $(THREADS_BUILD) check-threads
	@echo "check: everything passed"

check-unit: $(UNIT_TESTS:%=$(O)/tests/unit/%)
	@tests/run-unit $^

# What integration tests run beside real servers.
INTEGRATION_HELPERS := $(addprefix $(O)/tests/integration/,deny_netlink fail_netlink.so flood libnss_slow.so.2)

built: all $(UNIT_TESTS:%=$(O)/tests/unit/%) $(INTEGRATION_HELPERS) $(BENCHMARKS)

check-integration: all $(INTEGRATION_HELPERS) $(BENCHMARKS)
	@tests/integration/run $(O) $(LEFT_OUT:%=-%)

# Writes what the daemon of this build was seen to keep to into docs/limits.md.
LIMITS_SECONDS := 1800

limits-table: all $(INTEGRATION_HELPERS)
	@SOCKWATCH_MODULE_SECONDS=$(LIMITS_SECONDS) tests/integration/run $(O) test_bounds | tee $(O)/bounds.txt
	@tests/integration/bounds_table docs/limits.md < $(O)/bounds.txt

# The tests that have threads; for a build with SANITIZE=thread. Its runtime may
# not start where addresses are more random than it knows.
THREAD_TESTS := test_threads test_user_worker
PLAIN_ADDRESSES = $$(setarch --addr-no-randomize true 2> /dev/null && echo setarch --addr-no-randomize)

check-threads: all $(THREAD_TESTS:%=$(O)/tests/unit/%)
	@$(PLAIN_ADDRESSES) tests/run-unit $(THREAD_TESTS:%=$(O)/tests/unit/%)
	@$(PLAIN_ADDRESSES) tests/integration/run $(O) test_http

bench: all $(BENCHMARKS)
	@tests/bench/run $(O)/tests/bench/bench_poll 200
	@tests/bench/run $(O)/tests/bench/bench_connections $(O)/tests/bench/hold_sockets 200000 20 15
	@tests/bench/run $(O)/tests/bench/bench_owners 2000 25 20
	@$(O)/tests/bench/bench_config 7
	@$(O)/tests/bench/bench_judge 200
	@$(O)/tests/bench/bench_render 4000 100
	@tests/bench/run tests/bench/bench_visibility.py $(abspath $(O)) 200000 20 20 100

$(O)/tests/integration/flood: $(addprefix $(O)/tests/integration/,flood_sockets.o flood_processes.o)

# It is loaded into a program that has its own idea of sanitizers, or none.
$(O)/tests/integration/%.so: tests/integration/%.c
	@mkdir -p $(@D)
	$(call say,LD $@)$(CC) -std=gnu17 -O2 -D_GNU_SOURCE -fPIC -shared -o $@ $< -ldl

$(O)/tests/integration/libnss_%.so.2: tests/integration/nss_%.c
	@mkdir -p $(@D)
	$(call say,LD $@)$(CC) -std=gnu17 -O2 -D_GNU_SOURCE -fPIC -shared -o $@ $<

$(O)/tests/integration/%: $(O)/tests/integration/%.o
	$(call say,LD $@)$(CC) $(ALL_LDFLAGS) -o $@ $^

$(O)/tests/bench/%: $(O)/tests/bench/%.o $(LIB_OBJECTS)
	$(call say,LD $@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# From 2.11 on cppcheck looks at every branch only when it is told to.
lint: $(O)/version.h
	@tests/lint/layers
	@tests/lint/pure . $(CC) -std=gnu17 $(ALL_CPPFLAGS)
	@tests/lint/test-pure $(CC) -std=gnu17 -D_GNU_SOURCE
	@tests/lint/layout $(ALL_SOURCES) $(HEADERS)
	@tests/lint/test-run-unit
	@tests/lint/limits
	@shellcheck quickstart .ci/run tests/install-packages tests/run-unit tests/bare-system tests/bench/run \
		tests/lint/layers tests/lint/layout tests/lint/limits tests/lint/pure tests/lint/test-pure \
		tests/lint/test-run-unit
	@mandoc -T lint -W warning config/sockwatch.conf.5 daemon/sockwatch.8
	@cppcheck $$(cppcheck --help | grep -q -e --check-level && echo --check-level=exhaustive) \
		--quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,performance,portability \
		-D_GNU_SOURCE -I. -I$(O) core config collectors exporters daemon
	@$(PARALLEL) --output-sync=target O=$(O) $(TIDY)
	@echo "lint: clean"

# What it says beside its findings is of use only when it cannot work.
$(TIDY): tidy-%: % FORCE
	@log=$(O)/$(subst /,-,$@).log; clang-tidy --quiet --warnings-as-errors='*' $< -- -std=gnu17 $(ALL_CPPFLAGS) \
		2> "$$log" || { cat "$$log"; exit 1; }

install: all
	install -D -m 755 $(O)/sockwatch $(DESTDIR)$(BINDIR)/sockwatch
	@if [ -e $(DESTDIR)$(SYSCONFDIR)/sockwatch/sockwatch.conf ]; then \
		echo "keeping $(DESTDIR)$(SYSCONFDIR)/sockwatch/sockwatch.conf"; \
	else \
		install -D -m 644 config/sockwatch.conf $(DESTDIR)$(SYSCONFDIR)/sockwatch/sockwatch.conf; \
	fi
	install -d -m 755 $(DESTDIR)$(SYSCONFDIR)/sockwatch/conf.d
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|/usr/bin/|$(BINDIR)/|; s|/etc/sockwatch|$(SYSCONFDIR)/sockwatch|' systemd/sockwatch.service \
		> $(DESTDIR)$(UNITDIR)/sockwatch.service
	chmod 644 $(DESTDIR)$(UNITDIR)/sockwatch.service
	install -D -m 644 daemon/sockwatch.8 $(DESTDIR)$(MANDIR)/man8/sockwatch.8
	install -D -m 644 config/sockwatch.conf.5 $(DESTDIR)$(MANDIR)/man5/sockwatch.conf.5
	install -D -m 644 monitoring/sockwatch.rules.yml $(DESTDIR)$(DATADIR)/sockwatch.rules.yml
	install -D -m 644 monitoring/prometheus.yml $(DESTDIR)$(DATADIR)/prometheus.yml
	install -D -m 644 systemd/process-names.conf $(DESTDIR)$(DATADIR)/process-names.conf
	install -d $(DESTDIR)$(EXAMPLEDIR)
	install -m 644 $(EXAMPLES) $(DESTDIR)$(EXAMPLEDIR)

# The configuration stays: it is the operator's.
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/sockwatch $(DESTDIR)$(UNITDIR)/sockwatch.service \
		$(DESTDIR)$(MANDIR)/man8/sockwatch.8 $(DESTDIR)$(MANDIR)/man5/sockwatch.conf.5 \
		$(DESTDIR)$(DATADIR)/sockwatch.rules.yml $(DESTDIR)$(DATADIR)/prometheus.yml \
		$(DESTDIR)$(DATADIR)/process-names.conf $(EXAMPLES:docs/examples/%=$(DESTDIR)$(EXAMPLEDIR)/%)

clean:
	rm -rf $(O)

help:
	@echo "make                    build $(O)/sockwatch"
	@echo "make deps               install the packages that a build needs (Debian, as root)"
	@echo "make run                deps, build, and run with the default configuration"
	@echo "make check              the whole test suite with gcc, clang and sanitizers"
	@echo "make check-unit         unit tests of one build"
	@echo "make check-threads      the tests that have threads, for a build with SANITIZE=thread"
	@echo "make check-integration  integration tests of one build, in namespaces of their own"
	@echo "make lint               layers, purity, format, static analysis, scripts, man pages"
	@echo "make bench              what polls, connections, owners, configurations, judging and rendering cost, each beside a reference"
	@echo "make limits-table       the figures in docs/limits.md, anew; SOCKWATCH_BOUNDS=full for the largest floods"
	@echo "make check-bare         both quickstart commands on a bare tree of Debian's RELEASE, bookworm or trixie"
	@echo "                        (root, needs mmdebstrap)"
	@echo "make install            install below DESTDIR and PREFIX ($(PREFIX))"
	@echo "make uninstall          remove what install put there, but for the configuration"
	@echo "make clean              remove $(O)"
	@echo
	@echo "Variables: CC, CFLAGS, O=DIR, V=1, WERROR=1, SANITIZE=address,undefined, RELEASE=$(RELEASE),"
	@echo "DESTDIR, PREFIX, SYSCONFDIR."

check-bare:
	tests/bare-system $(RELEASE)

-include $(LIB_OBJECTS:.o=.d) $(DAEMON_OBJECTS:.o=.d) $(wildcard $(O)/tests/*/*.d)

FORCE:
.SECONDARY:
.PHONY: FORCE all bench built check check-bare check-integration check-threads check-unit clean deps deps-check help install limits-table lint run uninstall
