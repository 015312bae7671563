/* Slips of those who write a text: without quotes, with others, with one only.
 * Pure; any thread. */
#ifndef SOCKWATCH_CONFIG_SLIPS_TEXT_H
#define SOCKWATCH_CONFIG_SLIPS_TEXT_H

#include "config/slips.h"

/* Each returns whether this is what has slipped, and says so then. */
bool slips_text_is_unclosed(const struct slips_scene *scene, struct slip *ret);
bool slips_text_has_other_quotes(const struct slips_scene *scene, struct slip *ret);
bool slips_text_is_unquoted(const struct slips_scene *scene, struct slip *ret);

#endif
