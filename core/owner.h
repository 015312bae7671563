/* Whose socket: the processes that hold it, as far as they can be seen, and
 * where it was made; and whether that is who was expected.
 *
 * An owner_set is const once its collector has filled it, and is shared by the
 * tables of consecutive polls; any thread may read it. */
#ifndef SOCKWATCH_CORE_OWNER_H
#define SOCKWATCH_CORE_OWNER_H

#include "core/buf.h"
#include "core/program.h"
#include "core/ref.h"

#include <stdint.h>

/* All with the NUL. A process name has 15 bytes, each of which may have to be
 * escaped; a unit name 255; a user name 32 (useradd), or it is a number. */
#define PROCESS_TEXT_MAX  64
#define UNIT_TEXT_MAX     256
#define USER_TEXT_MAX     64
#define PROCESS_BYTES_MAX 15

/* A process that has sockets open. Const once it is described, and shared by all
 * sets that name it. */
struct holder {
    struct ref ref;
    uint32_t pid;
    bool uid_known;
    uint32_t uid;                   /* effective user, if uid_known */
    char process[PROCESS_TEXT_MAX]; /* its name, escaped; "" unknown */
    char user[USER_TEXT_MAX];       /* that user's name, its number where it has none; "" unknown */
    bool user_awaited;              /* unknown, and asked for just now */
    bool unit_known;                /* its cgroup could be read */
    bool in_manager;                /* it is in the cgroup that a service manager keeps for itself */
    char unit[UNIT_TEXT_MAX];       /* "" for none */
    const struct program *program;  /* a reference, or NULL: it may not be read */
};

/* Returns owned (one reference), a copy of what describes a process, with a
 * reference of its own to the program; NULL when memory runs out. */
const struct holder *holder_new(const struct holder *described);
const struct holder *holder_ref(const struct holder *holder);
void holder_unref(const struct holder *holder);

/* What was found out about the holders of a socket; the less, the worse. */
enum sight {
    SIGHT_NOT_YET,  /* they are being looked for */
    SIGHT_LEFT_OUT, /* nobody looks for them: a limit cut the socket */
    SIGHT_LATE,     /* they could not be looked for in time */
    SIGHT_HIDDEN,   /* none was found, but not every process could be looked into */
    SIGHT_NONE,     /* every process was looked into, none has it */
    SIGHT_SEEN,     /* those below have it */
};

struct owner_set {
    struct ref ref;
    enum sight sight;
    uint32_t uid;             /* the socket's own, given to it when it was made */
    char user[USER_TEXT_MAX]; /* that user's name, its number where it has none; "" unknown */
    bool user_awaited;        /* unknown, and asked for just now */
    char unit[UNIT_TEXT_MAX]; /* where the socket was made; "" unknown or none */
    uint64_t unlisted;        /* processes that have it besides, as counted last */
    size_t count;
    const struct holder *holders[]; /* by PID; a reference each, or NULL while it is filled */
};

/* Returns owned (one reference) and zeroed, with room for count references to
 * holders, which it takes; NULL when memory runs out. */
struct owner_set *owner_set_new(size_t count);
const struct owner_set *owner_set_ref(const struct owner_set *set);
void owner_set_unref(const struct owner_set *set);

/* Whether the name of one of its users is asked for: a database of users may be
 * slow. While it is, what cannot be told is no blindness. */
bool owner_set_awaits_name(const struct owner_set *set);

/* set   NULL: nobody looks */
enum sight owner_sight(const struct owner_set *set);

/* Whether the holder only keeps the socket for a service that it starts when
 * somebody connects: systemd itself, the system's or a user's, or root's
 * systemd-socket-activate. Nobody else can be one by calling himself so. */
bool holder_is_activator(const struct holder *holder);

/* Whether the socket has holders, and all of them are such, listed or not. */
bool owner_set_is_only_activated(const struct owner_set *set);

/* Who a socket should belong to: shell patterns (glob(7)), NULL or "" for
 * anybody. Borrows the texts: a policy may have many patterns, most of them short
 * or none, so that room for the longest would be most of what it takes. */
struct owner_pattern {
    const char *unit;
    const char *user;
    const char *exe; /* the path of the program's file; no "*" or "?" in it is a "/" */
    const char *process;
};

bool owner_pattern_is_set(const struct owner_pattern *pattern);

/* Writes "unit mariadb.service, user mysql", naming what is asked for. */
void owner_pattern_describe(const struct owner_pattern *pattern, struct buf *out);

enum owner_match {
    OWNER_MATCHES,
    OWNER_UNTOLD, /* what can be seen does not tell */
    OWNER_DIFFERS,
};

/* Whether one of the holders is who the pattern asks for. A user or a unit is
 * also that of the socket itself, since a program may give up its first user,
 * and another unit may have made its socket. While only an activator holds the
 * socket, its process will be another one, but the socket's own user and unit
 * tell as those of one without holders do. A program only matches by its path
 * where the host has that file there. Somebody who is not listed may be the one
 * asked for, and so may a user whose name is unknown. A user that is a number is
 * the one with that number, whatever its name.
 *
 * set   NULL: nobody looks */
enum owner_match owner_match(const struct owner_pattern *pattern, const struct owner_set *set);

/* Likewise, of somebody who is not wanted: it is enough that a program passes
 * for the one that is named, and an activator is whom it is, not whom it will
 * start. */
enum owner_match owner_match_unwanted(const struct owner_pattern *pattern, const struct owner_set *set);

/* What the socket alone tells, as to whoever sees no process. What matches by it
 * matches whoever holds it. */
enum owner_match owner_match_socket(const struct owner_pattern *pattern, const struct owner_set *set);

/* Which of an owner's names. */
enum owner_name { OWNER_PROCESS, OWNER_USER, OWNER_UNIT };

/* The next of the names that a socket's owner has, each once and in order.
 * Activators are left out where somebody else holds the socket, too; where no
 * holder is known, the socket's own user and unit are named.
 *
 * set        may be NULL: no names
 * previous   the name returned before, or NULL to begin
 *
 * Returns NULL after the last; valid as long as set. */
const char *owner_next_name(const struct owner_set *set, enum owner_name which, const char *previous);

#endif
