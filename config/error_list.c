#include "config/error_list.h"
#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { WHAT_MAX = 1024 };

bool error_list_wants(struct error_list *list, size_t rank)
{
    bool wanted = list->told_count < ERRORS_TOLD_MAX || rank < list->told[ERRORS_TOLD_MAX - 1].rank;

    list->count += !wanted;
    return wanted;
}

/* line   takes; NULL when memory ran out for it */
static void add_line(struct error_list *list, size_t rank, char *line)
{
    size_t i;

    list->count++;
    if (!line) {
        list->failed = true;
        return;
    }
    if (list->told_count == ERRORS_TOLD_MAX)
        free(list->told[--list->told_count].line);
    for (i = list->told_count++; i > 0 && list->told[i - 1].rank > rank; i--)
        list->told[i] = list->told[i - 1];
    list->told[i].rank = rank;
    list->told[i].line = line;
}

void error_list_add(struct error_list *list, size_t rank, const char *path, unsigned line, const char *key,
                    const char *format, ...)
{
    char what[WHAT_MAX], number[sizeof "4294967295:"] = "", *text;
    va_list args;

    if (!error_list_wants(list, rank))
        return;
    va_start(args, format);
    text_vformat(what, sizeof what, format, args); /* cut on purpose */
    va_end(args);
    if (line > 0)
        (void)snprintf(number, sizeof number, "%u:", line); /* fits */
    if (asprintf(&text, "%s:%s %s%s%s\n", path, number, key, *key ? ": " : "", what) < 0)
        text = NULL;
    add_line(list, rank, text);
}

void error_list_print(const struct error_list *list, const char *path, struct buf *out)
{
    for (size_t i = 0; i < list->told_count; i++)
        buf_str(out, list->told[i].line);
    if (list->count > ERRORS_TOLD_MAX)
        buf_fmt(out, "%s: %zu more errors\n", path, list->count - ERRORS_TOLD_MAX);
    if (list->failed)
        out->failed = true;
}

void error_list_done(struct error_list *list)
{
    for (size_t i = 0; i < list->told_count; i++)
        free(list->told[i].line);
    *list = (struct error_list){.count = 0};
}
