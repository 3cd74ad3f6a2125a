internal import FlapCore

/// The columns of Arrow's messages (`Schema.fbs`), and which buffers each has.
struct ArrowSchema {
  var columns: [TableColumn] = []
  var fields: [ArrowField] = []

  init(_ schema: FlatTable) throws(ColumnsError) {
    guard try schema.number(0, Int16.self) == 0 else {
      throw .unsupported(feature: "big-endian columns")
    }
    var count = 0
    for table in try schema.tables(1) {
      let field = try ArrowField(table, depth: 0, count: &count)
      fields.append(field)
      columns.append(
        TableColumn(name: PlainText.line(field.name, limit: 100), kind: field.kind))
    }
  }
}

/// A column or a nested one.
struct ArrowField {
  enum Layout: Hashable {
    /// Strings: offsets of 4 or 8 bytes, and their bytes.
    case offsets(byteCount: Int)
    case views
    /// A list with offsets of 4 or 8 bytes.
    case list(byteCount: Int)
    case structure
    /// So many buffers, besides those of its children; what it is, in words.
    case other(bufferCount: Int, String)
  }

  let name: String
  let layout: Layout
  let children: [ArrowField]
  /// Of a column of indices into a dictionary.
  let dictionary: Dictionary?

  struct Dictionary: Hashable {
    let id: Int64
    let indexBytes: Int
    let isSigned: Bool
  }

  init(_ field: FlatTable, depth: Int, count: inout Int) throws(ColumnsError) {
    count += 1
    guard depth < ColumnLimits.depth, count <= ColumnLimits.columnCount else {
      throw .tooLarge(
        part: "the description of its columns", declared: count, limit: ColumnLimits.columnCount,
        offset: 0)
    }
    name = try field.string(0, limit: 1000)
    layout = try ArrowField.layout(try field.number(2, UInt8.self), try field.table(3))
    var children: [ArrowField] = []
    for child in try field.tables(5) {
      children.append(try ArrowField(child, depth: depth + 1, count: &count))
    }
    self.children = children
    if let encoding = try field.table(4) {
      let index = try encoding.table(1)
      let bits = Int(try index?.number(0, Int32.self) ?? 32)
      guard [8, 16, 32, 64].contains(bits) else {
        throw .unsupported(feature: "indices of \(bits) bits")
      }
      dictionary = Dictionary(
        id: try encoding.number(0, Int64.self), indexBytes: bits / 8,
        isSigned: try index?.number(1, UInt8.self) ?? 1 != 0)
    } else {
      dictionary = nil
    }
  }

  /// Type of `Schema.fbs`; buffers by `Columnar.rst`, Buffer Listing for Each Layout.
  private static func layout(_ type: UInt8, _ details: FlatTable?) throws(ColumnsError) -> Layout {
    switch type {
    case 1: return .other(bufferCount: 0, "nothing but nulls")
    case 2, 3, 7, 8, 9, 10, 11, 18: return .other(bufferCount: 2, "numbers")
    case 4, 5: return .offsets(byteCount: 4)
    case 6: return .other(bufferCount: 2, "true or false")
    case 12: return .list(byteCount: 4)
    case 13: return .structure
    case 14:
      let isDense = try details?.number(0, Int16.self) == 1
      return .other(bufferCount: isDense ? 2 : 1, "values of several types")
    case 15: return .other(bufferCount: 2, "bytes of one length")
    case 16: return .other(bufferCount: 1, "lists of one length")
    case 17: return .other(bufferCount: 2, "maps")
    case 19, 20: return .offsets(byteCount: 8)
    case 21: return .list(byteCount: 8)
    case 22: return .other(bufferCount: 0, "runs")
    case 23, 24: return .views
    case 25, 26: return .other(bufferCount: 3, "lists by views")
    default: throw .unsupported(feature: "columns of an unknown type (\(type))")
    }
  }

  /// Besides the variable ones of views.
  var bufferCount: Int {
    guard dictionary == nil else { return 2 }
    return switch layout {
    case .offsets: 3
    case .views, .list: 2
    case .structure: 1
    case .other(let count, _): count
    }
  }

  /// Whether its values are strings.
  var isText: Bool { layout == .views || isOffsets }

  private var isOffsets: Bool {
    guard case .offsets = layout else { return false }
    return true
  }

  var kind: TableColumn.Kind {
    if isText { return .text }
    switch layout {
    case .list:
      guard let child = children.first, dictionary == nil, child.dictionary == nil else { break }
      if child.isText { return .texts }
      let fields = child.textFields
      if child.layout == .structure, !fields.isEmpty { return .records(fields: fields.map(\.name)) }
    case .other(_, let name): return .other(name)
    case .structure: return .other("structures")
    case .offsets, .views: return .text
    }
    return .other("lists of other things than strings")
  }

  /// Of a structure: those that are strings.
  var textFields: [ArrowField] { children.filter { $0.isText && $0.dictionary == nil } }
}
