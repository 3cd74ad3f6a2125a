internal import FlapCore
internal import Foundation
internal import Pruning

/// What the model loses, module by module: measured, predicted of the plan, and of the whole.
extension PruningReport {
  /// Markup; nil where no losses were measured.
  var lossesHTML: String? {
    guard let losses else { return nil }
    let figures = losses.indices.map { layer in
      PerTap { tap in figure(losses[layer][tap], layer: layer, tap) }
    }
    return Markup.element("p", [:], lossesText) + lossTable(figures)
      + Markup.element("p", [:], lossOfAll(figures))
  }

  private func figure(_ curve: LossCurve, layer: Int, _ tap: Tap) -> LossFigure {
    let left = plan.layers[layer]
    switch tap {
    case .attentionOutput:
      return LossFigure(
        title: "Layer \(layer), \(groupName): loss", identifier: "la\(layer)", curve: curve,
        kept: left.keptGroupCount)
    case .mlpDown:
      return LossFigure(
        title: "Layer \(layer), neurons: loss", identifier: "lm\(layer)", curve: curve,
        kept: left.keptNeuronCount)
    }
  }

  private var lossesText: String {
    "What the model loses when one module alone keeps only some of its units: Kullback-Leibler "
      + "divergence from the dense model’s predictions, in nats per token, on calibration samples "
      + "that were held out. To the left one unit is kept, to the right all; each line is drawn as "
      + "a share of its largest value. "
      + key("loss", "loss") + key("measured", "measured") + key("error", "error of the output")
      + key("chosen", "kept by the plan")
  }

  private func key(_ name: String, _ text: String) -> String {
    "<span class=\"key\"><i class=\"\(name)\"></i>\(text)</span> "
  }

  private func lossTable(_ figures: [PerTap<LossFigure>]) -> String {
    let loss = column("Loss", "num")
    let head = Markup.element(
      "tr", [:],
      column("Layer", "num") + column(groupName.capitalizedFirst, "wide") + loss
        + column("Neurons", "wide") + loss)
    let rows = figures.enumerated().map { layer, figures in
      Markup.element(
        "tr", [:],
        Markup.element("th", ["scope": "row", "class": "num"], "\(layer)")
          + Tap.allCases.map { cells(figures[$0]) }.joined())
    }
    let sum = Markup.element(
      "tr", [:],
      Markup.element("th", ["scope": "row", "class": "num"], "Sum")
        + Tap.allCases.map { tap in
          let kept = figures.reduce(0) { $0 + $1[tap].kept }
          let all = figures.reduce(0) { $0 + $1[tap].curve.unitCount }
          return Markup.element("td", ["class": "wide"], count(kept, of: all))
            + lossCell(sumOfLosses(figures, tap))
        }.joined())
    return Markup.element(
      "div", ["class": "scroll"],
      Markup.element(
        "table", ["class": "layers losses"],
        Markup.element("caption", ["class": "hidden"], "What each module loses, in nats per token")
          + Markup.element("thead", [:], head) + Markup.element("tbody", [:], rows.joined())
          + Markup.element("tfoot", [:], sum)))
  }

  private func cells(_ figure: LossFigure) -> String {
    Markup.element(
      "td", ["class": "wide"], figure.svg + count(figure.kept, of: figure.curve.unitCount))
      + lossCell(figure.predictedLoss)
  }

  private func count(_ kept: Int, of all: Int) -> String {
    Markup.element(
      "span", ["class": "count"],
      "<b>\(NumberText.exact(kept))</b> of \(NumberText.exact(all))")
  }

  private func lossCell(_ loss: Double) -> String {
    Markup.element("td", ["class": "num"], NumberText.decimal(loss, digits: 4))
  }

  private func column(_ text: String, _ name: String) -> String {
    Markup.element("th", ["scope": "col", "class": name], Markup.escape(text))
  }

  private func sumOfLosses(_ figures: [PerTap<LossFigure>], _ tap: Tap) -> Double {
    figures.reduce(0) { $0 + $1[tap].predictedLoss }
  }

  private func lossOfAll(_ figures: [PerTap<LossFigure>]) -> String {
    let sum = search.predictedLoss ?? Tap.allCases.reduce(0) { $0 + sumOfLosses(figures, $1) }
    let text =
      "Predicted loss, the sum over all modules: "
      + "<b>\(NumberText.decimal(sum, digits: 4))</b> nats per token."
    guard let evaluation else { return text }
    let measured = log(evaluation.prunedPerplexity / evaluation.densePerplexity)
    return text + " Measured over <code>\(Markup.escape(evaluation.data.name))</code>: "
      + "<b>\(NumberText.decimal(measured, digits: 4))</b>, the logarithm of pruned ÷ dense "
      + "perplexity. The one is a sum of single modules’ divergences from the dense model, the "
      + "other what this text has lost: of one kind, but not the same."
  }
}

extension String {
  /// "heads" → "Heads".
  var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
