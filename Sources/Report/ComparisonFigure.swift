/// Perplexity against the ratio, a line for each method from the dense model on; names stand at the
/// lines' ends.
struct ComparisonFigure {
  private let report: ComparisonReport
  private let methods: [String]
  /// Finite ones: what overflowed has no place.
  private let entries: [ComparisonReport.Entry]
  private let axis: PerplexityAxis
  private let widest: Double

  private static let height = 100.0
  /// Of neighbouring names, in parts of the height that the style sheet gives the picture.
  private static let leastDistance = 0.07

  init(_ report: ComparisonReport) {
    self.report = report
    methods = report.entries.map(\.method)
      .reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    let finite = report.entries.filter { $0.perplexity.isFinite && $0.perplexity > 0 }
    entries = finite
    axis = PerplexityAxis(dense: report.densePerplexity, finite.map(\.perplexity))
    widest = report.entries.reduce(0.01) { max($0, $1.ratioReached, $1.ratioAsked) }
  }

  var html: String {
    Markup.element(
      "figure", ["class": "comparison"],
      Markup.element("div", ["class": "side", "aria-hidden": "true"], sideLabels)
        + Markup.element("div", ["class": "plot"], svg)
        + Markup.element("div", ["class": "names", "aria-hidden": "true"], names)
        + Markup.element("div", ["class": "axis", "aria-hidden": "true"], ratioLabels)) + "\n"
  }

  // MARK: Lines

  private var svg: String {
    var plot = Plot(height: ComparisonFigure.height)
    for tick in axis.ticks { plot.addCurve(level(tick), class: "rule") }
    plot.addCurve(level(report.densePerplexity), class: "threshold")
    for method in methods {
      let points = points(of: method)
      plot.addCurve(
        [(0, y(report.densePerplexity))] + points, class: "method \(method)")
      plot.addDots(points, class: "dots method \(method)")
    }
    return plot.svg(
      identifier: "compared", class: "comparison", title: "Perplexity of each method",
      description: description)
  }

  private func level(_ perplexity: Double) -> [(x: Double, y: Double)] {
    [(0, y(perplexity)), (Plot.width, y(perplexity))]
  }

  private func y(_ perplexity: Double) -> Double {
    (1 - axis.position(perplexity)) * ComparisonFigure.height
  }

  /// By ascending ratio.
  private func points(of method: String) -> [(x: Double, y: Double)] {
    entries.filter { $0.method == method }.sorted { $0.ratioReached < $1.ratioReached }
      .map { ($0.ratioReached / widest * Plot.width, y($0.perplexity)) }
  }

  private var description: String {
    "Dense: \(NumberText.decimal(report.densePerplexity, digits: 2)). "
      + report.ratios.map { ratio in
        "\(NumberText.percent(ratio, digits: 0)) removed: "
          + report.entries.filter { $0.ratioAsked == ratio }.map {
            "\($0.method) \(NumberText.decimal($0.perplexity, digits: 2))"
          }.joined(separator: ", ") + "."
      }.joined(separator: " ")
  }

  // MARK: Words

  private var sideLabels: String {
    let ticks = axis.ticks.map { (PerplexityAxis.text($0), axis.position($0), "") }
    let perplexity = report.densePerplexity
    let digits = perplexity < 10 ? 2 : perplexity < 100 ? 1 : 0
    let dense = (NumberText.decimal(perplexity, digits: digits), axis.position(perplexity), "dense")
    return ([dense] + ticks).map { text, place, name in
      Markup.element("span", ["class": name, "style": top(1 - place)], text)
    }.joined()
  }

  private var ratioLabels: String {
    var taken = [-1.0]
    return ([0] + report.ratios.sorted()).compactMap { ratio in
      let place = ratio / widest
      guard taken.allSatisfy({ ($0 - place).magnitude > 0.1 }) else { return nil }
      taken.append(place)
      return Markup.element(
        "span", ["style": "left:\(NumberText.coordinate(place * 100))%"],
        NumberText.percent(ratio, digits: 0))
    }.joined()
  }

  /// Each beside its line's end, as far as there is room.
  private var names: String {
    let ends = methods.compactMap { method in
      points(of: method).last.map { (method, $0.y / ComparisonFigure.height) }
    }.sorted { ($0.1, $0.0) < ($1.1, $1.0) }
    let places = LabelPlaces.spread(ends.map(\.1), apart: ComparisonFigure.leastDistance)
    return zip(ends, places).map { end, place in
      Markup.element(
        "span", ["style": top(place)],
        Markup.element("i", ["class": "method \(end.0)"], "") + Markup.escape(end.0))
    }.joined()
  }

  private func top(_ place: Double) -> String { "top:\(NumberText.coordinate(place * 100))%" }
}
