internal import FlapCore
internal import Pruning

extension ModelCard {
  public func markdown() -> String {
    [
      frontMatter, introduction, facts, losses, layers, speed?.markdown ?? "", loading, evaluating,
      limits, origin,
    ]
    .filter { !$0.isEmpty }.joined(separator: "\n")
  }

  // MARK: Parts

  private var frontMatter: String {
    var lines = ["---"]
    // Where nobody knows the dense model's own name, that of what it was made from itself.
    let bases = baseModel.map { [$0] } ?? source.baseModels
    if bases.count == 1 {
      lines.append("base_model: \(bases[0])")
    } else if !bases.isEmpty {
      lines += ["base_model:"] + bases.map { "- \($0)" }
    }
    lines += ["library_name: transformers", "pipeline_tag: text-generation"]
    for (key, values) in source.entries {
      // Quoted, because a bare `no` is a truth value and not Norwegian.
      if values.count == 1 {
        lines.append("\(key): \"\(values[0])\"")
      } else {
        lines += ["\(key):"] + values.map { "- \"\($0)\"" }
      }
    }
    lines += ["tags:", "- flap", "- pruned", "- structured-pruning"]
    if !losesExpertsAlone { lines.append("- arxiv:2312.11983") }
    if losesExpertsAlone ? metric == Metric.expertActivation.rawValue : losesExperts {
      lines.append("- arxiv:2510.13999")
    }
    if plan.replacesExperts { lines.append("- arxiv:2507.00390") }
    lines.append("---")
    return lines.joined(separator: "\n") + "\n"
  }

  private var introduction: String {
    let base =
      baseModel.map { "[\($0)](https://huggingface.co/\($0))" } ?? Markdown.text(modelName)
    return """
      # \(Markdown.text(modelName)), pruned by \(percent(reached.decoderLayers))

      \(base) with \(percent(reached.decoderLayers)) of its decoder layers' parameters removed \(manner)
      \(method) are gone, without retraining\(amends).

      """ + choices.map { "\n\($0)\n" }.joined()
  }

  private var method: String {
    let flap = "[FLAP](https://arxiv.org/abs/2312.11983): whole attention heads and MLP neurons"
    guard losesExpertsAlone else {
      return plan.hasExperts
        ? flap + ", as many of every expert"
          + (losesExperts
            ? ", and by [REAP](https://arxiv.org/abs/2510.13999) whole experts, as many of every layer,"
            : ",") : flap
    }
    return metric == Metric.expertActivation.rawValue
      ? "[REAP](https://arxiv.org/abs/2510.13999): whole experts" : "\(metric): whole experts"
  }

  /// Whether nothing else could go.
  private var losesExpertsAlone: Bool { structure == Structure.experts.rawValue }
  private var losesExperts: Bool { plan.expertTotals.kept < plan.expertTotals.all }

  private var ordersUnits: Bool { metric == Metric.conditionalVariance.rawValue }
  private var measuresLosses: Bool { structure == Structure.measured.rawValue }

  /// Whether it is the published method, or builds on it.
  private var manner: String { ordersUnits || measuresLosses ? "in the manner of" : "by" }

  /// What decided, where it is not what the paper says.
  private var choices: [String] {
    var sentences: [String] = []
    if ordersUnits {
      sentences.append(
        "Of each layer those units are gone that the others can best replace: the order of "
          + "Optimal Brain Surgeon, from the second moments of the calibration data.")
    }
    if measuresLosses {
      sentences.append(
        "How many of each layer: the counts with the least sum of measured losses, which are "
          + "Kullback-Leibler divergences from the dense model, module by module, on calibration "
          + "samples that were held out.")
    }
    return sentences
  }

  private var amends: String {
    switch compensation {
    case .none where plan.replacesExperts:
      "; each expert that goes is replaced by the mean of its outputs, as [MoNE](https://arxiv.org/abs/2507.00390) does"
    case .none: ""
    case .bias:
      "; biases on `o_proj` and `down_proj` restore the mean output of what was removed"
        + (plan.replacesExperts
          ? ", and the means of experts, as in [MoNE](https://arxiv.org/abs/2507.00390), those of theirs"
          : "")
    case .leastSquares:
      "; `o_proj` and `down_proj` are fitted by least squares to give what they gave before"
    }
  }

