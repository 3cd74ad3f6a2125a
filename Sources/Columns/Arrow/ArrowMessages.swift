/// The messages of Arrow's IPC format, one after another (`Columnar.rst`, Serialization and IPC): those
/// of a stream as they come, those of a file as its footer lists them.
struct ArrowMessages {
  struct Message {
    /// MessageHeader of `Message.fbs`: 1 schema, 2 dictionary batch, 3 record batch.
    let kind: UInt8
    let header: FlatTable
    let body: UnsafeRawBufferPointer
    /// Of the body, in the file.
    let bodyOffset: Int
  }

  /// Of all messages.
  let schema: FlatTable
  private let bytes: UnsafeRawBufferPointer
  /// Of a stream: where the next message is, nil behind the last.
  private var position: Int?
  /// Of a file: where messages are, dictionaries first.
  private var blocks: ArraySlice<Int> = []

  private static let magic = Array("ARROW1".utf8)

  /// - Parameter bytes: of the whole file.
  init(_ bytes: UnsafeRawBufferPointer) throws(ColumnsError) {
    guard bytes.starts(with: ArrowMessages.magic) else {
      self.bytes = bytes
      guard let (first, end) = try ArrowMessages.message(bytes, at: 0), first.kind == 1 else {
        throw .otherFormat(expected: "Arrow")
      }
      schema = first.header
      position = end
      return
    }
    guard bytes.count >= 24, bytes.suffix(6).elementsEqual(ArrowMessages.magic) else {
      throw .otherFormat(expected: "a whole Arrow file")
    }
    let footerBytes = Int(bytes.number(at: bytes.count - 10, as: UInt32.self))
    let start = bytes.count - 10 - footerBytes
    guard let footer = bytes.slice(start, count: footerBytes), start >= 8 else {
      throw .cutOff(part: "its footer", offset: bytes.count - 10)
    }
    self.bytes = UnsafeRawBufferPointer(rebasing: bytes[..<start])
    // Footer of `File.fbs`: lists of offset, bytes of metadata and of the body.
    let table = try FlatTable(footer, origin: start)
    guard let schema = try table.table(1) else {
      throw .damaged(part: "its footer", offset: start)
    }
    self.schema = schema
    for field in [2, 3] {
      let places = try table.vector(field, stride: 24)
      for index in 0..<places.count / 24 {
        blocks.append(Int(places.number(at: 24 * index, as: Int64.self)))
      }
    }
  }

  /// - Returns: nil at the end.
  mutating func next() throws(ColumnsError) -> Message? {
    if let block = blocks.popFirst() {
      guard let (message, _) = try ArrowMessages.message(bytes, at: block) else {
        throw .damaged(part: "a message", offset: block)
      }
      return message
    }
    guard let start = position else { return nil }
    guard let (message, end) = try ArrowMessages.message(bytes, at: start) else {
      position = nil
      return nil
    }
    position = end
    return message
  }

  /// - Returns: the message and where it ends; nil where there is the end's mark, or nothing any more.
  private static func message(
    _ bytes: UnsafeRawBufferPointer, at start: Int
  ) throws(ColumnsError) -> (Message, end: Int)? {
    if start == bytes.count { return nil }
    guard start >= 0, start < bytes.count else {
      throw .cutOff(part: "a message", offset: start)
    }
    var reader = ByteReader(
      UnsafeRawBufferPointer(rebasing: bytes[start...]), part: "a message", origin: start)
    var metadataBytes = try reader.uint32()
    // Before version 0.15 the size came first.
    if metadataBytes == UInt32.max { metadataBytes = try reader.uint32() }
    guard metadataBytes > 0 else { return nil }
    guard metadataBytes <= ColumnLimits.metadataBytes else {
      if start == 0 { throw .otherFormat(expected: "Arrow") }
      throw .tooLarge(
        part: "a message", declared: Int(metadataBytes), limit: ColumnLimits.metadataBytes,
        offset: start)
    }
    let metadataOffset = start + reader.position
    let message = try FlatTable(try reader.take(Int(metadataBytes)), origin: metadataOffset)
    let bodyOffset = start + reader.position
    guard let bodyBytes = Int(exactly: try message.number(3, Int64.self)), bodyBytes >= 0,
      let header = try message.table(2)
    else { throw .damaged(part: "a message", offset: start) }
    let body = try reader.take(bodyBytes)
    return (
      Message(
        kind: try message.number(1, UInt8.self), header: header, body: body,
        bodyOffset: bodyOffset), start + reader.position
    )
  }
}
