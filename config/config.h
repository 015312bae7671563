/* The configuration: what the operator wrote, with defaults, validated.
 *
 * A struct config is const after config_load() and owns all it refers to; a
 * reload loads another one whole and swaps, and the one before lives while any
 * thread still renders from it. No logging: every error is text for the caller
 * to show. Main thread only, but for references and reading. */
#ifndef SOCKWATCH_CONFIG_CONFIG_H
#define SOCKWATCH_CONFIG_CONFIG_H

#include "core/buf.h"
#include "core/conn_row.h"
#include "core/limits.h"
#include "core/policy.h"
#include "core/ref.h"

/* Read when --config is not given; it need not exist. */
#ifndef CONFIG_DEFAULT_PATH
#define CONFIG_DEFAULT_PATH "/etc/sockwatch/sockwatch.conf"
#endif

#define CONFIG_DEFAULT_PORT 10066

/* Addresses that serve HTTP. Each listener is compared with all of them. */
enum { CONFIG_LISTEN_MAX = 64 };

/* Remote ports whose connections are told one by one. */
struct outbound_ports {
    uint16_t ports[CONN_PORTS_MAX]; /* asked for */
    size_t count;
    int64_t top; /* and as many more, the busiest */
};

struct config {
    struct ref ref;
    int64_t poll_listeners_ms;
    int64_t poll_connections_ms;
    struct outbound_ports outbound;
    bool by_unit; /* connections are counted by systemd unit, too */
    struct ip_ports listen;
    struct policy policy; /* sealed */
    struct limits limits;
    const char *include_dir; /* owned, as it was written; NULL for none. Its entries are in policy */
};

/* Returns owned (a reference): the configuration without any file; NULL when
 * memory runs out. */
struct config *config_new(void);
const struct config *config_ref(const struct config *config);
void config_unref(const struct config *config);

/* Loads a file.
 *
 * ret      returns owned (a reference); filled on success only
 * errors   every error as a line "FILE:LINE: KEY: what is wrong, what was expected"
 *
 * Returns 0; ERR_CONFIG when the file is wrong; -errno when it cannot be read
 * (errors has a line for that too). Source: libconfig manual, interface.md. */
int config_load(const char *path, struct config **ret, struct buf *errors);

/* Likewise, as if one of the files of include_dir were not there.
 *
 * drop_in   its path; of any other file, or NULL, nothing is left out */
int config_load_without(const char *path, const char *drop_in, struct config **ret, struct buf *errors);

/* Likewise, as if none of them were there. */
int config_load_alone(const char *path, struct config **ret, struct buf *errors);

/* Whether a file, which need not be there, is one of include_dir.
 *
 * path   of the configuration's own file
 *
 * Returns 1, 0, -EINVAL for one that is there but by its name would not be read, or
 * -ENOMEM. */
int config_find_drop_in(const struct config *config, const char *path, const char *file);

/* Writes the effective configuration so that config_load() reads it back, as one
 * file, with what stands in those of include_dir: with all defaults, or without any
 * where it would be too large for one file then. */
void config_show(const struct config *config, struct buf *out);

/* Likewise, without the lists of expect, allow and deny entries. */
void config_show_settings(const struct config *config, struct buf *out);

/* Likewise, the entries of one of these lists alone, without defaults, each on a line
 * of its own after "\n" and with commas between them. Returns how many. */
size_t config_show_entries(const struct config *config, const char *list, struct buf *out);

#endif
