/// Unpacks a stream that comes in pieces.
///
/// Not a value: it holds the state of a C library.
public final class StreamUnpacker {
  private let decoder: any StreamDecoder
  private let skipsPadding: Bool
  private var input: [UInt8] = []
  private var position = 0
  /// Whether the last member is whole: a stream may end here.
  public private(set) var isBetweenMembers = false
  /// Whether nothing was unpacked yet: what is refused now is no such format at all.
  public private(set) var isAtStart = true

  public init(_ format: StreamFormat) {
    // Zeros may follow a member (xz-file-format.txt, 2.2).
    skipsPadding = format == .xz
    decoder =
      switch format {
      case .gzip: GzipDecoder()
      case .zstd: ZstdDecoder()
      case .xz: XZDecoder()
      case .lz4: LZ4Decoder()
      }
  }

  /// Whether all input is used up, and nothing more can come without other input.
  public private(set) var needsInput = true

  /// - Precondition: the input before is used up.
  public func setInput(_ bytes: [UInt8]) {
    precondition(position == input.count)
    input = bytes
    position = 0
    needsInput = bytes.isEmpty
  }

  /// Appends some unpacked bytes, `chunkBytes` at the most.
  ///
  /// - Returns: false when the input is not in the format.
  public func unpack(into bytes: inout [UInt8], chunkBytes: Int) -> Bool {
    if isBetweenMembers {
      if skipsPadding {
        while position < input.count, input[position] == 0 { position += 1 }
      }
      guard position < input.count else {
        needsInput = true
        return true
      }
      decoder.reset()
      isBetweenMembers = false
    }
    var step: StreamStep?
    let chunk = [UInt8](unsafeUninitializedCapacity: chunkBytes) { output, count in
      step = input.withUnsafeBytes { input in
        decoder.step(
          UnsafeRawBufferPointer(rebasing: input[position...]),
          UnsafeMutableRawBufferPointer(output))
      }
      count = step?.producedCount ?? 0
    }
    guard let step else { return false }
    bytes.append(contentsOf: chunk)
    position += step.consumedCount
    isAtStart = isAtStart && chunk.isEmpty && !step.endsMember
    isBetweenMembers = step.endsMember
    // A full chunk: there may be more where no input is left.
    needsInput = position == input.count && chunk.count < chunkBytes
    return true
  }
}

struct StreamStep {
  let consumedCount: Int
  let producedCount: Int
  let endsMember: Bool
}

/// A C library's state, between one call and the next.
protocol StreamDecoder: AnyObject {
  /// - Returns: nil when the input is not in the format, or wants more memory than it gets.
  func step(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> StreamStep?
  /// Begins with another member.
  func reset()
}

/// Bounds on what a decoder may take.
enum CompressionLimits {
  /// Memory of a decoder: its window, of `zstd --ultra --long=31` or `xz --lzma2=dict=1536MiB`.
  static let decoderBytes = 2 << 30
  static let threadCount = 4
}
