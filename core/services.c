#include "core/services.h"
#include "core/array.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct entry {
    uint32_t key; /* protocol << 16 | port */
    uint32_t order;
    char name[SERVICE_NAME_MAX];
};

struct services {
    struct entry *entries;
    size_t count, capacity;
};

static const struct {
    enum protocol protocol;
    uint16_t port;
    const char *name;
} builtin[] = {
    {PROTOCOL_TCP, 21, "ftp"},
    {PROTOCOL_TCP, 22, "ssh"},
    {PROTOCOL_TCP, 23, "telnet"},
    {PROTOCOL_TCP, 25, "smtp"},
    {PROTOCOL_TCP, 53, "domain"},
    {PROTOCOL_TCP, 80, "http"},
    {PROTOCOL_TCP, 110, "pop3"},
    {PROTOCOL_TCP, 143, "imap2"},
    {PROTOCOL_TCP, 389, "ldap"},
    {PROTOCOL_TCP, 443, "https"},
    {PROTOCOL_TCP, 445, "microsoft-ds"},
    {PROTOCOL_TCP, 465, "submissions"},
    {PROTOCOL_TCP, 587, "submission"},
    {PROTOCOL_TCP, 636, "ldaps"},
    {PROTOCOL_TCP, 873, "rsync"},
    {PROTOCOL_TCP, 993, "imaps"},
    {PROTOCOL_TCP, 995, "pop3s"},
    {PROTOCOL_TCP, 1433, "ms-sql-s"},
    {PROTOCOL_TCP, 1521, "oracle"},
    {PROTOCOL_TCP, 2049, "nfs"},
    {PROTOCOL_TCP, 2379, "etcd-client"},
    {PROTOCOL_TCP, 2380, "etcd-server"},
    {PROTOCOL_TCP, 3306, "mysql"},
    {PROTOCOL_TCP, 3389, "ms-wbt-server"},
    {PROTOCOL_TCP, 4369, "epmd"},
    {PROTOCOL_TCP, 5432, "postgresql"},
    {PROTOCOL_TCP, 5672, "amqp"},
    {PROTOCOL_TCP, 5900, "vnc"},
    {PROTOCOL_TCP, 5984, "couchdb"},
    {PROTOCOL_TCP, 6379, "redis"},
    {PROTOCOL_TCP, 6443, "kubernetes"},
    {PROTOCOL_TCP, 8080, "http-alt"},
    {PROTOCOL_TCP, 8086, "influxdb"},
    {PROTOCOL_TCP, 9042, "cassandra"},
    {PROTOCOL_TCP, 9090, "prometheus"},
    {PROTOCOL_TCP, 9092, "kafka"},
    {PROTOCOL_TCP, 9093, "alertmanager"},
    {PROTOCOL_TCP, 9100, "node-exporter"},
    {PROTOCOL_TCP, 9200, "elasticsearch"},
    {PROTOCOL_TCP, 10066, "sockwatch"},
    {PROTOCOL_TCP, 11211, "memcache"},
    {PROTOCOL_TCP, 27017, "mongodb"},
    {PROTOCOL_TCP, 33060, "mysqlx"},
    {PROTOCOL_UDP, 53, "domain"},
    {PROTOCOL_UDP, 67, "bootps"},
    {PROTOCOL_UDP, 68, "bootpc"},
    {PROTOCOL_UDP, 69, "tftp"},
    {PROTOCOL_UDP, 123, "ntp"},
    {PROTOCOL_UDP, 161, "snmp"},
    {PROTOCOL_UDP, 443, "https"},
    {PROTOCOL_UDP, 500, "isakmp"},
    {PROTOCOL_UDP, 514, "syslog"},
    {PROTOCOL_UDP, 546, "dhcpv6-client"},
    {PROTOCOL_UDP, 547, "dhcpv6-server"},
    {PROTOCOL_UDP, 1194, "openvpn"},
    {PROTOCOL_UDP, 4500, "ipsec-nat-t"},
    {PROTOCOL_UDP, 4789, "vxlan"},
    {PROTOCOL_UDP, 5353, "mdns"},
    {PROTOCOL_UDP, 11211, "memcache"},
    {PROTOCOL_UDP, 51820, "wireguard"},
    {PROTOCOL_RAW, 1, "icmp"},
    {PROTOCOL_RAW, 2, "igmp"},
    {PROTOCOL_RAW, 47, "gre"},
    {PROTOCOL_RAW, 58, "ipv6-icmp"},
    {PROTOCOL_RAW, 89, "ospf"},
    {PROTOCOL_RAW, 112, "vrrp"},
    {PROTOCOL_RAW, 255, "reserved"},
    {PROTOCOL_PACKET, 0x0800, "ip"},
    {PROTOCOL_PACKET, 0x0806, "arp"},
    {PROTOCOL_PACKET, 0x86dd, "ipv6"},
    {PROTOCOL_PACKET, 0x888e, "eapol"},
    {PROTOCOL_PACKET, 0x88cc, "lldp"},
};

struct services *services_new(void)
{
    return calloc(1, sizeof(struct services));
}

void services_free(struct services *s)
{
    if (!s)
        return;
    free(s->entries);
    free(s);
}

static uint32_t entry_key(enum protocol protocol, uint16_t port)
{
    return (uint32_t)protocol << 16 | port;
}

int services_add(struct services *s, enum protocol protocol, uint16_t port, const char *name)
{
    struct entry *entries, *entry;

    if (!name_is_plain(name))
        return 0;
    entries = array_grow(s->entries, &s->capacity, s->count + 1, sizeof *entries);
    if (!entries)
        return -ENOMEM;
    s->entries = entries;
    entry = &s->entries[s->count];
    entry->key = entry_key(protocol, port);
    entry->order = (uint32_t)s->count++;
    (void)snprintf(entry->name, sizeof entry->name, "%s", name); /* cut on purpose */
    return 0;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

void services_seal(struct services *s)
{
    size_t kept = 0;

    if (s->count > 0)
        qsort(s->entries, s->count, sizeof *s->entries, compare_entries);
    for (size_t i = 0; i < s->count; i++)
        if (kept == 0 || s->entries[i].key != s->entries[kept - 1].key)
            s->entries[kept++] = s->entries[i];
    s->count = kept;
}

static const char *builtin_name(enum protocol protocol, uint16_t port)
{
    for (size_t i = 0; i < sizeof builtin / sizeof builtin[0]; i++)
        if (builtin[i].protocol == protocol && builtin[i].port == port)
            return builtin[i].name;
    return NULL;
}

static int compare_key(const void *key, const void *entry)
{
    uint32_t wanted = *(const uint32_t *)key, have = ((const struct entry *)entry)->key;

    return wanted < have ? -1 : wanted > have;
}

const char *services_name(const struct services *s, enum protocol protocol, uint16_t port)
{
    uint32_t key = entry_key(protocol, port);
    const struct entry *entry = NULL;

    if (s && s->count > 0)
        entry = bsearch(&key, s->entries, s->count, sizeof *s->entries, compare_key);
    return entry ? entry->name : builtin_name(protocol, port);
}
