internal import Coordination
internal import FlapCore
internal import Statistics

/// The raw frames after a header: long data, cut into frames of `Limits.chunkBytes`.
enum RawFrames {
  static func cut(_ bytes: [UInt8]) -> [[UInt8]] {
    stride(from: 0, to: bytes.count, by: Limits.chunkBytes).map { start in
      Array(bytes[start..<min(start + Limits.chunkBytes, bytes.count)])
    }
  }

  /// Values as they lie in memory; little-endian, as every host that Swift and flap run on.
  static func cut<Value: BitwiseCopyable>(_ values: [Value]) -> [[UInt8]] {
    values.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: Limits.chunkBytes).map { start in
        Array(bytes[start..<min(start + Limits.chunkBytes, bytes.count)])
      }
    }
  }

  /// The samples of a unit, and its scales.
  static func cut(of unit: WorkUnit) -> [[UInt8]] {
    cut(unit.tokens) + (unit.scales.map { cut(Array($0.taps.joined())) } ?? [])
  }

  /// Bytes in all frames but the header.
  static func byteCount(_ frames: [[UInt8]]) -> Int {
    frames.dropFirst().reduce(0) { $0 + $1.count }
  }

  /// All frames but the header in one.
  static func joinBytes(_ frames: [[UInt8]]) -> [UInt8] { Array(frames.dropFirst().joined()) }
}
