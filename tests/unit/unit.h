/* What every unit test includes: cmocka and the headers it wants before it. */
#ifndef SOCKWATCH_TESTS_UNIT_UNIT_H
#define SOCKWATCH_TESTS_UNIT_UNIT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof(array)[0])

#endif
