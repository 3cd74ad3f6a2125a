internal import Compression

/// The pages of one column in one row group.
struct ParquetPages {
  private let chunk: ParquetFooter.ColumnChunk
  private let leaf: ParquetLeaf
  private let bytes: UnsafeRawBufferPointer
  private let packing: BlockFormat?
  private var position: Int
  private var remainingValueCount: Int
  private var dictionary: StringDictionary?

  init(
    _ chunk: ParquetFooter.ColumnChunk, _ leaf: ParquetLeaf, _ bytes: UnsafeRawBufferPointer
  ) throws(ColumnsError) {
    self.chunk = chunk
    self.leaf = leaf
    self.bytes = bytes
    packing = try ParquetPages.packing(chunk.codec)
    position = chunk.start
    remainingValueCount = chunk.valueCount
    guard position >= 4, position <= bytes.count, remainingValueCount >= 0 else {
      throw .cutOff(part: "a column", offset: position)
    }
  }

  /// CompressionCodec of `parquet.thrift`.
  private static func packing(_ codec: Int) throws(ColumnsError) -> BlockFormat? {
    switch codec {
    case 0: nil
    case 1: .snappy
    case 2: .gzip
    case 3: throw .unsupported(feature: "pages packed with LZO")
    case 4: throw .unsupported(feature: "pages packed with Brotli")
    case 5: throw .unsupported(feature: "pages packed with the LZ4 of Hadoop")
    case 6: .zstd
    case 7: .lz4Block
    default: throw .unsupported(feature: "pages packed in an unknown way (\(codec))")
    }
  }

  /// The next page of values; nil behind the last.
  mutating func next() throws(ColumnsError) -> ParquetPage? {
    while remainingValueCount > 0 {
      let start = position
      let header = try readHeader()
      let damaged = ColumnsError.damaged(part: "a page", offset: start)
      guard header.packedBytes >= 0, header.unpackedBytes >= 0, header.valueCount >= 0 else {
        throw damaged
      }
      guard let packed = bytes.slice(position, count: header.packedBytes) else {
        throw .cutOff(part: "a page", offset: start)
      }
      position += header.packedBytes
      guard header.unpackedBytes <= ColumnLimits.pageBytes else {
        throw .tooLarge(
          part: "a page", declared: header.unpackedBytes, limit: ColumnLimits.pageBytes,
          offset: start)
      }
      guard header.valueCount <= ColumnLimits.valuesPerPage else {
        throw .tooLarge(
          part: "the values of a page", declared: header.valueCount,
          limit: ColumnLimits.valuesPerPage, offset: start)
      }
      switch header.type {
      case 2:
        guard [0, 2].contains(header.encoding) else { throw damaged }
        dictionary = try StringDictionary(
          try unpack(packed, header.unpackedBytes, start), valueCount: header.valueCount,
          origin: start)
      case 0, 3:
        guard header.valueCount <= remainingValueCount else { throw damaged }
        remainingValueCount -= header.valueCount
        if header.valueCount == 0 { continue }
        return header.type == 0
          ? try firstVersion(header, packed, start) : try secondVersion(header, packed, start)
      default: continue
      }
    }
    return nil
  }

  /// PageHeader of `parquet.thrift`.
  private struct Header {
    /// 0 values, 1 index, 2 dictionary, 3 values of version 2.
    var type = -1
    var unpackedBytes = -1
    var packedBytes = -1
    var valueCount = 0
    var encoding = -1
    var levelEncoding = 3
    var definitionBytes = 0
    var repetitionBytes = 0
    var isPacked = true
  }

