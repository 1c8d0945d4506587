// Loaded before libc into a program under test (LD_PRELOAD): a clock that is off, a disk that is slow or full.
//
// What it does is read anew at every call from a file that the test maps, too: three 64-bit numbers of this machine's
// byte order. Without the file nothing changes.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct controls {
    // Added to what CLOCK_REALTIME shows.
    int64_t clock_offset_ns;
    // Waited before a file is flushed to disk.
    int64_t flush_delay_ns;
    // Not 0: no file can grow.
    int64_t disk_is_full;
};

static const struct controls untouched;

static const volatile struct controls *controls(void) {
    static const volatile struct controls *mapped;
    if (mapped == NULL) {
        const volatile struct controls *found = &untouched;
        const char *path = getenv("TALLYBOOK_TEST_FAULTS");
        int file = path == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            void *memory = mmap(NULL, sizeof(struct controls), PROT_READ, MAP_SHARED, file, 0);
            if (memory != MAP_FAILED) found = memory;
            close(file);
        }
        mapped = found;
    }
    return mapped;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (failed == 0 && clock == CLOCK_REALTIME) {
        int64_t ns = now->tv_nsec + controls()->clock_offset_ns;
        int64_t seconds = ns / 1000000000;
        ns %= 1000000000;
        if (ns < 0) {
            ns += 1000000000;
            seconds -= 1;
        }
        now->tv_sec += seconds;
        now->tv_nsec = ns;
    }
    return failed;
}

// In short naps, so that a delay that is taken away ends for those who wait already.
static void wait_for_the_disk(void) {
    const int64_t nap_ns = 5000000;
    for (int64_t waited_ns = 0; waited_ns < controls()->flush_delay_ns; waited_ns += nap_ns) {
        struct timespec nap = {0, nap_ns};
        syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &nap, NULL);
    }
}

int fsync(int file) {
    wait_for_the_disk();
    return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    wait_for_the_disk();
    return (int)syscall(SYS_fdatasync, file);
}

// Whether a write up to this place would make a file longer, and must not.
static int refused(int file, int64_t end) {
    struct stat found;
    if (!controls()->disk_is_full || fstat(file, &found) != 0 || !S_ISREG(found.st_mode)) return 0;
    if (end <= found.st_size) return 0;
    errno = ENOSPC;
    return 1;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t place) {
    if (refused(file, (int64_t)place + (int64_t)count)) return -1;
    return syscall(SYS_pwrite64, file, bytes, count, place);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off_t place) {
    return pwrite(file, bytes, count, place);
}

ssize_t pwritev(int file, const struct iovec *pieces, int count, off_t place) {
    int64_t end = place;
    for (int piece = 0; piece < count; piece++) end += (int64_t)pieces[piece].iov_len;
    if (refused(file, end)) return -1;
    return syscall(SYS_pwritev, file, pieces, count, place, 0);
}

ssize_t pwritev64(int file, const struct iovec *pieces, int count, off_t place) {
    return pwritev(file, pieces, count, place);
}

int posix_fallocate(int file, off_t place, off_t length) {
    if (refused(file, (int64_t)place + (int64_t)length)) return ENOSPC;
    return syscall(SYS_fallocate, file, 0, place, length) == 0 ? 0 : errno;
}
