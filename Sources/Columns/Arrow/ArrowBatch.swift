internal import Compression

/// A record batch (`Message.fbs`): the lengths of its columns and the places of their buffers.
struct ArrowBatch {
  let offset: Int
  private let nodes: UnsafeRawBufferPointer
  private let buffers: UnsafeRawBufferPointer
  private let variadicCounts: UnsafeRawBufferPointer
  private let body: UnsafeRawBufferPointer
  private let packing: BlockFormat?

  init(_ batch: FlatTable, _ body: UnsafeRawBufferPointer, offset: Int) throws(ColumnsError) {
    self.offset = offset
    self.body = body
    nodes = try batch.vector(1, stride: 16)
    buffers = try batch.vector(2, stride: 16)
    variadicCounts = try batch.vector(4, stride: 8)
    if let compression = try batch.table(3) {
      switch try compression.number(0, Int8.self) {
      case 0: packing = .lz4Frame
      case 1: packing = .zstd
      default: throw .unsupported(feature: "buffers packed in an unknown way")
      }
    } else {
      packing = nil
    }
  }

  var damaged: ColumnsError { .damaged(part: "a record batch", offset: offset) }

  /// Where the nodes, buffers and counts of views of a field begin.
  struct Place {
    var node = 0
    var buffer = 0
    var view = 0
  }

  /// Goes over a field and its children.
  func skip(_ field: ArrowField, from place: inout Place) throws(ColumnsError) {
    place.node += 1
    place.buffer += field.bufferCount
    guard field.dictionary == nil else { return }
    if field.layout == .views {
      place.buffer += try viewBufferCount(place.view)
      place.view += 1
    }
    for child in field.children { try skip(child, from: &place) }
  }

  /// How many buffers of bytes a column of views has.
  func viewBufferCount(_ index: Int) throws(ColumnsError) -> Int {
    guard index < variadicCounts.count / 8 else { throw damaged }
    let count = variadicCounts.number(at: 8 * index, as: Int64.self)
    guard (0...Int64(buffers.count / 16)).contains(count) else { throw damaged }
    return Int(count)
  }

  /// Rows of a column.
  func length(_ node: Int) throws(ColumnsError) -> Int {
    guard node < nodes.count / 16,
      case let length = Int(nodes.number(at: 16 * node, as: Int64.self)),
      (0...ColumnLimits.rowsPerBatch).contains(length)
    else { throw damaged }
    return length
  }

  /// A buffer, unpacked.
  func buffer(_ index: Int) throws(ColumnsError) -> Block {
    guard index < buffers.count / 16 else { throw damaged }
    let place = Int(buffers.number(at: 16 * index, as: Int64.self))
    let count = Int(buffers.number(at: 16 * index + 8, as: Int64.self))
    // A buffer that is not needed may lie anywhere.
    guard count != 0 else { return Block(UnsafeRawBufferPointer(start: nil, count: 0)) }
    guard let bytes = body.slice(place, count: count) else {
      throw .cutOff(part: "a buffer of a record batch", offset: offset)
    }
    guard let packing else { return Block(bytes) }
    // Its size comes first, −1 where it is not packed.
    guard bytes.count >= 8 else { throw damaged }
    let packed = UnsafeRawBufferPointer(rebasing: bytes[8...])
    let byteCount = bytes.number(at: 0, as: Int64.self)
    if byteCount == -1 { return Block(packed) }
    guard byteCount >= 0 else { throw damaged }
    guard byteCount <= ColumnLimits.bufferBytes else {
      throw .tooLarge(
        part: "a buffer of a record batch", declared: Int(byteCount),
        limit: ColumnLimits.bufferBytes, offset: offset)
    }
    guard let block = Block(packed, packing, byteCount: Int(byteCount)) else {
      throw .damaged(part: "a packed buffer of a record batch", offset: offset)
    }
    return block
  }
}