  private var facts: String {
    let pruned = prunedShape
    let groups = plan.groupTotals
    let neurons = plan.neuronTotals
    func count(_ value: Int) -> String { Markdown.count(value) }
    var rows = [
      ("", "dense", "pruned"),
      ("---", "---:", "---:"),
      ("parameters", count(shape.parameterCount), count(pruned.parameterCount)),
      (
        "in decoder layers' linear maps", count(shape.decoderParameterCount),
        count(pruned.decoderParameterCount)
      ),
      (
        "query heads", count(shape.layers.reduce(0) { $0 + $1.headCount }),
        count(pruned.layers.reduce(0) { $0 + $1.headCount })
      ),
      ("key and value heads", count(groups.all), count(groups.kept)),
      ("MLP neurons", count(neurons.all), count(neurons.kept)),
    ]
    if plan.hasExperts {
      let experts = plan.expertTotals
      rows.append(("experts", count(experts.all), count(experts.kept)))
    }
    if let evaluation {
      rows.append(
        (
          "perplexity¹", NumberText.plain(evaluation.densePerplexity, digits: 4),
          NumberText.plain(evaluation.prunedPerplexity, digits: 4)
        ))
    }
    var text = rows.map { "| \($0.0) | \($0.1) | \($0.2) |\n" }.joined()
    if let evaluation {
      text += """

        ¹ exp of the mean negative log-likelihood over \(count(evaluation.predictedTokenCount)) tokens of \
        \(count(evaluation.data.sampleCount)) windows, of \(count(evaluation.data.tokensPerSample)) tokens \
        each and without overlap, of `\(Markdown.code(evaluation.data.name))` \
        (SHA-256 `\(evaluation.data.digest)`); comparable only over the same data and with the same windows.

        """
    } else if taskResults == nil {
      text += "\nIts quality was not measured in the run that made it.\n"
    }
    return text
  }

  /// Predicted and measured, side by side; empty where neither is known of losses.
  private var losses: String {
    guard let predictedLoss else { return "" }
    func text(_ loss: Double) -> String { NumberText.plain(loss, digits: 4) }
    let measured = evaluation.map { text($0.loss) } ?? "not measured"
    let note = evaluation == nil ? "" : "; measured: the logarithm of pruned ÷ dense perplexity¹"
    return """
      | | predicted | measured |
      | --- | ---: | ---: |
      | loss, nats per token | \(text(predictedLoss)) | \(measured) |

      Predicted: the sum of what single modules lose, as Kullback-Leibler divergence from the dense \
      model on calibration samples\(note).

      """
  }

  private var layers: String {
    var text = """
      <details><summary>What is left of each layer</summary>

      | layer | query heads | key and value heads | neurons |\(plan.hasExperts ? " experts |" : "")
      | ---: | ---: | ---: | ---: |\(plan.hasExperts ? " ---: |" : "")

      """
    for (index, (old, new)) in zip(shape.layers, prunedShape.layers).enumerated() {
      text +=
        "| \(index) | \(new.headCount) of \(old.headCount) "
        + "| \(new.keyValueHeadCount) of \(old.keyValueHeadCount) "
        + "| \(new.intermediateSize) of \(old.intermediateSize) |"
      if plan.hasExperts {
        text += old.experts.map { " \(new.experts?.computingCount ?? 0) of \($0.count) |" } ?? " |"
      }
      text += "\n"
    }
    return text + "\n</details>\n"
  }

  private var compensationText: String {
    switch compensation {
    case .none: "without bias compensation"
    case .bias: "with bias compensation"
    case .leastSquares:
      "compensated by least squares"
        + (isSequential
          ? ", map after map on the pruned model; target: the dense model's residual stream behind "
            + "each, all of it (α = 1)" : "") + (ridges.summary.map { "; ridge: \($0)" } ?? "")
    }
  }

  private var origin: String {
    var rows = [
      "ratio asked: \(percent(ratioAsked)) of the decoder layers' parameters; reached: "
        + "\(percent(reached.decoderLayers)), that is \(percent(reached.wholeModel)) of the whole model",
      "metric \(Markdown.text(metric)), structure \(Markdown.text(structure)), "
        + compensationText,
      "dense model: SHA-256 `\(modelDigest)`",
    ]
    if let spared = sparing.text { rows.insert("asked for: \(spared)", at: 1) }
    if let calibration {
      rows.append(
        "calibration data: \(calibration.amount)SHA-256 `\(calibration.digest)`")
    } else {
      rows.append("calibration: none; the scores come from the weights alone")
    }
    rows.append("made by flap \(version); `flap/` holds the plan and the record of the run")
    return "## How it was made\n\n" + rows.map { "- \($0)\n" }.joined()
  }

  private func percent(_ share: Double) -> String {
    NumberText.plain(share * 100, digits: 1) + " %"
  }
}

extension ModelCard.Calibration {
  /// "256 samples, 32,768 tokens, " as far as that is known.
  fileprivate var amount: String {
    guard let sampleCount, let tokenCount else { return "" }
    return "\(Markdown.count(sampleCount)) samples, \(Markdown.count(tokenCount)) tokens, "
  }
}

/// Text in Markdown.
enum Markdown {
  /// With what Markdown and HTML would take for their own escaped.
  static func text(_ text: String) -> String {
    var escaped = ""
    for character in text {
      if "\\`*_[]<>#|~&!".contains(character) { escaped += "\\" }
      escaped.append(character.isNewline ? " " : character)
    }
    return escaped
  }

  /// For between backticks.
  static func code(_ text: String) -> String {
    String(text.map { $0 == "`" || $0.isNewline ? " " : $0 })
  }

  /// 1238656 → "1,238,656".
  static func count(_ count: Int) -> String {
    NumberText.exact(count).replacing("\u{202F}", with: ",")
  }
}
