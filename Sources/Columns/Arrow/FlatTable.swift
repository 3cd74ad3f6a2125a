/// A table of FlatBuffers (flatbuffers.dev/internals), read where it lies; every access is checked.
struct FlatTable {
  private let bytes: UnsafeRawBufferPointer
  private let position: Int
  private let fields: UnsafeRawBufferPointer
  /// Where the bytes begin in the file.
  private let origin: Int

  /// The root of a buffer.
  init(_ bytes: UnsafeRawBufferPointer, origin: Int) throws(ColumnsError) {
    guard bytes.count >= 4 else { throw .cutOff(part: "a message", offset: origin) }
    try self.init(bytes, at: Int(bytes.number(at: 0, as: UInt32.self)), origin: origin)
  }

  private init(
    _ bytes: UnsafeRawBufferPointer, at position: Int, origin: Int
  ) throws(ColumnsError) {
    self.bytes = bytes
    self.position = position
    self.origin = origin
    let damaged = ColumnsError.damaged(part: "a message", offset: origin + position)
    guard let head = bytes.slice(position, count: 4) else { throw damaged }
    let vtable = position - Int(head.number(at: 0, as: Int32.self))
    guard let sizes = bytes.slice(vtable, count: 4) else { throw damaged }
    let count = Int(sizes.number(at: 0, as: UInt16.self))
    guard count >= 4, let fields = bytes.slice(vtable + 4, count: count - 4) else { throw damaged }
    self.fields = fields
  }

  private var damaged: ColumnsError {
    .damaged(part: "a message", offset: origin + position)
  }

  /// Where a field's value lies; nil: it has its default.
  private func place(_ field: Int, byteCount: Int) throws(ColumnsError) -> Int? {
    guard 2 * field + 2 <= fields.count else { return nil }
    let offset = Int(fields.number(at: 2 * field, as: UInt16.self))
    guard offset > 0 else { return nil }
    guard bytes.slice(position + offset, count: byteCount) != nil else { throw damaged }
    return position + offset
  }

  func number<Number: FixedWidthInteger & BitwiseCopyable>(
    _ field: Int, _ type: Number.Type, default value: Number = 0
  ) throws(ColumnsError) -> Number {
    guard let place = try place(field, byteCount: MemoryLayout<Number>.size) else { return value }
    return bytes.number(at: place, as: type)
  }

  private func target(_ place: Int) -> Int { place + Int(bytes.number(at: place, as: UInt32.self)) }

  func table(_ field: Int) throws(ColumnsError) -> FlatTable? {
    guard let place = try place(field, byteCount: 4) else { return nil }
    return try FlatTable(bytes, at: target(place), origin: origin)
  }

  /// At most so many bytes of it: any number of tables can have the same string.
  func string(_ field: Int, limit: Int) throws(ColumnsError) -> String {
    String(decoding: try vector(field, stride: 1).prefix(limit), as: UTF8.self)
  }

  /// The elements of a vector of numbers or structures, each of `stride` bytes.
  func vector(_ field: Int, stride: Int) throws(ColumnsError) -> UnsafeRawBufferPointer {
    guard let place = try place(field, byteCount: 4) else {
      return UnsafeRawBufferPointer(start: nil, count: 0)
    }
    let start = target(place)
    guard let head = bytes.slice(start, count: 4) else { throw damaged }
    let count = Int(head.number(at: 0, as: UInt32.self))
    guard let elements = bytes.slice(start + 4, count: count * stride) else { throw damaged }
    return elements
  }

  func tables(_ field: Int) throws(ColumnsError) -> [FlatTable] {
    guard let place = try place(field, byteCount: 4) else { return [] }
    let start = target(place)
    let offsets = try vector(field, stride: 4)
    var tables: [FlatTable] = []
    guard offsets.count / 4 <= ColumnLimits.columnCount else { throw damaged }
    for index in 0..<offsets.count / 4 {
      tables.append(
        try FlatTable(bytes, at: self.target(start + 4 + 4 * index), origin: origin))
    }
    return tables
  }
}
