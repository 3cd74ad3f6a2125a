/// A column at the top of a table.
public struct TableColumn: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    case text
    /// A list of strings in each row.
    case texts
    /// A list of structures in each row, with these fields of strings: a conversation's messages.
    case records(fields: [String])
    /// What else it is, in words.
    case other(String)
  }

  public let name: String
  public let kind: Kind

  /// Whether ``Table/reader(ofColumn:)`` reads it.
  public var isRead: Bool {
    if case .other = kind { return false }
    return true
  }
}

/// What a row has in a column of texts.
public enum Cell: Hashable, Sendable {
  case null
  /// Bytes that should be UTF-8.
  case text([UInt8])
  /// Those that are not null.
  case texts([[UInt8]])
  /// Their fields that are not null.
  case records([[String: [UInt8]]])
}

/// The rows of a column, one after another.
public protocol ColumnReader {
  /// - Returns: nil at the end.
  mutating func next() throws(ColumnsError) -> Cell?
}

/// A table in the bytes of a file.
public protocol Table {
  /// In the order of the file.
  var columns: [TableColumn] { get }

  /// - Precondition: the column is read.
  func reader(ofColumn index: Int) throws(ColumnsError) -> any ColumnReader
}
