/// The keys of a coordinator whose workers are started independently of it: its own, and those of
/// the workers that may join. As ``text`` they lie in a file that only its owner can read.
public struct CoordinatorKeys: Hashable, Sendable {
  public let server: CurveKeyPair
  public let allowedClients: Set<CurveKey>

  public init(server: CurveKeyPair, allowedClients: Set<CurveKey>) {
    self.server = server
    self.allowedClients = allowedClients
  }

  private static let firstLine = "flap-keys 1"
  private static let lastLine = "end"

  public var text: String {
    let clients = allowedClients.map(\.z85).sorted().map { "allow \($0)" }
    return
      ([Self.firstLine, "server-secret-key \(server.secretKey.z85)"] + clients
      + [Self.lastLine, ""]).joined(separator: "\n")
  }

  /// Reads what ``text`` writes.
  ///
  /// - Throws: ``KeyFileError``, which shows nothing of the text: it holds keys.
  public init(text: String) throws(KeyFileError) {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
    guard lines.popFirst().map(String.init) == Self.firstLine else { throw KeyFileError(line: 1) }
    if lines.last?.isEmpty == true { lines.removeLast() }
    guard lines.popLast().map(String.init) == Self.lastLine else {
      throw KeyFileError(line: lines.count + 2)
    }
    var secret: CurveSecretKey?
    var clients: Set<CurveKey> = []
    for (number, line) in zip(2..., lines) {
      let parts = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2 else { throw KeyFileError(line: number) }
      switch (parts[0], secret) {
      case ("server-secret-key", nil): secret = CurveSecretKey(z85: parts[1])
      case ("allow", _): CurveKey(z85: parts[1]).map { _ = clients.insert($0) }
      default: throw KeyFileError(line: number)
      }
      guard secret != nil || clients.count > 0 else { throw KeyFileError(line: number) }
    }
    guard let secret, clients.count == lines.count - 1,
      let pair = try? CurveKeyPair(secretKey: secret)
    else { throw KeyFileError(line: nil) }
    server = pair
    allowedClients = clients
  }
}

/// Why a text is none of ``CoordinatorKeys``.
public struct KeyFileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// From 1; nil when no single line is to blame.
  public let line: Int?

  public var description: String {
    "key file\(line.map { ", line \($0)" } ?? ""): not as flap-coord keys writes it; make a new one"
  }
}
