#ifndef FLAP_BINDING_H
#define FLAP_BINDING_H

#include <stddef.h>
#include <stdint.h>

/// Keeps the calling thread, and those that it will start, on some CPUs: sched_setaffinity(2), which
/// glibc hides from those who do not ask for its extensions.
/// \param bits one bit per CPU, the first CPU in the lowest bit of the first word
/// \returns 0, or -1 with errno.
int flap_keep_to_cpus(const uint64_t *bits, size_t word_count);

/// Has the calling thread, and those that it will start, take memory on a node while there is some:
/// set_mempolicy(2), which glibc does not wrap, with MPOL_PREFERRED.
/// \returns 0, or -1 with errno.
int flap_prefer_memory_node(int node);

#endif
