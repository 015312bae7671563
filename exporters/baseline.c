#include "exporters/baseline.h"
#include "config/schema.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENDPOINTS_NAMED = 4 };

/* Entries about ports that the kernel chose, whichever these are; fewer than may be
 * about one port. */
enum { CHOSEN_ENTRIES_MAX = 64 };

/* A list of entries that is being printed. */
struct list {
    struct port_range local_ports;
    bool expects; /* else it allows */
    bool begun;   /* an entry was printed */
    struct buf *out;
};

/* An owner_pattern that is being written. */
struct owner_draft {
    char process[PROCESS_TEXT_MAX];
    char user[USER_TEXT_MAX];
    char unit[UNIT_TEXT_MAX];
};

/* The listeners that one entry is about. All have one protocol and port, or one
 * protocol and ports that the kernel chose. */
struct group {
    const struct listener **items; /* owned */
    size_t count;
    bool by_address;  /* the entry names their address */
    bool on_any_port; /* and not their port */
};

static void group_add(struct group *g, const struct listener *l)
{
    g->items[g->count++] = l;
}

static const struct listener *first_of(const struct group *g)
{
    assert(g->count > 0 && g->items[0]);
    return g->items[0];
}

static const struct owner_set *first_owners(const struct group *g)
{
    return first_of(g)->members[0].owners;
}

static bool all_match(const struct group *g, const struct owner_draft *draft)
{
    const struct owner_pattern pattern = {
        .unit = draft->unit, .user = draft->user, .process = draft->process};

    for (size_t i = 0; i < g->count; i++)
        for (uint32_t k = 0; k < g->items[i]->sockets; k++)
            if (owner_match(&pattern, g->items[i]->members[k].owners) != OWNER_MATCHES)
                return false;
    return true;
}

/* Writes a name as a pattern that matches nothing else. One that looks like a
 * path would not be taken for a name. Returns false when it does not fit. */
static bool quote_pattern(const char *name, char *ret_pattern, size_t size)
{
    size_t used = 0;

    for (; *name; name++) {
        bool special = strchr("*?[", *name) || (used == 0 && *name == '/');

        if (used + (special ? 4 : 2) > size)
            return false;
        if (special)
            ret_pattern[used++] = '[';
        ret_pattern[used++] = *name;
        if (special)
            ret_pattern[used++] = ']';
    }
    ret_pattern[used] = '\0';
    return used > 0;
}

/* A unit that will be called the same the next time. */
static bool is_lasting(const char *unit)
{
    size_t length = strlen(unit), suffix = strlen(".service");

    return length > suffix && strcmp(unit + length - suffix, ".service") == 0 &&
           strncmp(unit, "run-", 4) != 0;
}

/* Sets the part of the draft that is field to the first name that fits all
 * sockets of the group together with the rest of the draft. */
static void find_part(const struct group *g, enum owner_name which, struct owner_draft *draft, char *field,
                      size_t size)
{
    const struct owner_set *first = first_owners(g);
    const char *name = NULL;

    while ((name = owner_next_name(first, which, name))) {
        if ((which != OWNER_UNIT || is_lasting(name)) && quote_pattern(name, field, size) &&
            all_match(g, draft))
            return;
        *field = '\0';
    }
}

/* A user whose name is not known has a number all the same. */
static void find_number(const struct group *g, struct owner_draft *draft)
{
    const struct owner_set *first = first_owners(g);

    if (*first->user)
        return;
    (void)snprintf(draft->user, sizeof draft->user, "%u", first->uid);
    if (!all_match(g, draft))
        *draft->user = '\0';
}

/* The socket's own user is preferred: of a service whose processes are of
 * several users it is the one that others can see as well. */
static void find_user(const struct group *g, struct owner_draft *draft)
{
    const struct owner_set *first = first_owners(g);

    for (size_t i = 0; i < first->count; i++)
        if (strcmp(first->holders[i]->user, first->user) == 0 &&
            quote_pattern(first->user, draft->user, sizeof draft->user) && all_match(g, draft))
            return;
    *draft->user = '\0';
    find_part(g, OWNER_USER, draft, draft->user, sizeof draft->user);
    if (!*draft->user)
        find_number(g, draft);
}

/* The oldest of several programs is preferred: what it has started will not
 * always be there. */
static void find_process(const struct group *g, struct owner_draft *draft)
{
    const struct owner_set *first = first_owners(g);

    for (size_t i = 0; i < first->count; i++)
        if (!holder_is_activator(first->holders[i]) &&
            quote_pattern(first->holders[i]->process, draft->process, sizeof draft->process) &&
            all_match(g, draft))
            return;
    *draft->process = '\0';
}

/* Who holds the listeners now; nobody yet where a service is only started when
 * somebody connects. */
static struct owner_draft find_owner(const struct group *g)
{
    const struct owner_set *first = first_owners(g);
    struct owner_draft draft = {.process = ""};

    if (!first || owner_set_is_only_activated(first))
        return draft;
    find_process(g, &draft);
    find_user(g, &draft);
    find_part(g, OWNER_UNIT, &draft, draft.unit, sizeof draft.unit);
    return draft;
}

