/// Unicode Normalization Form C (Unicode Standard Annex 15) over UTF-8.
///
/// Its data are those of the `tokenizers` package, so that text from newer Unicode versions gives
/// the same tokens there and here.
package struct CanonicalComposition: Sendable {
  private var decompositions: [UInt32: [UInt32]] = [:]
  private var compositions: [UInt64: UInt32] = [:]
  private var combiningClasses: [UInt32: UInt8] = [:]
  /// Bits of the scalars that Form C may change or join to the one before.
  private var unstable = [UInt64](repeating: 0, count: Int(unstableEnd) / 64)

  private static let unstableEnd: UInt32 = 0x30000
  /// No scalar below is unstable.
  private static let firstUnstable: UInt32 = 0x300

  package init() {
    for entry in CanonicalComposition.words(of: CompositionData.decompositions) {
      let composes = entry.contains(UInt8(ascii: "="))
      let numbers = entry.split { !CanonicalComposition.isDigit($0) }
        .map { number(of: $0, radix: 16) }
      decompositions[numbers[0]] = Array(numbers[1...])
      if composes {
        compositions[UInt64(numbers[1]) << 32 | UInt64(numbers[2])] = numbers[0]
        setUnstable(numbers[2])
      } else {
        setUnstable(numbers[0])
      }
    }
    for entry in CanonicalComposition.words(of: CompositionData.combiningClasses) {
      let parts = entry.split { !CanonicalComposition.isDigit($0) }
      let combiningClass = UInt8(number(of: parts[2], radix: 10))
      for scalar in number(of: parts[0], radix: 16)...number(of: parts[1], radix: 16) {
        combiningClasses[scalar] = combiningClass
        setUnstable(scalar)
      }
    }
    for jamo in Hangul.vowels { setUnstable(jamo) }
    for jamo in Hangul.trailingConsonants { setUnstable(jamo) }
  }

  /// Appends the text in Form C.
  package func append(_ text: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
    var done = 0
    var position = 0
    // The last scalar before `position`, which an unstable one may change.
    var stable = 0
    var buffer: [UInt32] = []
    while position < text.count {
      let (value, byteCount) = text.scalar(at: position)
      guard isUnstable(value) else {
        stable = position
        position += byteCount
        continue
      }
      output.append(contentsOf: text[done..<stable] as UTF8Text)
      done = stable
      buffer.removeAll(keepingCapacity: true)
      while done < text.count {
        let (value, byteCount) = text.scalar(at: done)
        if done >= position, !isUnstable(value) { break }
        appendDecomposition(of: value, to: &buffer)
        done += byteCount
      }
      order(&buffer)
      compose(&buffer)
      for value in buffer { output.append(scalar: value) }
      position = done
      stable = done
    }
    output.append(contentsOf: text[done..<text.count] as UTF8Text)
  }

  private func appendDecomposition(of value: UInt32, to buffer: inout [UInt32]) {
    if let parts = decompositions[value] {
      for part in parts { appendDecomposition(of: part, to: &buffer) }
    } else if Hangul.syllables.contains(value) {
      buffer.append(contentsOf: Hangul.decomposition(of: value))
    } else {
      buffer.append(value)
    }
  }

  /// Marks of different classes in the order of their classes (definition D108), stably.
  private func order(_ buffer: inout [UInt32]) {
    var start = 0
    while start < buffer.count {
      guard combiningClass(buffer[start]) > 0 else {
        start += 1
        continue
      }
      var end = start + 1
      while end < buffer.count, combiningClass(buffer[end]) > 0 { end += 1 }
      let marks = buffer[start..<end].enumerated().sorted { first, second in
        let classes = (combiningClass(first.element), combiningClass(second.element))
        return classes.0 == classes.1 ? first.offset < second.offset : classes.0 < classes.1
      }
      for (offset, mark) in marks.enumerated() { buffer[start + offset] = mark.element }
      start = end
    }
  }

  /// Every scalar joins the last starter unless something between them blocks it (D117).
  private func compose(_ buffer: inout [UInt32]) {
    var kept = 0
    var starter: Int?
    var lastClass: UInt8 = 0
    for value in buffer {
      let combiningClass = combiningClass(value)
      if let starter, starter == kept - 1 || lastClass < combiningClass,
        let composed = composition(buffer[starter], value)
      {
        buffer[starter] = composed
        continue
      }
      buffer[kept] = value
      if combiningClass == 0 { starter = kept }
      lastClass = combiningClass
      kept += 1
    }
    buffer.removeLast(buffer.count - kept)
  }

  private func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
    Hangul.composition(first, second) ?? compositions[UInt64(first) << 32 | UInt64(second)]
  }

  private func combiningClass(_ value: UInt32) -> UInt8 {
    value < CanonicalComposition.firstUnstable ? 0 : combiningClasses[value] ?? 0
  }

  @inline(__always)
  private func isUnstable(_ value: UInt32) -> Bool {
    guard value >= CanonicalComposition.firstUnstable, value < CanonicalComposition.unstableEnd
    else { return false }
    return unstable[Int(value >> 6)] & 1 << UInt64(value & 63) != 0
  }

  private mutating func setUnstable(_ value: UInt32) {
    unstable[Int(value >> 6)] |= 1 << UInt64(value & 63)
  }

  private static func words(of text: StaticString) -> [UnsafeBufferPointer<UInt8>.SubSequence] {
    UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
      .split(separator: UInt8(ascii: " "))
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte)
  }
}

/// The number that some digits write.
private func number(of digits: some Sequence<UInt8>, radix: UInt32) -> UInt32 {
  digits.reduce(0) { $0 * radix + UInt32($1 < 0x41 ? $1 - 0x30 : $1 - 0x41 + 10) }
}

/// Syllables of Korean are composed by arithmetic (Unicode Standard, section 3.12).
private enum Hangul {
  static let syllables: Range<UInt32> = 0xAC00..<0xAC00 + 11172
  static let leadingConsonants: Range<UInt32> = 0x1100..<0x1113
  static let vowels: Range<UInt32> = 0x1161..<0x1176
  /// The one before the first stands for none.
  static let trailingConsonants: Range<UInt32> = 0x11A8..<0x11C3

  static func decomposition(of syllable: UInt32) -> [UInt32] {
    let index = syllable - syllables.lowerBound
    let parts = [0x1100 + index / 588, 0x1161 + index % 588 / 28]
    return index % 28 == 0 ? parts : parts + [0x11A7 + index % 28]
  }

  static func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if leadingConsonants.contains(first), vowels.contains(second) {
      return syllables.lowerBound + (first - 0x1100) * 588 + (second - 0x1161) * 28
    }
    guard trailingConsonants.contains(second), syllables.contains(first),
      (first - syllables.lowerBound) % 28 == 0
    else { return nil }
    return first + second - 0x11A7
  }
}
