public import FlapCore

/// A weight where it lies in the checkpoint: [rows, columns], row-major, as BF16, F16 or F32.
///
/// The memory belongs to whoever made the view, which keeps it alive.
public struct WeightMatrix {
  public let elementType: ElementType
  public let bytes: UnsafeRawPointer
  /// Output channels.
  public let rows: Int
  /// Input channels.
  public let columns: Int

  /// - Precondition: a floating-point type of at most 32 bits.
  public init(elementType: ElementType, bytes: UnsafeRawPointer, rows: Int, columns: Int) {
    precondition(elementType.isWeightType, "quantized weights have no matrix")
    self.elementType = elementType
    self.bytes = bytes
    self.rows = rows
    self.columns = columns
  }

  func row(_ row: Int) -> UnsafeRawPointer {
    bytes + row * columns * elementType.byteCount
  }

  /// Writes rows as f32, [range, columns].
  public func copyRows(_ range: Range<Int>, to floats: UnsafeMutablePointer<Float>) {
    Conversion.toFloat32(
      row(range.lowerBound), elementType, count: range.count * columns, to: floats)
  }
}
