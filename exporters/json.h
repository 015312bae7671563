/* JSON for programs, in the one shape of interface.md: snake_case, null for
 * what is not known. Pure; any thread. */
#ifndef SOCKWATCH_EXPORTERS_JSON_H
#define SOCKWATCH_EXPORTERS_JSON_H

#include "exporters/view.h"

/* {"expected": [...], "expected_left_out": N, "listeners": [...], "collectors":
 * {...}}, appended with a final newline, without what the view's filter leaves out.
 * The expected services come the worst first; those that do not fit into 8 MiB are
 * counted. out is marked failed when memory runs out. */
void json_listeners(const struct view *view, struct buf *out);

/* {"alerts": [...]}, likewise, in the order of the alerts given.
 *
 * policy   whose entries' labels they carry; sealed */
void json_alerts(const struct policy *policy, const struct alert *const *alerts, size_t count,
                 struct buf *out);

#endif
