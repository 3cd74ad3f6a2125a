/// A Parquet file (github.com/apache/parquet-format), of which columns of strings are read.
public struct ParquetTable: Table {
  public let columns: [TableColumn]
  private let leaves: [[ParquetLeaf]]
  private let rowGroups: [[ParquetFooter.ColumnChunk]]
  /// Of the file, up to the footer.
  private let bytes: UnsafeRawBufferPointer

  private static let magic = Array("PAR1".utf8)

  /// - Parameter bytes: of the whole file; who calls keeps them as long as this and its readers.
  public init(_ bytes: UnsafeRawBufferPointer) throws(ColumnsError) {
    let isWhole = bytes.count >= 12 && bytes.starts(with: ParquetTable.magic)
    if bytes.count >= 12, bytes.suffix(4).elementsEqual("PARE".utf8) {
      throw .unsupported(feature: "encrypted columns")
    }
    guard isWhole, bytes.suffix(4).elementsEqual(ParquetTable.magic) else {
      throw .otherFormat(expected: "Parquet")
    }
    let footerBytes = Int(bytes.number(at: bytes.count - 8, as: UInt32.self))
    guard footerBytes <= bytes.count - 12 else {
      throw .cutOff(part: "its footer", offset: bytes.count - 8)
    }
    guard footerBytes <= ColumnLimits.metadataBytes else {
      throw .tooLarge(
        part: "its footer", declared: footerBytes, limit: ColumnLimits.metadataBytes,
        offset: bytes.count - 8)
    }
    let start = bytes.count - 8 - footerBytes
    let footer = try ParquetFooter(
      ByteReader(
        UnsafeRawBufferPointer(rebasing: bytes[start..<start + footerBytes]),
        part: "its footer", origin: start))
    guard !footer.isEncrypted else { throw .unsupported(feature: "encrypted columns") }
    let schema = try ParquetSchema(footer.schema, origin: start)
    for group in footer.rowGroups where group.count != schema.leafCount {
      throw .damaged(part: "its footer", offset: start)
    }
    columns = schema.columns
    leaves = schema.leaves
    rowGroups = footer.rowGroups
    self.bytes = UnsafeRawBufferPointer(rebasing: bytes[..<start])
  }

  public func reader(ofColumn index: Int) throws(ColumnsError) -> any ColumnReader {
    let column = columns[index]
    precondition(column.isRead)
    var readers: [ParquetColumnReader] = []
    for leaf in leaves[index] { readers.append(try reader(of: leaf)) }
    guard case .records(let fields) = column.kind else { return readers[0] }
    return ParquetRecordReader(fields: fields, readers: readers)
  }

  private func reader(of leaf: ParquetLeaf) throws(ColumnsError) -> ParquetColumnReader {
    // A row group without rows has no pages, and says where none is.
    let chunks = rowGroups.map { $0[leaf.index] }.filter { $0.valueCount != 0 }
    for chunk in chunks {
      guard !chunk.isEncrypted else { throw .unsupported(feature: "encrypted columns") }
      guard chunk.isDescribed, !chunk.isElsewhere else {
        throw .unsupported(feature: "columns in other files")
      }
    }
    return ParquetColumnReader(leaf: leaf, chunks: chunks, bytes: bytes)
  }
}
