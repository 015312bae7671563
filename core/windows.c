#include "core/windows.h"
#include "core/sliding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An expected service. Its windows are there while something is in them. */
struct service {
    char name[EXPECT_NAME_MAX];
    enum protocol protocol;
    uint16_t port;
    bool up;                               /* when it was last seen */
    struct sliding *interrupted, *dropped; /* owned */
};

struct windows {
    struct service *services;  /* owned; as in the verdict that was followed last */
    struct service_past *past; /* owned; of each of them */
    size_t count;
    int64_t due_ms;
};

struct windows *windows_new(void)
{
    struct windows *w = calloc(1, sizeof *w);

    if (w)
        w->due_ms = INT64_MAX;
    return w;
}

static void free_services(struct service *services, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(services[i].interrupted);
        free(services[i].dropped);
    }
    free(services);
}

void windows_free(struct windows *w)
{
    if (!w)
        return;
    free_services(w->services, w->count);
    free(w->past);
    free(w);
}

static int compare_services(const void *a, const void *b)
{
    const struct service *x = *(const struct service *const *)a, *y = *(const struct service *const *)b;
    int r = strcmp(x->name, y->name);

    if (r == 0)
        r = (int)x->protocol - (int)y->protocol;
    return r != 0 ? r : (int)x->port - (int)y->port;
}

static struct service service_of(const struct service_verdict *v, const struct policy *policy)
{
    struct service s = {.protocol = v->protocol, .port = v->port};

    memcpy(s.name, policy->expects[v->expect].name, sizeof s.name);
    return s;
}

/* Whether the verdict is about the same services, in the same order. */
static bool are_same(const struct windows *w, const struct verdict *verdict, const struct policy *policy)
{
    if (w->count != verdict->service_count)
        return false;
    for (size_t i = 0; i < w->count; i++) {
        const struct service_verdict *v = &verdict->services[i];
        const struct service *s = &w->services[i];

        if (s->port != v->port || s->protocol != v->protocol ||
            strcmp(s->name, policy->expects[v->expect].name) != 0)
            return false;
    }
    return true;
}

/* Takes what is known of a service, if it is, and leaves nothing behind that
 * would be freed. */
static void take_over(struct windows *w, struct service **sorted, struct service *s,
                      struct service_past *past)
{
    struct service **found = NULL;

    if (w->count > 0)
        found = bsearch(&s, sorted, w->count, sizeof(struct service *), compare_services);
    if (!found)
        return;
    *s = **found;
    *past = w->past[*found - w->services];
    (*found)->interrupted = (*found)->dropped = NULL;
}

/* Other services, or in another order: those that stay keep what is known of them. */
static int rearrange(struct windows *w, const struct verdict *verdict, const struct policy *policy)
{
    size_t count = verdict->service_count;
    struct service *services = calloc(count + 1, sizeof *services);
    struct service_past *past = calloc(count + 1, sizeof *past);
    struct service **sorted = calloc(w->count + 1, sizeof(struct service *));

    if (!services || !past || !sorted) {
        free(services);
        free(past);
        free(sorted);
        return -ENOMEM;
    }
    for (size_t i = 0; i < w->count; i++)
        sorted[i] = &w->services[i];
    qsort(sorted, w->count, sizeof(struct service *), compare_services);
    for (size_t i = 0; i < count; i++) {
        services[i] = service_of(&verdict->services[i], policy);
        take_over(w, sorted, &services[i], &past[i]);
    }
    free(sorted);
    free_services(w->services, w->count);
    free(w->past);
    w->services = services;
    w->past = past;
    w->count = count;
    return 0;
}

static bool is_interrupted(const struct service *s, const struct service_verdict *v)
{
    return v->seen && s->up && (v->found == 0 || v->renewed);
}

/* Returns 0 or -ENOMEM. */
static int make_window(struct sliding **window, const struct allowed_rate *rate, bool wanted, int64_t now_ms)
{
    if (*window || !wanted)
        return 0;
    *window = malloc(sizeof **window);
    if (!*window)
        return -ENOMEM;
    sliding_init(*window, rate->window_ms, now_ms);
    return 0;
}

/* Makes room for all that will be counted, so that nothing after it can fail. */
static int make_windows(struct windows *w, const struct verdict *verdict, const struct policy *policy,
                        int64_t now_ms)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < w->count; i++) {
        const struct service_verdict *v = &verdict->services[i];
        const struct expect *e = &policy->expects[v->expect];
        struct service *s = &w->services[i];

        r = make_window(&s->interrupted, &e->flapping, e->flapping.max > 0 && is_interrupted(s, v), now_ms);
        if (r == 0)
            r = make_window(&s->dropped, &e->drops, e->drops_limited && v->seen && v->dropped > 0, now_ms);
    }
    return r;
}

/* Counts what is new, and lets the window move on. Returns how much is in it. */
static uint64_t count_within(struct windows *w, struct sliding **window, const struct allowed_rate *rate,
                             uint64_t fresh, int64_t now_ms)
{
    uint64_t sum;

    if (!*window)
        return 0;
    sliding_resize(*window, rate->window_ms, now_ms);
    sliding_add(*window, fresh, now_ms);
    sum = sliding_sum(*window, now_ms);
    if (sum > (uint64_t)rate->max && sliding_falls_ms(*window) < w->due_ms)
        w->due_ms = sliding_falls_ms(*window);
    if (sum == 0) {
        free(*window);
        *window = NULL;
    }
    return sum;
}

static void drop_window(struct sliding **window, bool wanted)
{
    if (wanted)
        return;
    free(*window);
    *window = NULL;
}

static void follow_service(struct windows *w, size_t i, const struct service_verdict *v,
                           const struct expect *e, int64_t now_ms)
{
    struct service *s = &w->services[i];
    bool interrupted = is_interrupted(s, v);

    drop_window(&s->interrupted, e->flapping.max > 0);
    drop_window(&s->dropped, e->drops_limited);
    w->past[i].interruptions += interrupted;
    w->past[i].interrupted = count_within(w, &s->interrupted, &e->flapping, interrupted, now_ms);
    w->past[i].dropped = count_within(w, &s->dropped, &e->drops, v->seen ? v->dropped : 0, now_ms);
    if (v->seen)
        s->up = v->found > 0;
}

int windows_follow(struct windows *w, const struct verdict *verdict, const struct policy *policy,
                   int64_t now_ms)
{
    int r = are_same(w, verdict, policy) ? 0 : rearrange(w, verdict, policy);

    if (r == 0)
        r = make_windows(w, verdict, policy, now_ms);
    if (r < 0)
        return r;
    w->due_ms = INT64_MAX;
    for (size_t i = 0; i < w->count; i++) {
        const struct service_verdict *v = &verdict->services[i];

        follow_service(w, i, v, &policy->expects[v->expect], now_ms);
    }
    return 0;
}

const struct service_past *windows_past(const struct windows *w)
{
    return w->past;
}

int64_t windows_due_ms(const struct windows *w)
{
    return w->due_ms;
}
