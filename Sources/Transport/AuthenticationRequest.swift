/// A question of ZeroMQ's Authentication Protocol, version 1.0 (RFC 27), and how to answer it.
///
/// Its frames: version, request identity, domain, address, routing identity, mechanism, and the
/// credentials; for CURVE these are the client's public key, which the handshake has proven.
struct AuthenticationRequest {
  static let endpoint = "inproc://zeromq.zap.01"
  static let domain = "flap"
  private static let version = Array("1.0".utf8)
  private static let frameCountBeforeCredentials = 6

  /// What the answer must repeat; empty when there is none.
  let identity: [UInt8]
  /// The client's IP address; empty when there is none.
  let address: String
  let claim: Claim

  enum Claim: Hashable {
    case key(CurveKey)
    case nothing(Refusal.Reason)
  }

  init(frames: [[UInt8]]) {
    identity = frames.count > 1 ? frames[1] : []
    address = frames.count > 3 ? Self.text(frames[3]) : ""
    claim = Self.claim(in: frames)
  }

  /// Status 200 with the key's text as the client's name, which ZeroMQ then attaches to all
  /// that the client sends.
  func acceptance(of key: CurveKey) -> [[UInt8]] {
    answer(status: "200", text: "OK", userID: key.z85)
  }

  /// Status 400, which tells the client nothing about why.
  var refusal: [[UInt8]] { answer(status: "400", text: "Refused", userID: "") }

  private func answer(status: String, text: String, userID: String) -> [[UInt8]] {
    [Self.version, identity, Array(status.utf8), Array(text.utf8), Array(userID.utf8), []]
  }

  private static func claim(in frames: [[UInt8]]) -> Claim {
    guard frames.count >= frameCountBeforeCredentials, frames[0] == version,
      frames[2] == Array(domain.utf8)
    else { return .nothing(.malformedRequest) }
    guard frames[5] == Array("CURVE".utf8) else { return .nothing(.otherMechanism) }
    guard frames.count == frameCountBeforeCredentials + 1, let key = CurveKey(bytes: frames[6])
    else { return .nothing(.malformedRequest) }
    return .key(key)
  }

  /// Fit for a log, whatever the bytes.
  private static func text(_ bytes: [UInt8]) -> String {
    String(decoding: bytes.prefix(64).filter { (0x21...0x7E).contains($0) }, as: UTF8.self)
  }
}
