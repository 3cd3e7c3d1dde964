/* Preloaded into a test's process: the n-th write or fsync of a file in one folder fails, and all later ones where the
   disk is said to stay so. Counts what SQLite and Python do alike. Linux only. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char folder[4096];
static long count, fail_at;
static int code, stays;

void disk_fails(const char *where, long at, int error, int for_good) {
    snprintf(folder, sizeof folder, "%s", where);
    count = 0, fail_at = at, code = error, stays = for_good;
}

long disk_calls(void) { return count; }

static int fails(int descriptor) {
    char link[64], path[4096];
    if (!folder[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder))) return 0;
    count++;
    if (!(count == fail_at || (stays && fail_at && count > fail_at))) return 0;
    errno = code;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define GUARDED(type, name, declared, passed) \
    type name declared { return fails(fd) ? -1 : REAL(name) passed; }

GUARDED(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
GUARDED(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
GUARDED(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
GUARDED(int, fsync, (int fd), (fd))
GUARDED(int, fdatasync, (int fd), (fd))
GUARDED(int, ftruncate, (int fd, off_t size), (fd, size))
GUARDED(int, ftruncate64, (int fd, off64_t size), (fd, size))
