#include "config/entry_keys.h"
#include "config/entry_connections.h"
#include "config/entry_matcher.h"
#include "config/probe_keys.h"
#include "config/entry_path.h"
#include "core/policy.h"
#include "core/ref.h"
#include "core/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FLAPPING_MAX = 1000, DROPS_MAX = 1000000000 };

enum { LABELS_MAX = 16 };

#define DAY_MS            (INT64_C(24) * 3600 * 1000)
#define FOR_MAX_MS        (30 * DAY_MS)
#define WINDOW_MIN_MS     1000
#define WINDOW_MAX_MS     (30 * DAY_MS)
#define EXPECTED_FOR      "a duration " SCHEMA_RANGE " such as \"10s\""
#define EXPECTED_SEVERITY "\"info\", \"warning\" or \"critical\""

static int parse_name(void *field, const char *text)
{
    return entry_text_parse(field, EXPECT_NAME_MAX, text);
}

static int parse_severity(void *field, const char *text)
{
    for (int severity = 0; severity < SEVERITY_COUNT; severity++) {
        if (strcmp(text, severity_name((enum severity)severity)) == 0) {
            *(enum severity *)field = (enum severity)severity;
            return 0;
        }
    }
    return -EINVAL;
}

static void print_severity(const void *field, struct buf *out)
{
    schema_quote(out, severity_name(*(const enum severity *)field));
}

static void store_accept_queue(void *field, double value)
{
    struct expect *e = field;

    e->accept_queue = value;
    e->accept_queue_given = true;
}

static void print_accept_queue(const void *field, struct buf *out)
{
    const struct expect *e = field;

    schema_print_real(e->accept_queue_given ? e->accept_queue : ACCEPT_QUEUE_DEFAULT, out);
}

static bool is_true(const void *field)
{
    return *(const bool *)field;
}

static bool accept_queue_is_set(const void *field)
{
    const struct expect *e = field;

    return e->accept_queue_given || matcher_has_protocol(&e->match, PROTOCOL_TCP) ||
           matcher_has_protocol(&e->match, PROTOCOL_UNIX);
}

static void clear_families(void *field)
{
    bool *families = field;

    families[0] = families[1] = false;
}

static int parse_family(void *field, const char *text)
{
    bool *families = field;

    if (strcmp(text, "ipv4") == 0)
        families[0] = true;
    else if (strcmp(text, "ipv6") == 0)
        families[1] = true;
    else
        return -EINVAL;
    return 0;
}

static void print_families(const void *field, struct buf *out)
{
    const bool *families = field;

    buf_fmt(out, "[ %s%s%s ]", families[0] ? "\"ipv4\"" : "", families[0] && families[1] ? ", " : "",
            families[1] ? "\"ipv6\"" : "");
}

static bool families_are_set(const void *field)
{
    const bool *families = field;

    return families[0] || families[1];
}

/* Labels: names as Prometheus wants them, but those that alerts have anyway. */

static bool is_label_name(const char *name)
{
    static const char *const taken[] = {"address",  "alertname", "family",  "instance", "interface",
                                        "job",      "name",      "netns",   "path",     "port",
                                        "protocol", "rule",      "severity"};

    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(name, taken[i]) == 0)
            return false;
    for (const char *p = name; *p; p++)
        if (!isascii(*p) || (!isalnum(*p) && *p != '_'))
            return false;
    return strlen(name) <= ENTRY_LABEL_NAME_MAX && strncmp(name, "__", 2) != 0 && !isdigit(*name);
}

static int compare_labels(const void *a, const void *b)
{
    return strcmp(((const struct entry_label *)a)->name, ((const struct entry_label *)b)->name);
}

/* Those of an entry that failed are freed with it. */
static int add_label(struct expect *e, const char *name, const char *text)
{
    struct entry_label *all = reallocarray(e->labels, e->label_count + 1, sizeof *all), *added;

    if (!all)
        return -ENOMEM;
    e->labels = all;
    added = &all[e->label_count++];
    added->name = strdup(name);
    added->value = strdup(text);
    if (!added->name || !added->value)
        return -ENOMEM;
    qsort(all, e->label_count, sizeof *all, compare_labels);
    return 0;
}

