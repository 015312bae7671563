#include "exporters/baseline.h"
#include "config/entry_matcher.h"
#include "core/coverage.h"
#include "exporters/baseline_plan.h"

#include <stdlib.h>
#include <string.h>

/* Whether the kernel chose the port, or may have, and may choose another one the
 * next time. */
static bool is_passing_port(const struct baseline *b, const struct listener *l)
{
    return l->auto_port || (l->choice_untold && port_ranges_contain(&b->local_ports, 1, l->port));
}

/* Names a listener and, unless the next one has the same, its processes. */
static void print_listener(const struct baseline_entry *e, size_t which, struct buf *out)
{
    const struct listener *l = e->named[which];
    bool is_last = which + 1 == e->listener_count || which + 1 == BASELINE_NAMED;
    char endpoint[ENDPOINT_TEXT_MAX];
    struct buf names, next;

    buf_init(&names);
    buf_init(&next);
    listener_names(l, OWNER_PROCESS, &names);
    if (!is_last)
        listener_names(e->named[which + 1], OWNER_PROCESS, &next);
    endpoint_format(&l->address, l->family, l->port, l->interface, endpoint);
    buf_str(out, which > 0 ? ", " : "");
    if (which == 0 || e->named[which - 1]->protocol != l->protocol)
        buf_fmt(out, "%s ", protocol_name(l->protocol));
    buf_str(out, endpoint);
    if (names.len > 0 && (is_last || strcmp(buf_text(&names), buf_text(&next)) != 0))
        buf_fmt(out, " (%s)", buf_text(&names));
    buf_done(&names);
    buf_done(&next);
}

static void print_comment(const struct baseline *b, const struct baseline_entry *e, struct buf *out)
{
    const struct owner_set *owners = e->named[0]->members[0].owners;

    buf_str(out, "  # ");
    for (size_t i = 0; i < e->listener_count && i < BASELINE_NAMED; i++)
        print_listener(e, i, out);
    if (e->listener_count > BASELINE_NAMED)
        buf_fmt(out, " and %zu more", e->listener_count - BASELINE_NAMED);
    if (owners && owner_set_is_only_activated(owners))
        buf_str(out, "; started by systemd when somebody connects");
    else if (b->with_process && !*e->owner.process)
        buf_str(out, "; no process that holds it all could be seen");
    if (is_passing_port(b, e->named[0]) && !e->on_any_port)
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

static void print_place(const struct baseline_entry *e, struct buf *out)
{
    const struct matcher match = {.addresses = e->addresses, .address_count = e->address_count};

    if (e->address_count == 0) {
        print_text("scope", want_scope_name(e->scope), out);
        return;
    }
    buf_str(out, " address = ");
    entry_addresses_print(&match, out);
    buf_char(out, ';');
}

static void print_entry(const struct baseline *b, const struct baseline_entry *e, struct buf *out)
{
    print_comment(b, e, out);
    buf_str(out, "  {");
    print_text("name", e->name, out);
    if (!e->on_any_port)
        buf_fmt(out, " port = %u;", e->port);
    if (e->kernel_chosen)
        buf_str(out, " kernel_chosen = true;");
    buf_str(out, " protocol = ");
    entry_protocols_print(&e->protocols, out);
    buf_char(out, ';');
    print_place(e, out);
    print_text("process", e->owner.process, out);
    print_text("user", e->owner.user, out);
    print_text("unit", e->owner.unit, out);
    buf_str(out, " }");
}

/* list   "expect" or "allow" */
static void print_list(const struct baseline *b, const struct baseline_plan *plan, const char *list,
                       struct buf *out)
{
    bool expects = strcmp(list, "expect") == 0;
    size_t printed;

    buf_fmt(out, "%s = (", list);
    printed = b->kept ? config_show_entries(b->kept, list, out) : 0;
    for (size_t i = 0; i < plan->count; i++) {
        if (expects != (*plan->entries[i].name != '\0'))
            continue;
        buf_str(out, printed++ > 0 ? ",\n" : "\n");
        print_entry(b, &plan->entries[i], out);
    }
    buf_str(out, "\n);\n");
}

static void print_settings(const struct baseline *b, struct buf *out)
{
    struct config settings = *b->kept; /* shallow: only shown */

    settings.policy.unexpected.enabled = true;
    buf_str(out, "# What listened when \"sockwatch baseline\" looked. Review it: what is listed here is\n"
                 "# fine from now on. See sockwatch.conf(5) for every key.\n\n");
    config_show_settings(&settings, out);
    if (!settings.include_dir)
        return;
    buf_str(out, b->beside_drop_ins ? "include_dir = " : "# Below are also the entries of include_dir, ");
    schema_quote(out, settings.include_dir);
    buf_str(out, b->beside_drop_ins ? ";\n" : ".\n");
}

static void print_denied(const struct baseline *b, struct buf *out)
{
    if (b->kept->policy.deny_count == 0)
        return;
    buf_str(out, "\n# Listeners that are never wanted.\ndeny = (");
    (void)config_show_entries(b->kept, "deny", out);
    buf_str(out, "\n);\n");
}

static void print_whole(const struct baseline *b, const struct baseline_plan *plan, struct buf *out)
{
    print_settings(b, out);
    buf_str(out, "\n# Services that must be there as they are now.\n");
    print_list(b, plan, "expect", out);
    buf_str(out, "\n# Listeners that are fine but not required. Any other is an UnexpectedListener.\n");
    print_list(b, plan, "allow", out);
    print_denied(b, out);
}

/* A file of include_dir holds nothing but entries. */
static void print_drop_in(const struct baseline *b, const struct baseline_plan *plan, struct buf *out)
{
    buf_str(out, "# What listened when \"sockwatch baseline\" looked and no other file named. Review it:\n"
                 "# what is listed here is fine from now on. See sockwatch.conf(5) for every key.\n\n"
                 "# Services that must be there as they are now.\n");
    print_list(b, plan, "expect", out);
    buf_str(out, "\n# Listeners that are fine but not required.\n");
    print_list(b, plan, "allow", out);
}

void baseline_render(const struct baseline *b, struct buf *out)
{
    struct baseline_plan plan = {.count = 0};
    const struct listener **open = NULL;
    size_t count = 0;

    if (coverage_find_open(b->table, &b->config->policy, b->own, &open, &count) < 0 ||
        baseline_plan_make(open, count, &b->config->policy, b->with_process, &plan) < 0)
        out->failed = true;
    else if (b->kept)
        print_whole(b, &plan, out);
    else
        print_drop_in(b, &plan, out);
    baseline_plan_done(&plan);
    free(open);
}
