#include "collectors/proc_counters_parse.h"

#include <string.h>

/* Where each counter stands. */
static const struct place {
    enum proc_counters_file file;
    const char *group; /* how its line begins; "" where a line is one counter */
    const char *name;
} places[HOST_COUNTER_COUNT] = {
    [HOST_TCP_LISTEN_OVERFLOWS] = {PROC_NETSTAT, "TcpExt:", "ListenOverflows"},
    [HOST_TCP_LISTEN_DROPS] = {PROC_NETSTAT, "TcpExt:", "ListenDrops"},
    [HOST_TCP_REQUEST_QUEUE_FULL_DROPS] = {PROC_NETSTAT, "TcpExt:", "TCPReqQFullDrop"},
    [HOST_TCP_REQUEST_QUEUE_FULL_COOKIES] = {PROC_NETSTAT, "TcpExt:", "TCPReqQFullDoCookies"},
    [HOST_TCP_SYNCOOKIES_SENT] = {PROC_NETSTAT, "TcpExt:", "SyncookiesSent"},
    [HOST_TCP_SYNCOOKIES_RECEIVED] = {PROC_NETSTAT, "TcpExt:", "SyncookiesRecv"},
    [HOST_TCP_SYNCOOKIES_FAILED] = {PROC_NETSTAT, "TcpExt:", "SyncookiesFailed"},
    [HOST_TCP_BACKLOG_DROPS] = {PROC_NETSTAT, "TcpExt:", "TCPBacklogDrop"},
    [HOST_TCP_ABORTS_ON_MEMORY] = {PROC_NETSTAT, "TcpExt:", "TCPAbortOnMemory"},
    [HOST_TCP_TIME_WAIT_OVERFLOWS] = {PROC_NETSTAT, "TcpExt:", "TCPTimeWaitOverflow"},
    [HOST_TCP_EMBRYONIC_RESETS] = {PROC_NETSTAT, "TcpExt:", "EmbryonicRsts"},
    [HOST_UDP_RECEIVE_BUFFER_ERRORS_IPV4] = {PROC_SNMP, "Udp:", "RcvbufErrors"},
    [HOST_UDP_RECEIVE_BUFFER_ERRORS_IPV6] = {PROC_SNMP6, "", "Udp6RcvbufErrors"},
    [HOST_UDP_IN_ERRORS_IPV4] = {PROC_SNMP, "Udp:", "InErrors"},
    [HOST_UDP_IN_ERRORS_IPV6] = {PROC_SNMP6, "", "Udp6InErrors"},
    [HOST_UDP_NO_PORTS_IPV4] = {PROC_SNMP, "Udp:", "NoPorts"},
    [HOST_UDP_NO_PORTS_IPV6] = {PROC_SNMP6, "", "Udp6NoPorts"},
    [HOST_TCP_ORPHANS] = {PROC_SOCKSTAT, "TCP:", "orphan"},
    [HOST_TCP_TIME_WAIT_SOCKETS] = {PROC_SOCKSTAT, "TCP:", "tw"},
    [HOST_TCP_MEMORY_BYTES] = {PROC_SOCKSTAT, "TCP:", "mem"},
};

/* A piece of text; not terminated. */
struct piece {
    const char *at;
    size_t length;
};

/* A file that is being parsed. */
struct parse {
    enum proc_counters_file file;
    struct piece left;
    uint64_t page_bytes;
    struct host_counters *counters;
    bool has_any; /* what the file is about was found */
    uint64_t malformed;
};

static bool piece_is(struct piece p, const char *text)
{
    return strlen(text) == p.length && memcmp(p.at, text, p.length) == 0;
}

/* Takes the next line that has its end. Returns false after the last. */
static bool next_line(struct parse *p, struct piece *ret)
{
    const char *end = p->left.length > 0 ? memchr(p->left.at, '\n', p->left.length) : NULL;

    if (!end) {
        p->malformed += p->left.length > 0; /* it was cut off */
        p->left.length = 0;
        return false;
    }
    *ret = (struct piece){p->left.at, (size_t)(end - p->left.at)};
    p->left.length -= ret->length + 1;
    p->left.at = end + 1;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes the next word of a line. Returns false, and an empty word, at its end. */
static bool next_word(struct piece *line, struct piece *ret)
{
    while (line->length > 0 && is_space(*line->at)) {
        line->at++;
        line->length--;
    }
    *ret = (struct piece){line->at, 0};
    while (line->length > 0 && !is_space(*line->at)) {
        line->at++;
        line->length--;
        ret->length++;
    }
    return ret->length > 0;
}

/* Returns false where it is no number, or larger than any. */
static bool parse_number(struct piece word, uint64_t *ret)
{
    uint64_t number = 0;

    for (size_t i = 0; i < word.length; i++) {
        unsigned digit = (unsigned char)word.at[i] - (unsigned)'0';

        if (digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, digit, &number))
            return false;
    }
    *ret = number;
    return word.length > 0;
}

