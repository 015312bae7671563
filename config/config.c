#include "config/config.h"
#include "config/schema.h"

#include <stdlib.h>

struct config *config_new(void)
{
    static const struct ip_port defaults[] = {
        {.address = {.version = 4, .bytes = {127, 0, 0, 1}}, .port = CONFIG_DEFAULT_PORT},
        {.address = {.version = 6, .bytes = {[15] = 1}}, .port = CONFIG_DEFAULT_PORT},
    };
    struct config *config = calloc(1, sizeof *config);

    if (!config)
        return NULL;
    ref_init(&config->ref);
    schema_set_defaults(schema_root(), config);
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        if (ip_ports_add(&config->listen, &defaults[i]) < 0) {
            config_unref(config);
            return NULL;
        }
    }
    return config;
}

const struct config *config_ref(const struct config *config)
{
    ref_take(&config->ref);
    return config;
}

void config_unref(const struct config *config)
{
    struct config *last;

    if (!config || !ref_drop(&config->ref))
        return;
    last = ref_unseal(config);
    free(last->listen.items);
    policy_done(&last->policy);
    free(ref_unseal(last->include_dir));
    free(last);
}
