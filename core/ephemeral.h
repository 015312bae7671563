/* The local ports that connect() chooses: how many are in use towards the
 * destination that has most of them in use.
 *
 * The kernel may choose a port again for another destination, so what runs out
 * is counted per source address, destination address and destination port: a
 * tuple. Of each, every socket of any state has a port of its own, those in
 * TIME_WAIT, too. A port that is bound is nobody's to choose, whatever the
 * tuple, and sockets on a port where somebody listens are those that were
 * connected to. IPv4-mapped addresses are IPv4's.
 *
 * A counter is fed with each TCP socket of a dump while it arrives, listeners
 * first, as the kernel lists them. Any local user can make a great many tuples,
 * so at most EPHEMERAL_TUPLES are kept: where there are more, the emptiest quarter
 * of them is forgotten, and all others lose as many ports as the fullest of
 * those had. So what is told of a tuple is never too much, and after n sockets
 * too little by 4 n / (3 EPHEMERAL_TUPLES) at most, 163 after a million: many
 * small tuples do not hide one that is running out. With fewer tuples all is
 * exact, but that the kernel may list a socket twice where others come while it
 * lists: one of a few hundred at worst, which never makes more of them than
 * there are ports. Pure; a counter is one thread's. */
#ifndef SOCKWATCH_CORE_EPHEMERAL_H
#define SOCKWATCH_CORE_EPHEMERAL_H

#include "core/connection.h"
#include "core/port_set.h"

enum { EPHEMERAL_TUPLES = 8192 };

/* The host's settings. */
struct local_ports {
    bool known;
    struct port_range range; /* ip_local_port_range, if known */
    struct port_set free;    /* its ports without ip_local_reserved_ports, likewise */
};

/* What was counted. Plain data. */
struct ephemeral {
    bool known;                         /* all else is told only then */
    struct port_range range;            /* that connect() chooses from */
    uint32_t available;                 /* how many of its ports are neither reserved nor listened on */
    uint32_t used;                      /* of these, by the fullest tuple, which uses so many at least */
    uint32_t unsure;                    /* and so many more at most; some other one may then be the fullest */
    uint64_t forgotten;                 /* tuples for which there was no room; one may be forgotten again */
    struct ip_addr source, destination; /* of the fullest tuple, if any port is used */
    uint16_t port;                      /* likewise, of the destination */
};

struct ephemeral_counter;

/* secret   two numbers that nobody can guess, or NULL
 *
 * Returns owned, or NULL when memory runs out. */
struct ephemeral_counter *ephemeral_counter_new(const uint64_t *secret);
void ephemeral_counter_free(struct ephemeral_counter *c);

/* Begins to count anew.
 *
 * ports   borrowed; where they are not known, nothing that is counted is */
void ephemeral_counter_begin(struct ephemeral_counter *c, const struct local_ports *ports);

/* Forgets what was counted; the ports stay, and who listens. */
void ephemeral_counter_reset(struct ephemeral_counter *c);

/* Somebody listens on a port, which is nobody's to choose from now on. */
void ephemeral_counter_listen(struct ephemeral_counter *c, uint16_t port);

/* Counts a TCP socket. Returns 0, or -ENOMEM: it is not counted then. */
int ephemeral_counter_add(struct ephemeral_counter *c, const struct connection *connection);

/* What was counted so far. */
struct ephemeral ephemeral_counter_result(const struct ephemeral_counter *c);

/* Whether both tell the same. */
bool ephemeral_is_same(const struct ephemeral *a, const struct ephemeral *b);

/* How much of the available ports so many are, of what is known: 1 when there is
 * none left, also where none is available at all. */
double ephemeral_ratio(const struct ephemeral *e, uint32_t used);

#endif
