#include "core/judge.h"
#include "core/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool judge_scope_matches(enum want_scope want, enum scope scope)
{
    switch (want) {
    case WANT_ANY: return true;
    case WANT_PUBLIC: return scope != SCOPE_LOOPBACK;
    case WANT_LOOPBACK: return scope == SCOPE_LOOPBACK;
    }
    return false;
}

/* How the allow entries stand to a socket, from good to bad. */
enum standing {
    STANDING_ALLOWED,
    STANDING_UNTOLD,
    STANDING_EXPOSED, /* beyond loopback */
    STANDING_BEYOND,  /* beyond the addresses at which it is allowed */
    STANDING_UNKNOWN
};

/* An entry about ports that the kernel chose is about no other, nor about those of
 * which it is not known. */
static bool choice_matches(const struct allow *a, const struct listener *l)
{
    return !a->kernel_chosen || l->auto_port;
}

/* By an entry that is about the listener's port and, if about any, its address. */
static enum standing allow_standing(const struct allow *a, const struct listener *l,
                                    const struct owner_set *owners)
{
    enum owner_match owner;

    if (!choice_matches(a, l) || (a->match.address_count > 1 && !matcher_asks_for(&a->match, &l->address)))
        return STANDING_UNKNOWN;
    owner = owner_match(&a->match.owner, owners);
    if (owner == OWNER_DIFFERS)
        return STANDING_UNKNOWN;
    if (!judge_scope_matches(a->match.scope, l->scope))
        return a->match.scope == WANT_LOOPBACK ? STANDING_EXPOSED : STANDING_UNKNOWN;
    return owner == OWNER_UNTOLD ? STANDING_UNTOLD : STANDING_ALLOWED;
}

/* By the entries of one kind. */
static enum standing standing_by(const struct policy *policy, const struct listener *l, enum allow_kind kind,
                                 const struct owner_set *owners)
{
    enum standing best = STANDING_UNKNOWN;
    const struct allow *a;
    struct port_walk walk;

    policy_walk_allows(policy, l->protocol, l->port, kind, &l->address, &walk);
    while (best > STANDING_ALLOWED && (a = policy_next_allow(policy, &walk))) {
        enum standing standing = allow_standing(a, l, owners);

        if (standing < best)
            best = standing;
    }
    return best;
}

/* As many entries for other addresses as are looked at; where there are more,
 * one of them is taken to be its owner's. */
enum { ADDRESSED_LOOKED_AT = 100 };

/* Whether it is a wildcard, and an entry allows it at an address of that only. */
static bool is_beyond_allowed(const struct policy *policy, const struct listener *l,
                              const struct owner_set *owners)
{
    const struct allow *a;
    struct port_walk walk;
    size_t looked_at = 0;

    if (l->scope == SCOPE_LOOPBACK || !ip_addr_is_any(l->address))
        return false;
    policy_walk_allows(policy, l->protocol, l->port, ALLOW_ADDRESSED, NULL, &walk);
    while ((a = policy_next_allow(policy, &walk)))
        if (choice_matches(a, l) &&
            (looked_at++ == ADDRESSED_LOOKED_AT || owner_match(&a->match.owner, owners) != OWNER_DIFFERS))
            return true;
    return false;
}

static enum standing best_standing(const struct policy *policy, const struct listener *l,
                                   const struct owner_set *owners)
{
    static const enum allow_kind kinds[] = {ALLOW_OPEN, ALLOW_OF, ALLOW_LISTED};
    enum standing best = STANDING_UNKNOWN;

    for (size_t i = 0; best > STANDING_ALLOWED && i < sizeof kinds / sizeof *kinds; i++) {
        enum standing standing = standing_by(policy, l, kinds[i], owners);

        best = standing < best ? standing : best;
    }
    return best == STANDING_UNKNOWN && is_beyond_allowed(policy, l, owners) ? STANDING_BEYOND : best;
}

/* The standing of the socket that is worst off, of several the first, and in
 * *ret who holds it, and whether any hangs on an owner that cannot be seen. */
static enum standing worst_standing(const struct policy *policy, const struct listener *l,
                                    struct objection *ret)
{
    enum standing worst = STANDING_ALLOWED;
    bool others = listener_has_strangers(l);

    for (uint32_t i = 0; i < l->followed; i++) {
        enum standing standing = best_standing(policy, l, l->members[i].owners);

        ret->unseen |= standing == STANDING_UNTOLD && judge_is_unseen(l->members[i].owners);
        if (i > 0 && standing <= worst)
            continue;
        ret->owners = l->members[i].owners;
        worst = standing;
    }
    if (others && best_standing(policy, l, NULL) > worst) {
        worst = best_standing(policy, l, NULL);
        ret->unseen = true;
    }
    return worst;
}