static int put_label(void *field, const char *name, const char *text)
{
    char bounded[ENTRY_LABEL_VALUE_MAX + 1];
    struct expect *e = field;
    int r = entry_text_parse(bounded, sizeof bounded, text);

    if (!is_label_name(name))
        return -ENOENT;
    if (r < 0)
        return r;
    return e->label_count == LABELS_MAX ? -E2BIG : add_label(e, name, text);
}

static void print_labels(const void *field, struct buf *out)
{
    const struct expect *e = field;

    buf_str(out, "{ ");
    for (size_t i = 0; i < e->label_count; i++) {
        buf_fmt(out, "%s = ", e->labels[i].name);
        schema_quote(out, e->labels[i].value);
        buf_str(out, "; ");
    }
    buf_char(out, '}');
}

static bool labels_are_set(const void *field)
{
    return ((const struct expect *)field)->label_count > 0;
}

/* Protocols whose listeners may be unexpected. */

static void clear_protocols(void *field)
{
    *(unsigned *)field = 0;
}

static int parse_protocol(void *field, const char *text)
{
    return strcmp(text, protocol_name(PROTOCOL_UNIX)) == 0 ? -EINVAL : entry_protocol_parse(field, text);
}

static void print_protocols(const void *field, struct buf *out)
{
    unsigned mask = *(const unsigned *)field;
    const struct matcher match = {.protocols = mask ? mask : protocols_of_ip()};
    const char *between = "[ ";

    for (int p = -1; (p = matcher_next_protocol(&match, p)) < PROTOCOL_COUNT; between = ", ") {
        buf_str(out, between);
        schema_quote(out, protocol_name((enum protocol)p));
    }
    buf_str(out, " ]");
}

#define EXPECTED_WINDOW "a duration " SCHEMA_RANGE " such as \"10m\""

static const struct schema_key flapping_keys[] = {
    {.name = "max",
     .type = SCHEMA_INT,
     .offset = offsetof(struct allowed_rate, max),
     .max = FLAPPING_MAX,
     .initial = "3",
     .expected = "a number of interruptions " SCHEMA_RANGE "; 0 for any"},
    {.name = "window",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct allowed_rate, window_ms),
     .min = WINDOW_MIN_MS,
     .max = WINDOW_MAX_MS,
     .initial = "10m",
     .expected = EXPECTED_WINDOW},
    {0},
};

static const struct schema_key drops_keys[] = {
    {.name = "max",
     .type = SCHEMA_INT,
     .offset = offsetof(struct allowed_rate, max),
     .max = DROPS_MAX,
     .required = "",
     .expected = "a number of drops " SCHEMA_RANGE},
    {.name = "window",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct allowed_rate, window_ms),
     .min = WINDOW_MIN_MS,
     .max = WINDOW_MAX_MS,
     .initial = "1m",
     .expected = EXPECTED_WINDOW},
    {0},
};

