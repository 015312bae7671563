/* What metrics tell of alerts: one series for those that differ in no label of
 * it, which are alerts about several listeners of one port. One that was 1 is
 * told as 0 for a while after its last alert has ended, so that whoever reads
 * only now and then sees it end, instead of seeing nothing any more.
 *
 * Time is passed in. One thread, but for the plain data in a sealed list. */
#ifndef SOCKWATCH_CORE_ALERT_SERIES_H
#define SOCKWATCH_CORE_ALERT_SERIES_H

#include "core/rules.h"

/* A series, but for its severity. */
struct alert_series {
    enum rule rule;
    const char *name; /* borrowed */
    enum protocol protocol;
    bool has_port;
    uint16_t port;
};

/* That of a service by one of the rules that it uses; borrows the name. */
struct alert_series alert_series_of_service(enum rule rule, const char *name, enum protocol protocol,
                                            uint16_t port);

/* Borrows from the key. */
struct alert_series alert_series_of(const struct alert_key *key);

/* The order of alerts, as far as it goes. */
int alert_series_compare(const struct alert_series *a, const struct alert_series *b);

/* A series that was 1 is 0 for so long, at least. */
#define ALERT_SERIES_ENDED_MS INT64_C(300000)

/* One that was 1. */
struct ended_series {
    char name[EXPECT_NAME_MAX];
    enum rule rule;
    enum protocol protocol;
    enum severity severity;
    bool has_port;
    uint16_t port;
    int64_t until_ms; /* CLOCK_MONOTONIC; so long it is told */
};

/* Borrows from the item. */
struct alert_series alert_series_of_ended(const struct ended_series *item);

/* Those that were 1 lately; begins as {0}. */
struct ended_list {
    struct ended_series *items; /* owned; in the order of series and severities once settled */
    size_t count, capacity;
    size_t settled;  /* so many of them were there already */
    int64_t next_ms; /* CLOCK_MONOTONIC; when the next of the settled is to go */
    uint64_t cut;    /* how many had to go before their time, since the start */
};

/* Makes room for so many more. Returns 0 or -ENOMEM. */
int ended_list_reserve(struct ended_list *list, size_t more);

/* Notes a series that ends now. There is room for it. */
void ended_list_add(struct ended_list *list, const struct alert_series *series, enum severity severity,
                    int64_t now_ms);

/* Lets those go whose time is over, and of those about listeners that no entry
 * is about what is beyond the limit, the oldest first.
 *
 * limit   0 for none
 *
 * Returns whether other series are there than when it was settled last. */
bool ended_list_settle(struct ended_list *list, size_t limit, int64_t now_ms);

/* When the next of a settled list is to go on CLOCK_MONOTONIC, INT64_MAX for
 * never. */
int64_t ended_list_due_ms(const struct ended_list *list);

void ended_list_done(struct ended_list *list);

#endif
