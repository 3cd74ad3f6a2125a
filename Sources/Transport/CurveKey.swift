/// A public key of CURVE (RFC 26; Curve25519): it names who owns the secret one.
public struct CurveKey: Hashable, Sendable {
  /// 32 bytes.
  let bytes: [UInt8]

  /// - Parameter z85: 40 characters (RFC 32); nil when they are not the text of 32 bytes.
  public init?(z85: String) {
    guard let bytes = Z85.decodeKey(z85) else { return nil }
    self.bytes = bytes
  }

  /// - Parameter bytes: nil unless they are 32.
  public init?(bytes: [UInt8]) {
    guard bytes.count == Z85.keyByteCount else { return nil }
    self.bytes = bytes
  }

  /// 40 characters, to be read again by ``init(z85:)``.
  public var z85: String { Z85.encode(key: bytes) }
}

extension CurveKey: CustomStringConvertible {
  public var description: String { z85 }
}
