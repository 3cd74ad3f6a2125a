/// Who may talk over a ``Socket``, and whether others can read along.
public enum SocketSecurity: Sendable {
  /// Anybody may; nothing is encrypted.
  case plain
  /// The side that checks keys (CURVE, RFC 26): only clients whose public key the authenticator
  /// allows get through; with the authenticator stopped, none does.
  case curveServer(CurveSecretKey, Authenticator)
  /// The side that shows a key, to a server that must own the secret of `server`.
  case curveClient(server: CurveKey, CurveKeyPair)
}
