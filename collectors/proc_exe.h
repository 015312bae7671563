/* Which file a process runs, and whether the host has that file at the path that
 * the kernel tells of it.
 *
 * Another mount namespace may have any file at any path, and anybody can make one
 * for himself. So the path is looked up where PID 1 would find it, and must lead
 * to the very file that runs. That must never wait for a disk that is far away,
 * or for somebody who answers for a file system of his own: nothing is looked for
 * but on the root file system and on those of disks, and a file that its path does
 * not lead to there is not touched. One thread.
 * Source: proc(5), statx(2). */
#ifndef SOCKWATCH_COLLECTORS_PROC_EXE_H
#define SOCKWATCH_COLLECTORS_PROC_EXE_H

#include "core/program.h"

/* process   a descriptor of /proc/PID
 *
 * Returns 0 and a reference, NULL where the file may not be read or there is none
 * (a kernel thread); or -ENOMEM. */
int proc_exe_look(int process, const struct program **ret);

/* Whether a process still runs the file by the same path: what proc_exe_look()
 * would find is most probably the same then.
 *
 * program   as found before; NULL: it could not be read */
bool proc_exe_is_same(int process, const struct program *program);

#endif