  private mutating func readHeader() throws(ColumnsError) -> Header {
    var header = Header()
    let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
    var reader = ThriftReader(ByteReader(rest, part: "the header of a page", origin: position))
    try reader.structure { reader, id, kind throws(ColumnsError) in
      switch (id, kind) {
      case (1, .int32): header.type = try reader.integer()
      case (2, .int32): header.unpackedBytes = try reader.integer()
      case (3, .int32): header.packedBytes = try reader.integer()
      case (5, .structure), (7, .structure):
        try reader.structure(depth: 1) { reader, id, kind throws(ColumnsError) in
          switch (id, kind) {
          case (1, .int32): header.valueCount = try reader.integer()
          case (2, .int32): header.encoding = try reader.integer()
          case (3, .int32), (4, .int32):
            header.levelEncoding = min(header.levelEncoding, 3)
            let encoding = try reader.integer()
            if encoding != 3 { header.levelEncoding = encoding }
          default: break
          }
        }
      case (8, .structure):
        try reader.structure(depth: 1) { reader, id, kind throws(ColumnsError) in
          switch (id, kind) {
          case (1, .int32): header.valueCount = try reader.integer()
          case (4, .int32): header.encoding = try reader.integer()
          case (5, .int32): header.definitionBytes = try reader.integer()
          case (6, .int32): header.repetitionBytes = try reader.integer()
          case (7, .no): header.isPacked = false
          default: break
          }
        }
      default: break
      }
    }
    position += reader.bytes.position
    return header
  }

  private func unpack(
    _ packed: UnsafeRawBufferPointer, _ byteCount: Int, _ start: Int, isPacked: Bool = true
  ) throws(ColumnsError) -> Block {
    guard let packing, isPacked else {
      guard packed.count == byteCount else { throw .damaged(part: "a page", offset: start) }
      return Block(packed)
    }
    guard let block = Block(packed, packing, byteCount: byteCount) else {
      throw .damaged(part: "a packed page", offset: start)
    }
    return block
  }

  /// Levels, each behind their size, and values, packed together.
  private func firstVersion(
    _ header: Header, _ packed: UnsafeRawBufferPointer, _ start: Int
  ) throws(ColumnsError) -> ParquetPage {
    let block = try unpack(packed, header.unpackedBytes, start)
    var reader = ByteReader(block.bytes, part: "a page", origin: start)
    func levels(max: Int) throws(ColumnsError) -> RunLengthDecoder? {
      guard max > 0 else { return nil }
      guard header.levelEncoding == 3 else {
        throw .unsupported(feature: "levels in the old BIT_PACKED encoding")
      }
      guard let count = Int(exactly: try reader.uint32()) else { throw reader.cutOff }
      let levels = try reader.take(count)
      return RunLengthDecoder(levels, bitWidth: ParquetPages.bitWidth(max), origin: start)
    }
    let repetition = try levels(max: leaf.isList ? 1 : 0)
    let definition = try levels(max: leaf.maxDefinition)
    return try page(header, block, reader.rest(), repetition, definition, start)
  }

  /// Levels as they are, values packed.
  private func secondVersion(
    _ header: Header, _ packed: UnsafeRawBufferPointer, _ start: Int
  ) throws(ColumnsError) -> ParquetPage {
    var reader = ByteReader(packed, part: "a page", origin: start)
    let repetition = try reader.take(header.repetitionBytes)
    let definition = try reader.take(header.definitionBytes)
    let values = reader.rest()
    let byteCount = header.unpackedBytes - repetition.count - definition.count
    guard byteCount >= 0 else { throw reader.damaged }
    let block = try unpack(
      values, byteCount, start, isPacked: header.isPacked && !(values.isEmpty && byteCount == 0))
    return try page(
      header, block, block.bytes,
      leaf.isList ? RunLengthDecoder(repetition, bitWidth: 1, origin: start) : nil,
      leaf.maxDefinition > 0
        ? RunLengthDecoder(
          definition, bitWidth: ParquetPages.bitWidth(leaf.maxDefinition), origin: start) : nil,
      start)
  }

  private func page(
    _ header: Header, _ block: Block, _ values: UnsafeRawBufferPointer,
    _ repetition: RunLengthDecoder?, _ definition: RunLengthDecoder?, _ start: Int
  ) throws(ColumnsError) -> ParquetPage {
    ParquetPage(
      valueCount: header.valueCount, maxDefinition: leaf.maxDefinition, repetition: repetition,
      definition: definition,
      strings: try StringDecoder(
        encoding: header.encoding, values, valueLimit: header.valueCount, dictionary: dictionary,
        origin: start),
      block: block, origin: start)
  }

  /// Of numbers up to `max`.
  private static func bitWidth(_ max: Int) -> Int { Int.bitWidth - max.leadingZeroBitCount }
}
