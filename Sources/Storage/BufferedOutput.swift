internal import FlapCore

/// What bytes are written to.
protocol RawFile: ~Copyable {
  mutating func write(_ bytes: UnsafeRawBufferPointer) throws(StorageError)
}

/// Gathers small pieces into large writes, and counts and digests what passes.
struct BufferedOutput {
  private var pending: [UInt8] = []
  private var digest = DigestBuilder()
  private(set) var byteCount = 0

  private static let largestPending = 1 << 20

  mutating func append<File: RawFile & ~Copyable>(
    _ bytes: UnsafeRawBufferPointer, to file: inout File
  ) throws(StorageError) {
    byteCount += bytes.count
    digest.update(bytes)
    if pending.count + bytes.count > BufferedOutput.largestPending { try flush(to: &file) }
    if bytes.count >= BufferedOutput.largestPending {
      try file.write(bytes)
    } else {
      pending.append(contentsOf: bytes)
    }
  }

  mutating func flush<File: RawFile & ~Copyable>(to file: inout File) throws(StorageError) {
    guard !pending.isEmpty else { return }
    var failure: StorageError?
    pending.withUnsafeBytes { bytes in
      do throws(StorageError) { try file.write(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
    pending.removeAll(keepingCapacity: true)
  }

  /// SHA-256 of all that was appended.
  consuming func finish() -> Digest { digest.finalize() }
}

/// Takes bytes one after another.
public protocol ByteOutput: ~Copyable {
  mutating func write(_ bytes: UnsafeRawBufferPointer) throws(StorageError)
}

extension ByteOutput where Self: ~Copyable {
  public mutating func write(_ bytes: [UInt8]) throws(StorageError) {
    var failure: StorageError?
    bytes.withUnsafeBytes { bytes in
      do throws(StorageError) { try write(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
