internal import Coordination
internal import FlapCore
internal import Storage

/// A result that looks real, cut into the chunks in which it is sent; shared by all who send it.
struct SyntheticReport {
  let byteCount: Int
  let digest: Digest
  private let chunks: [[UInt8]]

  init(_ bytes: [UInt8]) {
    byteCount = bytes.count
    digest = Digest(hashing: bytes)
    chunks = stride(from: 0, to: bytes.count, by: Limits.chunkBytes).map { start in
      Array(bytes[start..<min(start + Limits.chunkBytes, bytes.count)])
    }
  }

  /// - Precondition: `range` is one of the chunks that ``WorkerMachine`` cuts.
  func chunk(_ range: Range<Int>) -> [UInt8] {
    precondition(range.lowerBound % Limits.chunkBytes == 0, "chunks begin where they were cut")
    let chunk = chunks[range.lowerBound / Limits.chunkBytes]
    precondition(chunk.count == range.count, "chunks are whole")
    return chunk
  }
}
