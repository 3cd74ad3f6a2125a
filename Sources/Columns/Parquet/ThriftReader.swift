/// Reads structures of Thrift's compact protocol (`thrift-compact-protocol.md`).
struct ThriftReader {
  private(set) var bytes: ByteReader

  enum Kind: UInt8 {
    case yes = 1
    case no = 2
    case byte = 3
    case int16 = 4
    case int32 = 5
    case int64 = 6
    case double = 7
    case binary = 8
    case list = 9
    case set = 10
    case map = 11
    case structure = 12
  }

  init(_ bytes: ByteReader) { self.bytes = bytes }

  /// Reads the fields of a structure: `member` reads the value of a field, or leaves it.
  mutating func structure(
    depth: Int = 0,
    _ member: (inout ThriftReader, _ id: Int64, Kind) throws(ColumnsError) -> Void
  ) throws(ColumnsError) {
    guard depth < ColumnLimits.depth else { throw bytes.damaged }
    var id: Int64 = 0
    while true {
      let header = try bytes.byte()
      if header == 0 { return }
      guard let kind = Kind(rawValue: header & 0x0F) else { throw bytes.damaged }
      id = header >> 4 == 0 ? try bytes.zigzag() : id &+ Int64(header >> 4)
      let start = bytes.position
      try member(&self, id, kind)
      if bytes.position == start { try skip(kind, depth: depth + 1) }
    }
  }

  /// Reads the elements of a list, which are of one kind.
  mutating func list(
    of kind: Kind, limit: Int, _ element: (inout ThriftReader) throws(ColumnsError) -> Void
  ) throws(ColumnsError) {
    let (found, count) = try listHeader()
    guard count == 0 || found == kind else { throw bytes.damaged }
    guard count <= limit else {
      throw .tooLarge(
        part: bytes.part, declared: count, limit: limit, offset: bytes.origin + bytes.position)
    }
    for _ in 0..<count { try element(&self) }
  }

  mutating func integer() throws(ColumnsError) -> Int { Int(try bytes.zigzag()) }

  mutating func binary() throws(ColumnsError) -> UnsafeRawBufferPointer {
    guard let count = Int(exactly: try bytes.variable()) else { throw bytes.cutOff }
    return try bytes.take(count)
  }

  private mutating func listHeader() throws(ColumnsError) -> (kind: Kind?, count: Int) {
    let header = try bytes.byte()
    let long = header >> 4 == 15
    // Each element has a byte at the least.
    guard let count = Int(exactly: long ? try bytes.variable() : UInt64(header >> 4)),
      count <= bytes.remainingCount
    else { throw bytes.cutOff }
    return (Kind(rawValue: header & 0x0F), count)
  }

  private mutating func skip(_ kind: Kind, depth: Int) throws(ColumnsError) {
    guard depth < ColumnLimits.depth else { throw bytes.damaged }
    switch kind {
    case .yes, .no: return
    case .byte: _ = try bytes.byte()
    case .int16, .int32, .int64: _ = try bytes.variable()
    case .double: _ = try bytes.take(8)
    case .binary: _ = try binary()
    case .list, .set:
      let (found, count) = try listHeader()
      guard let found else {
        guard count == 0 else { throw bytes.damaged }
        return
      }
      for _ in 0..<count { try skipElement(found, depth: depth + 1) }
    case .map:
      guard let count = Int(exactly: try bytes.variable()), count <= bytes.remainingCount else {
        throw bytes.cutOff
      }
      guard count > 0 else { return }
      let kinds = try bytes.byte()
      guard let key = Kind(rawValue: kinds >> 4), let value = Kind(rawValue: kinds & 0x0F) else {
        throw bytes.damaged
      }
      for _ in 0..<count {
        try skipElement(key, depth: depth + 1)
        try skipElement(value, depth: depth + 1)
      }
    case .structure: try structure(depth: depth) { _, _, _ in }
    }
  }

  /// In a list a truth value has a byte of its own.
  private mutating func skipElement(_ kind: Kind, depth: Int) throws(ColumnsError) {
    if kind == .yes || kind == .no { _ = try bytes.byte() } else { try skip(kind, depth: depth) }
  }
}
