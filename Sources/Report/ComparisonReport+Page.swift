internal import FlapCore
internal import Foundation

extension ComparisonReport {
  /// The whole page: HTML 5, nothing outside of it is loaded, no script.
  public func html() -> String {
    let figure = ComparisonFigure(self)
    return Page.html(
      title: "\(modelName): methods compared",
      body: header + "<main>\n"
        + Page.section("picture", "Perplexity against ratio", pictureText + figure.html)
        + Page.section("figures", "Figures", tables + note) + "</main>\n")
  }

  private var header: String {
    let tiles =
      [
        Page.tile(
          "perplexity, dense", NumberText.decimal(densePerplexity, digits: 3),
          "\(NumberText.exact(predictedTokenCount)) tokens")
      ]
      + ratios.compactMap { ratio in
        let best = entries.filter { $0.ratioAsked == ratio && $0.perplexity.isFinite }
          .min { $0.perplexity < $1.perplexity }
        return best.map {
          Page.tile(
            "least at \(NumberText.percent(ratio, digits: 0))",
            NumberText.decimal($0.perplexity, digits: 3), Markup.escape($0.method))
        }
      }
    let lead =
      "What each way to prune makes of the model: perplexities over \(data(evaluation)), calibrated "
      + "on \(data(calibration)). No checkpoint was written."
    return Page.header(
      version: version, kind: "comparison of methods", title: modelName, lead: lead, tiles: tiles)
  }

  private func data(_ set: PruningReport.DataSet) -> String {
    "\(NumberText.exact(set.sampleCount)) samples of <code>\(Markup.escape(set.name))</code>"
  }

  private var pictureText: String {
    Markup.element(
      "p", [:],
      "To the right more of the decoder layers’ parameters are removed; upwards the perplexity "
        + "rises. Its axis is wider near the dense model’s, the dashed line: heights go with the "
        + "square root of the loss. With nothing removed every method is the dense model.")
  }

  /// One for each ratio, so that they are narrow enough for a phone.
  private var tables: String {
    ratios.map { ratio in
      PlainTable(
        caption: "\(NumberText.percent(ratio, digits: 1)) of the decoder layers’ parameters",
        head: ["Method", "Perplexity", "Nats lost", "Predicted", "Back", "Removed"],
        rows: entries.filter { $0.ratioAsked == ratio }.map(row)
      ).html
    }.joined()
  }

  private func row(_ entry: Entry) -> [String] {
    [
      Markup.escape(entry.method),
      NumberText.decimal(entry.perplexity, digits: 4),
      NumberText.decimal(log(entry.perplexity / densePerplexity), digits: 4),
      entry.predictedLoss.map { NumberText.decimal($0, digits: 4) } ?? "–",
      entry.takenBack.map { NumberText.percent($0) } ?? "–",
      NumberText.percent(entry.ratioReached, digits: 2),
    ]
  }

  private var note: String {
    Markup.element(
      "p", ["class": "note"],
      "Nats lost: the logarithm of pruned ÷ dense perplexity, per token. Predicted: the sum of "
        + "single modules’ measured losses, where they chose the counts. Back: part of FLAP’s loss "
        + "that the method does not have. Model <code class=\"digest\">\(modelDigest.hexadecimal)"
        + "</code>, calibration <code class=\"digest\">\(calibration.digest.hexadecimal)</code>, "
        + "evaluation <code class=\"digest\">\(evaluation.digest.hexadecimal)</code>.")
  }
}
