#include "collectors/unix_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

/* Folders that systemd gives a service of its own, or hides from it. */
static const char *const own_folders[] = {"/tmp/", "/var/tmp/", "/home/", "/root/", "/run/user/", "/dev/"};

void unix_files_begin(struct unix_files *files)
{
    *files = (struct unix_files){0};
}

/* Does not ask the server of a file system, where that is elsewhere. */
static void ask(struct unix_place *place, const char *path)
{
    struct statx there;

    place->error =
        statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO, &there) < 0 ? errno : 0;
    if (place->error != 0)
        return;
    place->file.device = there.stx_dev_major << 20 | there.stx_dev_minor;
    place->file.inode = (uint32_t)there.stx_ino;
}

static const struct unix_place *place_of(struct unix_files *files, const char *path)
{
    const struct ip_addr key = unix_path_address(path);
    struct unix_place *place =
        &files->places[key.bytes[0] % (sizeof files->places / sizeof files->places[0])];

    if (ip_addr_compare(&place->path, &key) == 0)
        return place;
    *place = (struct unix_place){.path = key};
    ask(place, path);
    return place;
}

static bool is_own(const char *path)
{
    for (size_t i = 0; i < sizeof own_folders / sizeof own_folders[0]; i++)
        if (strncmp(path, own_folders[i], strlen(own_folders[i])) == 0)
            return true;
    return false;
}

/* Whether the folder is there where a path is missing: in a container, or in another
 * root directory, nothing can be told. */
static bool has_folder(const char *path)
{
    size_t length = (size_t)(strrchr(path, '/') - path);
    char folder[UNIX_PATH_BYTES];
    struct stat there;

    memcpy(folder, path, length);
    folder[length] = '\0';
    return length == 0 || stat(folder, &there) == 0;
}

/* Some tell other numbers to whoever asks than they have inside. */
static bool has_own_numbers(const char *path)
{
    struct statfs system;

    return statfs(path, &system) < 0 || system.f_type == BTRFS_SUPER_MAGIC ||
           system.f_type == OVERLAYFS_SUPER_MAGIC || system.f_type == FUSE_SUPER_MAGIC;
}

enum presence unix_files_look(struct unix_files *files, const char *path, const struct unix_file *file)
{
    const struct unix_place *place;

    if (*path != '/' || strlen(path) >= UNIX_PATH_BYTES)
        return PRESENCE_UNKNOWN;
    place = place_of(files, path);
    if (place->error == 0 && place->file.device == file->device && place->file.inode == file->inode)
        return PRESENCE_PRESENT;
    if (is_own(path) || (place->error != 0 && place->error != ENOENT))
        return PRESENCE_UNKNOWN;
    if (place->error == 0)
        return has_own_numbers(path) ? PRESENCE_UNKNOWN : PRESENCE_ABSENT;
    return has_folder(path) ? PRESENCE_ABSENT : PRESENCE_UNKNOWN;
}
