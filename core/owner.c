#include "core/owner.h"
#include "core/text.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct holder *holder_new(const struct holder *described)
{
    struct holder *holder = malloc(sizeof *holder);

    if (!holder)
        return NULL;
    *holder = *described;
    (void)program_ref(holder->program); /* beside that of the description */
    ref_init(&holder->ref);
    return holder;
}

const struct holder *holder_ref(const struct holder *holder)
{
    ref_take(&holder->ref);
    return holder;
}

void holder_unref(const struct holder *holder)
{
    if (!holder || !ref_drop(&holder->ref))
        return;
    program_unref(holder->program);
    free(ref_unseal(holder));
}

struct owner_set *owner_set_new(size_t count)
{
    struct owner_set *set = calloc(1, sizeof *set + count * sizeof(const struct holder *));

    if (!set)
        return NULL;
    ref_init(&set->ref);
    set->count = count;
    return set;
}

const struct owner_set *owner_set_ref(const struct owner_set *set)
{
    ref_take(&set->ref);
    return set;
}

void owner_set_unref(const struct owner_set *set)
{
    if (!set || !ref_drop(&set->ref))
        return;
    for (size_t i = 0; i < set->count; i++)
        holder_unref(set->holders[i]);
    free(ref_unseal(set));
}

enum sight owner_sight(const struct owner_set *set)
{
    return set ? set->sight : SIGHT_LEFT_OUT;
}

bool owner_set_awaits_name(const struct owner_set *set)
{
    bool awaits = set->user_awaited;

    for (size_t i = 0; i < set->count; i++)
        awaits |= set->holders[i]->user_awaited;
    return awaits;
}

/* A process chooses its name, but not its PID, its cgroup (beyond those of its
 * own user's manager) or to be root's. */
bool holder_is_activator(const struct holder *holder)
{
    bool is_roots = holder->uid_known && holder->uid == 0;

    return holder->in_manager || (holder->pid == 1 && strcmp(holder->process, "systemd") == 0) ||
           (is_roots && strcmp(holder->process, "systemd-socket-") == 0);
}

static bool lists_only_activators(const struct owner_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (!holder_is_activator(set->holders[i]))
            return false;
    return set->count > 0;
}

bool owner_set_is_only_activated(const struct owner_set *set)
{
    return set->unlisted == 0 && lists_only_activators(set);
}

static bool is_given(const char *pattern)
{
    return pattern && *pattern;
}

bool owner_pattern_is_set(const struct owner_pattern *pattern)
{
    return is_given(pattern->unit) || is_given(pattern->user) || is_given(pattern->exe) ||
           is_given(pattern->process);
}

static void describe_part(const char *what, const char *pattern, bool *first, struct buf *out)
{
    if (!is_given(pattern))
        return;
    buf_fmt(out, "%s%s %s", *first ? "" : ", ", what, pattern);
    *first = false;
}

void owner_pattern_describe(const struct owner_pattern *pattern, struct buf *out)
{
    bool first = true;

    describe_part("unit", pattern->unit, &first, out);
    describe_part("user", pattern->user, &first, out);
    describe_part("exe", pattern->exe, &first, out);
    describe_part("process", pattern->process, &first, out);
}

static bool glob_matches(const char *pattern, const char *name)
{
    /* Unit names contain backslashes, so those are nothing special. */
    return *name && (strcmp(pattern, name) == 0 || fnmatch(pattern, name, FNM_NOESCAPE) == 0);
}

/* The kernel keeps 15 bytes of a name, so of a longer one only those count,
 * and a character that they cut is escaped. */
static bool process_matches(const char *pattern, const char *name)
{
    char kept[PROCESS_TEXT_MAX];

    if (glob_matches(pattern, name))
        return true;
    if (strlen(pattern) <= PROCESS_BYTES_MAX || strpbrk(pattern, "*?["))
        return false;
    text_escape(pattern, PROCESS_BYTES_MAX, kept, sizeof kept);
    return strcmp(kept, name) == 0;
}

/* A socket unit makes the socket for the service of the same name. */
static bool unit_matches(const char *pattern, const char *unit)
{
    static const char suffix[] = ".socket";
    size_t length = strlen(unit);
    char service[UNIT_TEXT_MAX + sizeof ".service"];

    if (glob_matches(pattern, unit))
        return true;
    if (length < sizeof suffix || strcmp(unit + length - (sizeof suffix - 1), suffix) != 0)
        return false;
    (void)snprintf(service, sizeof service, "%.*s.service", (int)(length - (sizeof suffix - 1)), unit);
    return glob_matches(pattern, service);
}

static bool user_matches(const char *pattern, uint32_t uid, const char *name)
{
    char number[sizeof "4294967295"];

    (void)snprintf(number, sizeof number, "%u", uid);
    return glob_matches(pattern, name) || strcmp(pattern, number) == 0;
}

static bool holder_user_matches(const char *pattern, const struct holder *holder)
{
    return holder->uid_known ? user_matches(pattern, holder->uid, holder->user)
                             : glob_matches(pattern, holder->user);
}

static enum owner_match worse(enum owner_match a, enum owner_match b)
{
    return a > b ? a : b;
}

/* Whether it is the program, or only passes for it. */
static enum owner_match passes_for(const char *pattern, const struct program *program)
{
    if (!program)
        return OWNER_UNTOLD;
    return strcmp(pattern, program->path) == 0 ||
                   fnmatch(pattern, program->path, FNM_NOESCAPE | FNM_PATHNAME) == 0
               ? OWNER_MATCHES
               : OWNER_DIFFERS;
}

