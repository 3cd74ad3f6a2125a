/// Texts of the records of one JSON array: objects, or the texts themselves.
struct JSONArrayDocuments: ~Copyable, DocumentSource {
  private var buffer: TextBuffer
  private let record: RecordText
  private var number = 0
  private var isAtEnd = false

  /// - Precondition: the first byte that is no blank is the array's bracket.
  init(_ buffer: consuming TextBuffer, _ record: RecordText) {
    self.buffer = buffer
    self.record = record
  }

  mutating func next() throws -> TextDocument? {
    while !isAtEnd {
      guard try skipMark() else {
        isAtEnd = true
        return nil
      }
      number += 1
      let byteCount = try nextElement()
      let text = try text(ofElement: 0..<byteCount)
      buffer.use(byteCount)
      if let text { return text }
    }
    return nil
  }

  private var place: RecordPlace { RecordPlace(path: buffer.path, unit: .record, number: number) }

  /// Goes over the bracket that opens the array, or the comma between elements.
  ///
  /// - Returns: false behind the last element.
  private mutating func skipMark() throws -> Bool {
    let mark = try nextByte()
    if number > 0, mark == UInt8(ascii: "]") {
      try end()
      return false
    }
    guard mark == (number == 0 ? UInt8(ascii: "[") : UInt8(ascii: ",")) else {
      throw TextDataError.notJSONArray(path: buffer.path, offset: buffer.position(0))
    }
    buffer.use(1)
    if number == 0, try nextByte() == UInt8(ascii: "]") {
      try end()
      return false
    }
    return true
  }

  /// Behind the last bracket come blanks alone.
  private mutating func end() throws {
    buffer.use(1)
    guard try nextByte() == nil else {
      throw TextDataError.notJSONArray(path: buffer.path, offset: buffer.position(0))
    }
  }

  /// The next byte that is no blank, which is not taken; nil at the end.
  private mutating func nextByte() throws -> UInt8? {
    while true {
      while buffer.count > 0 {
        let byte = buffer[0]
        guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
        buffer.use(1)
      }
      guard try buffer.readMore() else { return nil }
    }
  }

  /// The bytes of the next element: up to the comma or bracket that is in no brackets and no string.
  private mutating func nextElement() throws -> Int {
    var (depth, isInString, isEscaped) = (0, false, false)
    var index = 0
    while true {
      let end = buffer.withBytes(0..<buffer.count) { bytes -> Int? in
        while index < bytes.count {
          let byte = bytes[index]
          if isInString {
            if isEscaped {
              isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
              isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
              isInString = false
            }
          } else {
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
              if depth == 0 { return index }
              depth -= 1
            case UInt8(ascii: ","): if depth == 0 { return index }
            default: break
            }
          }
          index += 1
        }
        return nil
      }
      if let end { return end }
      guard try buffer.readMore() else {
        throw TextDataError.cutOff(place: place.description)
      }
    }
  }

  private func text(ofElement range: Range<Int>) throws -> TextDocument? {
    try buffer.validate(range)
    return try buffer.withBytes(range) { bytes in
      let isText = bytes.first { ![0x20, 0x0A, 0x0D, 0x09].contains($0) } == UInt8(ascii: "\"")
      return isText
        ? try record.text(ofString: bytes, place) : try record.text(ofObject: bytes, place)
    }
  }
}