/* Each of the sockets must be allowed, unless what the kernel chose the port of is
 * ignored: nobody is asked then, however many there are. */
struct objection judge_by_allows(const struct policy *policy, const struct listener *l)
{
    struct objection objection = {
        .rule = RULE_COUNT, .severity = policy->unexpected.severity, .for_ms = policy->unexpected.for_ms};
    bool judges_all = policy_unexpected(policy) >> l->protocol & 1 &&
                      !(policy->unexpected.ignore_loopback && l->scope == SCOPE_LOOPBACK);
    enum standing worst;

    if (policy->unexpected.ignore_kernel_chosen && l->auto_port)
        return objection;
    worst = worst_standing(policy, l, &objection);
    if (worst == STANDING_EXPOSED || worst == STANDING_BEYOND) {
        objection.rule = RULE_EXPOSED;
        objection.what = worst == STANDING_EXPOSED ? "is bound beyond loopback, allowed only on loopback"
                                                   : "is bound beyond the addresses at which it is allowed";
    } else if (worst != STANDING_ALLOWED && judges_all) {
        objection.rule = RULE_UNEXPECTED_LISTENER;
        objection.what = "listens, but is neither expected nor allowed";
    }
    objection.untold = worst == STANDING_UNTOLD;
    return objection;
}

static void describe_objection(const struct listener *l, const struct objection *objection, struct buf *out)
{
    buf_truncate(out, 0);
    buf_str(out, protocol_name(l->protocol));
    buf_char(out, ' ');
    judge_describe(out, l);
    if (*l->service_name) {
        buf_str(out, " (");
        buf_str(out, l->service_name);
        buf_char(out, ')');
    }
    buf_char(out, ' ');
    buf_str(out, objection->what);
    if (!objection->owners)
        return;
    buf_str(out, " (");
    judge_describe_owner(out, objection->owners);
    buf_str(out, l->sockets > 1 ? ", and other sockets)" : ")");
}

static struct alert_key key_of(const struct listener *l, enum rule rule)
{
    struct alert_key key = {
        .rule = rule,
        .protocol = l->protocol,
        .has_port = protocol_is_ip(l->protocol),
        .port = l->port,
        .has_endpoint = true,
        .family = l->family,
        .address = l->address,
    };

    (void)snprintf(key.interface, sizeof key.interface, "%s", l->interface);
    return key;
}

/* Whether there may be another finding about a listener of its user's. Returns
 * 1, 0 or -ENOMEM. */
static int has_room(struct evaluation *ev, const struct listener *l, const struct alert_key *key)
{
    const struct judge_bounds *bounds = ev->bounds;
    int r;

    if (!bounds)
        return 1;
    r = ev->others_found < bounds->findings
            ? uid_counts_add(&ev->uids, listener_user(l), (uint32_t)(bounds->findings + 1) / 2)
            : 0;
    ev->others_found += r > 0;
    return r == 0 && bounds->was_true ? bounds->was_true(bounds->arg, key) : r;
}

int judge_object(struct evaluation *ev, const struct listener *l, const struct objection *objection)
{
    const struct alert_key key = key_of(l, objection->rule);
    struct finding *f;
    int r;

    if (objection->untold && objection->unseen)
        judge_note_untold(ev, l);
    if (!objection->untold)
        judge_mark(ev, l, objection->rule, objection->severity);
    r = has_room(ev, l, &key);
    if (r <= 0) {
        ev->verdict->left_out += r == 0;
        return r;
    }
    describe_objection(l, objection, &ev->text);
    f = judge_add(ev);
    if (!f)
        return -ENOMEM;
    f->key = key;
    f->undetermined = objection->untold;
    f->severity = objection->severity;
    f->for_ms = objection->for_ms;
    return 0;
}

bool judge_was_read(const struct evaluation *ev, const struct listener *l)
{
    const struct class_view *view = &ev->inv->classes[l->protocol];

    return (ev->verdict->listeners[l->index].expected ? view->visibility : view->others) == VISIBILITY_OK;
}

int judge_other(struct evaluation *ev, const struct listener *l)
{
    const struct note *note = &ev->notes[l->index];
    struct objection objection;

    if (ev->verdict->listeners[l->index].own || !judge_was_read(ev, l) || !ev->classes[l->protocol].others ||
        note->covered || note->denied || listener_is_client(l))
        return 0;
    objection = judge_by_allows(ev->policy, l);
    return objection.rule == RULE_COUNT ? 0 : judge_object(ev, l, &objection);
}

