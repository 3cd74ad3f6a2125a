internal import FlapCore

/// The columns at the top of a Parquet file's tree of columns, with the leaves that hold their texts.
struct ParquetSchema {
  private(set) var columns: [TableColumn] = []
  /// Of each column: one where it is text, one a field where it is records.
  private(set) var leaves: [[ParquetLeaf]] = []
  private(set) var leafCount = 0

  private let elements: [ParquetFooter.SchemaElement]
  private var next = 0

  /// - Parameter origin: of the footer, for errors.
  init(_ elements: [ParquetFooter.SchemaElement], origin: Int) throws(ColumnsError) {
    self.elements = elements
    let damaged = ColumnsError.damaged(part: "the description of its columns", offset: origin)
    guard let root = elements.first, root.childCount >= 0 else { throw damaged }
    next = 1
    for _ in 0..<root.childCount {
      guard next < elements.count else { throw damaged }
      let top = elements[next]
      var found: [Leaf] = []
      guard walk(depth: 0, definition: 0, repetition: 0, listDefinition: 0, into: &found) else {
        throw damaged
      }
      let (kind, leaves) = ParquetSchema.kind(found)
      columns.append(TableColumn(name: PlainText.line(top.name, limit: 100), kind: kind))
      self.leaves.append(
        leaves.map {
          ParquetLeaf(
            index: $0.index, maxDefinition: $0.definition, isList: $0.repetition == 1,
            elementDefinition: $0.listDefinition)
        })
    }
  }

  private struct Leaf {
    let index: Int
    let element: ParquetFooter.SchemaElement
    /// Below the column at the top.
    let depth: Int
    let definition: Int
    let repetition: Int
    /// Of an element of the innermost list.
    let listDefinition: Int

    /// BYTE_ARRAY, of UTF-8, an enumeration, JSON, or nothing said.
    var isText: Bool { element.type == 6 && [nil, 0, 4, 19].contains(element.convertedType) }
  }

  /// - Returns: false where the tree has holes.
  private mutating func walk(
    depth: Int, definition: Int, repetition: Int, listDefinition: Int,
    into leaves: inout [Leaf]
  ) -> Bool {
    guard next < elements.count, depth < ColumnLimits.depth else { return false }
    let element = elements[next]
    next += 1
    let definition = definition + (element.repetition == 0 ? 0 : 1)
    let isRepeated = element.repetition == 2
    let repetition = repetition + (isRepeated ? 1 : 0)
    let listDefinition = isRepeated ? definition : listDefinition
    guard element.type == nil else {
      leaves.append(
        Leaf(
          index: leafCount, element: element, depth: depth, definition: definition,
          repetition: repetition, listDefinition: listDefinition))
      leafCount += 1
      return true
    }
    guard element.childCount >= 0 else { return false }
    for _ in 0..<element.childCount {
      guard
        walk(
          depth: depth + 1, definition: definition, repetition: repetition,
          listDefinition: listDefinition, into: &leaves)
      else { return false }
    }
    return true
  }

  private static let typeNames = [
    "true or false", "numbers", "numbers", "times", "numbers", "numbers", "bytes",
    "bytes of one length",
  ]

  /// - Returns: the kind, and the leaves of its strings.
  private static func kind(_ leaves: [Leaf]) -> (TableColumn.Kind, [Leaf]) {
    if leaves.contains(where: { $0.repetition > 1 }) { return (.other("lists of lists"), []) }
    // LogicalTypes.md, Lists: strings lie two below the column, fields of structures three.
    if leaves.count > 1 || leaves.first.map({ $0.depth > 2 }) == true {
      let fields = leaves.filter { $0.isText && $0.repetition == 1 && $0.depth == 3 }
      guard !fields.isEmpty else { return (.other("structures"), []) }
      return (.records(fields: fields.map(\.element.name)), fields)
    }
    guard let leaf = leaves.first, leaf.repetition == 1 || leaf.depth == 0 else {
      return (.other("structures"), [])
    }
    guard leaf.isText else {
      let type = leaf.element.type ?? -1
      let name = typeNames.indices.contains(type) ? typeNames[type] : "another type"
      return (.other(leaf.repetition == 0 ? name : "lists of " + name), [])
    }
    return (leaf.repetition == 0 ? .text : .texts, [leaf])
  }
}

/// A column of strings as the pages have it.
struct ParquetLeaf {
  /// Among all leaves.
  let index: Int
  /// The definition level of a string that is there.
  let maxDefinition: Int
  /// Whether rows are lists: repetition levels are 0 or 1.
  let isList: Bool
  /// The definition level from which on a list has an element there.
  let elementDefinition: Int
}
