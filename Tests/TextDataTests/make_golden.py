#!/usr/bin/env python3
"""Prints the digest that SamplingTests.theSeedDecides expects: random windows as TextSampling
describes them, of one text, with a token a byte."""

import hashlib
import struct

MASK = (1 << 64) - 1


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return (z ^ (z >> 31)) * bound >> 64


def digest(seed, samples=8, length=16):
    documents = [[256] + [33 + index * 7 % 90 for index in range(5000)]]
    candidates, taken, rows = [0], set(), []
    random = SplitMix64(seed)
    while len(rows) < samples:
        document = candidates[random.below(len(candidates))]
        start = random.below(len(documents[document]) - length + 1)
        if (document, start) not in taken:
            taken.add((document, start))
            rows.append(documents[document][start : start + length])
    data = f"{samples} {length}\n".encode() + b"".join(struct.pack("<i", token) for row in rows for token in row)
    return hashlib.sha256(data).hexdigest()


print(digest(seed=1))