static bool is_seen(const struct listener *l)
{
    return listener_sight(l) == SIGHT_SEEN;
}

static const char *scope_of_group(const struct group *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->items[i]->scope != SCOPE_LOOPBACK)
            return "public";
    return "loopback";
}

/* Whether the kernel chose the port, or may have, and may choose another one the
 * next time. */
static bool is_passing_port(const struct list *list, const struct listener *l)
{
    return l->auto_port || (l->choice_untold && port_ranges_contain(&list->local_ports, 1, l->port));
}

static void print_comment(const struct group *g, const struct list *list)
{
    const struct listener *first = first_of(g);
    struct buf *out = list->out;

    buf_fmt(out, "  # %s ", protocol_name(first->protocol));
    for (size_t i = 0; i < g->count && i < ENDPOINTS_NAMED; i++) {
        const struct listener *l = g->items[i];
        char text[ENDPOINT_TEXT_MAX];

        endpoint_format(&l->address, l->family, l->port, l->interface, text);
        buf_fmt(out, "%s%s", i > 0 ? ", " : "", text);
    }
    if (g->count > ENDPOINTS_NAMED)
        buf_fmt(out, " and %zu more", g->count - ENDPOINTS_NAMED);
    if (!is_seen(first))
        buf_str(out, "; which process holds it could not be seen");
    else if (owner_set_is_only_activated(first->members[0].owners))
        buf_str(out, "; started by systemd when somebody connects");
    if (is_passing_port(list, first) && !g->on_any_port)
        buf_str(out, "; the port may be another one after a restart");
    buf_char(out, '\n');
}

static void print_text(const char *key, const char *value, struct buf *out)
{
    if (!*value)
        return;
    buf_fmt(out, " %s = ", key);
    schema_quote(out, value);
    buf_char(out, ';');
}

/* Prints one entry. name is that of an expect entry, NULL for allow. */
static void print_entry(const struct group *g, const char *name, struct list *list)
{
    const struct owner_draft owner = find_owner(g);
    const struct listener *l = first_of(g);
    char address[IP_ADDR_TEXT_MAX], unique[EXPECT_NAME_MAX];
    struct buf *out = list->out;

    buf_str(out, list->begun ? ",\n" : "\n");
    list->begun = true;
    print_comment(g, list);
    ip_addr_format(&l->address, address);
    buf_str(out, "  {");
    if (name) {
        (void)snprintf(unique, sizeof unique, "%s%s%s", name, g->by_address ? "-" : "",
                       g->by_address ? address : "");
        print_text("name", unique, out);
    }
    if (!g->on_any_port)
        buf_fmt(out, " port = %u;", l->port);
    if (l->auto_port)
        buf_str(out, " kernel_chosen = true;");
    print_text("protocol", protocol_name(l->protocol), out);
    if (g->by_address)
        print_text("address", address, out);
    else
        print_text("scope", scope_of_group(g), out);
    print_text("process", owner.process, out);
    print_text("user", owner.user, out);
    print_text("unit", owner.unit, out);
    buf_str(out, " }");
}

/* Whether different programs hold the listeners, so that one entry would have
 * to leave open who may. */
static bool has_several_owners(const struct group *g)
{
    return is_seen(first_of(g)) && !owner_set_is_only_activated(first_owners(g)) && !*find_owner(g).process;
}

/* Whether an entry can ask for the listener's address. One that is only bound
 * on the loopback device is not served there to anybody else. */
static bool has_own_address(const struct group *all, const struct listener *l)
{
    if (ip_addr_is_any(l->address) || ip_addr_is_loopback(l->address))
        return !ip_addr_is_any(l->address);
    for (size_t i = 0; i < all->count; i++)
        if (ip_addr_compare(&all->items[i]->address, &l->address) == 0 &&
            all->items[i]->scope != SCOPE_LOOPBACK)
            return true;
    return false;
}

/* One entry for each address and one for the listeners on all of them. */
static void print_by_address(const struct group *all, const char *name, struct list *list)
{
    struct group part = {.items = calloc(all->count + 1, sizeof(const struct listener *))};

    if (!part.items) {
        list->out->failed = true;
        return;
    }
    for (size_t i = 0; i < all->count; i++)
        if (!has_own_address(all, all->items[i]))
            group_add(&part, all->items[i]);
    if (part.count > 0)
        print_entry(&part, name, list);
    part.by_address = true;
    for (size_t i = 0; i < all->count; i++) {
        const struct listener *l = all->items[i];
        bool is_new = has_own_address(all, l);

        part.count = 0;
        for (size_t k = 0; is_new && k < all->count; k++) {
            if (ip_addr_compare(&all->items[k]->address, &l->address) != 0)
                continue;
            is_new = k >= i; /* an address may be bound on several interfaces */
            group_add(&part, all->items[k]);
        }
        if (is_new)
            print_entry(&part, name, list);
    }
    free(part.items);
}

/* An allow entry says what a listener may be, so those on loopback and those
 * beyond it get one each. */
