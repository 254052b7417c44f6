/* Makes one range of one file unreadable, as a bad sector would: preloaded into the process that reads.
 *
 * UNREADABLE=START:END:PATH; UNREADABLE_MET names a file that is made once somebody wants to read it. A read that
 * begins in front of the range is short, one that begins within it fails with EIO. What is written to the range is
 * remapped by a device, and can be read from then on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static off_t bad_start, bad_end;
static dev_t bad_dev;
static ino_t bad_ino;

__attribute__((constructor)) static void begin(void) {
    char *told = getenv("UNREADABLE"), *next;
    struct stat seen;
    if (!told) return;
    bad_start = strtoll(told, &next, 10);
    bad_end = strtoll(next + 1, &next, 10);
    if (stat(next + 1, &seen)) bad_end = bad_start = 0;
    else bad_dev = seen.st_dev, bad_ino = seen.st_ino;
}

static int is_it(int fd) {
    struct stat seen;
    return bad_end > bad_start && !fstat(fd, &seen) && seen.st_ino == bad_ino && seen.st_dev == bad_dev;
}

static void meet(void) {
    const char *met = getenv("UNREADABLE_MET");
    int fd = met ? open(met, O_CREAT | O_WRONLY, 0600) : -1;
    if (fd >= 0) close(fd);
}

/* How much of a read may be done: less than nothing if none of it. */
static ssize_t allowed(int fd, size_t len, off_t at) {
    if (at >= bad_end || at + (off_t)len <= bad_start || !is_it(fd)) return len;
    if (at < bad_start) return bad_start - at;
    meet();
    errno = EIO;
    return -1;
}

static void written(int fd, ssize_t len, off_t at) {
    if (len > 0 && at <= bad_start && at + len >= bad_end && is_it(fd)) bad_end = bad_start = 0;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define PREAD(name)                                              \
    ssize_t name(int fd, void *to, size_t len, off_t at) {       \
        ssize_t most = allowed(fd, len, at);                     \
        return most < 0 ? -1 : NEXT(name)(fd, to, most, at);     \
    }
PREAD(pread)
PREAD(pread64)

#define PWRITE(name)                                             \
    ssize_t name(int fd, const void *from, size_t len, off_t at) { \
        ssize_t done = NEXT(name)(fd, from, len, at);            \
        written(fd, done, at);                                   \
        return done;                                             \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t read(int fd, void *to, size_t len) {
    ssize_t most = len;
    if (is_it(fd)) most = allowed(fd, len, lseek(fd, 0, SEEK_CUR));
    return most < 0 ? -1 : NEXT(read)(fd, to, most);
}

/* What the system's library reads for its own streams does not come by here. */
#undef fread_unlocked
#define FREAD(name)                                                          \
    size_t name(void *to, size_t size, size_t count, FILE *from) {           \
        ssize_t most, done;                                                  \
        if (!is_it(fileno(from))) return NEXT(name)(to, size, count, from);  \
        most = allowed(fileno(from), size * count, ftello(from));            \
        if (most == (ssize_t)(size * count)) return NEXT(name)(to, size, count, from); \
        done = most < 0 ? 0 : NEXT(name)(to, size, most / size, from);       \
        meet();                                                              \
        errno = EIO;                                                         \
        return done;                                                         \
    }
FREAD(fread)
FREAD(fread_unlocked)
