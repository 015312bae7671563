#include "exporters/service_hint.h"

#include <ctype.h>
#include <string.h>

#define WEB    "nginx apache caddy haproxy traefik envoy varnish squid tomcat jetty"
#define MAIL   "postfix master exim sendmail smtpd"
#define LEASES "dhc dnsmasq networkd networkmanager kea"

/* Programs whose names do not show what they serve. */
static const struct {
    const char *service; /* or what its name begins with */
    const char *programs;
} known[] = {
    {"http", WEB},
    {"webcache", WEB},
    {"domain", "named unbound dnsmasq resolve pdns knot kresd coredns bind"},
    {"mdns", "avahi resolve"},
    {"llmnr", "resolve"},
    {"ntp", "chrony timesync"},
    {"ssh", "dropbear"},
    {"mysql", "mariadb proxysql"},
    {"postgresql", "pgbouncer"},
    {"redis", "valkey keydb"},
    {"smtp", MAIL},
    {"submission", MAIL},
    {"imap", "dovecot cyrus"},
    {"pop3", "dovecot cyrus"},
    {"sieve", "dovecot cyrus"},
    {"ldap", "slapd dirsrv"},
    {"kerberos", "krb5 kdc"},
    {"bootp", LEASES},
    {"dhcp", LEASES},
    {"ipp", "cups"},
    {"sunrpc", "rpcbind"},
    {"microsoft-ds", "smbd samba"},
    {"netbios", "smbd nmbd samba"},
    {"isakmp", "charon pluto"},
    {"ipsec", "charon pluto"},
    {"amqp", "beam rabbit"},
    {"epmd", "erl beam"},
};

/* Whether the text has these characters in it, whatever their case. */
static bool has_word(const char *text, const char *word, size_t length)
{
    for (; *text; text++) {
        size_t i = 0;

        while (i < length && tolower((unsigned char)text[i]) == tolower((unsigned char)word[i]))
            i++;
        if (i == length)
            return length > 0;
    }
    return false;
}

static bool has_one_of(const char *name, const char *words)
{
    for (size_t length; *words; words += length + (words[length] == ' ')) {
        length = strcspn(words, " ");
        if (has_word(name, words, length))
            return true;
    }
    return false;
}

/* A shorter name is in too many others. */
enum { NAME_MIN = 4 };

/* "sshd" goes with "ssh", "postgres" with "postgresql", "nginx" with "http-alt". */
static bool goes_with(const char *service, const char *name)
{
    size_t length = strlen(name);

    if (has_word(name, service, strcspn(service, "-_")) ||
        (length >= NAME_MIN && has_word(service, name, length)))
        return true;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strncmp(service, known[i].service, strlen(known[i].service)) == 0 &&
            has_one_of(name, known[i].programs))
            return true;
    return false;
}

/* Whether a unit is called after what it runs: a session, a container or what
 * runs for a while is not. */
static bool unit_is_telling(const char *unit)
{
    const char *kind = strrchr(unit, '.');

    return kind && (strcmp(kind, ".service") == 0 || strcmp(kind, ".socket") == 0) &&
           strncmp(unit, "user@", strlen("user@")) != 0 && strncmp(unit, "run-", strlen("run-")) != 0;
}

/* What is known by now of the names. */
struct names {
    const char *service;
    bool any;  /* there are some */
    bool goes; /* and one goes with the service */
};

static void take_name(struct names *names, const char *name)
{
    names->any |= *name != '\0';
    names->goes = names->goes || (*name && goes_with(names->service, name));
}

static void take_unit(struct names *names, const char *unit)
{
    if (unit_is_telling(unit))
        take_name(names, unit);
}

static void take_program(struct names *names, const char *path)
{
    const char *file = strrchr(path, '/');

    take_name(names, file ? file + 1 : path);
}

bool service_hint_is_doubtful(const struct listener *l, const struct holder_list *holders)
{
    struct names names = {.service = l->service_name};
    const char *unit = NULL;

    if (!*names.service)
        return false;
    for (size_t i = 0; i < holders->count; i++) {
        const struct holder *h = holders->items[i];

        if (holder_is_activator(h))
            continue;
        take_name(&names, h->process);
        take_unit(&names, h->unit);
        if (h->program)
            take_program(&names, h->program->path);
    }
    while (holders->count == 0 && (unit = listener_next_name(l, OWNER_UNIT, unit)))
        take_unit(&names, unit);
    return names.any && !names.goes;
}
