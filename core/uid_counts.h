/* How many of something each user has. Pure; one thread. */
#ifndef SOCKWATCH_CORE_UID_COUNTS_H
#define SOCKWATCH_CORE_UID_COUNTS_H

#include <stddef.h>
#include <stdint.h>

/* Begins as {0}. */
struct uid_counts {
    struct uid_count {
        uint32_t uid;
        uint32_t count; /* 0: nobody is here */
    } * slots;          /* owned; hash by uid */
    size_t count, slot_count;
};

/* Counts one more, up to limit. Returns 1 when it was counted, 0 when the user
 * has so many already, or -ENOMEM. */
int uid_counts_add(struct uid_counts *c, uint32_t uid, uint32_t limit);
void uid_counts_done(struct uid_counts *c);

#endif
