#include "collectors/local_ports_parse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int local_ports_parse_range(const char *text, struct port_range *ret)
{
    unsigned first, last;

    if (sscanf(text, "%u %u", &first, &last) != 2 || first == 0 || first > last || last > UINT16_MAX)
        return -EBADMSG;
    *ret = (struct port_range){(uint16_t)first, (uint16_t)last};
    return 0;
}

int local_ports_parse_reserved(char *text, struct port_set *set)
{
    struct port_range *ranges;
    struct port_cursor cursor = {0};
    size_t count;
    uint16_t port;
    int r;

    text[strcspn(text, "\n")] = '\0';
    if (!*text)
        return 0;
    r = port_ranges_parse(text, &ranges, &count);
    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    while (port_ranges_next(ranges, count, &cursor, &port))
        port_set_remove(set, port);
    free(ranges);
    return 0;
}
