#include "config/read_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

ssize_t read_file(const char *path, char **ret_text)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    ssize_t r;

    if (!file)
        return -errno;
    text = malloc(FILE_BYTES_MAX + 2);
    if (!text) {
        r = -ENOMEM;
        goto out;
    }
    r = (ssize_t)fread(text, 1, FILE_BYTES_MAX + 1, file);
    if (ferror(file))
        r = errno ? -errno : -EIO;
    else if (r > FILE_BYTES_MAX)
        r = -EFBIG;
out:
    if (r >= 0) {
        bool ended = r == 0 || text[r - 1] == '\n';

        /* libconfig 1.5 takes a comment without a new line for wrong syntax. */
        text[r] = ended ? '\0' : '\n';
        text[r + 1] = '\0';
        *ret_text = text;
    } else {
        free(text);
    }
    (void)fclose(file); /* it was only read */
    return r;
}