/* A path that leads to another file, or to none, is only what the process makes
 * it look like. */
static enum owner_match program_match(const char *pattern, const struct program *program)
{
    enum owner_match match = passes_for(pattern, program);

    if (match != OWNER_MATCHES)
        return match;
    switch (program->standing) {
    case PROGRAM_UNVERIFIED: return OWNER_UNTOLD;
    case PROGRAM_VERIFIED: return OWNER_MATCHES;
    case PROGRAM_FOREIGN: break;
    }
    return OWNER_DIFFERS;
}

typedef enum owner_match program_fn(const char *pattern, const struct program *program);

static enum owner_match holder_match(const struct owner_pattern *pattern, const struct owner_set *set,
                                     const struct holder *holder, program_fn *match_program)
{
    enum owner_match match = OWNER_MATCHES;

    if (is_given(pattern->process) && !process_matches(pattern->process, holder->process))
        match = *holder->process ? OWNER_DIFFERS : OWNER_UNTOLD;
    if (is_given(pattern->user) && !holder_user_matches(pattern->user, holder) &&
        !user_matches(pattern->user, set->uid, set->user))
        match = worse(match, *holder->user && *set->user ? OWNER_DIFFERS : OWNER_UNTOLD);
    if (is_given(pattern->unit) && !glob_matches(pattern->unit, holder->unit) &&
        !unit_matches(pattern->unit, set->unit))
        match = worse(match, holder->unit_known ? OWNER_DIFFERS : OWNER_UNTOLD);
    if (is_given(pattern->exe))
        match = worse(match, match_program(pattern->exe, holder->program));
    return match;
}

/* One made by root may have been passed on, or its program may have become
 * another user; so may one that systemd made. */
enum owner_match owner_match_socket(const struct owner_pattern *pattern, const struct owner_set *set)
{
    bool asks_for_holder = is_given(pattern->process) || is_given(pattern->exe);
    enum owner_match match = asks_for_holder ? OWNER_UNTOLD : OWNER_MATCHES;

    if (is_given(pattern->user) && !user_matches(pattern->user, set->uid, set->user))
        match = worse(match, *set->user && set->uid != 0 ? OWNER_DIFFERS : OWNER_UNTOLD);
    if (is_given(pattern->unit) && !unit_matches(pattern->unit, set->unit))
        match =
            worse(match, *set->unit && strcmp(set->unit, "init.scope") != 0 ? OWNER_DIFFERS : OWNER_UNTOLD);
    return match;
}

/* Who will have it is not known yet; only a name that nobody has told may differ. */
static enum owner_match activated_match(const struct owner_pattern *pattern, const struct owner_set *set)
{
    enum owner_match match = owner_match_socket(pattern, set);
    bool awaits_name = is_given(pattern->user) && !*set->user && set->uid != 0 &&
                       !user_matches(pattern->user, set->uid, set->user);

    return match == OWNER_UNTOLD && !awaits_name ? OWNER_MATCHES : match;
}

/* Of all the holders the one that fits best. */
static enum owner_match best_match(const struct owner_pattern *pattern, const struct owner_set *set,
                                   program_fn *match_program)
{
    enum owner_match best = set->unlisted > 0 ? OWNER_UNTOLD : OWNER_DIFFERS;

    for (size_t i = 0; i < set->count; i++) {
        enum owner_match match = holder_match(pattern, set, set->holders[i], match_program);

        if (match < best)
            best = match;
    }
    return best;
}

enum owner_match owner_match(const struct owner_pattern *pattern, const struct owner_set *set)
{
    if (!owner_pattern_is_set(pattern))
        return OWNER_MATCHES;
    if (!set)
        return OWNER_UNTOLD;
    if (set->count == 0)
        return owner_match_socket(pattern, set);
    if (owner_set_is_only_activated(set))
        return activated_match(pattern, set);
    return best_match(pattern, set, program_match);
}

enum owner_match owner_match_unwanted(const struct owner_pattern *pattern, const struct owner_set *set)
{
    if (!owner_pattern_is_set(pattern))
        return OWNER_MATCHES;
    if (!set)
        return OWNER_UNTOLD;
    return set->count == 0 ? owner_match_socket(pattern, set) : best_match(pattern, set, passes_for);
}

static const char *holder_name(const struct holder *holder, enum owner_name which)
{
    switch (which) {
    case OWNER_PROCESS: return holder->process;
    case OWNER_USER: return holder->user;
    case OWNER_UNIT: return holder->unit;
    }
    return "";
}

static const char *socket_name(const struct owner_set *set, enum owner_name which)
{
    switch (which) {
    case OWNER_PROCESS: return "";
    case OWNER_USER: return set->user;
    case OWNER_UNIT: return set->unit;
    }
    return "";
}

/* The lesser of two names, of which b must come after previous to count. */
static const char *nearer(const char *a, const char *b, const char *previous)
{
    if (!*b || (previous && strcmp(b, previous) <= 0))
        return a;
    return !a || strcmp(b, a) < 0 ? b : a;
}

const char *owner_next_name(const struct owner_set *set, enum owner_name which, const char *previous)
{
    const char *next = NULL;
    bool skip_activators;

    if (!set)
        return NULL;
    if (set->count == 0)
        return nearer(NULL, socket_name(set, which), previous);
    skip_activators = !lists_only_activators(set);
    for (size_t i = 0; i < set->count; i++)
        if (!skip_activators || !holder_is_activator(set->holders[i]))
            next = nearer(next, holder_name(set->holders[i], which), previous);
    return next;
}
