internal import CKernels
internal import FlapCore

/// A product x · Wᵀ, computed output tile by output tile on a team's threads; each is finished
/// while it is in the cache.
///
/// Output tiles depend on the matrices' sizes alone, and each sum runs over the channels in their
/// order, so bits depend neither on the number of threads nor on the tiles.
public struct MatrixProduct {
  /// Rows of an output tile.
  public static let tileRows = 128
  /// Outputs of an output tile, at most.
  public static let tileOutputs = 256
  /// Rows of one task: output tiles that one thread does one after another, from the first on.
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
      _ maps: ColumnTiles..., width: Int = MatrixProduct.tileOutputs
    ) -> [Strip] {
      stride(from: 0, to: maps[0].outputs, by: width).map { first in
        Strip(maps, outputs: first..<min(first + width, maps[0].outputs))
      }
    }
  }

  /// The part of y, [rows, outputs] of every map of a strip, that a thread computes and finishes
  /// while it is in the cache; not to be taken for the operand tiles of 1 KiB (``Tile``).
  public struct OutputTile {
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
    /// f32 from map to map.
    let mapStride: Int

    /// f32 [rows, outputs] of one map, row-major by ``stride``; may be written to. What follows the
    /// outputs up to a multiple of 32 may be written to as well.
    public func values(_ map: Int = 0) -> UnsafeMutablePointer<Float> {
      values + map * mapStride
    }
  }

  /// Bytes of scratch that every thread needs.
  ///
  /// - Parameter maps: of a strip, at most.
  public static func scratchByteCount(maps: Int, width: Int = tileOutputs) -> Int {
    ScratchBuffer.roundedByteCount(maps * tileRows * rowStride(width) * 4)
  }

  /// f32 from row to row of an output tile: whole operand tiles, and never a power of two, so that
  /// rows do not share the sets of a cache.
  private static func rowStride(_ width: Int) -> Int { (width + 31) / 32 * 32 + 16 }

  /// - Parameters:
  ///   - x: of which `rows` rows, a multiple of 16, are multiplied.
  ///   - scratch: one of ``scratchByteCount(maps:width:)`` per thread.
  ///   - finish: called for every output tile, from several threads at once. Those of one strip in
  ///     rows n · ``taskRows``..<(n + 1) · ``taskRows`` come one after another, in order.
  public static func run(
    _ x: RowTiles, rows: Int, _ strips: [Strip], team: ThreadTeam, scratch: [ScratchBuffer],
    finish: (OutputTile) -> Void
  ) {
    let tasksPerStrip = (rows + taskRows - 1) / taskRows
    team.run(.products, taskCount: strips.count * tasksPerStrip) { task, thread in
      let index = task / tasksPerStrip
      let strip = strips[index]
      let first = task % tasksPerStrip * taskRows
      for row in stride(from: first, to: min(first + taskRows, rows), by: tileRows) {
        finish(
          tile(
            x, rows: row..<min(row + tileRows, rows), strip, index, thread: thread,
            scratch: scratch[thread]))
        team.enter(.products, thread: thread)
      }
    }
  }

  /// One output tile, on the calling thread: for whoever shares out the tiles himself.
  ///
  /// - Parameters:
  ///   - rows: at most ``tileRows``, multiples of 16.
  ///   - index: that the tile has as its strip's.
  ///   - scratch: ``scratchByteCount(maps:width:)`` of the thread, which the tile's values lie in.
  public static func tile(
    _ x: RowTiles, rows: Range<Int>, _ strip: Strip, _ index: Int = 0, thread: Int,
    scratch: ScratchBuffer
  ) -> OutputTile {
    let stride = rowStride(strip.outputs.count)
    let tile = OutputTile(
      strip: index, rows: rows, outputs: strip.outputs, stride: stride, thread: thread,
      values: scratch.floats(), mapStride: tileRows * stride)
    for (number, map) in strip.maps.enumerated() { multiply(x, map, tile, map: number) }
    return tile
  }

  private static func multiply(
    _ x: RowTiles, _ map: ColumnTiles, _ tile: OutputTile, map number: Int
  ) {
    flap_multiply(
      flap_product(
        format: x.compute.format,
        x: x.tile(row: tile.rows.lowerBound),
        panel_stride: x.tilesPerPanel,
        panels: Tile.count(ofRows: tile.rows.count),
        w: map.group(tile.outputs.lowerBound / Tile.side),
        group_stride: map.tilesPerGroup,
        groups: Tile.count(ofRows: tile.outputs.count),
        inner_tiles: x.tilesPerPanel,
        y: tile.values(number),
        y_stride: tile.stride,
        accumulate: false))
  }
}
