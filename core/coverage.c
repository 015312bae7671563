#include "core/coverage.h"
#include "core/rules.h"

#include <errno.h>
#include <stdlib.h>

/* Judges by entries that are borrowed. NULL when memory runs out. */
static const struct verdict *judge(const struct listener_table *table, struct policy borrowed,
                                   const struct own_sockets *own)
{
    const struct verdict *v = NULL;
    struct inventory inv;

    listener_table_inventory(table, &inv);
    if (policy_seal(&borrowed) == 0)
        v = rules_judge(&(struct observed){.inventory = &inv, .own = own}, &borrowed, NULL);
    policy_unseal(&borrowed);
    return v;
}

static const struct verdict *judge_by_wanted(const struct listener_table *table, const struct policy *policy,
                                             const struct own_sockets *own)
{
    const struct policy wanted = {
        .expects = policy->expects,
        .expect_count = policy->expect_count,
        .allows = policy->allows,
        .allow_count = policy->allow_count,
        .unexpected = {.enabled = true,
                       .protocols = policy->unexpected.protocols & protocols_of_ip(),
                       .ignore_kernel_chosen = policy->unexpected.ignore_kernel_chosen},
    };

    return judge(table, wanted, own);
}

static const struct verdict *judge_by_denied(const struct listener_table *table, const struct policy *policy,
                                             const struct own_sockets *own)
{
    const struct policy denied = {.denies = policy->denies, .deny_count = policy->deny_count};

    return judge(table, denied, own);
}

static bool is_unexpected(const struct verdict *v, const struct listener *l)
{
    return v->listeners[l->index].rules & 1u << RULE_UNEXPECTED_LISTENER;
}

int coverage_find_open(const struct listener_table *table, const struct policy *policy,
                       const struct own_sockets *own, const struct listener ***ret_listeners,
                       size_t *ret_count)
{
    size_t count, open = 0;
    const struct listener *listeners = listener_table_all(table, &count);
    const struct verdict *wanted = judge_by_wanted(table, policy, own);
    const struct verdict *denied = judge_by_denied(table, policy, own);
    const struct listener **found = calloc(count + 1, sizeof(const struct listener *));
    int r = wanted && denied && found ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < count; i++)
        if (is_unexpected(wanted, &listeners[i]) && !is_unexpected(denied, &listeners[i]))
            found[open++] = &listeners[i];
    verdict_unref(wanted);
    verdict_unref(denied);
    if (r < 0) {
        free(found);
        return r;
    }
    *ret_listeners = found;
    *ret_count = open;
    return 0;
}
