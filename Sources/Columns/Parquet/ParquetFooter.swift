internal import FlapCore

/// What the end of a Parquet file says of its columns and where their pages lie (`parquet.thrift`,
/// FileMetaData).
struct ParquetFooter {
  var schema: [SchemaElement] = []
  /// [row groups][leaf columns].
  var rowGroups: [[ColumnChunk]] = []
  var isEncrypted = false

  struct SchemaElement {
    /// Of a leaf: 6 is BYTE_ARRAY.
    var type: Int?
    /// 0 required, 1 optional, 2 repeated.
    var repetition = 0
    var name = ""
    var childCount = 0
    var convertedType: Int?
  }

  struct ColumnChunk {
    var codec = 0
    var valueCount = 0
    var dataOffset = 0
    var dictionaryOffset = 0
    var isElsewhere = false
    var isEncrypted = false
    var isDescribed = false

    /// Of its first page: some writers tell the dictionary's in one field, some in the other.
    var start: Int { dictionaryOffset > 0 ? min(dictionaryOffset, dataOffset) : dataOffset }
  }

  init(_ bytes: ByteReader) throws(ColumnsError) {
    var reader = ThriftReader(bytes)
    var (schema, rowGroups, isEncrypted) = ([SchemaElement](), [[ColumnChunk]](), false)
    try reader.structure { reader, id, kind throws(ColumnsError) in
      switch (id, kind) {
      case (2, .list):
        try reader.list(of: .structure, limit: ColumnLimits.columnCount) {
          reader throws(ColumnsError) in
          schema.append(try SchemaElement(&reader))
        }
      case (4, .list):
        try reader.list(of: .structure, limit: .max) { reader throws(ColumnsError) in
          rowGroups.append(try ParquetFooter.rowGroup(&reader))
        }
      case (8, _): isEncrypted = true
      default: break
      }
    }
    self.schema = schema
    self.rowGroups = rowGroups
    self.isEncrypted = isEncrypted
  }

  private static func rowGroup(
    _ reader: inout ThriftReader
  ) throws(ColumnsError) -> [ColumnChunk] {
    var chunks: [ColumnChunk] = []
    try reader.structure(depth: 1) { reader, id, kind throws(ColumnsError) in
      guard id == 1, kind == .list else { return }
      try reader.list(of: .structure, limit: ColumnLimits.columnCount) {
        reader throws(ColumnsError) in
        chunks.append(try ColumnChunk(&reader))
      }
    }
    return chunks
  }
}

extension ParquetFooter.SchemaElement {
  init(_ reader: inout ThriftReader) throws(ColumnsError) {
    var element = ParquetFooter.SchemaElement()
    try reader.structure(depth: 1) { reader, id, kind throws(ColumnsError) in
      switch (id, kind) {
      case (1, .int32): element.type = try reader.integer()
      case (3, .int32): element.repetition = try reader.integer()
      case (4, .binary): element.name = String(decoding: try reader.binary(), as: UTF8.self)
      case (5, .int32): element.childCount = try reader.integer()
      case (6, .int32): element.convertedType = try reader.integer()
      default: break
      }
    }
    self = element
  }
}

extension ParquetFooter.ColumnChunk {
  init(_ reader: inout ThriftReader) throws(ColumnsError) {
    var chunk = ParquetFooter.ColumnChunk()
    try reader.structure(depth: 2) { reader, id, kind throws(ColumnsError) in
      switch (id, kind) {
      case (1, .binary): chunk.isElsewhere = try reader.binary().count > 0
      case (3, .structure):
        chunk.isDescribed = true
        try reader.structure(depth: 3) { reader, id, kind throws(ColumnsError) in
          switch (id, kind) {
          case (4, .int32): chunk.codec = try reader.integer()
          case (5, .int64): chunk.valueCount = try reader.integer()
          case (9, .int64): chunk.dataOffset = try reader.integer()
          case (11, .int64): chunk.dictionaryOffset = try reader.integer()
          default: break
          }
        }
      case (8, _): chunk.isEncrypted = true
      default: break
      }
    }
    self = chunk
  }
}
