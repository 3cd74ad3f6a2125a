internal import FlapCore
internal import Pruning

/// What is left of each layer: a table whose cells are pictures.
struct LayerMap {
  let report: PruningReport

  var html: String {
    let head = Markup.element(
      "thead", [:],
      Markup.element(
        "tr", [:],
        column("Layer", "num") + column(title(report.groupName, report.plan.groupTotals), "wide")
          + column(
            report.losesExpertsAlone
              ? title("experts", report.plan.expertTotals)
              : title("neurons", report.plan.neuronTotals), "wide")
          + column("Parameters left", "num")))
    let rows = report.plan.layers.indices.map(row).joined()
    return Markup.element(
      "div", ["class": "scroll"],
      Markup.element(
        "table", ["class": "layers"],
        Markup.element("caption", ["class": "hidden"], "What is left of each decoder layer")
          + head + Markup.element("tbody", [:], rows)))
  }

  private func title(_ name: String, _ totals: (kept: Int, all: Int)) -> String {
    "\(name.capitalizedFirst), "
      + "\(NumberText.exact(totals.kept)) of \(NumberText.exact(totals.all))"
  }

  private func column(_ text: String, _ name: String) -> String {
    Markup.element("th", ["scope": "col", "class": name], Markup.escape(text))
  }

  private func row(_ index: Int) -> String {
    let layer = report.plan.layers[index]
    let dense = report.model.shape.linearParameterCount(layer: index)
    let left = Double(report.prunedShape.linearParameterCount(layer: index)) / Double(dense)
    return Markup.element(
      "tr", [:],
      Markup.element("th", ["scope": "row", "class": "num"], "\(index)")
        + cell(
          groups(layer, index), kept: layer.keptGroupCount, of: layer.keptGroups.count)
        + (layer.keptExperts.isEmpty || !report.losesExpertsAlone
          ? cell(neurons(layer, index), kept: layer.keptNeuronCount, of: layer.keptNeurons.count)
          : cell(experts(layer, index), kept: layer.keptExpertCount, of: layer.keptExperts.count))
        + Markup.element("td", ["class": "num"], NumberText.percent(left, digits: 0)))
  }

  private func cell(_ picture: String, kept: Int, of all: Int) -> String {
    Markup.element(
      "td", ["class": "wide"],
      picture
        + Markup.element(
          "span", ["class": "count"],
          "<b>\(NumberText.exact(kept))</b> of \(NumberText.exact(all))"))
  }

  private func groups(_ layer: PruningPlan.Layer, _ index: Int) -> String {
    cells(layer.keptGroups, identifier: "a\(index)", title: "Layer \(index), \(report.groupName)")
  }

  private func experts(_ layer: PruningPlan.Layer, _ index: Int) -> String {
    cells(layer.keptExperts, identifier: "m\(index)", title: "Layer \(index), experts")
  }

  /// One cell per unit, in their order.
  private func cells(_ flags: [Bool], identifier: String, title: String) -> String {
    var plot = Plot(height: LayerMap.height)
    let width = Plot.width / Double(flags.count)
    let gap = min(width * 0.14, 8)
    func cells(_ isKept: Bool) -> [Plot.Rectangle] {
      flags.indices.filter { flags[$0] == isKept }.map {
        Plot.Rectangle(
          x: Double($0) * width, y: 0, width: width - gap, height: LayerMap.height)
      }
    }
    plot.add(cells(false), class: "gone")
    plot.add(cells(true), class: "kept")
    let gone = flags.indices.filter { !flags[$0] }
    return plot.svg(
      identifier: identifier, class: "strip", title: title,
      description: "Kept: \(flags.count - gone.count) of \(flags.count). "
        + (gone.isEmpty
          ? "None is removed." : "Removed: " + gone.map { "\($0)" }.joined(separator: ", ") + "."))
  }

  /// A bar: neurons have no neighbours that would mean something.
  private func neurons(_ layer: PruningPlan.Layer, _ index: Int) -> String {
    var plot = Plot(height: LayerMap.height)
    let share = Double(layer.keptNeuronCount) / Double(layer.keptNeurons.count)
    let kept = Plot.width * share
    plot.add([.init(x: 0, y: 0, width: kept, height: LayerMap.height)], class: "kept")
    if share < 1 {
      let start = min(kept + 8, Plot.width)
      plot.add(
        [.init(x: start, y: 0, width: Plot.width - start, height: LayerMap.height)], class: "gone")
    }
    return plot.svg(
      identifier: "m\(index)", class: "strip", title: "Layer \(index), neurons",
      description: "Kept: \(layer.keptNeuronCount) of \(layer.keptNeurons.count), "
        + "\(NumberText.percent(share)).")
  }

  private static let height = 10.0
}

extension PruningPlan {
  var hasExperts: Bool { layers.contains { !$0.keptExperts.isEmpty } }

  var expertTotals: (kept: Int, all: Int) {
    layers.reduce((0, 0)) { ($0.0 + $1.keptExpertCount, $0.1 + $1.keptExperts.count) }
  }

  var groupTotals: (kept: Int, all: Int) {
    layers.reduce((0, 0)) { ($0.0 + $1.keptGroupCount, $0.1 + $1.keptGroups.count) }
  }

  var neuronTotals: (kept: Int, all: Int) {
    layers.reduce((0, 0)) { ($0.0 + $1.keptNeuronCount, $0.1 + $1.keptNeurons.count) }
  }
}

extension PruningReport {
  /// Whether nothing but whole experts could go.
  var losesExpertsAlone: Bool { search.structure == Structure.experts.rawValue }

  /// Plain heads, or groups of heads that share a key and value head.
  var groupName: String {
    model.shape.layers.allSatisfy { $0.headsPerGroup == 1 } ? "heads" : "head groups"
  }
}
