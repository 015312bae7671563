#include "core/port_index.h"
#include "tests/unit/unit.h"

enum { ENTRIES_MAX = 64, RANGES_MAX = 4 };

/* The entries as a plain walk reads them. */
struct plain {
    enum protocol protocol;
    struct port_range ranges[RANGES_MAX];
    size_t count;
};

static void add(struct port_index *index, const struct plain *entry)
{
    assert_int_equal(port_index_add(index, 0, 1u << entry->protocol, entry->ranges, entry->count), 0);
}

/* How often each entry is found on a port. */
static void count_found(const struct port_index *index, enum protocol protocol, uint16_t port,
                        unsigned ret_found[static ENTRIES_MAX])
{
    struct port_walk walk;
    size_t entry;

    memset(ret_found, 0, ENTRIES_MAX * sizeof *ret_found);
    port_walk_begin(&walk, index, 0, protocol, port);
    while (port_walk_next(&walk, index, &entry)) {
        assert_in_range(entry, 0, ENTRIES_MAX - 1);
        ret_found[entry]++;
    }
}

static unsigned contains(const struct plain *entry, enum protocol protocol, uint16_t port)
{
    bool found = false;

    for (size_t i = 0; i < entry->count; i++)
        found |= port >= entry->ranges[i].first && port <= entry->ranges[i].last;
    return found && entry->protocol == protocol;
}

/* Returns how many entries are on the port. */
static unsigned assert_same(const struct port_index *index, const struct plain *entries, size_t count,
                            enum protocol protocol, uint16_t port)
{
    unsigned found[ENTRIES_MAX], total = 0;

    count_found(index, protocol, port, found);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(found[i], contains(&entries[i], protocol, port));
        total += found[i];
    }
    return total;
}

static void an_empty_index_finds_nothing(void **state)
{
    struct port_index index = {0};
    unsigned found[ENTRIES_MAX];

    (void)state;
    port_index_seal(&index);
    count_found(&index, PROTOCOL_TCP, 0, found);
    count_found(&index, PROTOCOL_RAW, UINT16_MAX, found);
    for (size_t i = 0; i < ENTRIES_MAX; i++)
        assert_int_equal(found[i], 0);
    port_index_done(&index);
}

static void an_entry_is_found_on_each_of_its_ports_and_no_other(void **state)
{
    static const struct plain entries[] = {
        {PROTOCOL_TCP, {{80, 80}, {8000, 8100}}, 2},
        {PROTOCOL_TCP, {{0, 65535}}, 1},
        {PROTOCOL_UDP, {{53, 53}}, 1},
        {PROTOCOL_TCP, {{65535, 65535}}, 1},
        {PROTOCOL_RAW, {{0, 0}, {65534, 65535}}, 2},
        {PROTOCOL_TCP, {{0, 0}}, 1},
        {PROTOCOL_TCP, {{80, 81}}, 1},
        {PROTOCOL_SCTP, {{1, 1}}, 0},
    };
    static const struct {
        enum protocol protocol;
        uint16_t port;
        unsigned entries;
    } cases[] = {
        {PROTOCOL_TCP, 80, 3},   {PROTOCOL_TCP, 79, 1},    {PROTOCOL_TCP, 81, 2},    {PROTOCOL_TCP, 82, 1},
        {PROTOCOL_TCP, 8000, 2}, {PROTOCOL_TCP, 8100, 2},  {PROTOCOL_TCP, 8101, 1},  {PROTOCOL_TCP, 7999, 1},
        {PROTOCOL_TCP, 0, 2},    {PROTOCOL_TCP, 65535, 2}, {PROTOCOL_UDP, 53, 1},    {PROTOCOL_UDP, 0, 0},
        {PROTOCOL_UDP, 80, 0},   {PROTOCOL_RAW, 0, 1},     {PROTOCOL_RAW, 65535, 1}, {PROTOCOL_RAW, 65533, 0},
        {PROTOCOL_SCTP, 1, 0},   {PROTOCOL_UDPLITE, 0, 0}, {PROTOCOL_SCTP, 65535, 0}};
    struct port_index index = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(entries); i++)
        add(&index, &entries[i]);
    assert_int_equal(index.entries, ARRAY_LENGTH(entries));
    port_index_seal(&index);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(
            assert_same(&index, entries, ARRAY_LENGTH(entries), cases[i].protocol, cases[i].port),
            cases[i].entries);
    port_index_done(&index);
}

