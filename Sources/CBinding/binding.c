#define _GNU_SOURCE
#include "flap_binding.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PREFERRED = 1, NODE_LIMIT = 1024, WORD_BITS = 8 * sizeof(unsigned long) };

int flap_keep_to_cpus(const uint64_t *bits, size_t word_count) {
  return sched_setaffinity(0, word_count * sizeof *bits, (const cpu_set_t *)bits);
}

int flap_prefer_memory_node(int node) {
  unsigned long nodes[NODE_LIMIT / WORD_BITS] = {0};
  if (node < 0 || node >= NODE_LIMIT) {
    errno = EINVAL;
    return -1;
  }
  nodes[node / WORD_BITS] = 1ul << (node % WORD_BITS);
  /* The kernel reads one bit less than it is told of. */
  return (int)syscall(SYS_set_mempolicy, PREFERRED, nodes, (unsigned long)NODE_LIMIT + 1);
}
