package import FlapCore

/// Numbers of one type of weights as another, rounded to nearest even.
package enum Conversion {
  /// - Returns: a finite number that f16 cannot hold, if there is one.
  /// - Precondition: `output` holds as many elements as `bytes`.
  package static func convert(
    _ bytes: UnsafeRawBufferPointer, _ source: ElementType, to type: ElementType,
    into output: UnsafeMutableRawBufferPointer
  ) -> Float? {
    switch (source, type) {
    case _ where source == type: output.copyMemory(from: bytes)
    case (.bfloat16, .float32): each(bytes, output) { Float(bfloat16Bits: $0).bitPattern }
    case (.float16, .float32): each(bytes, output) { Float(half: $0).bitPattern }
    case (.float32, .bfloat16): each(bytes, output) { Float(bitPattern: $0).bfloat16Bits }
    case (.float16, .bfloat16): each(bytes, output) { Float(half: $0).bfloat16Bits }
    case (.float32, .float16): return eachHalf(bytes, output) { Float(bitPattern: $0) }
    case (.bfloat16, .float16): return eachHalf(bytes, output) { Float(bfloat16Bits: $0) }
    default: preconditionFailure("no types of weights")
    }
    return nil
  }

  @inline(__always)
  private static func each<Stored: FixedWidthInteger, Result: FixedWidthInteger>(
    _ bytes: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer,
    _ convert: (Stored) -> Result
  ) {
    let count = bytes.count / MemoryLayout<Stored>.size
    for index in 0..<count {
      let stored = Stored(
        littleEndian: bytes.loadUnaligned(
          fromByteOffset: index * MemoryLayout<Stored>.size, as: Stored.self))
      output.storeBytes(
        of: convert(stored).littleEndian, toByteOffset: index * MemoryLayout<Result>.size,
        as: Result.self)
    }
  }

  @inline(__always)
  private static func eachHalf<Stored: FixedWidthInteger>(
    _ bytes: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer,
    _ value: (Stored) -> Float
  ) -> Float? {
    var unholdable: Float?
    each(bytes, output) { (stored: Stored) in
      let value = value(stored)
      let half = Float16(value)
      if half.isInfinite, value.isFinite { unholdable = value }
      return half.bitPattern
    }
    return unholdable
  }
}

extension Float {
  fileprivate init(half bits: UInt16) { self = Float(Float16(bitPattern: bits)) }
}
