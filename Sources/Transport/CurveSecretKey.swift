/// A secret key of CURVE: printing, logging or dumping it shows nothing of it.
public struct CurveSecretKey: Hashable, Sendable {
  /// 32 bytes: for what carries the key to its owner over a connection that is encrypted.
  package let bytes: [UInt8]

  /// - Parameter bytes: nil unless they are 32.
  public init?(bytes: [UInt8]) {
    guard bytes.count == Z85.keyByteCount else { return nil }
    self.bytes = bytes
  }

  init?(z85: String) {
    guard let bytes = Z85.decodeKey(z85) else { return nil }
    self.bytes = bytes
  }

  /// For what carries the key to its owner, such as a ``ConnectionTicket``.
  package var z85: String { Z85.encode(key: bytes) }
}

extension CurveSecretKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "(secret)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: []) }
}
