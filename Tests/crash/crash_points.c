// Preloaded into flap-coord (LD_PRELOAD), counts its calls that change a file system and kills it before one of them.
//
//   FLAP_CRASH_POINT=N       SIGKILL before call N, counted from 1
//   FLAP_CRASH_TRACE=FILE    one line per call, the last one that is not made included: NAME PATH
//
// Other programs that inherit the preload, its workers above all, are left alone. Calls that are not made through the
// C library's names (its own inner ones) are not seen.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;
static long point;
static int trace = -1;
static int is_on;

__attribute__((constructor)) static void begin(void) {
  if (strcmp(program_invocation_short_name, "flap-coord") != 0) return;
  const char *number = getenv("FLAP_CRASH_POINT");
  const char *path = getenv("FLAP_CRASH_TRACE");
  if (number) point = atol(number);
  if (path) trace = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  is_on = number || path;
}

static void note(const char *name, const char *path) {
  if (!is_on) return;
  long call = atomic_fetch_add(&calls, 1) + 1;
  if (trace >= 0) {
    char line[PATH_MAX + 64];
    int size = snprintf(line, sizeof line, "%s %s\n", name, path ? path : "");
    if (size > 0) syscall(SYS_write, trace, line, (size_t)size < sizeof line ? (size_t)size : sizeof line - 1);
  }
  if (call == point) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
  }
}

// Sockets, pipes and terminals are no files; neither is the log.
static void note_file(const char *name, int file) {
  if (!is_on) return;
  struct stat status;
  if (file <= STDERR_FILENO || fstat(file, &status) != 0) return;
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t size = readlink(link, path, sizeof path - 1);
  path[size < 0 ? 0 : size] = 0;
  note(name, path);
}

static int changes(int flags) {
  return (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

#define NEXT(name)                                          \
  static __typeof__(&name) next;                            \
  if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define OPEN(name)                                          \
  int name(const char *path, int flags, ...) {              \
    NEXT(name);                                             \
    va_list rest;                                           \
    va_start(rest, flags);                                  \
    mode_t mode = changes(flags) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                           \
    if (changes(flags)) note(#name, path);                  \
    return next(path, flags, mode);                         \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                        \
  int name(int folder, const char *path, int flags, ...) {  \
    NEXT(name);                                             \
    va_list rest;                                           \
    va_start(rest, flags);                                  \
    mode_t mode = changes(flags) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                           \
    if (changes(flags)) note(#name, path);                  \
    return next(folder, path, flags, mode);                 \
  }
OPENAT(openat)
OPENAT(openat64)

// A call that names what it changes, and one that has it open.
#define NAMED(result, name, path, parameters, arguments)    \
  result name parameters {                                  \
    NEXT(name);                                             \
    note(#name, path);                                      \
    return next arguments;                                  \
  }
#define OPENED(result, name, parameters, arguments)         \
  result name parameters {                                  \
    NEXT(name);                                             \
    note_file(#name, file);                                 \
    return next arguments;                                  \
  }

NAMED(int, creat, path, (const char *path, mode_t mode), (path, mode))
NAMED(int, creat64, path, (const char *path, mode_t mode), (path, mode))
NAMED(int, mkstemp, path, (char *path), (path))
NAMED(int, mkstemp64, path, (char *path), (path))
NAMED(char *, mkdtemp, path, (char *path), (path))
NAMED(int, mkdir, path, (const char *path, mode_t mode), (path, mode))
NAMED(int, mkdirat, path, (int folder, const char *path, mode_t mode), (folder, path, mode))
NAMED(int, rmdir, path, (const char *path), (path))
NAMED(int, unlink, path, (const char *path), (path))
NAMED(int, unlinkat, path, (int folder, const char *path, int flags), (folder, path, flags))
NAMED(int, remove, path, (const char *path), (path))
NAMED(int, rename, to, (const char *from, const char *to), (from, to))
NAMED(int, renameat, to, (int a, const char *from, int b, const char *to), (a, from, b, to))
NAMED(int, renameat2, to, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags))
NAMED(int, link, to, (const char *from, const char *to), (from, to))
NAMED(int, linkat, to, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
NAMED(int, symlink, to, (const char *from, const char *to), (from, to))
NAMED(int, symlinkat, to, (const char *from, int folder, const char *to), (from, folder, to))
NAMED(int, truncate, path, (const char *path, off_t size), (path, size))
NAMED(int, truncate64, path, (const char *path, off64_t size), (path, size))
NAMED(int, chmod, path, (const char *path, mode_t mode), (path, mode))
NAMED(int, fchmodat, path, (int folder, const char *path, mode_t mode, int flags), (folder, path, mode, flags))

OPENED(ssize_t, write, (int file, const void *bytes, size_t size), (file, bytes, size))
OPENED(ssize_t, pwrite, (int file, const void *bytes, size_t size, off_t at), (file, bytes, size, at))
OPENED(ssize_t, pwrite64, (int file, const void *bytes, size_t size, off64_t at), (file, bytes, size, at))
OPENED(ssize_t, writev, (int file, const struct iovec *parts, int count), (file, parts, count))
OPENED(ssize_t, pwritev, (int file, const struct iovec *parts, int count, off_t at), (file, parts, count, at))
OPENED(ssize_t, pwritev64, (int file, const struct iovec *parts, int count, off64_t at), (file, parts, count, at))
OPENED(int, ftruncate, (int file, off_t size), (file, size))
OPENED(int, ftruncate64, (int file, off64_t size), (file, size))
OPENED(int, fallocate, (int file, int mode, off_t at, off_t size), (file, mode, at, size))
OPENED(int, fallocate64, (int file, int mode, off64_t at, off64_t size), (file, mode, at, size))
OPENED(int, posix_fallocate, (int file, off_t at, off_t size), (file, at, size))
OPENED(int, posix_fallocate64, (int file, off64_t at, off64_t size), (file, at, size))
OPENED(int, fchmod, (int file, mode_t mode), (file, mode))
OPENED(int, fsync, (int file), (file))
OPENED(int, fdatasync, (int file), (file))
OPENED(ssize_t, copy_file_range, (int from, off64_t *a, int file, off64_t *b, size_t size, unsigned flags), (from, a, file, b, size, flags))
OPENED(ssize_t, sendfile, (int file, int from, off_t *at, size_t size), (file, from, at, size))
OPENED(ssize_t, sendfile64, (int file, int from, off64_t *at, size_t size), (file, from, at, size))
