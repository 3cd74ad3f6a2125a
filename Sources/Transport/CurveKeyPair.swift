internal import CZeroMQ

/// A public key and the secret one that belongs to it.
public struct CurveKeyPair: Hashable, Sendable {
  public let publicKey: CurveKey
  public let secretKey: CurveSecretKey

  /// The pair of `secretKey`: the public key follows from it (`zmq_curve_public`).
  ///
  /// - Throws: ``TransportError`` when the library was built without CURVE.
  public init(secretKey: CurveSecretKey) throws(TransportError) {
    var publicText = [CChar](repeating: 0, count: Z85.keyCharacterCount + 1)
    guard zmq_curve_public(&publicText, secretKey.z85) == 0 else {
      throw .last("derive a public key")
    }
    guard let publicKey = CurveKey(z85: Z85.string(publicText)) else {
      throw TransportError(
        operation: "derive a public key", code: EINVAL, text: "the library gave none")
    }
    self.publicKey = publicKey
    self.secretKey = secretKey
  }

  /// A new pair from the system's randomness (`zmq_curve_keypair`).
  ///
  /// - Throws: ``TransportError`` when the library was built without CURVE.
  public static func generate() throws(TransportError) -> CurveKeyPair {
    var publicText = [CChar](repeating: 0, count: Z85.keyCharacterCount + 1)
    var secretText = publicText
    guard zmq_curve_keypair(&publicText, &secretText) == 0 else { throw .last("make a key pair") }
    guard let publicKey = CurveKey(z85: Z85.string(publicText)),
      let secretKey = CurveSecretKey(z85: Z85.string(secretText))
    else {
      throw TransportError(
        operation: "make a key pair", code: EINVAL, text: "the library gave none")
    }
    return CurveKeyPair(publicKey: publicKey, secretKey: secretKey)
  }

  private init(publicKey: CurveKey, secretKey: CurveSecretKey) {
    self.publicKey = publicKey
    self.secretKey = secretKey
  }
}
