/// How the scores of one kind of unit are spread: over the model, and layer by layer below that,
/// on one axis.
struct ScoreFigure {
  /// "Head groups", "Neurons".
  let name: String
  let identifier: String
  /// [layer][unit].
  let scores: [[Double]]
  /// [layer][unit].
  let kept: [[Bool]]
  let axis: ScoreAxis
  let threshold: Double?

  var html: String {
    Markup.element(
      "figure", ["class": "scores"],
      Markup.element("figcaption", [:], caption)
        + Markup.element("div", ["class": "side", "aria-hidden": "true"], sideLabel)
        + Markup.element("div", ["class": "plot"], histogram + thresholdLabel)
        + Markup.element("div", ["class": "side rows", "aria-hidden": "true"], layerLabels)
        + Markup.element(
          "div", ["class": "plot", "style": "height:\(rowsHeight)px"], layers)
        + Markup.element("div", ["class": "axis", "aria-hidden": "true"], axisLabels))
  }

  private var all: [Double] { Array(scores.joined()) }
  private var flags: [Bool] { Array(kept.joined()) }

  private func counts(_ layer: Int, kept isKept: Bool) -> [Int] {
    axis.histogram(zip(scores[layer], kept[layer]).lazy.filter { $1 == isKept }.map(\.0))
  }

  private func counts(kept isKept: Bool) -> [Int] {
    axis.histogram(zip(all, flags).lazy.filter { $1 == isKept }.map(\.0))
  }

  private var peak: Int { zip(counts(kept: true), counts(kept: false)).map(+).max() ?? 0 }

  // MARK: Over the model

  private var caption: String {
    let gone = flags.count { !$0 }
    return Markup.element("strong", [:], Markup.escape(name))
      + " — \(NumberText.exact(gone)) of \(NumberText.exact(flags.count)) removed"
  }

  private var histogram: String {
    let height = 100.0
    var plot = Plot(height: height)
    let gone = counts(kept: false)
    let stays = counts(kept: true)
    let unit = height / Double(max(peak, 1))
    func bars(_ counts: [Int], above below: [Int]) -> [Plot.Rectangle] {
      counts.indices.filter { counts[$0] > 0 }.map { bin in
        rectangle(
          bin, y: height - Double(below[bin] + counts[bin]) * unit,
          height: Double(counts[bin]) * unit)
      }
    }
    plot.add(bars(gone, above: gone.map { _ in 0 }), class: "gone")
    plot.add(bars(stays, above: gone), class: "kept")
    if let threshold { plot.addLine(at: axis.position(threshold), class: "threshold") }
    return plot.svg(
      identifier: identifier + "-h", class: "histogram", title: "\(name): distribution of scores",
      description: description)
  }

  private var description: String {
    let sorted = all.sorted()
    guard let lowest = sorted.first, let highest = sorted.last else { return "There are none." }
    let text = { NumberText.decimal($0, digits: 2) }
    return "Scores from \(text(lowest)) to \(text(highest)), median "
      + "\(text(sorted[sorted.count / 2])). "
      + (threshold.map { "What scores above \(text($0)) stays. " } ?? "")
      + "\(flags.count { $0 }) of \(flags.count) stay."
  }

  private func rectangle(_ bin: Int, y: Double, height: Double) -> Plot.Rectangle {
    let extent = axis.extent(ofBin: bin)
    let width = (extent.upperBound - extent.lowerBound) * Plot.width
    return Plot.Rectangle(
      x: extent.lowerBound * Plot.width, y: y, width: width * 0.92, height: height)
  }

  private var thresholdLabel: String {
    guard let threshold else { return "" }
    let place = axis.position(threshold)
    return Markup.element(
      "span",
      [
        "class": place > 0.6 ? "mark before" : "mark", "aria-hidden": "true",
        "style": "left:\(NumberText.coordinate(place * 100))%",
      ], "threshold \(NumberText.decimal(threshold, digits: 3))")
  }

  private var sideLabel: String {
    "<span>\(NumberText.exact(peak))</span><span>0</span>"
  }

  // MARK: Layer by layer

  private static let levels = 8

  private var rowHeight: Int { scores.count > 48 ? 7 : 12 }
  private var rowsHeight: Int { rowHeight * scores.count }

  /// One row per layer; the darker, the more of the layer's units score so.
  private var layers: String {
    var plot = Plot(height: Double(scores.count) * 10)
    let fills = scores.indices.map(fill)
    for level in 1...ScoreFigure.levels {
      for isKept in [false, true] {
        var cells: [Plot.Rectangle] = []
        for layer in scores.indices {
          for (bin, cell) in fills[layer].enumerated()
          where cell.level == level && cell.isKept == isKept {
            cells.append(rectangle(bin, y: Double(layer) * 10 + 1, height: 8))
          }
        }
        plot.add(
          cells, class: isKept ? "kept" : "gone",
          opacity: 0.16 + 0.84 * Double(level) / Double(ScoreFigure.levels))
      }
    }
    if let threshold { plot.addLine(at: axis.position(threshold), class: "threshold") }
    return plot.svg(
      identifier: identifier + "-l", class: "rows", title: "\(name): scores of each layer",
      description: "One row per layer, 0 at the top; on the axis of the picture above.")
  }

  /// Per bin: how dark, and whether most of its units stay.
  private func fill(_ layer: Int) -> [(level: Int, isKept: Bool)] {
    let stays = counts(layer, kept: true)
    let gone = counts(layer, kept: false)
    // A layer may have no unit of the kind.
    let most = max(Double(zip(stays, gone).map(+).max() ?? 1), 1)
    return zip(stays, gone).map { stays, gone in
      let share = (Double(stays + gone) / most).squareRoot()
      return (Int((share * Double(ScoreFigure.levels)).rounded(.up)), stays >= gone)
    }
  }

  /// Every layer's number where there is room, else every fifth, tenth…
  private var layerLabels: String {
    let step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].first { $0 * rowHeight >= 12 } ?? 1000
    return stride(from: 0, to: scores.count, by: step).map { layer in
      let middle = (Double(layer) + 0.5) / Double(scores.count) * 100
      return Markup.element(
        "span", ["style": "top:\(NumberText.coordinate(middle))%"], "\(layer)")
    }.joined()
  }

  private var axisLabels: String {
    let ticks = axis.ticks
    let step = ticks.count > 1 ? ticks[1] - ticks[0] : 1
    let digits = step >= 1 ? 0 : step >= 0.1 ? 1 : step >= 0.01 ? 2 : 4
    let beyond = all.count { axis.bin($0) == ScoreAxis.binCount }
    return ticks.filter { axis.position($0) < 0.9 }.map { tick in
      Markup.element(
        "span", ["style": "left:\(NumberText.coordinate(axis.position(tick) * 100))%"],
        NumberText.decimal(tick, digits: digits))
    }.joined()
      + (beyond > 0
        ? Markup.element(
          "span", ["class": "beyond"],
          "\(NumberText.percent(Double(beyond) / Double(all.count), digits: 0)) beyond →") : "")
  }
}
