internal import Columns
internal import Storage
internal import SystemPackage

/// Texts in columns of a Parquet or Arrow file.
struct TableDocuments: ~Copyable, DocumentSource {
  private let path: String
  /// The reader reads where it lies.
  private let file: MappedFile
  private var readers: [any ColumnReader] = []
  private let record: RecordText
  private var names: [String] = []
  private var row = 0

  /// - Throws: ``TextDataError`` or a `StorageError`.
  init(_ file: TextFile, _ form: TextFile.Form, _ record: RecordText) throws {
    let mapped = try MappedFile(path: file.path)
    do {
      let table: any Table =
        form == .parquet ? try ParquetTable(mapped.bytes) : try ArrowTable(mapped.bytes)
      for index in try record.columns(among: table.columns.map(\.name), path: file.name) {
        if case .other(let type) = table.columns[index].kind {
          throw TextDataError.noTextInField(
            place: file.name, field: table.columns[index].name, type: type)
        }
        readers.append(try table.reader(ofColumn: index))
        names.append(table.columns[index].name)
      }
    } catch let error as ColumnsError {
      throw TextDataError.damagedTable(path: file.name, reason: "\(error)")
    }
    path = file.name
    self.file = mapped
    self.record = record
  }

  mutating func next() throws -> TextDocument? {
    while let cells = try nextRow() {
      row += 1
      if let text = try record.text(
        ofRow: cells, names, RecordPlace(path: path, unit: .row, number: row))
      {
        return text
      }
    }
    return nil
  }

  /// - Returns: nil at the end.
  private mutating func nextRow() throws(TextDataError) -> [Cell]? {
    var cells: [Cell] = []
    do {
      for index in readers.indices {
        guard let cell = try readers[index].next() else { return nil }
        cells.append(cell)
      }
    } catch {
      throw .damagedTable(path: path, reason: "row \(row + 1): \(error)")
    }
    return cells
  }
}
