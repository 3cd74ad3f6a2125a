internal import CBenchmark
internal import Checkpoint
public import FlapCore
internal import Kernels
public import SystemPackage

/// A layer's matrix products as the forward pass does them, and nothing else: operands lie in
/// tiles before the clock runs, and nobody takes the results.
public struct ProductContestant: Contestant {
  private let shapes: [ProductShape]
  private let rowCount: Int
  private let compute: ComputeType
  private let team: ThreadTeam
  private let input: ScratchBuffer
  private let weights: [(map: ColumnTiles, buffer: ScratchBuffer)]
  private let outputTiles: [ScratchBuffer]

  /// - Parameter rowCount: tokens that go through a product together.
  public init(
    modelDirectory: FilePath, rowCount: Int, compute: ComputeType, threadCount: Int
  ) throws {
    let shape = try Checkpoint(directory: modelDirectory).configuration.shape
    shapes = shape.products(layer: 0)
    self.rowCount = (rowCount + Tile.side - 1) / Tile.side * Tile.side
    self.compute = compute
    team = ThreadTeam(threadCount: threadCount)
    input = try ScratchBuffer(
      byteCount: RowTiles.byteCount(
        compute, rows: self.rowCount, channels: shapes.map(\.inner).max() ?? 0))
    ProductContestant.fill(input, compute)
    weights = try shapes.map { shape in
      let buffer = try ScratchBuffer(
        byteCount: ColumnTiles.byteCount(compute, outputs: shape.outputs, channels: shape.inner))
      // Any numbers will do, so they are not packed: each element of a tile is one of a weight.
      ProductContestant.fill(buffer, compute)
      let map = ColumnTiles(
        compute, outputs: shape.outputs, channels: shape.inner, at: buffer.bytes)
      return (map, buffer)
    }
    let tileBytes = MatrixProduct.scratchByteCount(maps: 1)
    outputTiles = try (0..<threadCount).map { _ in try ScratchBuffer(byteCount: tileBytes) }
  }

  private static func fill(_ buffer: ScratchBuffer, _ compute: ComputeType) {
    let bytes = compute == .bfloat16 ? 2 : 4
    flap_bench_fill(
      buffer.bytes, buffer.byteCount / bytes, compute.format, UInt64(buffer.byteCount))
  }

  public var details: [String: String] {
    [
      "kernels": KernelFingerprint.current(compute: compute),
      "threads": "\(team.threadCount)",
    ]
  }

  public mutating func runUnit() throws -> Work {
    var operations = 0.0
    for (shape, weight) in zip(shapes, weights) {
      let x = RowTiles(compute, channels: shape.inner, at: input.bytes)
      let rows = (shape.rows(ofTokens: rowCount) + Tile.side - 1) / Tile.side * Tile.side
      MatrixProduct.run(
        x, rows: rows, MatrixProduct.Strip.covering(weight.map), team: team,
        scratch: outputTiles
      ) { _ in }
      operations += shape.operations(rows: rows)
    }
    return Work(productOperations: operations)
  }
}
