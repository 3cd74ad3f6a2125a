/// Rows of figures for people, each with a name: side by side where they fit, else one below another.
struct Table {
  /// Over the figures.
  let heading: [String]
  private(set) var rows: [(name: String, cells: [String])] = []

  private static let gap = 2

  init(_ heading: [String]) { self.heading = heading }

  /// - Parameter cells: as many as the heading has; an empty one says nothing.
  mutating func add(_ name: String, _ cells: [String]) { rows.append((name, cells)) }

  /// - Parameter width: columns of the terminal; nil: any.
  func text(_ width: Int?) -> String {
    let nameWidth = rows.reduce(0) { max($0, $1.name.count) }
    let widths = heading.indices.map { column in
      Table.gap + rows.reduce(heading[column].count) { max($0, $1.cells[column].count) }
    }
    guard let width, nameWidth + widths.reduce(0, +) > width else {
      return ([("", heading)] + rows).map { row in
        let cells = zip(row.1, widths).map { Format.column($0, $1) }.joined()
        return Format.trimmed(Format.leading(row.0, nameWidth) + cells)
      }.joined(separator: "\n")
    }
    let headingWidth = heading.reduce(0) { max($0, $1.count) }
    return rows.map { row in
      let lines = zip(heading, row.cells).filter { !$1.isEmpty }.map {
        "  \(Format.leading($0, headingWidth))  \($1)"
      }
      return ([row.name] + lines).joined(separator: "\n")
    }.joined(separator: "\n")
  }
}
