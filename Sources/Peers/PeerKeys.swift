public import Transport

/// What all workers of an encrypted run share: one key pair, with which each of them serves and
/// asks. Who cannot prove that it owns this very pair is not talked to, on either side.
///
/// The coordinator makes it, and sends the secret to each worker over the encrypted connection
/// that it has with it. Printing it shows nothing of the secret.
public struct PeerKeys: Hashable, Sendable {
  let pair: CurveKeyPair

  public init(_ pair: CurveKeyPair) { self.pair = pair }

  /// The keys of a secret that was received: the public one follows from it.
  ///
  /// - Parameter secret: nil unless it is 32 bytes.
  /// - Throws: `TransportError` when the library was built without CURVE.
  public init?(secret: [UInt8]) throws(TransportError) {
    guard let secretKey = CurveSecretKey(bytes: secret) else { return nil }
    pair = try CurveKeyPair(secretKey: secretKey)
  }

  /// 32 bytes, to be read again by ``init(secret:)``.
  package var secret: [UInt8] { pair.secretKey.bytes }

  /// For the socket of who asks.
  var clientSecurity: SocketSecurity { .curveClient(server: pair.publicKey, pair) }

  /// For the socket of who serves.
  func serverSecurity(in context: MessagingContext) throws(TransportError) -> SocketSecurity {
    .curveServer(
      pair.secretKey, try Authenticator(context: context, allowing: [pair.publicKey]))
  }
}
