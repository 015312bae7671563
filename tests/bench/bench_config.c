/* What loading a configuration costs.
 *
 * usage: bench_config ROUNDS
 *
 * Writes files of the largest accepted size, each of another shape: many entries,
 * many ranges, long texts, many errors, deep nesting. Each is loaded, checked and
 * sealed; one that is valid is then shown, too. Beside them stands libconfig's own
 * parse of the first of them, so that the ratio of the two depends little on the
 * machine and only on what loading costs. Each round takes both, so that they are
 * paired; medians are printed, and the ratio is the median of the rounds' ratios.
 * What a configuration keeps is what malloc() has handed out for it. */
#include "config/config.h"
#include "tests/bench/bench.h"

#include <fcntl.h>
#include <libconfig.h>
#include <malloc.h>

enum { TEXT_BYTES = 1 << 20 };

/* Appends the n-th item of a shape. */
typedef void item_fn(struct buf *text, size_t n);

struct shape {
    const char *name, *head;
    item_fn *item;
    const char *separator, *tail;
};

static unsigned low_byte(size_t n, unsigned shift)
{
    return (unsigned)(n >> shift) & 255;
}

static void entry_on_own_port(struct buf *text, size_t n)
{
    buf_fmt(text, "{name=\"s%zu\";port=%zu;protocol=\"%s\"}", n, n % UINT16_MAX + 1,
            n < UINT16_MAX ? "tcp" : "udp");
}

static void entry_at_own_address(struct buf *text, size_t n)
{
    buf_fmt(text, "{name=\"s%zu\";port=1;address=\"10.%u.%u.%u\"}", n, low_byte(n, 16), low_byte(n, 8),
            low_byte(n, 0));
}

static void entry_with_owner(struct buf *text, size_t n)
{
    buf_fmt(text, "{name=\"s%zu\";port=%zu;process=\"p%zu\";user=\"u%zu\";unit=\"s%zu.service\"}", n,
            n % UINT16_MAX + 1, n, n, n);
}

static void same_entry(struct buf *text, size_t n)
{
    (void)n;
    buf_str(text, "{name=\"a\";port=1}");
}

static void entry_of_own_name(struct buf *text, size_t n)
{
    buf_fmt(text, "{name=\"%zu\";port=1}", n);
}

static void every_other_port(struct buf *text)
{
    for (unsigned port = 1; port < 2 * 1024; port += 2)
        buf_fmt(text, "%s%u", port > 1 ? "," : "", port);
}

static void entry_of_ranges(struct buf *text, size_t n)
{
    buf_fmt(text, "{name=\"s%zu\";address=\"10.0.%u.%u\";ports=\"", n, low_byte(n, 8), low_byte(n, 0));
    every_other_port(text);
    buf_str(text, "\"}");
}

static void wide_entry(struct buf *text, size_t n)
{
    buf_fmt(text, "{name=\"%zu\";ports=\"1-1000\"}", n);
}

static void half_the_ports(struct buf *text, size_t n)
{
    buf_fmt(text, "{name=\"%zu\";ports=\"1-30000,30001-65535\"}", n);
}

static void allowed_port(struct buf *text, size_t n)
{
    buf_fmt(text, "{port=%zu}", n % UINT16_MAX + 1);
}

static void other_port(struct buf *text, size_t n)
{
    buf_fmt(text, "%zu", 1 + 2 * n % UINT16_MAX);
}

static void address(struct buf *text, size_t n)
{
    buf_fmt(text, "\"10.%u.%u.%u:1\"", low_byte(n, 16), low_byte(n, 8), low_byte(n, 0));
}

static void unknown_key(struct buf *text, size_t n)
{
    buf_fmt(text, "k%zu=1;", n);
}

static void group_of_unknown_keys(struct buf *text, size_t n)
{
    (void)n;
    buf_char(text, '{');
    for (size_t i = 0; i < 100; i++)
        unknown_key(text, i);
    buf_char(text, '}');
}

static void empty_group(struct buf *text, size_t n)
{
    (void)n;
    buf_str(text, "{}");
}

static void deeper_group(struct buf *text, size_t n)
{
    (void)n;
    buf_str(text, "{a=");
}

static void deeper_list(struct buf *text, size_t n)
{
    (void)n;
    buf_char(text, '(');
}

static void letter(struct buf *text, size_t n)
{
    (void)n;
    buf_char(text, 'x');
}

static void octal_number(struct buf *text, size_t n)
{
    (void)n;
    buf_str(text, "07");
}

static void piece_of_string(struct buf *text, size_t n)
{
    (void)n;
    buf_str(text, "\"x\" ");
}

static void blank_line(struct buf *text, size_t n)
{
    (void)n;
    buf_char(text, '\n');
}

