internal import FlapCore
internal import Logging
internal import Pruning

/// What a structure search decided.
struct SearchSummary: Encodable {
  /// nil where no plan was written.
  let output: String?
  let metric: String
  let structure: String
  /// Of the decoder layers' parameters.
  let ratioAsked: Double
  let ratioReached: Double
  /// Of all parameters, embeddings and added biases included.
  let ratioWholeModel: Double
  let parametersDense: Int
  let parametersPruned: Int
  /// Per layer.
  let keptGroups: [Int]
  let keptNeurons: [Int]
  let denseGroups: [Int]
  let denseNeurons: [Int]
  /// Per layer, 0 where it has none; nil in a model without experts.
  let keptExperts: [Int]?
  let denseExperts: [Int]?
  /// Numbers of those that were to keep all; nil where none was.
  let excludedLayers: [Int]?
  /// Of one kind of module's parameters, asked for; nil where the search shared the ratio.
  let attentionRatio: Double?
  let mlpRatio: Double?
  /// Units that stay only because a layer never loses its last one.
  let unitsKeptByMinimum: Int
  /// Of measured counts, in nats per token; nil for others.
  let predictedLoss: Double?
  /// Of all layers; nil in a model without experts.
  let idleExperts: Int?
  private let sparingText: String?
  private let replacesExperts: Bool

  private enum CodingKeys: String, CodingKey {
    case output, metric, structure, ratioAsked, ratioReached, ratioWholeModel, parametersDense
    case parametersPruned, keptGroups, keptNeurons, denseGroups, denseNeurons, keptExperts
    case denseExperts, idleExperts, excludedLayers
    case attentionRatio, mlpRatio, unitsKeptByMinimum, predictedLoss
  }

  init(_ result: SearchResult, _ search: SearchOptions, shape: ModelShape, output: String?) {
    self.output = output
    metric = search.metric.rawValue
    structure = search.search.structure.rawValue
    ratioAsked = search.search.ratio
    ratioReached = result.reached.decoderLayers
    ratioWholeModel = result.reached.wholeModel
    parametersDense = shape.parameterCount
    parametersPruned = Int(
      (Double(shape.parameterCount) * (1 - result.reached.wholeModel)).rounded())
    keptGroups = result.keptGroups
    keptNeurons = result.keptNeurons
    denseGroups = shape.layers.map(\.keyValueHeadCount)
    denseNeurons = shape.layers.map(\.neuronCount)
    keptExperts = shape.hasExperts ? result.plan.layers.map(\.keptExpertCount) : nil
    denseExperts = shape.hasExperts ? shape.layers.map { $0.experts?.count ?? 0 } : nil
    let sparing = search.search.sparing
    excludedLayers = sparing.layers.isEmpty ? nil : sparing.layers.sorted()
    attentionRatio = sparing.ratio(of: .attentionOutput)
    mlpRatio = sparing.ratio(of: .mlpDown)
    sparingText = sparing.text
    replacesExperts = search.replacesExperts
    unitsKeptByMinimum = result.unitsKeptByMinimum
    idleExperts = shape.hasExperts ? result.idleExpertCount : nil
    predictedLoss = result.predictedLoss
  }

  /// How far the reached ratio may be from the asked one before that is worth a warning.
  private static let tolerance = 0.01

  func warn(_ log: Logger) {
    if let idleExperts, idleExperts > 0 {
      let idle = idleExperts == 1 ? "an expert" : "\(idleExperts) experts"
      let rule =
        structure == Structure.experts.rawValue
        ? "score 0 and go first"
        : "go first where experts go, and else keep the first of their neurons"
      log.warning(
        """
        no token of the calibration data went through \(idle): such experts \(rule); more samples may \
        reach them
        """)
    }
    guard abs(ratioReached - ratioAsked) > SearchSummary.tolerance else { return }
    let reached = Format.percent(ratioReached)
    log.warning(
      "reached a ratio of \(reached), asked for \(Format.percent(ratioAsked))\(reason ?? "")")
  }

  private var reason: String? {
    if unitsKeptByMinimum > 0 {
      return " (\(unitsKeptByMinimum) units stay because every layer keeps a group and a neuron)"
    }
    if structure == Structure.experts.rawValue {
      return " (experts go whole, the same number in every layer that has some)"
    }
    if keptExperts != nil {
      return " (all experts keep as many neurons each, all layers with experts as many of these)"
    }
    guard structure == Structure.uniform.rawValue, let groups = denseGroups.min() else {
      return nil
    }
    let removed = Int(ratioAsked * Double(groups))
    return " (UL-UM removes this share of the groups and of the neurons of every layer, rounded "
      + "down: of \(groups) groups \(removed == 0 ? "none" : "\(removed)"); AL-AM chooses among "
      + "all layers and meets the ratio)"
  }

  var table: String {
    var lines = [
      "layer   groups kept     neurons kept" + (keptExperts == nil ? "" : "     experts kept")
    ]
    for layer in keptGroups.indices {
      let experts = zip(keptExperts ?? [], denseExperts ?? []).map {
        Format.column("\($0)", 9) + " of " + Format.column("\($1)", 4)
      }
      lines.append(
        Format.column("\(layer)", 5) + Format.column("\(keptGroups[layer])", 8) + " of "
          + Format.column("\(denseGroups[layer])", 4) + Format.column("\(keptNeurons[layer])", 9)
          + " of " + Format.column("\(denseNeurons[layer])", 6)
          + (experts.isEmpty ? "" : experts[layer]))
    }
    lines.append(
      "\(metric) \(structure): \(Format.percent(ratioReached)) of the decoder layers' parameters removed "
        + "(asked \(Format.percent(ratioAsked))), \(Format.percent(ratioWholeModel)) of the whole "
        + "model; \(Format.count(parametersDense)) → \(Format.count(parametersPruned)) parameters")
    if replacesExperts { lines.append("the mean output of an expert that goes takes its place") }
    if let sparingText { lines.append(sparingText) }
    if let predictedLoss { lines.append(Format.predictedLoss(predictedLoss)) }
    if let output { lines.append("→ \(output)") }
    return lines.joined(separator: "\n")
  }
}
