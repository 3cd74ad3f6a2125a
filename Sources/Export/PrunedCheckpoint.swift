internal import Checkpoint
public import FlapCore
public import Pruning

/// A ``PrunedLayout`` with what its biases are made of: all that is needed to write its shards.
public struct PrunedCheckpoint: Sendable {
  public let layout: PrunedLayout
  /// One entry per layer; none in a layout that is not compensated.
  let compensations: [PerTap<Compensation>]

  /// - Precondition: as many compensations as layers, or none where the layout has none.
  public init(_ layout: PrunedLayout, compensations: [PerTap<Compensation>] = []) {
    precondition(
      compensations.count == (layout.isCompensated ? layout.plan.layers.count : 0),
      "one compensation per layer of a compensated checkpoint")
    self.layout = layout
    self.compensations = compensations
  }

  var dense: Checkpoint { layout.dense }
}
