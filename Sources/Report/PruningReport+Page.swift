internal import FlapCore
internal import Pruning

extension PruningReport {
  /// The whole page: HTML 5, nothing outside of it is loaded, no script.
  public func html() -> String {
    let title = "\(model.name), pruned"
    let head =
      """
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width,initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta name="robots" content="noindex">
      <meta http-equiv="Content-Security-Policy" \
      content="default-src 'none';style-src 'unsafe-inline';img-src data:">
      <link rel="icon" href="data:,">
      <title>\(Markup.escape(title))</title>
      <style>\(String(decoding: PackageResources.report_css, as: UTF8.self))</style>
      """
    let sections =
      section("layers", "What is left of each layer", layersText + LayerMap(report: self).html)
      + (lossesHTML.map { section("losses", "Losses", $0) } ?? "")
      + section("scores", "Distribution of the scores", scoresHTML)
      + section("perplexity", "Perplexity", perplexityHTML)
      + section("sizes", "Sizes", sizesHTML) + section("workers", "Workers", workersHTML)
      + section("origin", "Provenance", originHTML)
    return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n\(head)\n</head>\n<body>\n"
      + header + "<main>\n\(sections)</main>\n" + footer + "</body>\n</html>\n"
  }

  private func section(_ identifier: String, _ title: String, _ content: String) -> String {
    Markup.element(
      "section", ["aria-labelledby": identifier],
      Markup.element("h2", ["id": identifier], Markup.escape(title)) + "\n" + content) + "\n"
  }

  var header: String {
    let removed = NumberText.percent(search.reached.decoderLayers)
    var tiles = [
      tile(
        "decoder parameters removed", removed,
        "asked: \(NumberText.percent(search.ratioAsked))"),
      tile(
        "parameters left", NumberText.short(prunedShape.parameterCount),
        "of \(NumberText.short(model.shape.parameterCount))"),
      tile(
        "weights left", NumberText.bytes(weightByteCount),
        "of \(NumberText.bytes(model.byteCount))"),
    ]
    if let evaluation {
      tiles.append(
        tile(
          "perplexity", NumberText.decimal(evaluation.prunedPerplexity, digits: 3),
          "dense: \(NumberText.decimal(evaluation.densePerplexity, digits: 3))"))
    }
    return Markup.element(
      "header", [:],
      Markup.element(
        "p", ["class": "kicker"], "flap \(Markup.escape(run.version)) · pruning report")
        + Markup.element("h1", [:], Markup.escape(model.name))
        + Markup.element("p", ["class": "lead"], lead)
        + Markup.element("dl", ["class": "tiles"], tiles.joined())) + "\n"
  }

  private func tile(_ name: String, _ value: String, _ detail: String) -> String {
    Markup.element(
      "div", [:],
      Markup.element("dt", [:], name)
        + Markup.element("dd", [:], "<b>\(value)</b><span>\(detail)</span>"))
  }

  private var lead: String {
    let groups = plan.groupTotals
    let neurons = plan.neuronTotals
    return "Pruned with FLAP: \(NumberText.exact(groups.all - groups.kept)) of "
      + "\(NumberText.exact(groups.all)) \(groupName) and "
      + "\(NumberText.exact(neurons.all - neurons.kept)) of \(NumberText.exact(neurons.all)) "
      + "neurons are gone, by metric \(Markup.escape(search.metric)) and structure "
      + "\(Markup.escape(search.structure)), "
      + amends
  }

  private var amends: String {
    switch compensation {
    case .none: "without bias compensation."
    case .bias: "with biases that restore the mean output."
    case .leastSquares: "with the maps behind them fitted by least squares."
    }
  }

  private var legend: String {
    "<span class=\"key\"><i class=\"kept\"></i>kept</span> "
      + "<span class=\"key\"><i class=\"gone\"></i>removed</span>"
  }

  private var layersText: String {
    var text = legend
    if search.unitsKeptByMinimum > 0 {
      text +=
        " — \(search.unitsKeptByMinimum) of them stay only because no layer loses its last one."
    }
    return Markup.element("p", [:], text)
  }

  private var scoresHTML: String {
    guard let scores else {
      return Markup.element("p", [:], "The scores of this run are not recorded.")
    }
    let axis = ScoreAxis(
      [Array(scores.groups.joined()), Array(scores.neurons.joined())],
      threshold: search.threshold)
    let figures = [
      ScoreFigure(
        name: groupName.capitalizedFirst, identifier: "sg",
        scores: scores.groups, kept: plan.layers.map(\.keptGroups), axis: axis,
        threshold: search.threshold),
      ScoreFigure(
        name: "Neurons", identifier: "sn", scores: scores.neurons,
        kept: plan.layers.map(\.keptNeurons), axis: axis, threshold: search.threshold),
    ]
    return Markup.element("p", [:], scoresText)
      + Markup.element("div", ["class": "figures"], figures.map(\.html).joined())
  }

  private var scoresText: String {
    let scale =
      "Each score is standardized within its layer and kind, so that layers compare. Above: the "
      + "whole model; below: one row per layer."
    return "\(scale) \(decision) \(legend)"
  }

  private var decision: String {
    let order = "which ones, the order of removal says. Shown are the scores of WIFV."
    switch (search.threshold == nil, search.metric == Metric.conditionalVariance.rawValue) {
    case (true, false): return "Under \(Markup.escape(search.structure)) no single score decides."
    case (false, false):
      return "One threshold decides for the whole model: what scores above it stays."
    case (true, true):
      return "Under \(Markup.escape(search.structure)) no single score decides how many units of a "
        + "layer go; \(order)"
    case (false, true): return "One threshold decides how many units of a layer go; \(order)"
    }
  }
}
