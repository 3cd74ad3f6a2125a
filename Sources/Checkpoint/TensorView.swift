public import FlapCore
public import Storage

/// A tensor where it lies in a mapped file, row-major.
public struct TensorView: @unchecked Sendable {
  // Unchecked for the pointer: the memory is read-only and `file` keeps it mapped.

  public let name: String
  public let elementType: ElementType
  public let shape: [Int]
  public let bytes: UnsafeRawBufferPointer
  public let file: MappedFile

  public var elementCount: Int { bytes.count / elementType.byteCount }

  /// Asks the system to read it ahead of its use.
  public func willNeed() {
    let start = bytes.baseAddress! - file.bytes.baseAddress!
    file.willNeed(start..<start + bytes.count)
  }

  /// All elements as f32; exact for BF16, F16 and F32.
  ///
  /// - Precondition: a floating-point type of 16 bits or more, or U8.
  public func float32Values() -> [Float] {
    switch elementType {
    case .bfloat16: elements(of: UInt16.self, Float.init(bfloat16Bits:))
    case .float16: elements(of: UInt16.self, TensorView.float)
    case .float32: elements(of: UInt32.self) { Float(bitPattern: $0) }
    case .float64: elements(of: UInt64.self) { Float(Double(bitPattern: $0)) }
    case .uint8: elements(of: UInt8.self) { Float($0) }
    default: preconditionFailure("no conversion from \(elementType.rawValue)")
    }
  }

  /// All elements as f64; exact for every type.
  public func float64Values() -> [Double] {
    elementType == .float64
      ? elements(of: UInt64.self) { Double(bitPattern: $0) } : float32Values().map(Double.init)
  }

  private func elements<Stored: FixedWidthInteger, Element>(
    of _: Stored.Type, _ convert: (Stored) -> Element
  ) -> [Element] {
    (0..<elementCount).map { index in
      convert(
        Stored(
          littleEndian: bytes.loadUnaligned(
            fromByteOffset: index * MemoryLayout<Stored>.size, as: Stored.self)))
    }
  }

  /// IEEE 754 binary16.
  private static func float(half: UInt16) -> Float {
    let sign: Float = half & 0x8000 == 0 ? 1 : -1
    let exponent = Int(half >> 10 & 0x1F)
    let fraction = Float(half & 0x3FF)
    switch exponent {
    case 0: return sign * fraction * 0x1p-24
    case 31: return fraction == 0 ? sign * .infinity : .nan
    default:
      return sign * (1024 + fraction) * Float(sign: .plus, exponent: exponent - 25, significand: 1)
    }
  }
}

extension TensorView {
  /// A part of the rows (first dimension), without copying.
  ///
  /// - Precondition: there is a first dimension with those rows.
  public func rows(_ range: Range<Int>) -> TensorView {
    let rowBytes = shape.dropFirst().reduce(elementType.byteCount, *)
    let part = bytes[range.lowerBound * rowBytes..<range.upperBound * rowBytes]
    return TensorView(
      name: name, elementType: elementType, shape: [range.count] + shape.dropFirst(),
      bytes: UnsafeRawBufferPointer(rebasing: part), file: file)
  }
}
