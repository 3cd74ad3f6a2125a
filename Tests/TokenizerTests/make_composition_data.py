#!/usr/bin/env python3
"""Writes Sources/Tokenizer/CompositionData.swift: Unicode canonical decompositions, compositions and
combining classes, as far as the `tokenizers` package knows them (its Unicode is an older one)."""

import pathlib
import unicodedata

from tokenizers import normalizers

nfc, nfd = normalizers.NFC().normalize_str, normalizers.NFD().normalize_str
scalars = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]

decompositions = []
for scalar in scalars:
    if 0xAC00 <= ord(scalar) < 0xD7A4 or nfd(scalar) == scalar:
        continue
    parts = unicodedata.decomposition(scalar).split()
    assert parts and not parts[0].startswith("<")
    composes = len(parts) == 2 and nfc(scalar) == scalar
    decompositions.append(f"{ord(scalar):X}{'=' if composes else '>'}{'+'.join(parts)}")

# U+0345 has the highest class of all, 240, and goes behind every other mark that is known.
classes = []
for scalar in scalars:
    known = scalar == "\u0345" or nfd("\u0345" + scalar) == scalar + "\u0345"
    number = unicodedata.combining(scalar) if known and nfd(scalar) == scalar else 0
    if number and classes and classes[-1][1:] == [ord(scalar) - 1, number]:
        classes[-1][1] = ord(scalar)
    elif number:
        classes.append([ord(scalar), ord(scalar), number])


def lines(words):
    line = "   "
    for word in words:
        if len(line) + 1 + len(word) > 96:
            yield line + r" \\"[:-1]
            line = "   "
        line += " " + word
    yield line


text = "\n".join(lines(decompositions))
ranges = "\n".join(lines(f"{first:X}-{last:X}:{number}" for first, last, number in classes))
path = pathlib.Path(__file__).parents[2] / "Sources/Tokenizer/CompositionData.swift"
path.write_text(
    f'''// Written by Tests/TokenizerTests/make_composition_data.py; not to be changed by hand.

/// Data of the Unicode Character Database, without Hangul syllables, which follow a formula.
enum CompositionData {{
  /// `A=B+C`: A decomposes into B and C, which compose to A; `A>B` or `A>B+C`: it only decomposes.
  static let decompositions: StaticString = """
{text}
    """

  /// `A-B:N`: scalars from A to B have the canonical combining class N, all others 0.
  static let combiningClasses: StaticString = """
{ranges}
    """
}}
'''
)
print(len(decompositions), "decompositions,", len(classes), "ranges of classes")
