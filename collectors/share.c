#include "collectors/share.h"

/* Worth beginning for. */
#define PORTION_US INT64_C(1000)

struct share share_of(int64_t parts, int64_t rest_us)
{
    return (struct share){
        .parts = parts, .rest_us = rest_us, .saved_us = rest_us * parts, .at_us = INT64_MAX};
}

static int64_t saved_us(const struct share *s, int64_t now_us)
{
    int64_t saved = now_us > s->at_us ? s->saved_us + (now_us - s->at_us) : s->saved_us;

    return saved < s->rest_us * s->parts ? saved : s->rest_us * s->parts;
}

int64_t share_left_us(const struct share *s, int64_t now_us)
{
    return saved_us(s, now_us) / s->parts;
}

void share_spend(struct share *s, int64_t now_us, int64_t spent_us)
{
    s->saved_us = saved_us(s, now_us) - spent_us * s->parts;
    s->at_us = now_us;
}

int64_t share_ready_us(const struct share *s, int64_t debt_us, int64_t now_us)
{
    int64_t left = saved_us(s, now_us) + debt_us * s->parts;

    return left > 0 ? now_us : now_us + PORTION_US * s->parts - left;
}
