/// Where the integers of a sum lie in its bytes: sums of different samples are added piece by piece,
/// without one of them being in memory as a whole.
public struct IntegerLayout: Hashable, Sendable {
  /// Integers of one width, side by side.
  private struct Segment: Hashable, Sendable {
    /// 4 or 8 bytes.
    let width: Int
    let bytes: Range<Int>
  }

  private let segments: [Segment]

  /// - Parameter segments: widths in bytes, 4 or 8, and counts, one after the other.
  init(_ segments: [(width: Int, count: Int)]) {
    var next = 0
    self.segments = segments.map { segment in
      precondition(segment.width == 4 || segment.width == 8, "sums are of 32 or 64 bits")
      defer { next += segment.width * segment.count }
      return Segment(width: segment.width, bytes: next..<next + segment.width * segment.count)
    }
  }

  public var byteCount: Int { segments.last?.bytes.upperBound ?? 0 }

  /// Ranges that cover the bytes in order, each of at most so many, none of which cuts an integer.
  ///
  /// - Parameter limit: a multiple of 8.
  public func pieces(ofAtMost limit: Int) -> [Range<Int>] {
    precondition(limit > 0 && limit % 8 == 0, "pieces are of whole integers")
    return segments.flatMap { segment in
      stride(from: segment.bytes.lowerBound, to: segment.bytes.upperBound, by: limit).map {
        $0..<min($0 + limit, segment.bytes.upperBound)
      }
    }
  }

  /// sum[range] += piece. Without a trap: honest sums do not overflow.
  ///
  /// - Precondition: the range is one of ``pieces(ofAtMost:)``, and the piece has its size.
  public func add(
    _ piece: UnsafeRawBufferPointer, at range: Range<Int>, to sum: UnsafeMutableRawPointer
  ) {
    guard
      let segment = segments.first(where: {
        $0.bytes.lowerBound <= range.lowerBound && range.upperBound <= $0.bytes.upperBound
      }), piece.count == range.count
    else { preconditionFailure("a piece of other sums") }
    let target = sum + range.lowerBound
    if segment.width == 4 {
      IntegerLayout.add(piece, to: target, as: Int32.self)
    } else {
      IntegerLayout.add(piece, to: target, as: Int64.self)
    }
  }

  /// What follows a triangle need not lie at a multiple of 8 bytes.
  private static func add<Number: FixedWidthInteger & BitwiseCopyable>(
    _ piece: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer, as _: Number.Type
  ) {
    for offset in stride(from: 0, to: piece.count, by: MemoryLayout<Number>.size) {
      let sum =
        target.loadUnaligned(fromByteOffset: offset, as: Number.self)
        &+ piece.loadUnaligned(fromByteOffset: offset, as: Number.self)
      target.storeBytes(of: sum, toByteOffset: offset, as: Number.self)
    }
  }
}
