internal import FlapCore
internal import Foundation
internal import Pruning

/// What the model loses, module by module: measured, predicted of the plan, and of the whole.
extension PruningReport {
  /// Markup; nil where no losses were measured.
  var lossesHTML: String? {
    guard let losses else { return nil }
    let figures = losses.indices.map { layer in
      PerTap { tap in
        LossFigure(
          title: moduleTitle(layer, tap) + ": loss", identifier: "l\(tap.letter)\(layer)",
          curve: losses[layer][tap], kept: plan.layers[layer].keptUnitCount(tap))
      }
    }
    return Markup.element("p", [:], lossesText) + Markup.element("p", [:], choiceText(losses))
      + lossTable(figures) + lossOfAll(losses.loss(of: plan))
  }

  private var lossesText: String {
    "What the model loses when one module alone keeps only some of its units: Kullback-Leibler "
      + "divergence from the dense model’s predictions, in nats per token, on calibration samples "
      + "that were held out. To the left one unit is kept, to the right all; each line is drawn as "
      + "a share of its largest value. "
      + Markup.key("loss", "loss") + Markup.key("measured", "measured")
      + Markup.key("error", "error of the output") + Markup.key("chosen", "kept by the plan")
  }

  /// Why every module keeps as much as it does.
  private func choiceText(_ losses: [PerTap<LossCurve>]) -> String {
    let share = 1 - search.reached.decoderLayers
    let even =
      "If every module kept the same share, \(NumberText.percent(share)) of its units, "
      + "the sum would be <b>\(NumberText.decimal(losses.loss(keepingShare: share), digits: 4))</b>."
    guard search.structure == Structure.measured.rawValue else {
      return "Structure \(Markup.escape(search.structure)) decided how much each module keeps; "
        + "these losses only tell what that costs. \(even)"
    }
    return
      "Of all counts that come to the size asked for the plan keeps those whose losses have the "
      + "least sum: a module whose line rises late gives more than one whose line rises soon. "
      + even
  }

  private func lossTable(_ figures: [PerTap<LossFigure>]) -> String {
    func text(_ loss: Double) -> String { NumberText.decimal(loss, digits: 4) }
    return ModuleTable(
      caption: "What each module loses, in nats per token", groupName: groupName,
      figureName: "Loss",
      cells: figures.map { figures in
        figures.map { figure in
          ModuleTable.Cell(
            svg: figure.svg, kept: figure.kept, all: figure.curve.unitCount,
            figure: text(figure.predictedLoss))
        }
      },
      sums: PerTap { tap in text(figures.reduce(0) { $0 + $1[tap].predictedLoss }) }
    ).html
  }

  /// Predicted and measured, side by side.
  private func lossOfAll(_ predicted: Double) -> String {
    func row(_ name: String, _ loss: Double) -> [String] {
      [
        name, NumberText.decimal(loss, digits: 4),
        "×\u{A0}" + NumberText.decimal(exp(loss), digits: 3),
      ]
    }
    var rows = [row("predicted: the sum over all modules", predicted)]
    var note = "The measured loss is not known: nothing was evaluated in this run."
    if let evaluation {
      let data = "<code>\(Markup.escape(evaluation.data.name))</code>"
      rows.append(row("measured over \(data)", evaluation.loss))
      note =
        "Predicted is a sum of single modules’ divergences from the dense model on calibration "
        + "samples; measured, the logarithm of pruned ÷ dense perplexity, is what this text has "
        + "lost: of one kind, but not the same."
    }
    return PlainTable(
      caption: "Predicted and measured loss", head: ["", "Nats per token", "Perplexity"], rows: rows
    ).html + Markup.element("p", ["class": "note"], note)
  }
}

extension PruningReport.Evaluation {
  /// By how much the pruned model's mean negative log-likelihood is above the dense one's, in nats per
  /// token.
  var loss: Double { log(prunedPerplexity / densePerplexity) }
}
