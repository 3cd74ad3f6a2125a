internal import CKernels
internal import FlapCore

/// A product x · Wᵀ, computed block by block on a team's threads; each block is finished while it
/// is in the cache.
///
/// Blocks depend on the matrices' sizes alone, and each sum runs over the channels in their order,
/// so bits depend neither on the number of threads nor on the blocks.
public struct MatrixProduct {
  /// Rows of a block.
  public static let blockRows = 128
  /// Outputs of a block, at most.
  public static let blockOutputs = 256
  /// Rows of one task: blocks that one thread does one after another, from the first on.
  public static let taskRows = 256

  /// Maps that are computed together, because their outputs meet.
  public struct Strip {
    public let maps: [ColumnTiles]
    /// A multiple of 16 to begin with; of all maps.
    public let outputs: Range<Int>

    public init(_ maps: [ColumnTiles], outputs: Range<Int>) {
      self.maps = maps
      self.outputs = outputs
    }

    /// All outputs of maps of one size, in strips of some multiple of 16 outputs.
    public static func covering(
      _ maps: ColumnTiles..., width: Int = MatrixProduct.blockOutputs
    ) -> [Strip] {
      stride(from: 0, to: maps[0].outputs, by: width).map { first in
        Strip(maps, outputs: first..<min(first + width, maps[0].outputs))
      }
    }
  }

  /// What a thread has just computed.
  public struct Block {
    /// Index of the strip.
    public let strip: Int
    /// Of x, a multiple of 16 to begin and to end with.
    public let rows: Range<Int>
    /// Of every map.
    public let outputs: Range<Int>
    /// f32 from row to row.
    public let stride: Int
    public let thread: Int
    let values: UnsafeMutablePointer<Float>
    let blockStride: Int

    /// f32 [rows, outputs] of one map, row-major by ``stride``; may be written to. What follows the
    /// outputs up to a multiple of 32 may be written to as well.
    public func values(_ map: Int = 0) -> UnsafeMutablePointer<Float> {
      values + map * blockStride
    }
  }

  /// Bytes of scratch that every thread needs.
  ///
  /// - Parameter maps: of a strip, at most.
  public static func scratchByteCount(maps: Int, width: Int = blockOutputs) -> Int {
    ScratchBuffer.roundedByteCount(maps * blockRows * rowStride(width) * 4)
  }

  /// f32 from row to row of a block: whole tiles, and never a power of two, so that rows do not
  /// share the sets of a cache.
  private static func rowStride(_ width: Int) -> Int { (width + 31) / 32 * 32 + 16 }

  /// - Parameters:
  ///   - x: of which `rows` rows, a multiple of 16, are multiplied.
  ///   - scratch: one of ``scratchByteCount(maps:width:)`` per thread.
  ///   - finish: called for every block, from several threads at once. The blocks of one strip in
  ///     rows n · ``taskRows``..<(n + 1) · ``taskRows`` come one after another, in order.
  public static func run(
    _ x: RowTiles, rows: Int, _ strips: [Strip], team: ThreadTeam, scratch: [ScratchBuffer],
    finish: (Block) -> Void
  ) {
    let tasksPerStrip = (rows + taskRows - 1) / taskRows
    team.run(.products, taskCount: strips.count * tasksPerStrip) { task, thread in
      let index = task / tasksPerStrip
      let strip = strips[index]
      let first = task % tasksPerStrip * taskRows
      let stride = rowStride(strip.outputs.count)
      let values = scratch[thread].floats()
      for row in Swift.stride(from: first, to: min(first + taskRows, rows), by: blockRows) {
        let block = Block(
          strip: index, rows: row..<min(row + blockRows, rows), outputs: strip.outputs,
          stride: stride, thread: thread, values: values, blockStride: blockRows * stride)
        for (number, map) in strip.maps.enumerated() { multiply(x, map, block, number) }
        finish(block)
        team.enter(.products, thread: thread)
      }
    }
  }

  private static func multiply(_ x: RowTiles, _ map: ColumnTiles, _ block: Block, _ number: Int) {
    flap_multiply(
      flap_product(
        format: x.compute.format,
        x: x.tile(row: block.rows.lowerBound),
        panel_stride: x.tilesPerPanel,
        panels: Tile.count(ofRows: block.rows.count),
        w: map.group(block.outputs.lowerBound / Tile.side),
        group_stride: map.tilesPerGroup,
        groups: Tile.count(ofRows: block.outputs.count),
        inner_tiles: x.tilesPerPanel,
        y: block.values(number),
        y_stride: block.stride,
        accumulate: false))
  }
}
