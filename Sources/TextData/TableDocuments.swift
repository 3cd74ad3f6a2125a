internal import Columns
internal import Storage
internal import SystemPackage

/// Texts in a column of a Parquet or Arrow file.
struct TableDocuments: ~Copyable, DocumentSource {
  private let path: String
  /// The reader reads where it lies.
  private let file: MappedFile
  private var reader: any ColumnReader
  private var row = 0

  /// - Throws: ``TextDataError`` or a `StorageError`.
  init(_ file: TextFile, _ form: TextFile.Form, _ record: RecordText) throws {
    let mapped = try MappedFile(path: file.path)
    do {
      let table: any Table =
        form == .parquet ? try ParquetTable(mapped.bytes) : try ArrowTable(mapped.bytes)
      let index = try record.column(among: table.columns.map(\.name), path: file.name)
      if case .other(let type) = table.columns[index].kind {
        throw TextDataError.noTextInField(place: file.name, field: record.field, type: type)
      }
      reader = try table.reader(ofColumn: index)
    } catch let error as ColumnsError {
      throw TextDataError.damagedTable(path: file.name, reason: "\(error)")
    }
    path = file.name
    self.file = mapped
  }

  mutating func next() throws -> TextDocument? {
    while true {
      let cell: Cell?
      do {
        cell = try reader.next()
      } catch {
        throw TextDataError.damagedTable(path: path, reason: "row \(row + 1): \(error)")
      }
      guard let cell else { return nil }
      row += 1
      let text: [UInt8]
      switch cell {
      case .null: continue
      case .text(let bytes): text = bytes
      case .texts(let lines): text = RecordText.joined(lines)
      }
      if text.isEmpty { continue }
      guard text.withUnsafeBytes({ UTF8Validation.firstInvalidOffset(in: $0) }) == nil else {
        throw TextDataError.invalidUTF8Row(place: "\(path), row \(row)")
      }
      return TextDocument(bytes: text)
    }
  }
}