static void an_entry_that_names_a_port_twice_is_found_once(void **state)
{
    static const struct plain entry = {PROTOCOL_TCP, {{20, 30}, {10, 20}, {25, 26}, {12, 40}}, 4};
    struct port_index index = {0};
    unsigned total = 0;

    (void)state;
    add(&index, &entry);
    port_index_seal(&index);
    for (uint16_t port = 0; port < 100; port++)
        total += assert_same(&index, &entry, 1, PROTOCOL_TCP, port);
    assert_int_equal(total, 31);
    port_index_done(&index);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static uint16_t some_port(uint32_t *seed, unsigned ports)
{
    return (uint16_t)(UINT16_MAX + 1 - ports + next_random(seed) % ports);
}

static struct plain some_entry(uint32_t *seed, unsigned ports)
{
    struct plain entry = {.protocol = (enum protocol)(next_random(seed) % PROTOCOL_COUNT)};

    entry.count = 1 + next_random(seed) % RANGES_MAX;
    for (size_t i = 0; i < entry.count; i++) {
        uint16_t a = some_port(seed, ports), b = some_port(seed, ports);

        entry.ranges[i] = (struct port_range){a < b ? a : b, a < b ? b : a};
    }
    return entry;
}

/* Any number of entries, of narrow and wide ranges, on the highest ports. */
static void it_finds_what_a_plain_walk_over_all_entries_finds(void **state)
{
    uint32_t seed = 1;
    size_t found = 0, missed = 0;

    (void)state;
    for (size_t round = 0; round < 500; round++) {
        struct plain entries[ENTRIES_MAX];
        size_t count = next_random(&seed) % (ENTRIES_MAX + 1);
        unsigned ports = 2 + next_random(&seed) % 100;
        struct port_index index = {0};

        for (size_t i = 0; i < count; i++) {
            entries[i] = some_entry(&seed, ports);
            add(&index, &entries[i]);
        }
        port_index_seal(&index);
        for (unsigned i = 0; i < 100; i++) {
            enum protocol protocol = (enum protocol)(next_random(&seed) % PROTOCOL_COUNT);
            unsigned here = assert_same(&index, entries, count, protocol, some_port(&seed, ports + 1));

            found += here;
            missed += count - here;
        }
        port_index_done(&index);
    }
    assert_true(found > 1000 && missed > 1000);
}

/* A port for each of many entries, below one that has them all. */
static void many_entries_are_each_found_where_they_are(void **state)
{
    struct port_index index = {0};
    const struct port_range all = {0, UINT16_MAX};

    (void)state;
    assert_int_equal(port_index_add(&index, 0, 1u << PROTOCOL_TCP, &all, 1), 0);
    for (unsigned port = 0; port <= UINT16_MAX; port++) {
        const struct port_range one = {(uint16_t)port, (uint16_t)port};

        assert_int_equal(port_index_add(&index, 0, 1u << PROTOCOL_TCP, &one, 1), 0);
    }
    port_index_seal(&index);
    for (unsigned port = 0; port <= UINT16_MAX; port++) {
        size_t entry, sum = 0, count = 0;
        struct port_walk walk;

        port_walk_begin(&walk, &index, 0, PROTOCOL_TCP, (uint16_t)port);
        for (; port_walk_next(&walk, &index, &entry); sum += entry)
            count++;
        assert_int_equal(count, 2);
        assert_int_equal(sum, port + 1); /* entry 0 and that of the port */
    }
    port_index_done(&index);
}

static void done_leaves_an_empty_index(void **state)
{
    static const struct plain entry = {PROTOCOL_TCP, {{80, 80}}, 1};
    struct port_index index = {0};
    unsigned found[ENTRIES_MAX];

    (void)state;
    add(&index, &entry);
    port_index_seal(&index);
    count_found(&index, PROTOCOL_TCP, 80, found);
    assert_int_equal(found[0], 1);
    port_index_done(&index);
    assert_int_equal(index.entries, 0);
    count_found(&index, PROTOCOL_TCP, 80, found);
    assert_int_equal(found[0], 0);
    port_index_done(&index);
}

static void spaces_have_nothing_to_do_with_each_other(void **state)
{
    struct port_index index = {.count = 0};
    const struct port_range one = {80, 80}, all = {0, UINT16_MAX};
    struct port_walk walk;
    size_t entry;

    (void)state;
    assert_int_equal(port_index_add(&index, 7, 1u << PROTOCOL_TCP, &all, 1), 0);
    assert_int_equal(port_index_add(&index, 0, 1u << PROTOCOL_TCP, &one, 1), 0);
    assert_int_equal(port_index_add(&index, 8, 1u << PROTOCOL_RAW, &all, 1), 0);
    port_index_seal(&index);
    for (uint32_t space = 0; space < 10; space++) {
        port_walk_begin(&walk, &index, space, PROTOCOL_TCP, 80);
        assert_int_equal(port_walk_next(&walk, &index, &entry), space == 0 || space == 7);
        if (space == 0 || space == 7)
            assert_int_equal(entry, space == 0);
    }
    port_walk_begin(&walk, &index, UINT32_MAX, PROTOCOL_TCP, 80);
    assert_false(port_walk_next(&walk, &index, &entry));
    port_index_done(&index);
}

static void a_crowd_is_more_entries_about_one_port(void **state)
{
    static const struct port_range ranges[] = {{1, 10}, {10, 20}, {10, 10},
                                               {5, 15}, {21, 30}, {0, UINT16_MAX}};
    struct port_index index = {.count = 0};
    size_t entry = 42;

    (void)state;
    assert_int_equal(port_index_crowd(&index, 0, &entry), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(ranges); i++) /* five of them have port 10 */
        assert_int_equal(port_index_add(&index, 3, 1u << PROTOCOL_UDP, &ranges[i], 1), 0);
    assert_int_equal(port_index_add(&index, 4, 1u << PROTOCOL_UDP, &ranges[2], 1), 0);
    port_index_seal(&index);
    assert_int_equal(port_index_crowd(&index, 5, &entry), 0);
    assert_int_equal(entry, 42);
    assert_int_equal(port_index_crowd(&index, 4, &entry), 1);
    assert_in_range(entry, 1, 2); /* which begin there */
    port_index_done(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_index_finds_nothing),
        cmocka_unit_test(an_entry_is_found_on_each_of_its_ports_and_no_other),
        cmocka_unit_test(an_entry_that_names_a_port_twice_is_found_once),
        cmocka_unit_test(it_finds_what_a_plain_walk_over_all_entries_finds),
        cmocka_unit_test(many_entries_are_each_found_where_they_are),
        cmocka_unit_test(spaces_have_nothing_to_do_with_each_other),
        cmocka_unit_test(a_crowd_is_more_entries_about_one_port),
        cmocka_unit_test(done_leaves_an_empty_index),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
