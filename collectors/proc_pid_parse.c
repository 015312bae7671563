#include "collectors/proc_pid_parse.h"
#include "core/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t proc_pid_parse_socket(const char *link, size_t length)
{
    static const char prefix[] = "socket:[";
    uint64_t inode = 0;
    size_t i = sizeof prefix - 1;

    if (length <= i + 1 || memcmp(link, prefix, i) != 0 || link[length - 1] != ']')
        return 0;
    for (; i < length - 1; i++) {
        if (link[i] < '0' || link[i] > '9')
            return 0;
        inode = inode * 10 + (uint64_t)(link[i] - '0');
        if (inode > UINT32_MAX)
            return 0;
    }
    return (uint32_t)inode;
}

int proc_pid_parse_uid(const char *status, uint32_t *ret_uid)
{
    const char *line = strstr(status, "\nUid:");
    unsigned real, effective;

    /* A name cannot forge the line: the kernel escapes new lines in it here. */
    if (!line || sscanf(line, "\nUid: %u %u", &real, &effective) != 2)
        return -EBADMSG;
    *ret_uid = effective;
    return 0;
}

int proc_pid_parse_process(const char *status, uint32_t *ret_pid)
{
    const char *line = strstr(status, "\nTgid:");
    unsigned pid;

    if (!line || sscanf(line, "\nTgid: %u", &pid) != 1 || pid == 0)
        return -EBADMSG;
    *ret_pid = pid;
    return 0;
}

void proc_pid_parse_comm(const char *comm, size_t length, char ret_name[static PROCESS_TEXT_MAX])
{
    if (length > 0 && comm[length - 1] == '\n')
        length--; /* the kernel's */
    if (length > 0)
        text_escape(comm, length, ret_name, PROCESS_TEXT_MAX);
    else
        (void)snprintf(ret_name, PROCESS_TEXT_MAX, "(unnamed)"); /* it chose to be, and was seen */
}

static bool has_suffix(const char *part, size_t length, const char *suffix)
{
    size_t n = strlen(suffix);

    return length > n && memcmp(part + length - n, suffix, n) == 0;
}

static bool is_unit(const char *part, size_t length)
{
    static const char *const suffixes[] = {".service", ".scope", ".socket", ".mount", ".swap"};

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (has_suffix(part, length, suffixes[i]))
            return true;
    return false;
}

void proc_pid_parse_unit(const char *path, size_t length, char ret_unit[static UNIT_TEXT_MAX])
{
    const char *end = path + length;

    *ret_unit = '\0';
    while (path < end) {
        const char *slash = memchr(path, '/', (size_t)(end - path));
        size_t n = (size_t)((slash ? slash : end) - path);

        if (n > 0 && !has_suffix(path, n, ".slice")) {
            if (*path == '_') { /* systemd's escape for names that the kernel uses itself */
                path++;
                n--;
            }
            if (is_unit(path, n))
                text_escape(path, n, ret_unit, UNIT_TEXT_MAX);
            return;
        }
        path += n + 1;
    }
}

/* The path in a line "ID:CONTROLLERS:PATH", when it is of systemd's own
 * hierarchy ("N:name=systemd:") or, unified, of cgroup2 ("0::"); or NULL. */
static const char *hierarchy_path(const char *line, size_t length, bool unified)
{
    static const char name[] = "name=systemd";
    const char *controllers = memchr(line, ':', length), *path;

    if (!controllers)
        return NULL;
    controllers++;
    path = memchr(controllers, ':', length - (size_t)(controllers - line));
    if (!path)
        return NULL;
    if (unified)
        return path == controllers && controllers - line == 2 && *line == '0' ? path + 1 : NULL;
    return path - controllers == sizeof name - 1 && memcmp(controllers, name, sizeof name - 1) == 0 ? path + 1
                                                                                                    : NULL;
}

static bool is_manager(const char *path, size_t length, const char *unit)
{
    static const char own[] = "/init.scope", of_user[] = "user@";

    if (length < sizeof own - 1 || memcmp(path + length - (sizeof own - 1), own, sizeof own - 1) != 0)
        return false;
    return length == sizeof own - 1 || strncmp(unit, of_user, sizeof of_user - 1) == 0;
}

bool proc_pid_parse_cgroup(const char *text, char ret_unit[static UNIT_TEXT_MAX])
{
    char unified[UNIT_TEXT_MAX] = "";
    bool manager = false, unified_manager = false;

    *ret_unit = '\0';
    while (*text && !*ret_unit) {
        size_t length = strcspn(text, "\n");
        const char *path = hierarchy_path(text, length, false);

        if (path) {
            proc_pid_parse_unit(path, length - (size_t)(path - text), ret_unit);
            manager = is_manager(path, length - (size_t)(path - text), ret_unit);
        }
        path = hierarchy_path(text, length, true);
        if (path) {
            proc_pid_parse_unit(path, length - (size_t)(path - text), unified);
            unified_manager = is_manager(path, length - (size_t)(path - text), unified);
        }
        text += length + (text[length] == '\n');
    }
    if (*ret_unit)
        return manager;
    memcpy(ret_unit, unified, sizeof unified);
    return unified_manager;
}

/* Undoes the octal escapes of a path. Returns false when it does not fit. */
static bool unescape(const char *text, size_t length, char *ret_path, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        if (c == '\\' && i + 3 < length && strspn(text + i + 1, "01234567") >= 3) {
            c = (char)((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 | (text[i + 3] - '0'));
            i += 3;
        }
        if (used + 1 >= size)
            return false;
        ret_path[used++] = c;
    }
    ret_path[used] = '\0';
    return true;
}

/* The nth field, counted from 0, of a line with single spaces. */
static const char *field(const char *line, unsigned n, size_t *ret_length)
{
    while (n-- > 0) {
        line = strchr(line, ' ');
        if (!line)
            return NULL;
        line++;
    }
    *ret_length = strcspn(line, " \n");
    return line;
}

int proc_pid_parse_mount(const char *line, struct mount_line *ret)
{
    struct mount_line m = {.type = ""};
    const char *dash = strstr(line, " - "), *text;
    size_t length;

    text = field(line, 3, &length);
    if (!dash || !text || text > dash || !unescape(text, length, m.root, sizeof m.root))
        return -EBADMSG;
    text = field(line, 4, &length);
    if (!text || text > dash || !unescape(text, length, m.point, sizeof m.point))
        return -EBADMSG;
    text = field(dash + 3, 0, &length);
    if (!text || length == 0 || length >= sizeof m.type)
        return -EBADMSG;
    memcpy(m.type, text, length);
    text = field(dash + 3, 2, &length);
    m.hides_processes =
        text && strcmp(m.type, "proc") == 0 &&
        ((strstr(text, "hidepid=") && !strstr(text, "hidepid=0") && !strstr(text, "hidepid=off")) ||
         strstr(text, "subset=pid"));
    *ret = m;
    return 0;
}
