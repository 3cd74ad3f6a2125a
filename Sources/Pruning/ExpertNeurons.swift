public import FlapCore
public import Statistics

/// What was measured of the experts of a layer.
public struct ExpertNeurons: Hashable, Sendable {
  public let count: Int
  /// nil where nothing of data is asked for.
  private let measured: Measured?

  private struct Measured: Hashable {
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

extension ModelStatistics {
  /// One entry per layer; nil where it has no experts.
  ///
  /// - Throws: ``PruningError/expertMomentsMissing`` where they are to be measured and are not.
  func expertNeurons(
    of shape: ModelShape, areMeasured: Bool
  ) throws(PruningError) -> [ExpertNeurons?] {
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
    guard shape.hasExperts else { return means }
    guard let activity = self[ExpertActivity.self], let moments = self[ExpertMoments.self],
      moments.count == layers.count, activity.count == layers.count
    else { throw .expertMomentsMissing }
    for layer in shape.layers.indices where shape.layers[layer].experts != nil {
      means[layer].mlpDown = moments[layer].mlpDown.means(activity[layer].mlpDown)
    }
    return means
  }
}
