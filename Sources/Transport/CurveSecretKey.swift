/// A secret key of CURVE: printing, logging or dumping it shows nothing of it.
public struct CurveSecretKey: Hashable, Sendable {
  /// 32 bytes.
  let bytes: [UInt8]

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
