internal import CKernels
public import FlapCore

/// A weight where it lies in the checkpoint: [rows, columns], row-major, as BF16, F16 or F32.
///
/// The memory belongs to whoever made the view, which keeps it alive.
public struct WeightMatrix {
  public let elementType: ElementType
  public let bytes: UnsafeRawPointer
  /// Output channels.
  public internal(set) var rows: Int
  /// Input channels.
  public internal(set) var columns: Int
  /// nil: the whole weight.
  var part: KeptPart?

  /// - Precondition: a floating-point type of at most 32 bits.
  public init(elementType: ElementType, bytes: UnsafeRawPointer, rows: Int, columns: Int) {
    precondition(elementType.isWeightType, "quantized weights have no matrix")
    self.elementType = elementType
    self.bytes = bytes
    self.rows = rows
    self.columns = columns
  }

  func row(_ row: Int) -> UnsafeRawPointer {
    precondition(part == nil, "the rows of a part do not lie beside one another")
    return bytes + row * columns * elementType.byteCount
  }

  /// Writes rows as f32, [range, columns].
  public func copyRows(_ range: Range<Int>, to floats: UnsafeMutablePointer<Float>) {
    Conversion.toFloat32(
      row(range.lowerBound), elementType, count: range.count * columns, to: floats)
  }

  /// Writes groups of 16 rows as operand tiles.
  ///
  /// - Parameter bytes: of the first of these groups.
  public func packGroups(
    _ groups: Range<Int>, _ compute: ComputeType, to bytes: UnsafeMutableRawPointer
  ) {
    let groupBytes = Tile.count(ofChannels: columns, compute) * Tile.byteCount
    func pack(_ group: Int, _ weights: UnsafeRawPointer, _ rowCount: Int) {
      flap_pack_group(
        compute.format, elementType.element, weights, columns, rowCount, columns,
        bytes + (group - groups.lowerBound) * groupBytes)
    }
    func rows(of group: Int) -> Range<Int> {
      group * Tile.side..<min((group + 1) * Tile.side, self.rows)
    }
    guard let part else {
      for group in groups { pack(group, row(group * Tile.side), rows(of: group).count) }
      return
    }
    withUnsafeTemporaryAllocation(
      byteCount: Tile.side * columns * elementType.byteCount, alignment: 64
    ) { gathered in
      for group in groups {
        gather(rows(of: group), of: part, to: gathered.baseAddress!)
        pack(group, gathered.baseAddress!, rows(of: group).count)
      }
    }
  }
}

extension ComputeType {
  /// The kernels' name of it.
  var format: flap_format { self == .bfloat16 ? FLAP_BF16 : FLAP_F32 }
}

extension ElementType {
  /// The kernels' name of it.
  fileprivate var element: flap_element {
    switch self {
    case .bfloat16: FLAP_ELEMENT_BF16
    case .float16: FLAP_ELEMENT_F16
    default: FLAP_ELEMENT_F32
    }
  }
}
