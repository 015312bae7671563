/* What the host says about itself: its services database and the settings that
 * make a bind scope mean something else. */
#include "collectors/collectors.h"
#include "collectors/local_ports.h"

#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define CONF_DIRECTORY "/proc/sys/net/ipv4/conf"

struct services *collectors_services(void)
{
    struct services *s = services_new();
    struct servent *service;
    struct protoent *protocol;
    enum protocol parsed;
    int r = 0;

    if (!s)
        return NULL;
    setservent(1);
    while (r == 0 && (service = getservent()))
        if (protocol_parse(service->s_proto, &parsed) == 0)
            r = services_add(s, parsed, ntohs((uint16_t)service->s_port), service->s_name);
    endservent();
    setprotoent(1);
    while (r == 0 && (protocol = getprotoent()))
        if (protocol->p_proto >= 0 && protocol->p_proto <= UINT8_MAX)
            r = services_add(s, PROTOCOL_RAW, (uint16_t)protocol->p_proto, protocol->p_name);
    endprotoent();
    if (r < 0) {
        services_free(s);
        return NULL;
    }
    services_seal(s);
    return s;
}

/* Returns the number in the file, or -errno. */
static int read_number(const char *path)
{
    FILE *file = fopen(path, "re");
    int number, r;

    if (!file)
        return -errno;
    r = fscanf(file, "%d", &number) == 1 ? number : -EIO;
    (void)fclose(file); /* it was only read */
    return r;
}

struct port_range collectors_local_ports(void)
{
    struct port_range range = {32768, 60999}; /* the kernel's own choice */

    (void)local_ports_read_range(&range); /* which stays as it is then */
    return range;
}

struct caveats collectors_caveats(void)
{
    struct caveats caveats = {0};
    DIR *directory = opendir(CONF_DIRECTORY);
    const struct dirent *entry;

    if (!directory)
        return caveats;
    caveats.route_localnet_known = true;
    while ((entry = readdir(directory))) {
        char path[sizeof CONF_DIRECTORY + sizeof entry->d_name + sizeof "//route_localnet"];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, CONF_DIRECTORY "/%s/route_localnet", entry->d_name);
        caveats.route_localnet |= read_number(path) == 1;
    }
    (void)closedir(directory); /* it was only read */
    return caveats;
}