const struct schema_key entry_keys_expect[] = {
    {.name = "name",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct expect, name),
     .min = 1,
     .max = EXPECT_NAME_MAX - 1,
     .required = "",
     .expected = "a name of " SCHEMA_RANGE " bytes of UTF-8 without control characters",
     .parse = parse_name,
     .print = entry_text_print},
    {.name = "match",
     .type = SCHEMA_INCLUDE,
     .offset = offsetof(struct expect, match),
     .children = entry_keys_matcher},
    {.name = "path",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct expect, match),
     .expected = "an absolute path of up to 107 bytes such as \"/run/mysqld/mysqld.sock\", or an abstract "
                 "name such as \"@bus\", without control characters and backslashes",
     .parse = entry_path_parse,
     .print = entry_path_print,
     .is_set = entry_path_is_set},
    {.name = "families",
     .type = SCHEMA_TEXTS,
     .offset = offsetof(struct expect, families),
     .expected = "\"ipv4\" or \"ipv6\"",
     .clear = clear_families,
     .parse = parse_family,
     .print = print_families,
     .is_set = families_are_set},
    {.name = "for",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct expect, for_ms),
     .max = FOR_MAX_MS,
     .initial = "0s",
     .expected = EXPECTED_FOR},
    {.name = "severity",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct expect, severity),
     .initial = "critical",
     .expected = EXPECTED_SEVERITY,
     .parse = parse_severity,
     .print = print_severity},
    {.name = "accept_queue",
     .type = SCHEMA_REAL,
     .max = 1000,
     .initial = "0.8", /* which ACCEPT_QUEUE_DEFAULT is */
     .expected = "a ratio " SCHEMA_RANGE " such as 0.8; 0 for any",
     .store_real = store_accept_queue,
     .print = print_accept_queue,
     .is_set = accept_queue_is_set},
    {.name = "flapping",
     .type = SCHEMA_GROUP,
     .offset = offsetof(struct expect, flapping),
     .children = flapping_keys},
    {.name = "drops",
     .type = SCHEMA_GROUP,
     .offset = offsetof(struct expect, drops),
     .children = drops_keys,
     .enabled_offset = offsetof(struct expect, drops_limited)},
    {.name = "counts", .type = SCHEMA_INCLUDE, .children = entry_connections_keys},
    {.name = "labels",
     .type = SCHEMA_PAIRS,
     .expected = "up to 16 labels such as { team = \"db\"; }, named as Prometheus names labels but none "
                 "that alerts have anyway, their texts of up to 255 bytes in one line",
     .put = put_label,
     .print = print_labels,
     .is_set = labels_are_set},
    {.name = "probe",
     .type = SCHEMA_INCLUDE,
     .offset = offsetof(struct expect, probe),
     .children = probe_keys},
    {0},
};

const struct schema_key entry_keys_allow[] = {
    {.name = "match",
     .type = SCHEMA_INCLUDE,
     .offset = offsetof(struct allow, match),
     .children = entry_keys_matcher},
    {.name = "kernel_chosen",
     .type = SCHEMA_BOOL,
     .offset = offsetof(struct allow, kernel_chosen),
     .initial = "false",
     .expected = "true or false",
     .is_set = is_true},
    {0},
};

const struct schema_key entry_keys_deny[] = {
    {.name = "match",
     .type = SCHEMA_INCLUDE,
     .offset = offsetof(struct deny, match),
     .children = entry_keys_matcher},
    {.name = "severity",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct deny, severity),
     .initial = "critical",
     .expected = EXPECTED_SEVERITY,
     .parse = parse_severity,
     .print = print_severity},
    {0},
};

const struct schema_key entry_keys_unexpected[] = {
    {.name = "severity",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct unexpected, severity),
     .initial = "warning",
     .expected = EXPECTED_SEVERITY,
     .parse = parse_severity,
     .print = print_severity},
    {.name = "for",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct unexpected, for_ms),
     .max = FOR_MAX_MS,
     .initial = "0s",
     .expected = EXPECTED_FOR},
    {.name = "ignore_loopback",
     .type = SCHEMA_BOOL,
     .offset = offsetof(struct unexpected, ignore_loopback),
     .initial = "false",
     .expected = "true or false"},
    {.name = "ignore_kernel_chosen",
     .type = SCHEMA_BOOL,
     .offset = offsetof(struct unexpected, ignore_kernel_chosen),
     .initial = "false",
     .expected = "true or false"},
    {.name = "protocols",
     .type = SCHEMA_TEXTS,
     .offset = offsetof(struct unexpected, protocols),
     .expected = "a list of \"tcp\", \"udp\", \"udplite\", \"sctp\", \"raw\" and \"packet\"",
     .clear = clear_protocols,
     .parse = parse_protocol,
     .print = print_protocols},
    {0},
};

const struct schema_key entry_keys_ephemeral[] = {
    {.name = "max_used",
     .type = SCHEMA_REAL,
     .offset = offsetof(struct ephemeral_limit, max_used),
     .min = 1,
     .max = 1000,
     .initial = "0.8",
     .expected = "a ratio " SCHEMA_RANGE " such as 0.8"},
    {.name = "for",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct ephemeral_limit, for_ms),
     .max = FOR_MAX_MS,
     .initial = "1m",
     .expected = EXPECTED_FOR},
    {.name = "severity",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct ephemeral_limit, severity),
     .initial = "warning",
     .expected = EXPECTED_SEVERITY,
     .parse = parse_severity,
     .print = print_severity},
    {0},
};
