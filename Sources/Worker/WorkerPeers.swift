internal import FlapCore
internal import Host
internal import Peers
internal import Transport

/// The other workers of a run: they are given what this one holds, and asked for what they hold.
struct WorkerPeers {
  /// By which they know each other; empty: of a run without encryption.
  let secret: [UInt8]
  let server: PeerServer
  let client: PeerClient

  /// - Parameter coordinator: its endpoint: others reach this host where the coordinator does.
  /// - Returns: nil where nobody can be listened to.
  init?(_ sums: SumStore, secret: [UInt8], coordinator: String) {
    guard let ticket = try? ConnectionTicket(endpoint: coordinator, run: "peers", keys: nil),
      let address = Host.sourceAddress(towards: ticket.hostAndPort.host)
    else { return nil }
    do {
      let keys = try PeerKeys(secret: secret)
      guard secret.isEmpty || keys != nil else { return nil }
      server = try PeerServer(host: address, keys: keys) { sums.find($0) }
      client = try PeerClient(keys: keys)
      self.secret = secret
    } catch {
      return nil
    }
  }
}
