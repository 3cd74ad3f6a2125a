internal import CBenchmark
internal import Checkpoint
public import FlapCore
internal import Kernels
public import SystemPackage

/// Second moments of a layer's taps as the second pass sums them: xᵀ is packed, the lower half of xᵀx
/// multiplied, rounded and added up. Operations are those of the lower half alone.
public struct SecondMomentContestant: Contestant {
  private let channels: [Int]
  private let rowCount: Int
  private let compute: ComputeType
  private let team: ThreadTeam
  private let input: ScratchBuffer
  private let sums: [SecondMomentSums]
  private let scratch: SecondMomentScratch

  /// - Parameter rowCount: tokens that go through a tap together.
  public init(
    modelDirectory: FilePath, rowCount: Int, compute: ComputeType, threadCount: Int
  ) throws {
    let shape = try Checkpoint(directory: modelDirectory).configuration.shape
    channels = Tap.allCases.map { shape.channelCount(layer: 0, tap: $0) }
    self.rowCount = (rowCount + Tile.side - 1) / Tile.side * Tile.side
    self.compute = compute
    team = ThreadTeam(threadCount: threadCount)
    let largest = channels.max() ?? 0
    input = try ScratchBuffer(
      byteCount: RowTiles.byteCount(compute, rows: self.rowCount, channels: largest))
    let bytes = compute == .bfloat16 ? 2 : 4
    flap_bench_fill(
      input.bytes, input.byteCount / bytes, compute.format, UInt64(input.byteCount))
    sums = try channels.map { channels in
      let sums = try SecondMomentSums(largestChannelCount: channels)
      sums.reset(exponents: Array(repeating: 0, count: channels))
      return sums
    }
    scratch = try SecondMomentScratch(
      compute, rows: self.rowCount, channels: largest, threadCount: threadCount)
  }

  public var details: [String: String] {
    [
      "kernels": KernelFingerprint.current(compute: compute),
      "threads": "\(team.threadCount)",
    ]
  }

  public mutating func runUnit() throws -> Work {
    let rowCounts = [UInt8](repeating: UInt8(Tile.side), count: rowCount / Tile.side)
    var operations = 0.0
    for (channels, sums) in zip(channels, sums) {
      let x = RowTiles(compute, channels: channels, at: input.bytes)
      sums.add(x, rowCounts: rowCounts, team: team, scratch: scratch)
      operations += Double(rowCount) * Double(channels) * Double(channels + 1)
    }
    return Work(productOperations: operations)
  }
}
