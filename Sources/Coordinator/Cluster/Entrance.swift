internal import FlapCore
internal import Host
internal import Launching
internal import Storage
internal import SystemPackage
internal import Transport

/// Where workers come in: the coordinator's socket, and the keys that let them through.
struct Entrance: ~Copyable {
  let socket: Socket
  /// Where workers connect to.
  let endpoint: String
  private let runID: String
  /// nil for a run without encryption.
  private let lock: Lock?
  /// By which the workers of the run know each other; empty without encryption.
  let peerSecret: [UInt8]
  private var refusals: RefusalLines
  /// Which process was given the key that a worker has shown.
  private var membersByUser: [String: Fleet.Member] = [:]

  private struct Lock {
    let authenticator: Authenticator
    let keys: CurveKeyPair

    init(_ plan: ClusterPlan, _ context: MessagingContext) throws {
      let file = try plan.options.keyFile.map { path in
        let file = try SecretFile(path, limit: Limits.keyFileBytes)
        try file.checkPrivacy()
        return try CoordinatorKeys(text: String(decoding: file.bytes, as: UTF8.self))
      }
      keys = try file?.server ?? CurveKeyPair.generate()
      authenticator = try Authenticator(
        context: context, allowing: file?.allowedClients ?? [])
    }
  }

  /// Listens; with keys unless the plan says otherwise.
  init(_ plan: ClusterPlan, runID: String) throws {
    Host.raiseDescriptorLimit()
    let context = try MessagingContext()
    let lock = try plan.options.isInsecure ? nil : Lock(plan, context)
    let peerSecret = lock == nil ? [] : try CurveKeyPair.generate().secretKey.bytes
    let socket = try Socket(
      context: context, kind: .router,
      security: lock.map { .curveServer($0.keys.secretKey, $0.authenticator) } ?? .plain)
    endpoint = try socket.bind(try ListenAddress(plan).endpoint)
    self.runID = runID
    self.peerSecret = peerSecret
    self.lock = lock
    self.socket = socket
    refusals = RefusalLines(of: lock?.authenticator)
  }

  /// What a worker needs to join: keys of its own.
  ///
  /// - Parameter member: the process that it is for, if this program starts one.
  mutating func ticket(for member: Fleet.Member?) throws -> ConnectionTicket {
    guard let lock else { return try ConnectionTicket(endpoint: endpoint, run: runID, keys: nil) }
    let client = try CurveKeyPair.generate()
    lock.authenticator.allow(client.publicKey)
    if let member { membersByUser[client.publicKey.z85] = member }
    return try ConnectionTicket(
      endpoint: endpoint, run: runID, keys: .init(server: lock.keys.publicKey, client: client))
  }

  /// Writes a ticket that any number of workers may use into a file that only its owner reads.
  mutating func writeConnectFile(_ path: FilePath?) throws {
    guard let path else { return }
    try AtomicFile.write(
      Array(try ticket(for: nil).text.utf8), to: path, permissions: .ownerReadWrite)
  }

  /// The process that a message's sender was started as, as its key proves.
  func member(of message: Message) -> Fleet.Member? {
    message.userID.flatMap { membersByUser[$0] }
  }

  /// Notes a message that says nothing that can be understood.
  mutating func noteUnreadable(_ message: Message, because reason: String) {
    refusals.note(Refusal(address: message.address, reason: .unreadableMessage(reason)))
  }

  /// - Throws: why nobody checks keys any more: nobody else could join.
  func checkLock() throws(TransportError) {
    if let failure = lock?.authenticator.failure { throw failure }
  }

  /// To be called when hosts have probed the port.
  mutating func forgetProbes() { refusals.forgetProbes() }

  /// Lines for the log about who was turned away; few, however many those are.
  mutating func takeRefusals() -> [String] { refusals.take() }
}

/// Where to listen: `ADDRESS`, `INTERFACE`, either with `:PORT`; an IPv6 address in brackets.
struct ListenAddress {
  let host: String
  /// nil: any free one.
  let port: UInt16?

  /// For `zmq_bind`.
  var endpoint: String { "tcp://\(host):\(port.map(String.init) ?? "*")" }

  /// - Throws: ``UsageError``.
  init(_ text: String) throws {
    let parts = text.hasPrefix("[") ? ListenAddress.bracketed(text) : ListenAddress.plain(text)
    guard case (let host, let port)? = parts, !host.isEmpty else {
      throw UsageError("--listen \(text): write ADDRESS:PORT, INTERFACE:PORT or either alone")
    }
    guard !["*", "0.0.0.0", "[::]"].contains(host) else {
      throw UsageError(
        "--listen \(text): name the address or interface by which workers reach this host")
    }
    self.host = host
    guard let port else {
      self.port = nil
      return
    }
    guard let number = UInt16(port), number > 0 else {
      throw UsageError("--listen \(text): a port is a number from 1 to 65535")
    }
    self.port = number
  }

  /// What the options say, or what the launcher needs.
  init(_ plan: ClusterPlan) throws {
    if let listen = plan.options.listen {
      self = try ListenAddress(listen)
      return
    }
    switch plan.launcher {
    case .local, .none: host = "127.0.0.1"
    case .ssh(let hosts): host = try ListenAddress.address(towards: hosts[0].host)
    case .slurm(let allocation):
      // The last node: the first is often this one.
      host = try ListenAddress.address(towards: allocation.nodeNames.last!)
    }
    port = nil
  }

  private static func address(towards name: String) throws -> String {
    guard let address = Host.sourceAddress(towards: name) else {
      throw UsageError(
        "cannot tell by which address \(name) reaches this host: name it with --listen")
    }
    return address.contains(":") ? "[\(address)]" : address
  }

  private static func bracketed(_ text: String) -> (String, String?)? {
    guard let end = text.firstIndex(of: "]") else { return nil }
    let host = String(text[...end])
    let rest = text[text.index(after: end)...]
    if rest.isEmpty { return (host, nil) }
    return rest.first == ":" ? (host, String(rest.dropFirst())) : nil
  }

  private static func plain(_ text: String) -> (String, String?)? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    return parts.count <= 2 ? (parts[0], parts.count == 2 ? parts[1] : nil) : nil
  }
}
