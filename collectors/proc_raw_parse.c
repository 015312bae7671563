#include "collectors/proc_raw_parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The kernel prints each 32-bit word of an address as a number, so its digits
 * are in host order while the word in memory is in network order. */
static int parse_address(const char *hex, uint8_t version, struct ip_addr *ret)
{
    size_t words = version == 4 ? 1 : 4;
    struct ip_addr address = {.version = version};

    if (strlen(hex) != words * 8 || strspn(hex, "0123456789ABCDEFabcdef") != words * 8)
        return -EBADMSG;
    for (size_t i = 0; i < words; i++) {
        char digits[9];
        uint32_t word;

        memcpy(digits, hex + i * 8, 8);
        digits[8] = '\0';
        word = (uint32_t)strtoul(digits, NULL, 16);
        memcpy(address.bytes + i * 4, &word, sizeof word);
    }
    *ret = address;
    return 0;
}

int proc_raw_parse_line(const char *line, uint8_t version, struct proc_raw_row *ret_row)
{
    struct proc_raw_row row = {0};
    char local[33];
    unsigned protocol, state;
    int fields;

    fields = sscanf(line,
                    " %*u: %32[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*x %2x %*x:%*x %*x:%*x %*x %" SCNu32
                    " %*d %" SCNu64 " %*d %*s %" SCNu32,
                    local, &protocol, &state, &row.uid, &row.inode, &row.drops.count);
    if (fields < 5 || parse_address(local, version, &row.address) < 0)
        return -EBADMSG;
    row.drops.known = fields == 6;
    row.protocol = (uint16_t)protocol;
    row.state = (uint8_t)state;
    *ret_row = row;
    return 0;
}
