public import Kernels

/// Some tokens and channels of what one expert computes.
///
/// An expert's tokens come in their order, for each range of channels from one thread at a time.
public struct ExpertPiece {
  public let layer: Int
  public let expert: Int
  /// Which of the lanes, and of its threads, shows it: for scratch that belongs to one.
  public let lane: Int
  public let thread: Int
  /// Of the expert's, the tokens of these rows.
  public let visits: Range<Int>
  let routing: Routing
  /// Channels of all pieces.
  public let width: Int
  public let channels: Range<Int>
  /// f32 [visits, channels], row-major, valid during the call.
  public let values: UnsafePointer<Float>
  /// f32 from row to row.
  public let stride: Int

  /// Outputs of one piece of an expert's output; they decide in which order squares are summed.
  static let outputsPerStrip = 128

  /// The row of the token in the leaf's matrices (``TapPassage/sample(ofRow:)``).
  public func row(ofVisit visit: Int) -> Int { routing.visits[expert][visit].row }

  /// The place of the first of the tokens among all that go through experts.
  public var firstRow: Int { routing.firstRows[expert] + visits.lowerBound }

  /// Which of the strips of an expert's outputs it is.
  public var strip: Int { channels.lowerBound / ExpertPiece.outputsPerStrip }
}

/// A leaf that went through the experts of a layer.
public struct ExpertPassage {
  public let routing: Routing
  /// What the experts' `down_proj` multiply, [gathered rows, neurons].
  let operand: RowTiles
  /// Channels of what an expert gives.
  public let outputs: Int
  /// Of each expert.
  public var neurons: Int { operand.channels }

  public var expertCount: Int { routing.visits.count }

  /// What the `down_proj` of an expert multiplies, [its tokens, neurons], and how many of the 16 rows of
  /// each panel are tokens: the first so many. Only while ``TapObserver/finish(_:)`` runs.
  public func operand(ofExpert expert: Int) -> (rows: RowTiles, tokenCounts: [UInt8]) {
    let count = routing.visits[expert].count
    return (
      RowTiles(
        operand.compute, channels: operand.channels,
        at: UnsafeMutableRawPointer(mutating: operand.tile(row: routing.firstRows[expert]))),
      stride(from: 0, to: count, by: Tile.side).map { UInt8(min(Tile.side, count - $0)) }
    )
  }

  /// Pieces that an expert's outputs came in.
  public var stripCount: Int {
    (outputs + ExpertPiece.outputsPerStrip - 1) / ExpertPiece.outputsPerStrip
  }
}

/// The most of experts that an observer is shown at once.
public struct ExpertLimits: Hashable, Sendable {
  /// ``ExpertPiece/firstRow`` and what follows it stay below.
  public let rows: Int
  /// Strips of an expert's outputs.
  public let stripCount: Int
  /// Of all experts of a layer together.
  public let outputs: Int
  public let neurons: Int
}
