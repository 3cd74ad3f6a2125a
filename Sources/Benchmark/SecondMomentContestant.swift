internal import CBenchmark
internal import Checkpoint
public import FlapCore
internal import Kernels
public import SystemPackage

/// Second moments of a layer's taps as the second pass sums them: xᵀ is packed, the lower half of xᵀx
/// multiplied, rounded and added up. Operations are those of the lower half alone. Experts are taken to see
/// as many tokens each.
public struct SecondMomentContestant: Contestant {
  /// Maps of one size.
  private struct Input {
    let channels: Int
    let rowCount: Int
    let mapCount: Int
  }

  private let inputs: [Input]
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
    inputs = Tap.allCases.map { tap in
      let maps = shape.mapChannels(layer: 0, tap: tap)
      let perToken = maps.mapCount == 1 ? 1 : shape.layers[0].experts?.countPerToken ?? 1
      let rows = (rowCount * perToken + maps.mapCount - 1) / maps.mapCount
      return Input(
        channels: maps.width, rowCount: (rows + Tile.side - 1) / Tile.side * Tile.side,
        mapCount: maps.mapCount)
    }
    let rows = inputs.map(\.rowCount).max() ?? 0
    self.compute = compute
    team = ThreadTeam(threadCount: threadCount)
    let largest = inputs.map(\.channels).max() ?? 0
    input = try ScratchBuffer(
      byteCount: RowTiles.byteCount(compute, rows: rows, channels: largest))
    let bytes = compute == .bfloat16 ? 2 : 4
    flap_bench_fill(
      input.bytes, input.byteCount / bytes, compute.format, UInt64(input.byteCount))
    sums = try inputs.map { input in
      let sums = try SecondMomentSums(largestChannelCount: input.channels)
      sums.reset(exponents: Array(repeating: 0, count: input.channels))
      return sums
    }
    scratch = try SecondMomentScratch(
      compute, rows: rows, channels: largest, threadCount: threadCount)
  }

  public var details: [String: String] {
    [
      "kernels": KernelFingerprint.current(compute: compute),
      "threads": "\(team.threadCount)",
    ]
  }

  public mutating func runUnit() throws -> Work {
    var operations = 0.0
    for (size, sums) in zip(inputs, sums) {
      let rowCounts = [UInt8](
        repeating: UInt8(Tile.side), count: size.rowCount / Tile.side)
      let x = RowTiles(compute, channels: size.channels, at: input.bytes)
      for _ in 0..<size.mapCount {
        sums.add(x, rowCounts: rowCounts, team: team, scratch: scratch)
      }
      operations +=
        Double(size.mapCount * size.rowCount) * Double(size.channels) * Double(size.channels + 1)
    }
    return Work(productOperations: operations)
  }
}
