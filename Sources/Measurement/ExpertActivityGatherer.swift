internal import Kernels
public import Statistics
public import Transformer

/// Gathers `ExpertActivity`. Norms are summed from squares over the strips that an expert's outputs come
/// in, then the experts' tokens in their order, so the bits do not depend on who gathered them.
public final class ExpertActivityGatherer: TapGatherer, @unchecked Sendable {
  // Unchecked for the scratch: a lane writes to its own, and there no two threads to the same strip of
  // an expert.

  /// Of each lane Σ f², f64 [strips, rows].
  private let lanes: [ScratchBuffer]
  private let rows: Int
  private let values = GatheredValues<ExpertActivity>()

  public init(_ limits: ObserverLimits) throws {
    rows = limits.experts?.rows ?? 0
    lanes = try (0..<limits.laneCount).map { _ in
      try ScratchBuffer(byteCount: ExpertActivityGatherer.laneBytes(limits))
    }
  }

  private static func laneBytes(_ limits: ObserverLimits) -> Int {
    ScratchBuffer.roundedByteCount(limits.experts.map { $0.stripCount * $0.rows * 8 } ?? 0)
  }

  public static func byteCount(_ limits: ObserverLimits) -> Int {
    limits.laneCount * laneBytes(limits)
  }

  public func observe(_: TapPiece) {}

  public func observe(outputs piece: ExpertPiece) {
    let sums = squares(piece.lane) + piece.strip * rows + piece.firstRow
    for index in 0..<piece.visits.count {
      sums[index] = squareSum(piece.values + index * piece.stride, piece.channels.count)
    }
  }

  /// In four lanes: a chain of additions would wait for each one.
  private func squareSum(_ values: UnsafePointer<Float>, _ count: Int) -> Double {
    var lanes = SIMD4<Double>.zero
    for first in stride(from: 0, to: count - 3, by: 4) {
      let value = SIMD4<Double>(
        SIMD4(values[first], values[first + 1], values[first + 2], values[first + 3]))
      lanes += value * value
    }
    var sum = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
    for index in count / 4 * 4..<count { sum += Double(values[index]) * Double(values[index]) }
    return sum
  }

  public func finish(_ passage: TapPassage) {
    guard let experts = passage.experts else {
      return values.put(
        ExpertActivity(counts: [], gateSums: [], normSums: [], gatedNormSums: []), of: passage)
    }
    let squares = squares(passage.lane)
    let count = experts.expertCount
    var activity = (
      gates: [Double](repeating: 0, count: count), norms: [Double](repeating: 0, count: count),
      gated: [Double](repeating: 0, count: count)
    )
    for (expert, visits) in experts.routing.visits.enumerated() {
      for (index, visit) in visits.enumerated() {
        activity.gates[expert] += Double(visit.gate)
        // A mean is the same for all tokens, and is no output to be seen.
        guard !experts.routing.isReplaced(expert) else { continue }
        let row = experts.routing.firstRows[expert] + index
        let square = (0..<experts.stripCount).reduce(0) { $0 + squares[$1 * rows + row] }
        let (gate, norm) = (Double(visit.gate), square.squareRoot())
        activity.norms[expert] += norm
        activity.gated[expert] += gate * norm
      }
    }
    values.put(
      ExpertActivity(
        counts: experts.routing.visits.map(\.count), gateSums: activity.gates,
        normSums: activity.norms, gatedNormSums: activity.gated), of: passage)
  }

  public func take(_ passage: TapPassage) -> ExpertActivity {
    guard let activity = values.take(passage) else {
      preconditionFailure("the activity of a passage is taken once, after its end")
    }
    return activity
  }

  private func squares(_ lane: Int) -> UnsafeMutablePointer<Double> {
    lanes[lane].bytes.assumingMemoryBound(to: Double.self)
  }
}
