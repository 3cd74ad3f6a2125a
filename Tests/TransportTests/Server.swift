import Testing
import Transport

/// A router with CURVE on the loopback interface, its authenticator, and clients for it.
final class Server {
  let context: MessagingContext
  let authenticator: Authenticator
  let keys: CurveKeyPair
  let router: Socket
  let endpoint: String

  init() throws {
    context = try MessagingContext()
    authenticator = try Authenticator(context: context)
    keys = try CurveKeyPair.generate()
    router = try Socket(
      context: context, kind: .router, security: .curveServer(keys.secretKey, authenticator))
    endpoint = try router.bind("tcp://127.0.0.1:*")
  }

  func client(_ pair: CurveKeyPair, endpoint: String? = nil) throws -> Socket {
    try client(
      security: .curveClient(server: keys.publicKey, pair), endpoint: endpoint)
  }

  /// In a context of its own, as in another process.
  func client(security: SocketSecurity, endpoint: String? = nil) throws -> Socket {
    let client = try Socket(context: MessagingContext(), kind: .dealer, security: security)
    try client.connect(endpoint ?? self.endpoint)
    return client
  }

  /// Waits until as many were refused, receiving all the while.
  ///
  /// - Returns: whether nothing came through until then, or shortly after.
  func refuses(_ count: Int) throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(20)
    while authenticator.refusalCount < count {
      guard ContinuousClock.now < deadline, try router.nothingArrives(within: .milliseconds(20))
      else { return false }
    }
    return try router.nothingArrives(within: .milliseconds(100))
      && authenticator.refusalCount == count
  }

  func expectGoodClientGetsThrough(sourceLocation: SourceLocation = #_sourceLocation) throws {
    let good = try CurveKeyPair.generate()
    authenticator.allow(good.publicKey)
    let client = try client(good)
    try client.send([[9]])
    let message = try router.next()
    try #require(message.userID == good.publicKey.z85, sourceLocation: sourceLocation)
    try #require(message.frames == [[9]], sourceLocation: sourceLocation)
  }
}

extension Socket {
  /// - Returns: whether nothing arrived for a while, or what did was dropped.
  borrowing func nothingArrives(
    within duration: Duration = .milliseconds(200)
  ) throws -> Bool {
    let deadline = ContinuousClock.now + duration
    while ContinuousClock.now < deadline {
      if try receive() != nil { return false }
      _ = try Poller.wait(for: self, descriptors: [], timeout: .milliseconds(20))
    }
    return true
  }
}
