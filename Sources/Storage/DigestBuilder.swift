public import FlapCore

internal import struct Crypto.SHA256

/// SHA-256 over bytes that come in pieces.
public struct DigestBuilder {
  private var hash = SHA256()

  public init() {}

  public mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

  public mutating func update(_ text: String) { hash.update(data: Array(text.utf8)) }

  public func finalize() -> Digest { Digest(bytes: hash.finalize())! }
}

extension Digest {
  /// SHA-256 of the bytes.
  public init(hashing bytes: UnsafeRawBufferPointer) {
    var builder = DigestBuilder()
    builder.update(bytes)
    self = builder.finalize()
  }

  public init(hashing bytes: [UInt8]) {
    self = bytes.withUnsafeBytes { Digest(hashing: $0) }
  }
}
