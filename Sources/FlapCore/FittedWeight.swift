/// The weight of a map in place of the checkpoint's, [rows, columns], row-major, as a shard holds it:
/// what runs the model and what writes it share the bytes.
public struct FittedWeight: @unchecked Sendable {
  // Unchecked for the pointer: nobody writes to the memory any more, and `owner` keeps it.

  public let elementType: ElementType
  public let rows: Int
  /// Channels that stay.
  public let columns: Int
  public let bytes: UnsafeRawBufferPointer
  private let owner: AnyObject

  /// - Parameters:
  ///   - bytes: rows · columns numbers, little-endian.
  ///   - owner: keeps the bytes where they are, unchanged.
  public init(
    elementType: ElementType, rows: Int, columns: Int, bytes: UnsafeRawBufferPointer,
    owner: AnyObject
  ) {
    precondition(elementType.isWeightType, "no type of weights")
    precondition(bytes.count == rows * columns * elementType.byteCount, "whole rows")
    self.elementType = elementType
    self.rows = rows
    self.columns = columns
    self.bytes = bytes
    self.owner = owner
  }
}
