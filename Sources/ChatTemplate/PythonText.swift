/// Text as Python's `str` sees it, on bytes of valid UTF-8: places are those of bytes where a
/// scalar begins.
enum PythonText {
  /// `str.isspace`: Unicode's White_Space, and the separators U+001C to U+001F.
  static func isWhitespace(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F,
      0x205F, 0x3000:
      true
    default: false
    }
  }

  /// Bytes of the scalar that begins with a byte.
  static func width(_ byte: UInt8) -> Int {
    switch byte {
    case 0..<0xC0: 1
    case 0xC0..<0xE0: 2
    case 0xE0..<0xF0: 3
    default: 4
    }
  }

  static func scalarCount(_ text: ArraySlice<UInt8>) -> Int {
    text.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
  }

  static func scalar(_ text: ArraySlice<UInt8>, at index: Int) -> UInt32 {
    let width = min(width(text[index]), text.endIndex - index)
    guard width > 1 else { return UInt32(text[index]) }
    var value = UInt32(text[index]) & (0xFF >> UInt32(width + 1))
    for next in index + 1..<index + width { value = value << 6 | UInt32(text[next] & 0x3F) }
    return value
  }

  /// Where the scalar that ends at a place begins.
  static func before(_ text: ArraySlice<UInt8>, _ index: Int) -> Int {
    var start = index - 1
    while start > text.startIndex, text[start] & 0xC0 == 0x80 { start -= 1 }
    return start
  }

  static func skipWhitespace(_ text: [UInt8], from index: Int) -> Int {
    guard index < text.count else { return index }
    return index + text.count - index - trimmed(text[index...], atEnd: false).count
  }

  /// How many bytes are left without the white space at the end.
  static func trimmedEnd(_ text: ArraySlice<UInt8>) -> Int {
    trimmed(text, atStart: false).count
  }

  /// `str.strip`, `lstrip`, `rstrip`.
  ///
  /// - Parameter scalars: what goes; nil: white space.
  static func trimmed(
    _ text: ArraySlice<UInt8>, of scalars: Set<UInt32>? = nil, atStart: Bool = true,
    atEnd: Bool = true
  ) -> ArraySlice<UInt8> {
    func goes(_ index: Int) -> Bool {
      let scalar = scalar(text, at: index)
      return scalars?.contains(scalar) ?? isWhitespace(scalar)
    }
    var (start, end) = (text.startIndex, text.endIndex)
    while atStart, start < end, goes(start) { start += width(text[start]) }
    while atEnd, start < end {
      let last = before(text[start..<end], end)
      guard goes(last) else { break }
      end = last
    }
    return text[start..<end]
  }

  static func scalars(_ text: [UInt8]) -> [UInt32] {
    var scalars: [UInt32] = []
    var index = 0
    while index < text.count {
      scalars.append(scalar(text[...], at: index))
      index += width(text[index])
    }
    return scalars
  }

  /// The scalars' pieces of the text.
  static func characters(_ text: [UInt8]) -> [ArraySlice<UInt8>] {
    var pieces: [ArraySlice<UInt8>] = []
    var index = 0
    while index < text.count {
      let end = index + width(text[index])
      pieces.append(text[index..<end])
      index = end
    }
    return pieces
  }

  /// Where a text first stands in another.
  static func find(
    _ wanted: [UInt8], in text: [UInt8], from start: Int = 0
  ) -> Int? {
    guard let first = wanted.first else { return start <= text.count ? start : nil }
    guard wanted.count <= text.count else { return nil }
    var index = start
    while index <= text.count - wanted.count {
      guard let found = text[index...(text.count - wanted.count)].firstIndex(of: first) else {
        return nil
      }
      if text[found..<found + wanted.count].elementsEqual(wanted) { return found }
      index = found + 1
    }
    return nil
  }

  /// `str.replace`.
  ///
  /// - Parameter limit: of replacements; negative: none.
  static func replacing(
    _ old: [UInt8], with new: [UInt8], in text: [UInt8], limit: Int = -1
  ) -> [UInt8] {
    var result: [UInt8] = []
    var count = 0
    guard !old.isEmpty else {
      for character in characters(text) {
        if limit < 0 || count < limit { result += new }
        count += 1
        result += character
      }
      if limit < 0 || count < limit { result += new }
      return result
    }
    var start = 0
    while limit < 0 || count < limit, let found = find(old, in: text, from: start) {
      result += text[start..<found]
      result += new
      start = found + old.count
      count += 1
    }
    return result + text[start...]
  }

  /// `str.split` with a separator.
  static func split(_ text: [UInt8], by separator: [UInt8], limit: Int) -> [[UInt8]] {
    var parts: [[UInt8]] = []
    var start = 0
    while limit < 0 || parts.count < limit, let found = find(separator, in: text, from: start) {
      parts.append(Array(text[start..<found]))
      start = found + separator.count
    }
    return parts + [Array(text[start...])]
  }

  /// `str.rsplit` with a separator.
  static func splitFromEnd(_ text: [UInt8], by separator: [UInt8], limit: Int) -> [[UInt8]] {
    split(Array(text.reversed()), by: separator.reversed(), limit: limit)
      .map { $0.reversed() }.reversed()
  }

  /// `str.split` without a separator.
  static func splitWords(_ text: [UInt8], limit: Int) -> [[UInt8]] {
    var parts: [[UInt8]] = []
    var rest = trimmed(text[...], atEnd: false)
    while !rest.isEmpty {
      if limit >= 0, parts.count == limit {
        parts.append(Array(trimmed(rest)))
        break
      }
      var end = rest.startIndex
      while end < rest.endIndex, !isWhitespace(scalar(rest, at: end)) { end += width(rest[end]) }
      parts.append(Array(rest[..<end]))
      rest = trimmed(rest[end...], atEnd: false)
    }
    return parts
  }

  /// `str.splitlines`.
  static func lines(_ text: [UInt8], keepsEnds: Bool = false) -> [[UInt8]] {
    var lines: [[UInt8]] = []
    var (start, index) = (0, 0)
    while index < text.count {
      let scalar = scalar(text[...], at: index)
      var next = index + width(text[index])
      switch scalar {
      case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
        if scalar == 0x0D, next < text.count, text[next] == 0x0A { next += 1 }
        lines.append(Array(text[start..<(keepsEnds ? next : index)]))
        start = next
      default: break
      }
      index = next
    }
    if start < text.count { lines.append(Array(text[start...])) }
    return lines
  }
}
