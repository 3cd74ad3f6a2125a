/// Reads JSON text piece by piece (RFC 8259), as far as headers of safetensors files need it.
///
/// A general parser keeps one of two equal keys and says nothing; a header that names a tensor
/// twice must be refused, so its keys are read here, in order.
struct JSONScanner {
  private let bytes: UnsafeRawBufferPointer
  private(set) var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  mutating func skipWhitespace() {
    while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  /// Takes a punctuation mark, with white space before it.
  mutating func take(_ mark: Character) throws(SafetensorsError) {
    guard takeIf(mark) else { throw .notJSON(position: position) }
  }

  mutating func takeIf(_ mark: Character) -> Bool {
    skipWhitespace()
    guard peek() == mark.asciiValue else { return false }
    position += 1
    return true
  }

  /// Reads `{ "key": value, … }`, handing each key to `member`, which reads the value.
  mutating func object(
    _ member: (inout JSONScanner, String) throws(SafetensorsError) -> Void
  ) throws(SafetensorsError) {
    try take("{")
    if takeIf("}") { return }
    repeat {
      let key = try string()
      try take(":")
      try member(&self, key)
    } while takeIf(",")
    try take("}")
  }

  /// Reads `[n, …]` of natural numbers; nil where one is not.
  mutating func naturalNumbers() throws(SafetensorsError) -> [Int]? {
    try take("[")
    var numbers: [Int] = []
    if takeIf("]") { return numbers }
    repeat {
      guard let number = naturalNumber() else { return nil }
      numbers.append(number)
    } while takeIf(",")
    // Something like a fraction or an exponent follows a natural number that it belongs to.
    guard takeIf("]") else { return nil }
    return numbers
  }

  private mutating func naturalNumber() -> Int? {
    skipWhitespace()
    var number = 0
    let start = position
    while let byte = peek(), (0x30...0x39).contains(byte) {
      let (scaled, first) = number.multipliedReportingOverflow(by: 10)
      let (sum, second) = scaled.addingReportingOverflow(Int(byte - 0x30))
      guard !first, !second else { return nil }
      number = sum
      position += 1
    }
    return position > start ? number : nil
  }

  mutating func string() throws(SafetensorsError) -> String {
    try take("\"")
    var text: [UInt8] = []
    while let byte = peek() {
      position += 1
      switch byte {
      case 0x22:
        guard let string = String(validating: text, as: UTF8.self) else {
          throw .notJSON(position: position)
        }
        return string
      case 0x5C: try escape(into: &text)
      case 0..<0x20: throw .notJSON(position: position)
      default: text.append(byte)
      }
    }
    throw .notJSON(position: position)
  }

  private mutating func escape(into text: inout [UInt8]) throws(SafetensorsError) {
    guard let byte = peek() else { throw .notJSON(position: position) }
    position += 1
    switch byte {
    case 0x22, 0x5C, 0x2F: text.append(byte)
    case 0x62: text.append(0x08)
    case 0x66: text.append(0x0C)
    case 0x6E: text.append(0x0A)
    case 0x72: text.append(0x0D)
    case 0x74: text.append(0x09)
    case 0x75:
      var unit = try codeUnit()
      if (0xD800...0xDBFF).contains(unit), peek() == 0x5C {
        position += 1
        guard peek() == 0x75 else { throw .notJSON(position: position) }
        position += 1
        let low = try codeUnit()
        guard (0xDC00...0xDFFF).contains(low) else { throw .notJSON(position: position) }
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(unit) else { throw .notJSON(position: position) }
      text += Array(String(Character(scalar)).utf8)
    default: throw .notJSON(position: position)
    }
  }

  private mutating func codeUnit() throws(SafetensorsError) -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw .notJSON(position: position)
      }
      position += 1
      unit = unit << 4 | UInt32(digit)
    }
    return unit
  }

  private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }
}
