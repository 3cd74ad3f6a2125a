#!/usr/bin/env python3
"""Makes Golden/topk.safetensors: what torch.topk chooses on a CPU among scores of which many are equal.

    make_topk_golden.py      (needs torch, safetensors)

For experts E and top k: `E.k.scores` F32 [rows, E], `E.k.chosen` F32 [rows, k], in the order of torch.

torch leaves ties to the C++ library (aten/src/ATen/native/TopKImpl.h): pairs of score and index go through
std::partial_sort where 64 k ≤ E, else through std::nth_element for the kth and std::sort for those before
it. So ties fall where libstdc++'s algorithms leave them, the same in every run. `top` below is these
algorithms written out; this script checks it against torch before it writes.
"""

import pathlib

import torch
from safetensors.torch import save_file

GOLDEN = pathlib.Path(__file__).parent / "Golden/topk.safetensors"
CASES = [(E, k) for E in (4, 8, 16, 60, 64, 128, 256) for k in (1, 2, 3, 4, 8) if k <= E] + [(128, 32)]
# Of so few different scores the rows are made.
LEVELS = (1, 2, 3, 5, 12, 100)


def top(scores, k):
    """Indices of the k largest scores as torch.topk gives them."""
    queue = list(zip(scores, range(len(scores))))
    if 64 * k <= len(queue):
        select_by_heap(queue, 0, k, len(queue))
        sort_heap(queue, 0, k)
    else:
        nth_element(queue, k - 1)
        sort(queue, k - 1)
    return [index for _, index in queue[:k]]


def before(one, other):
    return one[0] > other[0]


def depth_limit(count):
    """2 ⌊log₂ count⌋: so many partitions before heaps take over."""
    return 2 * (count.bit_length() - 1)


def nth_element(q, nth):
    first, last = 0, len(q)
    depth = depth_limit(last)
    while last - first > 3:
        if depth == 0:
            select_by_heap(q, first, nth + 1, last)
            q[first], q[nth] = q[nth], q[first]
            return
        depth -= 1
        cut = partition(q, first, last)
        first, last = (cut, last) if cut <= nth else (first, cut)
    insertion_sort(q, first, last)


def sort(q, count):
    if count > 16:
        sort_parts(q, 0, count, depth_limit(count))
    insertion_sort(q, 0, count)


def sort_parts(q, first, last, depth):
    while last - first > 16:
        if depth == 0:
            select_by_heap(q, first, last, last)
            sort_heap(q, first, last)
            return
        depth -= 1
        cut = partition(q, first, last)
        sort_parts(q, cut, last, depth)
        last = cut


def partition(q, first, last):
    """Around the median of the second, the middle and the last, which comes first."""
    a, b, c = first + 1, first + (last - first) // 2, last - 1
    if before(q[a], q[b]):
        median = b if before(q[b], q[c]) else c if before(q[a], q[c]) else a
    else:
        median = a if before(q[a], q[c]) else c if before(q[b], q[c]) else b
    q[first], q[median] = q[median], q[first]
    low, high = first + 1, last
    while True:
        while before(q[low], q[first]):
            low += 1
        high -= 1
        while before(q[first], q[high]):
            high -= 1
        if low >= high:
            return low
        q[low], q[high] = q[high], q[low]
        low += 1


def insertion_sort(q, first, last):
    for index in range(first + 1, last):
        value, hole = q[index], index
        while hole > first and before(value, q[hole - 1]):
            q[hole] = q[hole - 1]
            hole -= 1
        q[hole] = value


def select_by_heap(q, first, middle, last):
    """The foremost of first..<last into first..<middle, a heap whose root is the hindmost of them."""
    for parent in reversed(range((middle - first) // 2)):
        sift(q, first, parent, middle - first, q[first + parent])
    for index in range(middle, last):
        if before(q[index], q[first]):
            value, q[index] = q[index], q[first]
            sift(q, first, 0, middle - first, value)


def sort_heap(q, first, last):
    while last - first > 1:
        last -= 1
        value, q[last] = q[last], q[first]
        sift(q, first, 0, last - first, value)


def sift(q, first, hole, count, value):
    """The hole goes down to a leaf along the larger children, then the value goes up from there."""
    top_hole = child = hole
    while child < (count - 1) // 2:
        child = 2 * (child + 1)
        if before(q[first + child], q[first + child - 1]):
            child -= 1
        q[first + hole] = q[first + child]
        hole = child
    if count % 2 == 0 and child == (count - 2) // 2:
        child = 2 * child + 1
        q[first + hole] = q[first + child]
        hole = child
    while hole > top_hole and before(q[first + (hole - 1) // 2], value):
        q[first + hole] = q[first + (hole - 1) // 2]
        hole = (hole - 1) // 2
    q[first + hole] = value


def main():
    generator, tensors = torch.Generator().manual_seed(3), {}
    for experts, k in CASES:
        scores = torch.cat([
            torch.randint(levels, (2, experts), generator=generator).float() / levels for levels in LEVELS])
        chosen = torch.topk(scores, k, dim=-1).indices
        assert [top(row, k) for row in scores.tolist()] == chosen.tolist(), (experts, k)
        tensors[f"{experts}.{k}.scores"], tensors[f"{experts}.{k}.chosen"] = scores, chosen.float()
    save_file(tensors, GOLDEN)


if __name__ == "__main__":
    main()
