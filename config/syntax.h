/* Why libconfig did not take a file: the first token that its grammar has no place
 * for, and what has most likely slipped there, on the line where it was made,
 * which is often not the one where a parser gives up.
 *
 * libconfig alone decides whether a file is valid; this is asked about one that it
 * refused, and says nothing where it finds no fault. Linear in the text, but for
 * the keys of a group, which libconfig compares with each other, too. Pure; any
 * thread. */
#ifndef SOCKWATCH_CONFIG_SYNTAX_H
#define SOCKWATCH_CONFIG_SYNTAX_H

#include "config/slip.h"

/* Finds the first fault of a text.
 *
 * gave_up   the line where libconfig gave up: what some of its versions take and
 *           others do not is no fault before it
 *
 * Returns whether there is one that shows where libconfig gave up; another one is
 * none to it, as in a file that is included by a list. */
bool syntax_find_slip(const char *text, size_t length, unsigned gave_up, struct slip *ret);

#endif
