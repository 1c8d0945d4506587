/* Loaded into PostgreSQL before its libraries: every fsync and fdatasync takes SLOW_FSYNC_US microseconds longer, as on a
   disk that is that much slower. What is made durable, and when it counts as durable, is as ever. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static int slowly(const char *name, int fd)
{
    const char *text = getenv("SLOW_FSYNC_US");
    long us = text ? atol(text) : 0;
    struct timespec pause = { us / 1000000, us % 1000000 * 1000 };
    int (*real)(int) = (int (*)(int)) dlsym(RTLD_NEXT, name);
    nanosleep(&pause, 0);
    return real(fd);
}

int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
