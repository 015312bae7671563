/* JSON for programs, in the one shape of interface.md: snake_case, null for
 * what is not known. Pure; any thread. */
#ifndef SOCKWATCH_EXPORTERS_JSON_H
#define SOCKWATCH_EXPORTERS_JSON_H

#include "exporters/view.h"

/* {"listeners": [...], "collectors": {...}}, appended with a final newline.
 * out is marked failed when memory runs out. */
void json_listeners(const struct view *view, struct buf *out);

/* {"alerts": [...]}, likewise, in the order of the alerts given. */
void json_alerts(const struct alert *const *alerts, size_t count, struct buf *out);

#endif