/* Why it cannot be seen who holds the sockets of a listener: a mask of 1 << sight. */
static unsigned sights_of(const struct listener *l)
{
    unsigned mask = listener_has_strangers(l) ? 1u << SIGHT_LEFT_OUT : 0;

    for (uint32_t i = 0; i < l->followed; i++)
        mask |= 1u << owner_sight(l->members[i].owners);
    return mask;
}

/* What would help most. */
static const char *reason_of(unsigned sights)
{
    if (sights & 1u << SIGHT_HIDDEN)
        return "leave out process and exe, since user and unit of a socket are told without, or give the "
               "service CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH in the host's PID namespace "
               "(process-names.conf)";
    if (sights & 1u << SIGHT_LATE)
        return "/proc could not be looked through in time; see whether it is mounted, and what the collector "
               "\"owners\" says";
    if (sights & 1u << SIGHT_LEFT_OUT)
        return "there are more sockets than are looked for by limits.listeners, limits.listeners_per_port "
               "and "
               "limits.members";
    if (sights & 1u << SIGHT_NONE)
        return "no process here does";
    return "a process can, but not all that is asked of it (unit, user or exe)";
}

/* Names the listeners whose owners a rule needs and cannot see. */
static void describe_untold(struct evaluation *ev, enum protocol protocol)
{
    size_t count = ev->classes[protocol].untold, named = 0;
    struct inventory_cursor cursor = {0};
    struct buf *out = &ev->text;
    const struct listener *l;
    unsigned sights = 0;

    buf_fmt(out, "who holds %zu %s listener%s that a rule is about cannot be seen (", count,
            protocol_name(protocol), count == 1 ? "" : "s");
    while ((l = inventory_next(ev->inv, &cursor))) {
        if (!(ev->verdict->listeners[l->index].rules & 1u << RULE_BLIND) || l->protocol != protocol)
            continue;
        sights |= sights_of(l);
        if (named++ >= JUDGE_ENDPOINTS)
            continue;
        buf_str(out, named > 1 ? ", " : "");
        judge_describe(out, l);
    }
    buf_str(out, count > JUDGE_ENDPOINTS ? ", ...): " : "): ");
    buf_str(out, reason_of(sights));
}

/* Which part of a class is to be complained of: what rules need and cannot see. */
static enum visibility worst_visibility(const struct class_view *view, bool others, int *ret_error)
{
    bool of_others = others && view->visibility == VISIBILITY_OK && view->others != VISIBILITY_UNKNOWN;

    *ret_error = of_others ? view->others_error : view->error;
    return of_others ? view->others : view->visibility;
}

int judge_class(struct evaluation *ev, enum protocol protocol)
{
    const struct class_view *view = &ev->inv->classes[protocol];
    const struct class_verdict *class = &ev->verdict->classes[protocol];
    int error;
    enum visibility visibility = worst_visibility(view, ev->classes[protocol].others, &error);
    bool confirm = false;
    struct finding *f;

    if (visibility == VISIBILITY_UNKNOWN || !class->needed)
        return 0;
    buf_truncate(&ev->text, 0);
    if (visibility != VISIBILITY_OK) {
        buf_fmt(&ev->text, "%s sockets cannot be read: %s", protocol_name(protocol),
                err_str(visibility == VISIBILITY_FAILED ? error : ERR_UNSUPPORTED));
        confirm = visibility == VISIBILITY_FAILED; /* it may be read again at once */
    } else if (view->unread > 0 && (ev->classes[protocol].others || ev->classes[protocol].unsure)) {
        buf_fmt(&ev->text, "%llu %s sockets are more than can be held, and are not judged",
                (unsigned long long)view->unread, protocol_name(protocol));
    } else if (ev->classes[protocol].untold > 0) {
        describe_untold(ev, protocol);
        confirm = true; /* a holder may just have ended */
    } else {
        size_t before = ev->verdict->count;
        int r = judge_class_connections(ev, protocol);

        /* one Blind of a class is enough */
        return r < 0 || ev->verdict->count > before ? r : judge_class_probes(ev, protocol);
    }
    f = judge_add(ev);
    if (!f)
        return -ENOMEM;
    f->key = (struct alert_key){.rule = RULE_BLIND, .protocol = protocol};
    f->severity = class->severity;
    f->confirm = confirm;
    return 0;
}
