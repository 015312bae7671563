#include "daemon/taken.h"
#include "daemon/clock.h"

#include <stdlib.h>
#include <time.h>

/* So long the owner is looked for, beside what is left of a poll; and so long
 * nothing is done where there is nothing to do. */
enum { LOOK_MS = 500, STEP_US = 10000, PAUSE_MS = 5 };

/* Whether a TCP listener keeps another socket from the address. "[::]" wants IPv4,
 * too. */
static bool keeps_from(const struct listener *l, const struct ip_port *wanted)
{
    struct ip_addr address = ip_addr_unmap(wanted->address);
    bool is_any = ip_addr_is_any(address);

    if (!is_any && !ip_addr_is_any(l->address))
        return ip_addr_compare(&address, &l->address) == 0;
    return (is_any && address.version == 6) || family_serves(l->family, address.version);
}

static const struct listener *find_at(const struct inventory *inv, const struct ip_port *wanted)
{
    size_t count;
    const struct listener *l = inventory_port(inv, PROTOCOL_TCP, wanted->port, &count);

    for (size_t i = 0; i < count; i++)
        if (keeps_from(&l[i], wanted))
            return &l[i];
    return NULL;
}

/* Whether all is known of its owner that is going to be. */
static bool is_told(const struct listener *l)
{
    const struct owner_set *owners = l->followed > 0 ? l->members[0].owners : NULL;

    return owners && owners->sight != SIGHT_NOT_YET && !owner_set_awaits_name(owners);
}

static void write_names(const struct listener *l, enum owner_name which, const char *before, struct buf *out)
{
    if (!listener_next_name(l, which, NULL))
        return;
    buf_str(out, before);
    listener_names(l, which, out);
}

static void write_owner(const struct listener *l, struct buf *out)
{
    struct holder_list holders = {0};
    const struct holder *first;

    out->failed |= listener_holders(l, &holders) < 0;
    first = holder_list_first(&holders);
    buf_str(out, " (held by ");
    if (first)
        buf_fmt(out, "%s[%u], ", *first->process ? first->process : "-", first->pid);
    if (listener_next_name(l, OWNER_USER, NULL) || !l->uid_known)
        write_names(l, OWNER_USER, "user ", out);
    else
        buf_fmt(out, "user %u", l->uid);
    write_names(l, OWNER_UNIT, ", unit ", out);
    buf_char(out, ')');
    holder_list_done(&holders);
}

static void pause_shortly(void)
{
    const struct timespec length = {.tv_nsec = PAUSE_MS * 1000000L};

    (void)nanosleep(&length, NULL); /* a shorter one does as well */
}

/* Goes on with the search for owners until a poll would tell more, or the time is
 * over. Returns whether it is not. */
static bool search(struct cycle *c, const struct config *config, int64_t until_ms)
{
    while (clock_now().mono_ms < until_ms) {
        const struct budget budget = clock_budget_us(STEP_US);

        if (cycle_has_news(c, config))
            return true;
        if (cycle_due_ms(c) > clock_now().mono_ms)
            pause_shortly();
        else if (cycle_step(c, config, &budget) < 0)
            return false;
    }
    return false;
}

/* Polls as if the port were expected: then the kernel picks it out, however many
 * sockets there are besides. Writes the newest of what it finds. */
static void look(struct cycle *c, const struct config *config, const struct ip_port *wanted, struct buf *out)
{
    const struct cycle_poll usual = {.auto_ports = false};
    int64_t until_ms = clock_now().mono_ms + LOOK_MS;
    size_t begin = out->len;
    bool told = false;

    do {
        const struct listener *l;

        if (cycle_poll_listeners(c, config, &usual) < 0)
            return;
        l = c->look ? find_at(c->look, wanted) : NULL;
        if (!l)
            continue; /* nothing new, or nobody there */
        buf_truncate(out, begin);
        write_owner(l, out);
        told = is_told(l);
    } while (!told && search(c, config, until_ms));
}

/* Returns owned, for config_unref(), or NULL when memory runs out. */
static struct config *config_expecting(uint16_t port)
{
    struct config *config = config_new();
    struct expect *e = calloc(1, sizeof *e);
    struct port_range *range = calloc(1, sizeof *range);

    if (config && e && range) {
        *range = (struct port_range){port, port};
        *e = (struct expect){.match = {.protocols = 1u << PROTOCOL_TCP, .ports = range, .port_count = 1}};
        config->policy.expects = e;
        config->policy.expect_count = config->policy.expect_capacity = 1;
        if (policy_seal(&config->policy) == 0)
            return config;
    } else {
        free(e);
        free(range);
    }
    config_unref(config);
    return NULL;
}

static void look_anew(struct cycle *c, const struct ip_port *wanted, struct buf *out)
{
    struct config *config = config_expecting(wanted->port);

    if (config)
        look(c, config, wanted, out);
    config_unref(config);
}

void taken_describe(struct cycle *c, const struct ip_port *wanted, struct buf *out)
{
    struct inventory known;
    const struct listener *l;

    if (!c->host.listeners) {
        look_anew(c, wanted, out);
        return;
    }
    listener_table_inventory(c->host.listeners, &known);
    l = find_at(&known, wanted);
    if (l)
        write_owner(l, out);
}
