public import FlapCore
public import Statistics

/// What was measured of the experts of a layer.
public struct ExpertNeurons: Hashable, Sendable {
  public let count: Int
  /// nil where nothing of data is asked for.
  fileprivate let measured: Measured?

  fileprivate struct Measured: Hashable {
    let activity: ExpertActivity
    let moments: ExpertMoments
  }

  /// For scores that need no data.
  init(count: Int) {
    self.count = count
    measured = nil
  }

  init(_ activity: ExpertActivity, _ moments: ExpertMoments) {
    count = activity.expertCount
    measured = Measured(activity: activity, moments: moments)
  }

  /// nil where nothing was measured.
  func moments(ofExpert expert: Int) -> ChannelMoments? {
    measured.map { $0.moments.moments(ofExpert: expert, $0.activity) }
  }
}

extension ExpertNeurons {
  /// Of every neuron, expert by expert.
  fileprivate var means: [Double] { measured.map { $0.moments.means($0.activity) } ?? [] }
  fileprivate var squareSums: [Double] { measured?.moments.squareSums ?? [] }
}

extension ModelStatistics {
  /// One entry per layer; nil where it has no experts.
  ///
  /// - Throws: ``PruningError/expertMomentsMissing`` where they are to be measured and are not.
  func expertNeurons(
    of shape: ModelShape, areMeasured: Bool
  ) throws(PruningError) -> [ExpertNeurons?] {
    guard shape.hasExperts else { return shape.layers.map { _ in nil } }
    guard areMeasured else { return shape.layers.map { $0.experts.map { .init(count: $0.count) } } }
    guard let activity = self[ExpertActivity.self], let moments = self[ExpertMoments.self],
      activity.count == shape.layers.count, moments.count == shape.layers.count
    else { throw .expertMomentsMissing }
    return shape.layers.indices.map { layer in
      guard shape.layers[layer].experts != nil else { return nil }
      return ExpertNeurons(activity[layer].mlpDown, moments[layer].mlpDown)
    }
  }

  /// The mean of every channel at the taps of a model, which a bias makes up for when it goes; nil where
  /// no moments were measured.
  ///
  /// - Throws: ``PruningError/expertMomentsMissing``.
  public func inputMeans(of shape: ModelShape) throws(PruningError) -> [PerTap<[Double]>]? {
    guard let layers = moments?.layers else { return nil }
    var means = layers.map { $0.map(\.mean) }
    for (layer, experts) in try expertNeurons(of: shape, areMeasured: true).enumerated() {
      if let experts { means[layer].mlpDown = experts.means }
    }
    return means
  }

  /// Σ x² of every channel at the taps of a model; nil where no moments were measured.
  ///
  /// - Throws: ``PruningError/expertMomentsMissing``.
  public func squareSums(of shape: ModelShape) throws(PruningError) -> [PerTap<[Double]>]? {
    guard let layers = moments?.layers else { return nil }
    var sums = layers.map { $0.map(\.squareSum) }
    for (layer, experts) in try expertNeurons(of: shape, areMeasured: true).enumerated() {
      if let experts { sums[layer].mlpDown = experts.squareSums }
    }
    return sums
  }
}
