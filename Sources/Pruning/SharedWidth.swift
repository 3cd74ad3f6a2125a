import FlapCore

/// Units of one kind of which as many stay in each of several places: a layer's groups or neurons by
/// themselves; the neurons of all experts of the model; with rules that ask for it the same of all layers.
struct SharedWidth {
  enum Kind {
    case groups
    /// Of MLPs that all tokens go through.
    case neurons
    /// Of every expert.
    case expertNeurons
    case experts
  }

  let kind: Kind
  let layers: [Int]
  /// Counts that each place may keep, the largest first.
  let counts: [Int]
  /// Mean score of what goes from one count to the next, made comparable over the places; it never
  /// falls.
  let scores: [Double]

  /// - Parameters:
  ///   - units: standardized scores, [place][unit].
  ///   - multiple: counts are one of it, but for that of all units.
  init(_ kind: Kind, layers: [Int], units: [[Double]], multiple: Int) {
    self.kind = kind
    self.layers = layers
    let count = units.map(\.count).min() ?? 0
    // The k-th of a slice is the k-th best of every place.
    let sorted = units.map { $0.sorted(by: >) }
    let slices = (0..<count).map { index in
      sorted.reduce(0) { $0 + $1[index] } / Double(max(sorted.count, 1))
    }
    var counts = [count]
    while let last = counts.last, last > multiple {
      counts.append((last - 1) / multiple * multiple)
    }
    self.counts = counts
    scores = zip(counts, counts.dropFirst()).map { larger, smaller in
      slices[smaller..<larger].reduce(0, +) / Double(larger - smaller)
    }
  }

  /// Where a count that may be kept is nearest to a number, the larger of two.
  func position(nearest number: Double) -> Int {
    counts.indices.reduce(0) { best, position in
      (Double(counts[position]) - number).magnitude < (Double(counts[best]) - number).magnitude
        ? position : best
    }
  }
}

/// How many units of each kind the layers of a mixture keep.
struct MixtureCounts {
  /// Per layer.
  var groups: [Int]
  /// Per layer: of its MLP, or of each of its experts.
  var neurons: [Int]
  /// Per layer; 0 where it has none.
  var experts: [Int]

  init(keepingAllOf shape: ModelShape) {
    groups = shape.layers.map(\.keyValueHeadCount)
    neurons = shape.layers.map(\.intermediateSize)
    experts = shape.layers.map { $0.experts?.count ?? 0 }
  }

  mutating func keep(_ count: Int, of width: SharedWidth) {
    for layer in width.layers {
      switch width.kind {
      case .groups: groups[layer] = count
      case .neurons, .expertNeurons: neurons[layer] = count
      case .experts: experts[layer] = count
      }
    }
  }
}

/// What a mixture's units cost, in parameters ÷ hidden size.
struct MixtureBudget {
  private let shape: ModelShape
  private let groupCosts: [Int]
  private let neuronCosts: [Int]
  /// Whether the router keeps the rows of experts that go, and a mean of each comes.
  private let replacesExperts: Bool

  init(_ shape: ModelShape, replacesExperts: Bool) {
    self.shape = shape
    self.replacesExperts = replacesExperts
    groupCosts = shape.layers.indices.map { shape.unitCost(layer: $0, tap: .attentionOutput) }
    neuronCosts = shape.layers.indices.map { shape.unitCost(layer: $0, tap: .mlpDown) }
  }

  func cost(_ counts: MixtureCounts) -> Int {
    shape.layers.indices.reduce(0) { $0 + attentionCost(counts, $1) + mlpCost(counts, $1) }
  }

  func attentionCost(_ counts: MixtureCounts) -> Int {
    shape.layers.indices.reduce(0) { $0 + attentionCost(counts, $1) }
  }

  private func attentionCost(_ counts: MixtureCounts, _ layer: Int) -> Int {
    groupCosts[layer] * counts.groups[layer]
  }

  private func mlpCost(_ counts: MixtureCounts, _ layer: Int) -> Int {
    let neurons = neuronCosts[layer] * counts.neurons[layer]
    guard let all = shape.layers[layer].experts?.count else { return neurons }
    let kept = counts.experts[layer]
    // A row of the router, or a mean, is as long as the hidden size.
    return kept * neurons + (replacesExperts ? all + (all - kept) : kept)
  }
}
