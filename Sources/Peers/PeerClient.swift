public import FlapCore
public import Transport
internal import Wire

/// Fetches files from other workers' ``PeerServer``s; one thread at a time may use it.
///
/// A connection is kept for the next file of the same server, and closed with everything that is
/// under way on it when a fetch fails or is given up: nothing of one fetch reaches another.
public final class PeerClient {
  private let context: MessagingContext
  private let security: SocketSecurity
  /// Those that no fetch uses, the one used last at the end.
  private var connections: [PeerConnection] = []

  /// - Parameter keys: nil for a run without encryption.
  public init(keys: PeerKeys?) throws(TransportError) {
    context = try MessagingContext()
    security = keys?.clientSecurity ?? .plain
  }

  /// Asks for parts of a file and hands them on, in order. Several are under way at once, at most
  /// ``PeerLimits/requestsInFlight``. Whether all of them together have the digest, the caller
  /// checks.
  ///
  /// - Parameters:
  ///   - byteCount: of the whole file.
  ///   - ranges: within the file, each of 1…`Limits.chunkBytes` bytes.
  ///   - patience: how long to wait for each part.
  ///   - isAbandoned: asked many times a second; once true, the fetch ends.
  ///   - take: gets each range and its bytes. What it throws ends the fetch.
  /// - Throws: ``PeerError``, a `TransportError`, or what `take` throws.
  public func fetch(
    _ digest: Digest, byteCount: Int, from endpoint: String, ranges: some Sequence<Range<Int>>,
    patience: Duration, isAbandoned: () -> Bool, take: (Range<Int>, [UInt8]) throws -> Void
  ) throws {
    let connection = try takeConnection(to: endpoint)
    var rest = ranges.makeIterator()
    var asked: [PeerRequest] = []
    func ask() throws {
      while asked.count < PeerLimits.requestsInFlight, let range = rest.next() {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "A part of the file.")
        let request = PeerRequest(digest: digest, offset: range.lowerBound, byteCount: range.count)
        try connection.ask(request)
        asked.append(request)
      }
    }
    try ask()
    while let request = asked.first {
      let reply = try connection.next(patience: patience, isAbandoned: isAbandoned)
      let bytes = try bytes(of: reply, to: asked, endpoint: endpoint)
      asked.removeFirst()
      // Before the bytes are used: meanwhile the server goes on.
      try ask()
      try take(request.range, bytes)
    }
    keep(connection)
  }

  /// - Parameter asked: what is not answered yet: answers come in its order.
  private func bytes(
    of reply: PeerReply, to asked: [PeerRequest], endpoint: String
  ) throws(PeerError) -> [UInt8] {
    do {
      try reply.check(answers: asked[0])
    } catch {
      // Answers before this one are lost only when the connection broke and was made anew.
      guard !asked.contains(where: { (try? reply.check(answers: $0)) != nil }) else {
        throw .unreachable(endpoint: endpoint)
      }
      throw .malformed(endpoint: endpoint, reason: "\(error)")
    }
    guard let bytes = reply.bytes else { throw .gone(endpoint: endpoint) }
    return bytes
  }

  // MARK: Connections

  /// One that is there, or a new one. Whoever fails while using it does not give it back.
  private func takeConnection(to endpoint: String) throws(TransportError) -> PeerConnection {
    connections.removeAll { !$0.isConnected() }
    guard let index = connections.firstIndex(where: { $0.endpoint == endpoint }) else {
      return try PeerConnection(to: endpoint, context: context, security: security)
    }
    return connections.remove(at: index)
  }

  private func keep(_ connection: PeerConnection) {
    connections.append(connection)
    if connections.count > PeerLimits.keptConnections { connections.removeFirst() }
  }
}
