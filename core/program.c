#include "core/program.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

/* A path that leaves less room than this may have been cut: its next character
 * takes that much, escaped. */
enum { LONGEST_ESCAPE = 16 };

struct program *program_new(const char *path, size_t length, enum program_standing standing, bool deleted)
{
    char text[PROGRAM_PATH_MAX];
    struct program *program;
    size_t size;

    text_escape(path, length, text, sizeof text);
    size = strlen(text) + 1;
    program = malloc(sizeof *program + size);
    if (!program)
        return NULL;
    *program = (struct program){.standing = standing, .deleted = deleted};
    ref_init(&program->ref);
    if (standing == PROGRAM_VERIFIED && size > sizeof text - LONGEST_ESCAPE)
        program->standing = PROGRAM_UNVERIFIED;
    memcpy(program->path, text, size);
    return program;
}

const struct program *program_ref(const struct program *program)
{
    if (program)
        ref_take(&program->ref);
    return program;
}

void program_unref(const struct program *program)
{
    if (program && ref_drop(&program->ref))
        free(ref_unseal(program));
}

bool program_is_same(const struct program *a, const struct program *b)
{
    if (!a || !b)
        return a == b;
    return a->standing == b->standing && a->deleted == b->deleted && a->file.device == b->file.device &&
           a->file.inode == b->file.inode && strcmp(a->path, b->path) == 0;
}
