/* Inside of the rules: what the judges of expected services and of all other
 * listeners share. Only core/rules.c and core/judge_*.c include this. */
#ifndef SOCKWATCH_CORE_JUDGE_H
#define SOCKWATCH_CORE_JUDGE_H

#include "core/buf.h"
#include "core/rules.h"
#include "core/uid_counts.h"

/* A summary names this many listeners, then how many more there are. */
enum { JUDGE_ENDPOINTS = 4 };

/* What a listener on one of its ports is for an expect entry. */
enum role {
    ROLE_NONE,   /* another entry's matter, or nobody's */
    ROLE_BESIDE, /* of the service, but another one gets its connections */
    ROLE_SERVES, /* of the service */
    ROLE_BOUND,  /* likewise, and bound to exactly the entry's address */
};

/* What is known of a listener while it is judged. */
struct note {
    uint32_t askers;    /* entries on its port that ask for exactly its address */
    enum role role : 8; /* for the entry being judged, which is on its port */
    bool has_open;      /* an entry on its port asks for no address */
    bool covered;       /* an expect entry answers for it */
    bool awaited;       /* whether it is of that entry's service hangs on an owner that is looked for */
    bool denied;        /* a deny entry answers for it */
    bool crowded;       /* a great many entries are about its port */
};

struct evaluation {
    const struct inventory *inv;
    const struct conn_table *connections; /* NULL: not counted yet */
    const struct probe_results *probes;   /* NULL: none was told of yet */
    const struct policy *policy;
    const struct own_sockets *own;
    struct verdict *verdict;
    const struct judge_bounds *bounds; /* NULL for none */
    struct uid_counts uids;            /* findings about listeners of each user */
    struct note *notes;                /* one per listener, by its index */
    struct service_verdict *service;   /* being judged */
    struct {
        bool others;      /* some rule is about listeners on ports that no entry expects */
        bool unsure;      /* an expected service may be among the sockets that were not read */
        bool connections; /* some rule is about how many connections a service has */
        size_t untold;    /* listeners of which a rule needs an owner that was not seen */
    } classes[PROTOCOL_COUNT];
    size_t unprobed;              /* services of which the probe could not be made */
    size_t others_found;          /* findings about listeners that count for the bounds */
    const struct listener **site; /* owned; room for those on a port that concern an entry */
    size_t site_count, site_capacity;
    uint32_t site_first; /* index of the first on the port */
    struct buf text;     /* of the next finding; its memory serves them all */
};

/* Fills in the notes and which listeners are expected, and which are sockwatch's own. */
void judge_survey(struct evaluation *ev);

/* Gathers the listeners that concern an entry, of those on one of its ports, as
 * ev->site. Returns 0 or -ENOMEM. */
int judge_gather(struct evaluation *ev, const struct expect *e, const struct listener *l, size_t count);

/* An entry on one of its ports, the listeners there that concern it, and what
 * holds for those together that are the service. */
struct site {
    const struct expect *entry;
    enum protocol protocol;
    uint16_t port;
    enum want_scope want;
    const struct listener *const *listeners; /* borrowed */
    struct note *notes;                      /* of all listeners, by their index */
    size_t count;
    size_t found, loopback;
    uint64_t missing; /* mask of the entry's addresses by their index: those that are not served */
    bool probed;      /* the entry has a probe that is about this port */
    const struct probe_told *probe; /* what came of it, of the service as it is now; NULL: it is not told */
};

/* Fills in what each of the site's listeners is for the entry, and what holds for
 * them together. */
void judge_assign_roles(struct site *site);

/* Whether a listener of the service reaches further than it should. One on
 * loopback beside an address does not, and one on another address that has taken
 * the place of an expected one is at the wrong address. */
bool judge_is_exposed(const struct site *site, const struct listener *l);

/* Whether connections to the address reach the listener. */
bool judge_serves(const struct listener *l, const struct ip_addr *address);

/* A listener on an expected port is the entry's matter, unless the entry wants
 * addresses, has them, and this is another one that is not exposed. */
void judge_cover(struct site *site);

/* Judges an expected service on one of its ports, by ev->service's protocol, whose
 * class was read. */
int judge_expect(struct evaluation *ev, const struct expect *e, uint16_t port);

/* Begins the summary of a finding about the site: "web: tcp port 80 ", or
 * "mysql: unix /run/mysqld/mysqld.sock ". */
void judge_begin_summary(struct evaluation *ev, const struct site *site);

/* Names the site's listeners, all or only those that are exposed, and marks them as
 * breaking the rule. */
void judge_name_listeners(struct evaluation *ev, const struct site *site, bool only_exposed, enum rule rule);

/* Adds the finding about the site that the summary is about. Returns 0 or -ENOMEM. */
int judge_add_of_site(struct evaluation *ev, const struct site *site, enum rule rule, bool undetermined);

