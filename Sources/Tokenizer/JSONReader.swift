/// Reads JSON text piece by piece (RFC 8259), so that a vocabulary of a quarter million tokens
/// never becomes a tree.
package struct JSONReader {
  private let bytes: UnsafeRawBufferPointer
  private let path: String
  private let form: Form
  private var position = 0
  /// The text of the last string, with its escapes resolved; UTF-8.
  package private(set) var text: [UInt8] = []

  package enum Form: Sendable {
    case strict
    /// With what Python's `json` writes besides: NaN, Infinity, and halves of surrogate pairs, which
    /// become U+FFFD.
    case python
  }

  /// Deepest nesting that ``value(depth:)`` follows.
  static let depthLimit = 64

  package init(_ bytes: UnsafeRawBufferPointer, path: String, form: Form = .strict) {
    self.form = form
    self.bytes = bytes
    self.path = path
  }

  package var failure: TokenizerError { .malformedJSON(path: path, offset: position) }

  package func atEnd() throws(TokenizerError) {
    var rest = self
    rest.skipWhitespace()
    guard rest.position == bytes.count else { throw rest.failure }
  }

  /// Reads `{ "key": value, … }`, handing each key to `member`, which reads the value.
  package mutating func object(
    _ member: (inout JSONReader, [UInt8]) throws(TokenizerError) -> Void
  ) throws(TokenizerError) {
    try take(UInt8(ascii: "{"))
    if takeIf(UInt8(ascii: "}")) { return }
    repeat {
      try readString()
      let key = text
      try take(UInt8(ascii: ":"))
      try member(&self, key)
    } while takeIf(UInt8(ascii: ","))
    try take(UInt8(ascii: "}"))
  }

  /// Reads `[value, …]`.
  package mutating func array(
    _ element: (inout JSONReader) throws(TokenizerError) -> Void
  ) throws(TokenizerError) {
    try take(UInt8(ascii: "["))
    if takeIf(UInt8(ascii: "]")) { return }
    repeat { try element(&self) } while takeIf(UInt8(ascii: ","))
    try take(UInt8(ascii: "]"))
  }

  /// The first byte of the next value, which is not taken.
  package mutating func next() throws(TokenizerError) -> UInt8 {
    skipWhitespace()
    guard position < bytes.count else { throw failure }
    return bytes[position]
  }

  /// Reads a whole value.
  package mutating func value(depth: Int = 0) throws(TokenizerError) -> JSONValue {
    guard depth < JSONReader.depthLimit else { throw failure }
    switch try next() {
    case UInt8(ascii: "{"):
      var members: [String: JSONValue] = [:]
      try object { reader, key throws(TokenizerError) in
        members[String(decoding: key, as: UTF8.self)] = try reader.value(depth: depth + 1)
      }
      return .object(members)
    case UInt8(ascii: "["):
      var elements: [JSONValue] = []
      try array { reader throws(TokenizerError) in
        elements.append(try reader.value(depth: depth + 1))
      }
      return .array(elements)
    case UInt8(ascii: "\""):
      try readString()
      return .string(String(decoding: text, as: UTF8.self))
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    case UInt8(ascii: "N") where form == .python: return try literal("NaN", .null)
    case UInt8(ascii: "I") where form == .python: return try literal("Infinity", .null)
    case UInt8(ascii: "-") where form == .python && follows("-I"):
      return try literal("-Infinity", .null)
    default: return .number(try number())
    }
  }

  /// Goes over a value, as ``value(depth:)`` would read it.
  package mutating func skipValue() throws(TokenizerError) {
    if try next() == UInt8(ascii: "\"") { try readString() } else { _ = try value() }
  }

  package func follows(_ text: StaticString) -> Bool {
    let end = position + text.utf8CodeUnitCount
    guard end <= bytes.count else { return false }
    return UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
      .elementsEqual(bytes[position..<end])
  }

  /// Reads a natural number that an Int32 holds.
  mutating func id() throws(TokenizerError) -> Int32 {
    guard let id = JSONValue.number(try number()).id else { throw failure }
    return id
  }

  private mutating func number() throws(TokenizerError) -> Double {
    guard let number = Double(try numberText()), number.isFinite else { throw failure }
    return number
  }

  /// Reads a number as it is written, for those who tell 1 from 1.0.
  package mutating func numberText() throws(TokenizerError) -> String {
    skipWhitespace()
    let start = position
    while position < bytes.count, JSONReader.isNumberByte(bytes[position]) { position += 1 }
    guard position > start, position - start < 64 else { throw failure }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private static func isNumberByte(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x2B || byte == 0x2E
      || byte == 0x65 || byte == 0x45
  }

  private mutating func literal(
    _ text: StaticString, _ value: JSONValue
  ) throws(TokenizerError) -> JSONValue {
    for byte in UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount) {
      guard position < bytes.count, bytes[position] == byte else { throw failure }
      position += 1
    }
    return value
  }

  private mutating func take(_ mark: UInt8) throws(TokenizerError) {
    guard takeIf(mark) else { throw failure }
  }

  private mutating func takeIf(_ mark: UInt8) -> Bool {
    skipWhitespace()
    guard position < bytes.count, bytes[position] == mark else { return false }
    position += 1
    return true
  }

  private mutating func skipWhitespace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  /// Reads a string into ``text``.
  package mutating func readString() throws(TokenizerError) {
    try take(UInt8(ascii: "\""))
    text.removeAll(keepingCapacity: true)
    let start = position
    while true {
      // Most of a string stands for itself.
      let run = position
      while position < bytes.count, !JSONReader.isSpecial(bytes[position]) { position += 1 }
      text.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[run..<position]))
      guard position < bytes.count else { throw failure }
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        // Bytes below 0x80 cannot be wrong.
        guard text.allSatisfy({ $0 < 0x80 }) || String(validating: text, as: UTF8.self) != nil
        else {
          position = start
          throw failure
        }
        return
      case UInt8(ascii: "\\"): try escape()
      default:
        position -= 1
        throw failure
      }
    }
  }

  /// Whether a byte in a string is its end, an escape, or wrong.
  private static func isSpecial(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20
  }

  private mutating func escape() throws(TokenizerError) {
    guard position < bytes.count else { throw failure }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var unit = try codeUnit()
      if (0xD800...0xDBFF).contains(unit), position + 1 < bytes.count,
        bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
      {
        let escape = position
        position += 2
        let low = try codeUnit()
        if (0xDC00...0xDFFF).contains(low) {
          unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
        } else {
          position = escape
        }
      }
      guard let scalar = Unicode.Scalar(unit) ?? (form == .python ? "\u{FFFD}" : nil) else {
        throw failure
      }
      text.append(contentsOf: UTF8.encode(scalar)!)
    default: throw failure
    }
  }

  private mutating func codeUnit() throws(TokenizerError) -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard position < bytes.count,
        let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue
      else { throw failure }
      position += 1
      unit = unit << 4 | UInt32(digit)
    }
    return unit
  }
}