/* The counter of that name, or HOST_COUNTER_COUNT where it is none of ours. */
static enum host_counter find_counter(const struct parse *p, const char *group, struct piece name)
{
    int i = 0;

    while (i < HOST_COUNTER_COUNT && (places[i].file != p->file || strcmp(places[i].group, group) != 0 ||
                                      !piece_is(name, places[i].name)))
        i++;
    return (enum host_counter)i;
}

static void take_value(struct parse *p, const char *group, struct piece name, struct piece word)
{
    enum host_counter counter = find_counter(p, group, name);
    uint64_t value;

    if (counter == HOST_COUNTER_COUNT)
        return;
    p->has_any = true;
    if (!parse_number(word, &value) ||
        (counter == HOST_TCP_MEMORY_BYTES && __builtin_mul_overflow(value, p->page_bytes, &value))) {
        p->malformed++;
        return;
    }
    p->counters->known[counter] = true;
    p->counters->values[counter] = value;
}

/* The group of a line, as our table has it, or NULL where it is none of ours. */
static const char *find_group(const struct parse *p, struct piece word)
{
    for (int i = 0; i < HOST_COUNTER_COUNT; i++)
        if (places[i].file == p->file && piece_is(word, places[i].group))
            return places[i].group;
    return NULL;
}

static size_t count_words(struct piece line)
{
    struct piece word;
    size_t count = 0;

    while (next_word(&line, &word))
        count++;
    return count;
}

/* Takes a line of names and one of values. If there is not one for each, nobody
 * knows which are missing. */
static void take_columns(struct parse *p, const char *group, struct piece names, struct piece values)
{
    struct piece name, value;

    p->has_any = true;
    if (count_words(names) != count_words(values)) {
        p->malformed++;
        return;
    }
    while (next_word(&names, &name) && next_word(&values, &value))
        take_value(p, group, name, value);
}

/* netstat and snmp. A line that is not followed by its values may be followed by
 * other names. */
static void parse_columns(struct parse *p)
{
    struct piece names, values, word;
    bool has_names = next_line(p, &names);

    while (has_names) {
        const char *group = next_word(&names, &word) ? find_group(p, word) : NULL;
        bool has_values = next_line(p, &values);
        struct piece line = values;

        if (!has_values) {
            p->malformed += group != NULL;
            return;
        }
        if (!group) {
            names = values;
            continue;
        }
        if (next_word(&values, &word) && piece_is(word, group)) {
            take_columns(p, group, names, values);
            has_names = next_line(p, &names);
        } else {
            p->malformed++;
            names = line;
        }
    }
}

/* snmp6 */
static void parse_rows(struct parse *p)
{
    struct piece line, name, value, rest;

    while (next_line(p, &line)) {
        (void)next_word(&line, &name);  /* an empty one is nobody's name */
        (void)next_word(&line, &value); /* likewise no number */
        if (!next_word(&line, &rest))
            take_value(p, "", name, value);
        else
            p->malformed += find_counter(p, "", name) != HOST_COUNTER_COUNT;
    }
}

/* sockstat */
static void parse_pairs(struct parse *p)
{
    struct piece line, name, value;

    while (next_line(p, &line)) {
        const char *group = next_word(&line, &name) ? find_group(p, name) : NULL;

        if (!group)
            continue;
        p->has_any = true;
        if (count_words(line) % 2 != 0) {
            p->malformed++;
            continue;
        }
        while (next_word(&line, &name) && next_word(&line, &value))
            take_value(p, group, name, value);
    }
}

uint64_t proc_counters_parse(enum proc_counters_file file, const char *text, size_t length,
                             uint64_t page_bytes, struct host_counters *c)
{
    struct parse p = {.file = file, .left = {text, length}, .page_bytes = page_bytes, .counters = c};

    for (int i = 0; i < HOST_COUNTER_COUNT; i++) {
        if (places[i].file != file)
            continue;
        c->known[i] = false;
        c->values[i] = 0;
    }
    switch (file) {
    case PROC_NETSTAT:
    case PROC_SNMP: parse_columns(&p); break;
    case PROC_SNMP6: parse_rows(&p); break;
    case PROC_SOCKSTAT: parse_pairs(&p); break;
    case PROC_COUNTERS_FILE_COUNT: break;
    }
    return p.malformed + !p.has_any;
}
