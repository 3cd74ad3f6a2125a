public import FlapCore
public import Kernels

/// Somebody who is shown what flows into `o_proj` and `down_proj` while samples go through a model.
///
/// The forward pass knows nothing of what observers make of it. It offers every finished piece while
/// it is in the cache; what an observer keeps of it is the observer's own.
public protocol TapObserver: AnyObject, Sendable {
  /// Called for every piece of a leaf, from several threads at once.
  func observe(_ piece: TapPiece)
  /// Called when all pieces of a leaf at a tap were shown, before what follows the tap is computed;
  /// for leaves of different lanes at once.
  func finish(_ passage: TapPassage)
  /// In a layer with experts, instead of ``observe(_:)`` at `down_proj`: called for every piece of what
  /// flows into an expert's `down_proj`, from several threads at once.
  func observe(neurons piece: ExpertPiece)
  /// The same of what comes out of it, before it is multiplied by its gate.
  func observe(outputs piece: ExpertPiece)
}

extension TapObserver {
  public func observe(neurons _: ExpertPiece) {}
  public func observe(outputs _: ExpertPiece) {}
}

/// Some tokens and channels of what flows through a tap.
///
/// The tokens of a leaf are shown in segments. Those of one segment and channel come in order, from
/// one thread at a time; different segments come at once. Which tokens make a segment, and how it is
/// cut into pieces, follows from the leaf and the model alone.
public struct TapPiece {
  public let layer: Int
  public let tap: Tap
  /// Which of the lanes, and of its threads, shows it: for scratch that belongs to one.
  public let lane: Int
  public let thread: Int
  public let segment: Int
  /// Tokens of this segment that were shown before.
  public let seenCount: Int
  public let tokenCount: Int
  /// Of the tap's.
  public let channels: Range<Int>
  /// Channels of the tap.
  public let width: Int
  /// f32 [tokenCount, channels], row-major, valid during the call.
  public let values: UnsafePointer<Float>
  /// f32 from row to row.
  public let stride: Int
}

/// A leaf that went through a tap.
public struct TapPassage {
  public let layer: Int
  public let tap: Tap
  /// The leaf's position among those that are taken along.
  public let leaf: Int
  public let lane: Int
  /// Tokens in each segment.
  public let segmentCounts: [Int]
  /// Channels of the tap; 0 where they are of experts.
  public let width: Int
  /// nil where the tap is none of experts.
  public let experts: ExpertPassage?
  let layout: RowLayout
  /// What the map that the tap feeds multiplies, [rows, width]. Only while ``TapObserver/finish(_:)``
  /// runs.
  public let operand: RowTiles
  /// The lane's threads, which are free while ``TapObserver/finish(_:)`` runs.
  public let team: ThreadTeam

  /// What the map that the tap feeds multiplies. Only while ``TapObserver/finish(_:)`` runs.
  ///
  /// - Parameter token: of the leaf, in the order of its tokens.
  public func value(token: Int, channel: Int) -> Float {
    operand.value(row: layout.row(ofToken: token), channel: channel)
  }

  /// The sample of a token, the first of those that share it.
  ///
  /// - Parameter token: as of ``value(token:channel:)``.
  public func sample(ofToken token: Int) -> Int { layout.sample(ofToken: token) }

  /// The first sample that holds the token of a row.
  public func sample(ofRow row: Int) -> Int { layout.sample(ofRow: row) }

  public var tokenCount: Int { layout.tokenCount }

  /// Of the 16 rows of each panel of ``operand``, how many are tokens: the first so many.
  public var panelTokenCounts: [UInt8] {
    stride(from: 0, to: layout.rowCount, by: Tile.side).map {
      UInt8(layout.tokenCount(in: $0..<$0 + Tile.side))
    }
  }
}

/// The most that an observer is shown at once: what it allocates scratch for.
public struct ObserverLimits: Hashable, Sendable {
  public let laneCount: Int
  /// Channels of all segments of a leaf at a tap.
  public let segmentChannels: Int
  /// nil in a model without experts.
  public let experts: ExpertLimits?

  public init(laneCount: Int, segmentChannels: Int, experts: ExpertLimits? = nil) {
    self.laneCount = laneCount
    self.segmentChannels = segmentChannels
    self.experts = experts
  }
}
