public import FlapCore

extension FittedWeight {
  /// Numbers that are rounded to a type of weights, to nearest even (by way of f32).
  ///
  /// - Parameters:
  ///   - folder: where they may be written to; nil: they stay in memory.
  ///   - row: writes one row, f32 [columns].
  /// - Throws: ``OutOfMemory``.
  public init(
    elementType: ElementType = .float32, rows: Int, columns: Int, inFileOf folder: String? = nil,
    _ row: (_ index: Int, _ to: UnsafeMutablePointer<Float>) -> Void
  ) throws(OutOfMemory) {
    let byteCount = rows * columns * elementType.byteCount
    let buffer =
      if let folder {
        try ScratchBuffer(byteCount: byteCount, inFileOf: folder)
      } else {
        try ScratchBuffer(byteCount: byteCount)
      }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) { values in
      let from = values.baseAddress!
      for index in 0..<rows {
        row(index, from)
        let to = buffer.bytes + index * columns * elementType.byteCount
        switch elementType {
        case .bfloat16:
          let to = to.assumingMemoryBound(to: UInt16.self)
          for column in 0..<columns { to[column] = from[column].bfloat16Bits.littleEndian }
        case .float16:
          let to = to.assumingMemoryBound(to: UInt16.self)
          for column in 0..<columns {
            to[column] = Float16(from[column]).bitPattern.littleEndian
          }
        default: to.copyMemory(from: from, byteCount: columns * 4)
        }
      }
    }
    self.init(
      elementType: elementType, rows: rows, columns: columns,
      bytes: UnsafeRawBufferPointer(start: buffer.bytes, count: byteCount), owner: buffer)
  }
}
