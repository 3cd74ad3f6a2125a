internal import FlapCore

/// The columns at the top of a Parquet file's tree of columns, with the leaf that holds their texts.
struct ParquetSchema {
  private(set) var columns: [TableColumn] = []
  /// Of each column of texts.
  private(set) var leaves: [ParquetLeaf?] = []
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
      let firstLeaf = leafCount
      var found: [Leaf] = []
      guard walk(depth: 0, definition: 0, repetition: 0, into: &found) else { throw damaged }
      let name = PlainText.line(top.name, limit: 100)
      let kind = ParquetSchema.kind(found)
      columns.append(TableColumn(name: name, kind: kind))
      let isText = kind == .text || kind == .texts
      leaves.append(
        isText
          ? ParquetLeaf(
            index: firstLeaf, maxDefinition: found[0].definition, isList: kind == .texts) : nil)
    }
  }

  private struct Leaf {
    let element: ParquetFooter.SchemaElement
    /// Below the column at the top.
    let depth: Int
    let definition: Int
    let repetition: Int
  }

  /// - Returns: false where the tree has holes.
  private mutating func walk(
    depth: Int, definition: Int, repetition: Int, into leaves: inout [Leaf]
  ) -> Bool {
    guard next < elements.count, depth < ColumnLimits.depth else { return false }
    let element = elements[next]
    next += 1
    let definition = definition + (element.repetition == 0 ? 0 : 1)
    let repetition = repetition + (element.repetition == 2 ? 1 : 0)
    guard element.type == nil else {
      leaves.append(
        Leaf(element: element, depth: depth, definition: definition, repetition: repetition))
      leafCount += 1
      return true
    }
    guard element.childCount >= 0 else { return false }
    for _ in 0..<element.childCount {
      guard
        walk(depth: depth + 1, definition: definition, repetition: repetition, into: &leaves)
      else { return false }
    }
    return true
  }

  private static let typeNames = [
    "true or false", "numbers", "numbers", "times", "numbers", "numbers", "bytes",
    "bytes of one length",
  ]

  private static func kind(_ leaves: [Leaf]) -> TableColumn.Kind {
    guard leaves.count == 1, let leaf = leaves.first else { return .other("structures") }
    if leaf.repetition > 1 { return .other("lists of lists") }
    // Deeper than a list's strings (LogicalTypes.md, Lists) are those of structures.
    if leaf.depth > 2 || leaf.repetition == 0 && leaf.depth > 0 { return .other("structures") }
    guard leaf.element.type == 6, [nil, 0, 4, 19].contains(leaf.element.convertedType) else {
      let type = leaf.element.type ?? -1
      let name = typeNames.indices.contains(type) ? typeNames[type] : "another type"
      return .other(leaf.repetition == 0 ? name : "lists of " + name)
    }
    return leaf.repetition == 0 ? .text : .texts
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
}
