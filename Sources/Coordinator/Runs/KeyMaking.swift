internal import Storage
public import SystemPackage
internal import Transport

/// `flap-coord keys`: the secrets of a coordinator and of its workers, for those who start both on
/// their own (Kubernetes, systemd).
public struct KeyMaking: Sendable {
  let endpoint: String
  let coordinator: FilePath
  let worker: FilePath

  public init(endpoint: String, coordinator: FilePath, worker: FilePath) {
    self.endpoint = endpoint
    self.coordinator = coordinator
    self.worker = worker
  }

  public func run() throws {
    let server = try CurveKeyPair.generate()
    let client = try CurveKeyPair.generate()
    let ticket = try ConnectionTicket(
      endpoint: endpoint, run: "any", keys: .init(server: server.publicKey, client: client))
    let keys = CoordinatorKeys(server: server, allowedClients: [client.publicKey])
    try AtomicFile.write(
      Array(keys.text.utf8), to: coordinator, permissions: .ownerReadWrite)
    try AtomicFile.write(Array(ticket.text.utf8), to: worker, permissions: .ownerReadWrite)
  }
}
