/* Writes down what a program does to the files of one folder, for tests/it/power_cut.rs.
 *
 * The test builds this with `cc -shared` and loads it into the agent with LD_PRELOAD. It needs:
 *
 *   RECORD_FOLDER  the folder; only files that are opened by an absolute path below it are seen
 *   RECORD_LOG     the file, outside of the folder, that the records are appended to
 *   RECORD_END     after so many records the process kills itself; 0: never
 *
 * Every call is made and written down under one lock, so that the log has the order in which the
 * kernel saw the calls, and a process that kills itself has written down all it did. A record is
 * five 64-bit numbers of this machine (operation, descriptor, number, length of the name, length of
 * the data), then the name relative to the folder, then the data. Calls that fail are left out.
 *
 * These are the calls that SQLite's C code and Rust's standard library make for files; the test sees
 * it if one is missing, as it compares what the log amounts to with what is in the folder. Memory
 * that is mapped is not seen: SQLite maps its -shm file only, which need not survive anything.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum operation { OPEN, WRITE, TRUNCATE, SYNC, UNLINK, RENAME };

#define DESCRIPTORS 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static size_t folder_length;
static int log_file = -1;
static uint64_t records, end;
/* Which descriptors belong to files of the folder. */
static unsigned char seen[DESCRIPTORS];

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("RECORD_LOG"), *last = getenv("RECORD_END");
    folder = getenv("RECORD_FOLDER");
    if (!folder || !path || !last)
        abort();
    folder_length = strlen(folder);
    end = strtoull(last, NULL, 10);
    log_file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_file < 0)
        abort();
}

/* The name below the folder ("" is the folder itself), or NULL. */
static const char *below(const char *path)
{
    if (!folder || strncmp(path, folder, folder_length) != 0)
        return NULL;
    path += folder_length;
    return *path == '/' ? path + 1 : *path ? NULL : path;
}

static int is_seen(int file)
{
    return file >= 0 && file < DESCRIPTORS && seen[file];
}

static void note(enum operation operation, int file, uint64_t number, const char *name,
                 const void *data, size_t length)
{
    uint64_t head[5] = {operation, (uint64_t)file, number, strlen(name), length};
    struct iovec parts[3] = {{head, sizeof head}, {(void *)name, head[3]}, {(void *)data, length}};
    if (syscall(SYS_writev, log_file, parts, 3) != (long)(sizeof head + head[3] + length))
        abort();
    if (++records == end)
        syscall(SYS_kill, getpid(), SIGKILL);
}

static int open_noted(const char *path, int flags, mode_t mode)
{
    const char *name = below(path);
    pthread_mutex_lock(&lock);
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    int error = errno;
    if (name && file >= DESCRIPTORS)
        abort();
    if (file >= 0 && file < DESCRIPTORS)
        seen[file] = name != NULL;
    if (file >= 0 && name)
        note(OPEN, file, (uint64_t)flags, name, "", 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return file;
}

static mode_t mode_of(int flags, va_list rest)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return open_noted(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return open_noted(path, flags, mode);
}

int close(int file)
{
    pthread_mutex_lock(&lock);
    if (file >= 0 && file < DESCRIPTORS)
        seen[file] = 0;
    int result = (int)syscall(SYS_close, file);
    pthread_mutex_unlock(&lock);
    return result;
}

/* Makes a write, at `offset` or, with -1, where the descriptor stands. */
static ssize_t write_noted(int file, const void *data, size_t length, off_t offset)
{
    if (!is_seen(file))
        return offset < 0 ? syscall(SYS_write, file, data, length)
                          : syscall(SYS_pwrite64, file, data, length, offset);
    pthread_mutex_lock(&lock);
    ssize_t written;
    if (offset < 0) {
        written = syscall(SYS_write, file, data, length);
        /* Also right for a file that is appended to. */
        offset = syscall(SYS_lseek, file, 0, SEEK_CUR) - (written > 0 ? written : 0);
    } else {
        written = syscall(SYS_pwrite64, file, data, length, offset);
    }
    int error = errno;
    if (written > 0)
        note(WRITE, file, (uint64_t)offset, "", data, (size_t)written);
    pthread_mutex_unlock(&lock);
    errno = error;
    return written;
}

ssize_t write(int file, const void *data, size_t length)
{
    return write_noted(file, data, length, -1);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t offset)
{
    return write_noted(file, data, length, offset);
}

/* The first part only: whoever writes several must be ready for that. */
ssize_t writev(int file, const struct iovec *parts, int count)
{
    if (is_seen(file) && count > 0)
        return write_noted(file, parts[0].iov_base, parts[0].iov_len, -1);
    return syscall(SYS_writev, file, parts, count);
}

/* Makes a call that answers 0 or -1, and writes it down if it went well. */
static int call_noted(int noted, long result, enum operation operation, int file, uint64_t number,
                      const char *name, const char *other)
{
    int error = errno;
    if (result == 0 && noted)
        note(operation, file, number, name, other, strlen(other));
    pthread_mutex_unlock(&lock);
    errno = error;
    return (int)result;
}

int ftruncate64(int file, off64_t length)
{
    pthread_mutex_lock(&lock);
    long result = syscall(SYS_ftruncate, file, length);
    return call_noted(is_seen(file), result, TRUNCATE, file, (uint64_t)length, "", "");
}

int fsync(int file)
{
    pthread_mutex_lock(&lock);
    long result = syscall(SYS_fsync, file);
    return call_noted(is_seen(file), result, SYNC, file, 0, "", "");
}

int fdatasync(int file)
{
    pthread_mutex_lock(&lock);
    long result = syscall(SYS_fdatasync, file);
    return call_noted(is_seen(file), result, SYNC, file, 0, "", "");
}

int unlink(const char *path)
{
    const char *name = below(path);
    pthread_mutex_lock(&lock);
    long result = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    return call_noted(name != NULL, result, UNLINK, -1, 0, name ? name : "", "");
}

int rename(const char *from, const char *to)
{
    const char *name = below(from), *other = below(to);
    pthread_mutex_lock(&lock);
    long result = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    return call_noted(name && other, result, RENAME, -1, 0, name ? name : "", other ? other : "");
}
