internal import FlapCore

/// A row for each layer, a picture and a figure for each of its two modules.
struct ModuleTable {
  struct Cell {
    var svg: String
    var kept: Int
    var all: Int
    /// Markup.
    var figure: String
  }

  var caption: String
  var groupName: String
  /// What the figures are.
  var figureName: String
  var cells: [PerTap<Cell>]
  /// Below the figures; nil where they do not add up.
  var sums: PerTap<String>?

  var html: String {
    let figure = column(figureName, "num")
    let head = Markup.element(
      "tr", [:],
      column("Layer", "num") + column(groupName.capitalizedFirst, "wide") + figure
        + column("Neurons", "wide") + figure)
    let rows = cells.enumerated().map { layer, cells in
      row("\(layer)") { tap in
        (cells[tap].svg + count(cells[tap].kept, of: cells[tap].all), cells[tap].figure)
      }
    }
    let sum = sums.map { sums in
      row("Sum") { tap in
        let kept = cells.reduce(0) { $0 + $1[tap].kept }
        return (count(kept, of: cells.reduce(0) { $0 + $1[tap].all }), sums[tap])
      }
    }
    return Markup.element(
      "div", ["class": "scroll"],
      Markup.element(
        "table", ["class": "layers losses"],
        Markup.element("caption", ["class": "hidden"], Markup.escape(caption))
          + Markup.element("thead", [:], head) + Markup.element("tbody", [:], rows.joined())
          + (sum.map { Markup.element("tfoot", [:], $0) } ?? "")))
  }

  private func row(_ name: String, _ cells: (Tap) -> (wide: String, figure: String)) -> String {
    Markup.element(
      "tr", [:],
      Markup.element("th", ["scope": "row", "class": "num"], name)
        + Tap.allCases.map { tap in
          let cell = cells(tap)
          return Markup.element("td", ["class": "wide"], cell.wide)
            + Markup.element("td", ["class": "num"], cell.figure)
        }.joined())
  }

  private func count(_ kept: Int, of all: Int) -> String {
    Markup.element(
      "span", ["class": "count"],
      "<b>\(NumberText.exact(kept))</b> of \(NumberText.exact(all))")
  }

  private func column(_ text: String, _ name: String) -> String {
    Markup.element("th", ["scope": "col", "class": name], Markup.escape(text))
  }
}

extension String {
  /// "heads" → "Heads".
  var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
