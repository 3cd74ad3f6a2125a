public import FlapCore

/// What one worker asks of another: a part of a file that is known by its digest.
public struct PeerRequest: Hashable, Sendable {
  /// Of the whole file.
  public let digest: Digest
  /// Of the first byte that is asked for, from the start of the file.
  public let offset: Int
  /// 1…`Limits.chunkBytes`.
  public let byteCount: Int

  public init(digest: Digest, offset: Int, byteCount: Int) {
    self.digest = digest
    self.offset = offset
    self.byteCount = byteCount
  }

  /// Where in the file.
  public var range: Range<Int> { offset..<offset + byteCount }
}

/// The answer to a ``PeerRequest``.
public struct PeerReply: Hashable, Sendable {
  public let digest: Digest
  public let offset: Int
  /// 1…`Limits.chunkBytes` of them; nil when there is no such part, or no longer.
  public let bytes: [UInt8]?

  public init(digest: Digest, offset: Int, bytes: [UInt8]?) {
    self.digest = digest
    self.offset = offset
    self.bytes = bytes
  }

  /// - Throws: ``WireError`` when this is no answer to `request`.
  public func check(answers request: PeerRequest) throws(WireError) {
    guard digest == request.digest else {
      throw .invalid(field: "digest of a reply", reason: digest.hexadecimal)
    }
    guard offset == request.offset else {
      throw .invalid(field: "offset of a reply", reason: "\(offset)")
    }
    guard let bytes, bytes.count != request.byteCount else { return }
    throw .rawByteCount(of: "a reply", expected: request.byteCount, found: bytes.count)
  }
}
