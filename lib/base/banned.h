/*
 * Functions that nobody here calls: unbounded, not reentrant, blocking the
 * loop, or stealing libuv's children.  Included in every compilation by the
 * Makefile (-include), so that a call does not compile.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#undef alloca

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok
#pragma GCC poison gets atoi atol localtime gmtime rand srand system popen
#pragma GCC poison alloca usleep

#endif
