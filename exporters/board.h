/* The board: the one place where the polling thread puts what is newest, and
 * where any thread takes it.
 *
 * What is posted are sealed values, so that whoever looks goes on reading what
 * it took while newer values come. One mutex is held for an exchange of
 * pointers and a copy of the status, never for work. */
#ifndef SOCKWATCH_EXPORTERS_BOARD_H
#define SOCKWATCH_EXPORTERS_BOARD_H

#include "config/config.h"
#include "exporters/view.h"

struct board;

/* What belongs together: a snapshot and what was made of it. */
struct posting {
    const struct snapshot *snapshot;
    const struct verdict *verdict; /* of this snapshot */
    const struct alert_list *alerts;
    const struct config *config; /* which the verdict was made by */
};

/* What is newest at one moment. It stays where it is: view points into it. */
struct look {
    struct posting posting; /* a reference to each */
    struct status status;
    uint64_t content; /* counts postings */
    uint64_t version; /* counts postings and notes */
    struct view view; /* of all that, for renderers */
};

/* version, revision   kept: they must outlive the board
 *
 * Returns owned, or NULL when memory runs out. */
struct board *board_new(const char *version, const char *revision);

/* Nobody may look any more; looks taken before live on. */
void board_free(struct board *b);

/* Posts what is new, with references of its own; those to the posting before
 * are given back. The status follows with board_note(): whoever finds a poll
 * counted sees what it found. Polling thread; cannot fail. */
void board_post(struct board *b, const struct posting *posting);

/* Notes how the last poll went, whether it found anything new or not, and until
 * when on CLOCK_MONOTONIC /-/ready says that polls are fresh. Polling thread;
 * allocates nothing, cannot fail. */
void board_note(struct board *b, const struct status *status, int64_t ready_until_ms);

/* Takes what is newest. Any thread.
 *
 * ret   filled on success only; owned, for look_done()
 *
 * Returns 0, or -EAGAIN when nothing was posted yet. */
int board_look(struct board *b, struct look *ret);

/* Gives the references back. */
void look_done(struct look *look);

/* As noted last; 0 before. Any thread. */
int64_t board_ready_until(struct board *b);

#endif
