public import FlapCore
public import Statistics

/// What a worker is asked to do.
public enum Work: Hashable, Sendable {
  /// Run the model over the samples of a work unit and report statistics of these kinds, merged up
  /// to its node: of the model as it is, or as the plan that was broadcast with this digest would
  /// leave it.
  case measureSamples([StatisticKind], WorkUnit, plan: Digest? = nil)
  /// Report statistics of these kinds of the weights of one layer.
  case measureWeights([StatisticKind], layer: Int)
  /// Report statistics of these kinds of one map.
  case measureMap(MapWork)
  /// Report how likely continuations of texts are (``SpanScore``).
  case score(ScoreWork)
  /// Sum what maps are fitted from, over the samples of a work unit; report what there is.
  case sum(SumWork)
  /// Add up the sums of one map, and write them to its file.
  case merge(SumMerge)
  /// Write shard `index` of the pruned checkpoint into the output folder of the plan.
  case writeShard(index: Int)
}

extension Work {
  public enum Kind: Int, Hashable, Sendable, CaseIterable {
    case measureSamples, measureWeights, measureMap, score, sum, merge, writeShard
  }

  public var kind: Kind {
    switch self {
    case .measureSamples: .measureSamples
    case .measureWeights: .measureWeights
    case .measureMap: .measureMap
    case .score: .score
    case .sum: .sum
    case .merge: .merge
    case .writeShard: .writeShard
    }
  }

  /// Whether it refers to the plan that was broadcast last.
  public var needsPlan: Bool {
    switch self {
    case .measureSamples(_, _, let plan): plan != nil
    case .score(let work): work.plan != nil
    case .sum(let work):
      if case .pruned = work.inputs { true } else { false }
    case .writeShard: true
    case .measureWeights, .measureMap, .merge: false
    }
  }

  /// Whether all that do it rightly report the same.
  var hasOneResult: Bool {
    // One may get from a peer what another does not get.
    if case .merge = self { false } else { true }
  }

  /// What the work is, for people.
  public var name: String {
    switch self {
    case .measureSamples(let kinds, let unit, _):
      (kinds == [LossSum.kind] ? "evaluation" : "calibration")
        + " of work unit \(unit.node.level)/\(unit.node.index)"
    case .measureWeights(_, let layer): "weight norms of layer \(layer)"
    case .measureMap(let work):
      (work.samples == nil ? "order of removal" : "losses") + " at "
        + work.place.tap.moduleName(layer: work.place.layer)
    case .score(let work): "questions, work unit \(work.number)"
    case .sum(let work):
      "\(work.inputs.name), work unit \(work.unit.node.level)/\(work.unit.node.index)"
    case .merge(let merge):
      "adding up the sums of \(merge.place.tap.moduleName(layer: merge.place.layer))"
    case .writeShard(let index): "shard \(index)"
    }
  }
}

/// The samples of one node of the canonical tree: what a worker takes through the model together.
public struct WorkUnit: Hashable, Sendable {
  public let node: TreeNode
  /// Samples in each leaf of the node, in order; all but the run's last leaf are equal.
  public let samplesPerLeaf: [Int]
  public let tokensPerSample: Int
  /// Token ids, row-major [samples, tokensPerSample].
  public let tokens: [Int32]
  /// Of the fixed point of sums; nil: none are asked for.
  public var scales: ChannelScales?

  /// - Precondition: `tokens` holds as many ids as the samples have.
  public init(
    node: TreeNode, samplesPerLeaf: [Int], tokensPerSample: Int, tokens: [Int32],
    scales: ChannelScales? = nil
  ) {
    precondition(tokens.count == samplesPerLeaf.reduce(0, +) * tokensPerSample)
    self.node = node
    self.samplesPerLeaf = samplesPerLeaf
    self.tokensPerSample = tokensPerSample
    self.tokens = tokens
    self.scales = scales
  }
}

/// One map of the model, and what is to be measured of it from second moments: the order in which
/// its units go, and what the model loses with fewer of them.
public struct MapWork: Hashable, Sendable {
  public let kinds: [StatisticKind]
  public let place: TapPlace
  /// The folder of second moments, where the workers see it.
  public let secondMoments: String
  /// Counts of units at which losses are measured, ascending.
  public let levels: [Int]
  /// On which losses are measured: leaves under this node. nil: none are.
  public let samples: WorkUnit?

  public init(
    kinds: [StatisticKind], place: TapPlace, secondMoments: String, levels: [Int] = [],
    samples: WorkUnit? = nil
  ) {
    self.kinds = kinds
    self.place = place
    self.secondMoments = secondMoments
    self.levels = levels
    self.samples = samples
  }
}

extension Work {
  /// Samples that a worker keeps at hand from one task to the next: it had best get all of them.
  var kept: TreeNode? {
    if case .sum(let work) = self { work.unit.node } else { nil }
  }
}

extension SumWork.Inputs {
  fileprivate var name: String {
    switch self {
    case .dense(let layers):
      "second moments of layers \(layers.lowerBound)-\(layers.upperBound - 1)"
    case .pruned(let place, _): "refitting \(place.tap.moduleName(layer: place.layer))"
    }
  }
}
