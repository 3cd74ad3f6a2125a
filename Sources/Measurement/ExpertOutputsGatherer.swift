internal import Kernels
public import Statistics
public import Transformer

/// Gathers `ExpertOutputs`. One thread shows the strip of an expert's outputs for all of its tokens, in
/// their order, so the bits do not depend on who gathered them.
public final class ExpertOutputsGatherer: TapGatherer, @unchecked Sendable {
  // Unchecked for the scratch: a lane writes to its own, and there no two threads to the same strip.

  /// Of each lane Σ f, f64 [experts, outputs].
  private let lanes: [ScratchBuffer]
  private let values = GatheredValues<ExpertOutputs>()

  public init(_ limits: ObserverLimits) throws {
    lanes = try (0..<limits.laneCount).map { _ in
      try ScratchBuffer(byteCount: ExpertOutputsGatherer.laneBytes(limits))
    }
  }

  private static func laneBytes(_ limits: ObserverLimits) -> Int {
    ScratchBuffer.roundedByteCount(limits.experts.map { $0.outputs * 8 } ?? 0)
  }

  public static func byteCount(_ limits: ObserverLimits) -> Int {
    limits.laneCount * laneBytes(limits)
  }

  public func observe(_: TapPiece) {}

  public func observe(outputs piece: ExpertPiece) {
    let sums = sums(piece.lane) + piece.expert * piece.width + piece.channels.lowerBound
    let count = piece.channels.count
    // What an earlier leaf left.
    if piece.visits.lowerBound == 0 { sums.update(repeating: 0, count: count) }
    for index in 0..<piece.visits.count {
      let values = piece.values + index * piece.stride
      for channel in 0..<count { sums[channel] += Double(values[channel]) }
    }
  }

  public func finish(_ passage: TapPassage) {
    guard let experts = passage.experts else {
      return values.put(ExpertOutputs(sums: []), of: passage)
    }
    let (sums, width) = (sums(passage.lane), experts.outputs)
    var all = [Double](repeating: 0, count: experts.expertCount * width)
    for (expert, visits) in experts.routing.visits.enumerated()
    where !visits.isEmpty && !experts.routing.isReplaced(expert) {
      for index in expert * width..<(expert + 1) * width { all[index] = sums[index] }
    }
    values.put(ExpertOutputs(sums: all), of: passage)
  }

  public func take(_ passage: TapPassage) -> ExpertOutputs {
    guard let outputs = values.take(passage) else {
      preconditionFailure("the outputs of a passage are taken once, after its end")
    }
    return outputs
  }

  private func sums(_ lane: Int) -> UnsafeMutablePointer<Double> {
    lanes[lane].bytes.assumingMemoryBound(to: Double.self)
  }
}
