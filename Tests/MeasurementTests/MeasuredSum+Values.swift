import Measurement
import Statistics

extension MeasuredSum {
  /// In the layout in which it is written.
  var bytes: [UInt8] {
    pieces.reduce(into: withUnsafeBytes(of: UInt64(count).littleEndian) { Array($0) }) { $0 += $1 }
  }
}

extension IntegerLayout {
  func sum(_ parts: [[UInt8]]) -> [UInt8] {
    var sum = [UInt8](repeating: 0, count: byteCount)
    sum.withUnsafeMutableBytes { sum in
      for part in parts {
        for piece in pieces(ofAtMost: 1 << 20) {
          part.withUnsafeBytes {
            add(UnsafeRawBufferPointer(rebasing: $0[piece]), at: piece, to: sum.baseAddress!)
          }
        }
      }
    }
    return sum
  }
}
