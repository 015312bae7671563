/* Policies from a few words, for tests of what reads them. */
#ifndef SOCKWATCH_TESTS_UNIT_POLICIES_H
#define SOCKWATCH_TESTS_UNIT_POLICIES_H

#include "core/policy.h"
#include "tests/unit/unit.h"

#include <stdio.h>

/* A policy that expects services, each "ssh=tcp/22" or "udp/53,67-68", which
 * names itself, separated by spaces. To be sealed when its entries are as they
 * should be, and to be done away with by policy_done(). */
static inline struct policy policy_unsealed(const char *services)
{
    struct policy policy = {.expects = calloc(strlen(services) + 1, sizeof *policy.expects)};
    char copy[256], *rest = NULL;

    assert_non_null(policy.expects);
    policy.expect_capacity = strlen(services) + 1;
    assert_true(strlen(services) < sizeof copy);
    (void)snprintf(copy, sizeof copy, "%s", services);
    for (char *text = strtok_r(copy, " ", &rest); text; text = strtok_r(NULL, " ", &rest)) {
        struct expect *e = &policy.expects[policy.expect_count++];
        enum protocol protocol;
        char *name = strchr(text, '=') ? strsep(&text, "=") : text, *ports = strchr(text, '/');

        assert_non_null(ports);
        (void)snprintf(e->name, sizeof e->name, "%s", name);
        *ports++ = '\0';
        assert_int_equal(protocol_parse(text, &protocol), 0);
        e->match.protocols = 1u << protocol;
        assert_int_equal(port_ranges_parse(ports, &e->match.ports, &e->match.port_count), 0);
    }
    return policy;
}

/* Such a policy, sealed. */
static inline struct policy policy_expecting(const char *services)
{
    struct policy policy = policy_unsealed(services);

    assert_int_equal(policy_seal(&policy), 0);
    return policy;
}

#endif
