/// Bounds on what a file may declare, in one place.
public enum ColumnLimits {
  /// Largest description of a file's columns and row groups.
  static let metadataBytes = 256 << 20
  /// Most columns, nested ones too.
  static let columnCount = 100_000
  /// Deepest nesting of columns, and of the structures that describe them.
  static let depth = 64
  /// Largest page, unpacked.
  static let pageBytes = 1 << 30
  /// Largest buffer of a record batch, unpacked: polars makes one batch of a whole table.
  static let bufferBytes = 2 << 30
  /// Most values of a page: runs declare any number in a few bytes.
  static let valuesPerPage = 1 << 24
  /// Most rows of a record batch.
  static let rowsPerBatch = 1 << 40
  /// Most strings in the list of one row.
  static let valuesPerRow = 1 << 24
  /// Most bytes of one row.
  static let rowBytes = 1 << 30
  /// Most strings of a dictionary.
  static let dictionaryValues = 1 << 26
}