static const struct shape shapes[] = {
    {"entries on distinct ports", "expect=(", entry_on_own_port, ",\n", ");"},
    {"entries with owners", "expect=(", entry_with_owner, ",\n", ");"},
    {"entries on one port, distinct addresses", "expect=(", entry_at_own_address, ",", ");"},
    {"entries on one port, one name", "expect=(", same_entry, ",", ");"},
    {"entries on one port, distinct names", "expect=(", entry_of_own_name, ",", ");"},
    {"entries of 1024 ranges", "expect=(", entry_of_ranges, ",", ");"},
    {"entries of 1000 ports, all the same", "expect=(", wide_entry, ",", ");"},
    {"entries of all ports in two ranges", "expect=(", half_the_ports, ",", ");"},
    {"one entry of many ranges", "expect=({name=\"a\";ports=\"", other_port, ",", "\"});"},
    {"allow entries", "allow=(", allowed_port, ",", ");"},
    {"entries without anything", "allow=(", empty_group, ",", ");"},
    {"addresses that serve HTTP", "web={listen=[", address, ",", "];};"},
    {"unknown keys", "", unknown_key, "", ""},
    {"unknown keys in entries", "expect=(", group_of_unknown_keys, ",", ");"},
    {"groups in groups", "a=", deeper_group, "", ""},
    {"lists in lists", "a=", deeper_list, "", ""},
    {"one long name", "expect=({port=1;name=\"", letter, "", "\"});"},
    {"one name in many pieces", "expect=({port=1;name=", piece_of_string, "", "});"},
    {"one long key", "", letter, "", "=1;"},
    {"numbers with leading zeros", "a=(", octal_number, ",", ");"},
    {"empty lines", "", blank_line, "", ""},
};

static void make_text(const struct shape *shape, struct buf *text)
{
    buf_str(text, shape->head);
    for (size_t n = 0;; n++) {
        size_t before = text->len;

        if (n > 0)
            buf_str(text, shape->separator);
        shape->item(text, n);
        if (text->len + strlen(shape->tail) > TEXT_BYTES) {
            buf_truncate(text, before);
            break;
        }
    }
    buf_str(text, shape->tail);
    if (text->failed)
        die("memory");
}

static void write_file(const char *path, const struct buf *text)
{
    FILE *file = fopen(path, "we");

    if (!file || fwrite(text->data, 1, text->len, file) != text->len || fclose(file) != 0)
        die(path);
}

static double measure_libconfig(const struct buf *text)
{
    double before = own_cpu();
    config_t parsed;

    config_init(&parsed);
    if (config_read_string(&parsed, buf_text(text)) != CONFIG_TRUE)
        die("libconfig");
    before = own_cpu() - before;
    config_destroy(&parsed);
    return before;
}

static size_t memory_in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

struct loaded {
    double loading, showing;
    size_t kept, shown;
    bool valid;
};

static struct loaded measure_loading(const char *path)
{
    struct loaded ret = {.valid = false};
    struct config *config;
    struct buf out;
    size_t memory = memory_in_use();

    buf_init(&out);
    ret.loading = own_cpu();
    ret.valid = config_load(path, &config, &out) == 0;
    ret.loading = own_cpu() - ret.loading;
    if (ret.valid) {
        ret.kept = memory_in_use() - memory;
        ret.showing = own_cpu();
        config_show(config, &out);
        ret.showing = own_cpu() - ret.showing;
        ret.shown = out.len;
        config_unref(config);
    }
    buf_done(&out);
    return ret;
}

static void measure(const struct shape *shape, const struct buf *reference, const char *path, size_t rounds)
{
    double *loading = calloc(rounds, sizeof *loading), *ratios = calloc(rounds, sizeof *ratios);
    struct loaded last = {.valid = false};
    struct buf text;

    if (!loading || !ratios)
        die("memory");
    buf_init(&text);
    make_text(shape, &text);
    write_file(path, &text);
    for (size_t i = 0; i < rounds; i++) {
        last = measure_loading(path);
        loading[i] = last.loading;
        ratios[i] = last.loading / measure_libconfig(reference);
    }
    printf("%-40s %6.1f ms: ratio %5.2f", shape->name, median(loading, rounds) * 1e3, median(ratios, rounds));
    if (last.valid)
        printf("; keeps %4.1f MB; shown in %6.1f ms, %7zu bytes", (double)last.kept / 1e6, last.showing * 1e3,
               last.shown);
    printf("%s\n", last.valid ? "" : "; refused");
    buf_done(&text);
    free(loading);
    free(ratios);
}

int main(int argc, char **argv)
{
    long rounds = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    char path[] = "/tmp/sockwatch-bench-XXXXXX";
    struct buf reference;
    int fd;

    if (rounds < 1) {
        (void)fprintf(stderr, "usage: bench_config ROUNDS\n");
        return 2;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0 || close(fd) < 0)
        die(path);
    buf_init(&reference);
    make_text(&shapes[0], &reference);
    printf("CPU time of loading 1 MiB, beside libconfig's parse of the first shape; medians of %ld rounds\n",
           rounds);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        measure(&shapes[i], &reference, path, (size_t)rounds);
    buf_done(&reference);
    return unlink(path) < 0;
}
