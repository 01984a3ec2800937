/* A disk, a clock and a system that misbehave: preloaded (LD_PRELOAD), steered by variables.

   FAULT       what goes wrong; unset: nothing
     short     reads and writes give and take fewer bytes than was asked for
     slow      every write and fsync takes 3 ms longer
     eio       reads give an input/output error from the FAULT_AT-th on
     eiosync   fsync gives one
     full      writes find no space from the FAULT_AT-th on
     cut       the file loses its second half at the FAULT_AT-th read
     gone      the file is removed at the FAULT_AT-th read
     changed   some bytes in the middle become others at the FAULT_AT-th read
     nolocks   there are no locks
     sharing   an open file cannot be renamed, replaced or removed, as on Windows
     clock     the clock jumps by an hour, forth and back, every few calls
   FAULT_PATH  only files whose path has this in it

   What the C library calls inside itself (stdio) is not reached. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static long calls;
static int inside;

static int is(const char *kind)
{
    const char *fault = getenv("FAULT");
    return fault && !strcmp(fault, kind);
}

static int place(int fd, char *path)
{
    const char *wanted = getenv("FAULT_PATH");
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    return path[0] == '/' && strncmp(path, "/dev/", 5) && (!wanted || strstr(path, wanted));
}

static int due(void)
{
    const char *at = getenv("FAULT_AT");
    return ++calls >= (at ? atol(at) : 1);
}

/* Bytes that this call may move; -1 is an error in errno. */
static ssize_t allowed(int fd, size_t count, int writing)
{
    char path[PATH_MAX];
    if (inside || !getenv("FAULT") || !place(fd, path))
        return count;
    if (is("short"))
        return count > 1 ? 1 + (size_t)(++calls * 7919 % 4096) % (count - 1) : count;
    if (writing) {
        if (is("slow"))
            usleep(3000);
        if (is("full") && due()) {
            errno = ENOSPC;
            return -1;
        }
        return count;
    }
    if (is("eio") && due()) {
        errno = EIO;
        return -1;
    }
    inside = 1;
    struct stat status;
    const char *at = getenv("FAULT_AT");
    long now = at ? atol(at) : 1;
    if (is("cut") && ++calls == now && !stat(path, &status)) {
        if (truncate(path, status.st_size / 2))
            perror("truncate");
    } else if (is("gone") && ++calls == now) {
        unlink(path);
    } else if (is("changed") && ++calls == now && !stat(path, &status)) {
        int other = open(path, O_WRONLY);
        for (long i = 0; i < 64; i++)
            if (pwrite(other, "\x5a", 1, status.st_size / 2 + i * 37) < 0)
                break;
        close(other);
    }
    inside = 0;
    return count;
}

ssize_t read(int fd, void *into, size_t count)
{
    ssize_t most = allowed(fd, count, 0);
    return most < 0 ? -1 : REAL(read)(fd, into, most);
}

ssize_t pread(int fd, void *into, size_t count, off_t at)
{
    ssize_t most = allowed(fd, count, 0);
    return most < 0 ? -1 : REAL(pread)(fd, into, most, at);
}

ssize_t pread64(int fd, void *into, size_t count, off64_t at)
{
    return pread(fd, into, count, at);
}

ssize_t write(int fd, const void *from, size_t count)
{
    ssize_t most = allowed(fd, count, 1);
    return most < 0 ? -1 : REAL(write)(fd, from, most);
}

ssize_t pwrite(int fd, const void *from, size_t count, off_t at)
{
    ssize_t most = allowed(fd, count, 1);
    return most < 0 ? -1 : REAL(pwrite)(fd, from, most, at);
}

ssize_t pwrite64(int fd, const void *from, size_t count, off64_t at)
{
    return pwrite(fd, from, count, at);
}

int fsync(int fd)
{
    if (is("slow"))
        usleep(3000);
    if (is("eiosync")) {
        errno = EIO;
        return -1;
    }
    return REAL(fsync)(fd);
}

int flock(int fd, int operation)
{
    if (is("nolocks")) {
        errno = ENOLCK;
        return -1;
    }
    return REAL(flock)(fd, operation);
}

static int locking(int command)
{
    return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK ||
           command == F_OFD_SETLKW;
}

int fcntl(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (locking(command) && is("nolocks")) {
        errno = ENOLCK;
        return -1;
    }
    return ((int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl"))(fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return fcntl(fd, command, argument);
}

/* Whether this process has a file open, which Windows would not let go of. */
static int held(const char *path)
{
    struct stat wanted, one;
    if (!is("sharing") || stat(path, &wanted) || !S_ISREG(wanted.st_mode))
        return 0;
    for (int fd = 3; fd < 256; fd++)
        if (!fstat(fd, &one) && one.st_dev == wanted.st_dev && one.st_ino == wanted.st_ino)
            return 1;
    return 0;
}

int rename(const char *from, const char *to)
{
    if (held(from) || held(to)) {
        errno = EACCES;
        return -1;
    }
    return REAL(rename)(from, to);
}

int renameat(int a, const char *from, int b, const char *to)
{
    if (held(from) || held(to)) {
        errno = EACCES;
        return -1;
    }
    return REAL(renameat)(a, from, b, to);
}

int unlink(const char *path)
{
    if (!inside && held(path)) {
        errno = EACCES;
        return -1;
    }
    return REAL(unlink)(path);
}

static long jumped(void)
{
    return is("clock") ? (++calls / 5 % 3 - 1) * 3600 : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int code = REAL(clock_gettime)(clock, now);
    if (!code && clock == CLOCK_REALTIME)
        now->tv_sec += jumped();
    return code;
}

time_t time(time_t *now)
{
    time_t found = REAL(time)(NULL) + jumped();
    if (now)
        *now = found;
    return found;
}

int gettimeofday(struct timeval *now, void *zone)
{
    int code = REAL(gettimeofday)(now, zone);
    if (!code)
        now->tv_sec += jumped();
    return code;
}