static void print_by_scope(const struct group *all, struct list *list)
{
    struct group part = {.items = calloc(all->count + 1, sizeof(const struct listener *))};

    if (!part.items) {
        list->out->failed = true;
        return;
    }
    for (int loopback = 0; loopback < 2; loopback++) {
        part.count = 0;
        for (size_t i = 0; i < all->count; i++)
            if ((all->items[i]->scope == SCOPE_LOOPBACK) == (loopback == 1))
                group_add(&part, all->items[i]);
        if (part.count == 0)
            continue;
        if (has_several_owners(&part))
            print_by_address(&part, NULL, list);
        else
            print_entry(&part, NULL, list);
    }
    free(part.items);
}

static const char *expect_name(const struct listener *l)
{
    return l->protocol != PROTOCOL_RAW && *l->service_name ? l->service_name : NULL;
}

/* Prints the entries for a port, if they belong into the list that is printed. */
static void print_port(const struct group *g, struct list *list)
{
    const char *name = g->count > 0 ? expect_name(first_of(g)) : NULL;

    if (g->count == 0 || list->expects != (name != NULL))
        return;
    if (!list->expects)
        print_by_scope(g, list);
    else if (has_several_owners(g))
        print_by_address(g, name, list);
    else
        print_entry(g, name, list);
}

/* Moves those that fit an owner and have the scope of the first into the part; who
 * will be started is not known yet, and fits nobody. */
static void gather_alike(const struct owner_draft *owner, struct group *part, struct group *rest)
{
    const struct listener *first = first_of(rest);
    size_t kept = 0;

    for (size_t i = 0; i < rest->count; i++) {
        const struct listener *l = rest->items[i];
        const struct group one = {.items = &l, .count = 1};

        if (l->protocol == first->protocol &&
            (l->scope == SCOPE_LOOPBACK) == (first->scope == SCOPE_LOOPBACK) && all_match(&one, owner) &&
            !owner_set_is_only_activated(first_owners(&one)))
            group_add(part, l);
        else
            rest->items[kept++] = l;
    }
    rest->count = kept;
}

/* One entry for all that somebody has on ports that the kernel chose, which are
 * others the next time. By their port those of which it is not known whose they
 * are, and those of whoever comes after a great many others. */
static void print_chosen(struct group rest, struct list *list)
{
    struct group part = {.items = calloc(rest.count + 1, sizeof(const struct listener *))};
    size_t entries = 0;

    if (!part.items) {
        list->out->failed = true;
        return;
    }
    while (rest.count > 0) {
        const struct group first = {.items = rest.items, .count = 1};
        const struct owner_draft owner = find_owner(&first);

        part.count = 0;
        part.on_any_port = (*owner.process || *owner.user || *owner.unit) && entries++ < CHOSEN_ENTRIES_MAX;
        if (part.on_any_port) {
            gather_alike(&owner, &part, &rest);
        } else {
            group_add(&part, *rest.items++);
            rest.count--;
        }
        print_entry(&part, NULL, list);
    }
    free(part.items);
}

static void print_list(const struct listener_table *table, const struct own_sockets *own, struct list *list)
{
    size_t count;
    const struct listener *listeners = listener_table_all(table, &count);
    struct group g = {.items = calloc(count + 1, sizeof(const struct listener *))};
    struct group chosen = {.items = calloc(count + 1, sizeof(const struct listener *))};

    if (!g.items || !chosen.items) {
        list->out->failed = true;
        free(g.items);
        free(chosen.items);
        return;
    }
    buf_fmt(list->out, "%s = (", list->expects ? "expect" : "allow");
    for (size_t i = 0; i < count; i++) {
        const struct listener *l = &listeners[i];

        if (i > 0 && (l[-1].protocol != l->protocol || l[-1].port != l->port)) {
            print_port(&g, list);
            g.count = 0;
        }
        if (!listener_is_client(l) && l->port != 0 && !own_has(own, l))
            group_add(l->auto_port ? &chosen : &g, l);
    }
    print_port(&g, list);
    if (!list->expects)
        print_chosen(chosen, list);
    buf_str(list->out, "\n);\n");
    free(g.items);
    free(chosen.items);
}

void baseline_render(const struct listener_table *table, const struct config *config,
                     const struct own_sockets *own, struct port_range local_ports, struct buf *out)
{
    struct config settings = *config; /* shallow: only shown */
    struct list expects = {.local_ports = local_ports, .expects = true, .out = out};
    struct list allows = {.local_ports = local_ports, .out = out};

    settings.policy.unexpected.enabled = true;
    buf_str(out, "# What listened when \"sockwatch baseline\" looked. Review it: what is listed here is\n"
                 "# fine from now on. Then keep it as /etc/sockwatch/sockwatch.conf; see\n"
                 "# sockwatch.conf(5) for every key.\n\n");
    config_show_settings(&settings, out);
    buf_str(out, "\n# Services that must be there as they are now.\n");
    print_list(table, own, &expects);
    buf_str(out, "\n# Listeners that are fine but not required. Any other is an UnexpectedListener.\n");
    print_list(table, own, &allows);
}