/* Judges how many connections a service has that is there. Returns 0 or -ENOMEM. */
int judge_connections(struct evaluation *ev, const struct site *site);

/* Judges whether the connections of a class, of which nothing else is to be
 * complained, were counted where a rule is about them; before the first count
 * there is nothing to complain of. Returns 0 or -ENOMEM. */
int judge_class_connections(struct evaluation *ev, enum protocol protocol);

/* Fills in what is known of the site's probe, and what of ev->service it hangs on. */
void judge_look_at_probe(struct evaluation *ev, struct site *site);

/* Whether a probe that is to connect ended so. */
bool judge_probe_ended(const struct site *site, enum probe_result result);

/* Adds to the summary how the probe ended, where that says more: it is the same cause. */
void judge_name_probe(struct evaluation *ev, const struct site *site);

/* Whether something answers where a firewall is to close the port, and says so. */
bool judge_answers(const struct site *site);
void judge_name_answer(struct evaluation *ev, const struct site *site, const char *before);

/* Judges whether the port is closed, of a service of which no listener is known to be
 * exposed. Returns 0 or -ENOMEM. */
int judge_closed(struct evaluation *ev, const struct site *site);

/* Judges whether who connects to the service gets through, after all other rules: what
 * they found may be why not. Returns 0 or -ENOMEM. */
int judge_unreachable(struct evaluation *ev, const struct site *site);

/* Judges whether probes could be made, of a class of which nothing else is to be
 * complained. Returns 0 or -ENOMEM. */
int judge_class_probes(struct evaluation *ev, enum protocol protocol);

/* Which rules an entry with a probe uses on one of its ports, as a mask. */
uint32_t judge_probe_rules(const struct expect *e, enum protocol protocol, uint16_t port);

/* Judges what befell ev->service, which is of the entry. Needs nothing else of ev but
 * its verdict. */
int judge_past(struct evaluation *ev, const struct expect *e);

/* Whether the sockets of which a listener is one were read to the end. */
bool judge_was_read(const struct evaluation *ev, const struct listener *l);

/* Whether a scope is one that an entry asks for. */
bool judge_scope_matches(enum want_scope want, enum scope scope);

/* What the allow or the deny entries say to a listener. */
struct objection {
    enum rule rule;   /* Exposed, UnexpectedListener, or RULE_COUNT for nothing */
    const char *what; /* what is said behind "tcp 0.0.0.0:80 ", static */
    enum severity severity;
    int64_t for_ms;
    bool untold;                    /* it hangs on an owner that is not told */
    bool unseen;                    /* and nobody is looking for that one any more */
    const struct owner_set *owners; /* of the socket that it is about; may be NULL */
};

struct objection judge_by_allows(const struct policy *policy, const struct listener *l);

/* Adds what is said to a listener, if there is room. Returns 0 or -ENOMEM. */
int judge_object(struct evaluation *ev, const struct listener *l, const struct objection *objection);

/* Judges a listener by the deny entries; sockwatch's own is never denied. Returns
 * 0 or -ENOMEM. */
int judge_denied(struct evaluation *ev, const struct listener *l);

/* Whether a deny entry could be about a listener of which nothing is known but
 * where it is bound. */
bool judge_could_deny(const struct policy *policy, const struct listener *l);

/* Judges a listener that neither an expect nor a deny entry answers for. */
int judge_other(struct evaluation *ev, const struct listener *l);

/* Judges the local ports in use. Returns 0 or -ENOMEM. */
int judge_ephemeral(struct evaluation *ev);

/* Judges what could not be seen of a class, after all its listeners. */
int judge_class(struct evaluation *ev, enum protocol protocol);

/* Adds a finding, zeroed but for its summary, which is ev->text. Returns it,
 * valid until the next one, or NULL when memory runs out. */
struct finding *judge_add(struct evaluation *ev);

/* Notes that the listener breaks a rule. */
void judge_mark(struct evaluation *ev, const struct listener *l, enum rule rule, enum severity severity);

/* Notes that a rule would need to see who holds the listener, which cannot be
 * seen. */
void judge_note_untold(struct evaluation *ev, const struct listener *l);

/* Whether it cannot be seen who holds a socket, or whose those are that are not
 * followed. While holders are being looked for, or the name of a user is asked
 * for, there is nothing to complain of yet. */
bool judge_is_unseen(const struct owner_set *owners);

/* "80", "127.0.0.1:80" and "nginx[812], user www-data, unit nginx.service, exe
 * /usr/sbin/nginx". */
void judge_describe_number(struct buf *out, uint32_t number);
void judge_describe(struct buf *out, const struct listener *l);
void judge_describe_owner(struct buf *out, const struct owner_set *owners);

#endif
