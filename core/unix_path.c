#include "core/unix_path.h"
#include "core/text.h"

#include <string.h>

void unix_path_format(const char *bytes, size_t length, char ret_text[static UNIX_PATH_TEXT_MAX])
{
    char *out = ret_text;

    length = length < UNIX_PATH_BYTES ? length : UNIX_PATH_BYTES;
    if (length > 0 && *bytes == '\0') {
        *out++ = '@';
        bytes++;
        length--;
    } else {
        length = strnlen(bytes, length);
        if (length > 0 && *bytes == '@') {
            *out++ = '.';
            *out++ = '/';
        }
    }
    text_escape(bytes, length, out, (size_t)(ret_text + UNIX_PATH_TEXT_MAX - out));
}

bool unix_path_is_plain(const char *text)
{
    size_t length = strlen(text);
    char formatted[UNIX_PATH_TEXT_MAX];

    if ((*text != '/' && *text != '@') || length < 2 || length > UNIX_PATH_EXPECTED_MAX || strchr(text, '\\'))
        return false;
    text_escape(text, length, formatted, sizeof formatted);
    return strcmp(formatted, text) == 0;
}

/* FNV-1a of 64 bits, from any state. */
static uint64_t hash(const char *text, uint64_t state)
{
    for (const char *p = text; *p; p++)
        state = (state ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    return state ^ state >> 32;
}

static const uint64_t states[] = {UINT64_C(0xcbf29ce484222325), UINT64_C(0x9e3779b97f4a7c15)};

uint16_t unix_path_port(const char *text)
{
    uint64_t bits = hash(text, states[0]);

    return (uint16_t)((bits ^ bits >> 16) % UINT16_MAX + 1);
}

struct ip_addr unix_path_address(const char *text)
{
    const uint64_t words[] = {hash(text, states[0]), hash(text, states[1])};
    struct ip_addr address = {.version = 0};

    _Static_assert(sizeof words == sizeof address.bytes, "they fill it");
    memcpy(address.bytes, words, sizeof words);
    return address;
}
