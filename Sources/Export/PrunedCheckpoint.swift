internal import Checkpoint
public import FlapCore
public import Pruning

/// A ``PrunedLayout`` with what its biases are made of: all that is needed to write its shards.
public struct PrunedCheckpoint: Sendable {
  public let layout: PrunedLayout
  /// One entry per layer; none in a layout that is not compensated.
  let compensations: [PerTap<Compensation>]
  /// The maps that the taps feed, fitted to what stays; nil: their weights stay as they are.
  let fits: (any FittedMaps)?
  /// What takes the places of experts that go, [layer][expert that goes][hidden]; none where nothing does.
  let expertMeans: [[[Double]]]

  /// - Precondition: as many compensations as layers, or none where the layout has none.
  public init(
    _ layout: PrunedLayout, compensations: [PerTap<Compensation>] = [],
    fits: (any FittedMaps)? = nil, expertMeans: [[[Double]]] = []
  ) {
    precondition(
      compensations.count == (layout.isCompensated ? layout.plan.layers.count : 0),
      "one compensation per layer of a compensated checkpoint")
    precondition(
      layout.plan.layers.enumerated().allSatisfy { index, layer in
        !layer.replacesExperts || expertMeans[index].count == layer.removedExperts.count
      }, "a mean for every expert that is replaced")
    self.expertMeans = expertMeans
    self.layout = layout
    self.compensations = compensations
    self.fits = fits
  }

  var dense: Checkpoint { layout.dense }
}

/// Weights and biases that are computed, not copied.
public protocol FittedMaps: Sendable {
  /// Of a map that a tap feeds; the same numbers whenever they are asked for; nil where all of its
  /// channels stay, and so its weights.
  ///
  /// - Parameter expert: whose map it is; nil: the layer's own.
  func fit(layer: Int, _ tap: Tap, expert: Int?) throws -> FittedMap?
}

/// y = W'·x + b over the channels that stay.
public struct FittedMap: Sendable {
  /// W', with the type of the checkpoint's own.
  public let weight: FittedWeight
  /// b, [out].
  public let bias: [Double]
  /// λ that it was fitted with.
  public let ridge: Double
  /// Whether it is larger than the one that was chosen, with which C did not factor.
  public let isRidgeRaised: Bool

  public init(
    weight: FittedWeight, bias: [Double], ridge: Double, isRidgeRaised: Bool = false
  ) {
    self.weight = weight
    self.bias = bias
    self.ridge = ridge
    self.isRidgeRaised = isRidgeRaised
  }
}
