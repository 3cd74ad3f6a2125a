internal import CKernels

/// What is done with an output tile while it is in the cache.
extension MatrixProduct.OutputTile {
  /// Adds a map's bias [outputs of the map] to the tile's values of it; nil adds nothing.
  public func add(_ bias: UnsafePointer<Float>?, to values: UnsafeMutablePointer<Float>) {
    guard let bias else { return }
    Elementwise.addBias(
      bias + outputs.lowerBound, toBlock: values, stride: stride, rows: rows.count,
      columns: outputs.count)
  }

  /// Writes values of the tile into the same rows and channels of an operand.
  public func pack(_ values: UnsafePointer<Float>, into operand: RowTiles) {
    operand.pack(
      values, stride: stride, rows: rows.count, atRow: rows.lowerBound, channels: outputs)
  }
}

extension RowTiles {
  /// Writes f32 [rows, channels], rounded to nearest even.
  ///
  /// - Parameters:
  ///   - row: of the first, a multiple of 16; what follows the last row in its panel becomes zero.
  ///   - channels: from a multiple of an operand tile's channels on; what follows the last of them in
  ///     its operand tile becomes zero.
  public func pack(
    _ x: UnsafePointer<Float>, stride: Int, rows: Int, atRow row: Int, channels: Range<Int>
  ) {
    for first in Swift.stride(from: 0, to: rows, by: Tile.side) {
      flap_pack_rows(
        compute.format, x + first * stride, stride, min(Tile.side, rows - first), channels.count,
        tile(row: row + first, channel: channels.lowerBound))
    }
  }
}
