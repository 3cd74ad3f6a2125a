internal import FlapCore
internal import Pruning

extension PruningReport {
  /// The whole page: HTML 5, nothing outside of it is loaded, no script.
  public func html() -> String {
    let sections =
      Page.section("layers", "What is left of each layer", layersText + LayerMap(report: self).html)
      + (lossesHTML.map { Page.section("losses", "Losses", $0) } ?? "")
      + (errorsHTML.map { Page.section("errors", "Errors", $0) } ?? "")
      + (ridgesHTML.map { Page.section("ridges", "Fitted maps", $0) } ?? "")
      + Page.section("scores", "Distribution of the scores", scoresHTML)
      + Page.section("perplexity", "Perplexity", perplexityHTML)
      + (tasksHTML.map { Page.section("tasks", "Tasks", $0) } ?? "")
      + Page.section("sizes", "Sizes", sizesHTML) + (speed?.html ?? "")
      + Page.section("workers", "Workers", workersHTML)
      + Page.section("origin", "Provenance", originHTML)
    return Page.html(
      title: "\(model.name), pruned", body: header + "<main>\n\(sections)</main>\n" + footer)
  }

  var header: String {
    let removed = NumberText.percent(search.reached.decoderLayers)
    var tiles = [
      Page.tile(
        "decoder parameters removed", removed,
        "asked: \(NumberText.percent(search.ratioAsked))"),
      Page.tile(
        "parameters left", NumberText.short(prunedShape.parameterCount),
        "of \(NumberText.short(model.shape.parameterCount))"),
      Page.tile(
        "weights left", NumberText.bytes(weightByteCount),
        "of \(NumberText.bytes(model.byteCount))"),
    ]
    if let evaluation {
      tiles.append(
        Page.tile(
          "perplexity", NumberText.decimal(evaluation.prunedPerplexity, digits: 3),
          "dense: \(NumberText.decimal(evaluation.densePerplexity, digits: 3))"))
    }
    return Page.header(
      version: run.version, kind: "pruning report", title: model.name, lead: lead, tiles: tiles)
  }

  private var lead: String {
    let groups = plan.groupTotals
    let neurons = plan.neuronTotals
    let experts = plan.expertTotals
    if losesExpertsAlone {
      return "Pruned with flap: \(NumberText.exact(experts.all - experts.kept)) of "
        + "\(NumberText.exact(experts.all)) experts are gone, by metric "
        + "\(Markup.escape(search.metric)), the same number in every layer that has some"
        + (plan.replacesExperts ? "; their mean outputs take their places." : ".")
    }
    return "Pruned with FLAP: \(NumberText.exact(groups.all - groups.kept)) of "
      + "\(NumberText.exact(groups.all)) \(groupName) and "
      + "\(NumberText.exact(neurons.all - neurons.kept)) of \(NumberText.exact(neurons.all)) "
      + "neurons"
      + (plan.hasExperts
        ? " (as many of every expert) and \(NumberText.exact(experts.all - experts.kept)) of "
          + "\(NumberText.exact(experts.all)) experts" : "")
      + " are gone, by metric \(Markup.escape(search.metric)) and structure "
      + "\(Markup.escape(search.structure)), "
      + amends
  }

  private var amends: String {
    switch compensation {
    case .none: "without bias compensation."
    case .bias: "with biases that restore the mean output."
    case .leastSquares:
      "with the maps behind them fitted by least squares"
        + (isSequential
          ? ", one after another on what the pruned model brings to each; the target is the dense "
            + "model’s residual stream behind it, all of it (α = 1)." : ".")
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
    if let spared = search.sparing.text { text += " — Asked for: \(Markup.escape(spared))." }
    return Markup.element("p", [:], text)
  }

  private var scoresHTML: String {
    if let expertScores { return expertsHTML(expertScores) }
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

  private func expertsHTML(_ scores: [[Double]]) -> String {
    let figure = ScoreFigure(
      name: "Experts", identifier: "se", scores: scores, kept: plan.layers.map(\.keptExperts),
      axis: ScoreAxis([Array(scores.joined())], threshold: nil), threshold: nil)
    let text =
      "Each score is standardized within its layer. In every layer those with the lowest go. \(legend)"
    return Markup.element("p", [:], text)
      + Markup.element("div", ["class": "figures"], figure.html)
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
      let model =
        search.sparing.layers.isEmpty ? "the whole model" : "all layers that may lose units"
      return "One threshold decides for \(model): what scores above it stays."
    case (true, true):
      return "Under \(Markup.escape(search.structure)) no single score decides how many units of a "
        + "layer go; \(order)"
    case (false, true): return "One threshold decides how many units of a layer go; \(order)"
    }
  }
}
