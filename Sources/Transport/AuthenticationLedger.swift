internal import Synchronization

/// What an ``Authenticator`` and its thread share: who may join, and who was refused.
final class AuthenticationLedger: Sendable {
  private struct Entries {
    var allowed: Set<CurveKey>
    var refusalCount = 0
    var untold = RefusalQueue()
    var failure: TransportError?

    mutating func record(_ refusal: Refusal) {
      refusalCount += 1
      untold.append(refusal)
    }
  }

  private let entries: Mutex<Entries>

  init(allowing keys: Set<CurveKey>) {
    entries = Mutex(Entries(allowed: keys))
  }

  func allow(_ keys: Set<CurveKey>) { entries.withLock { $0.allowed = keys } }

  func allow(_ key: CurveKey) { entries.withLock { _ = $0.allowed.insert(key) } }

  func revoke(_ key: CurveKey) { entries.withLock { _ = $0.allowed.remove(key) } }

  /// - Returns: the frames of the answer to `request`; a refusal is recorded.
  func answer(_ request: AuthenticationRequest) -> [[UInt8]] {
    entries.withLock { entries in
      let reason: Refusal.Reason
      switch request.claim {
      case .key(let key) where entries.allowed.contains(key): return request.acceptance(of: key)
      case .key(let key): reason = .unknownKey(key)
      case .nothing(let why): reason = why
      }
      entries.record(Refusal(address: request.address, reason: reason))
      return request.refusal
    }
  }

  func record(_ refusal: Refusal) { entries.withLock { $0.record(refusal) } }

  func record(_ failure: TransportError) { entries.withLock { $0.failure = failure } }

  var failure: TransportError? { entries.withLock(\.failure) }

  var refusalCount: Int { entries.withLock(\.refusalCount) }

  /// The last refusals since the last call, and the count of all since then.
  func take() -> (refusals: [Refusal], count: Int) { entries.withLock { $0.untold.take() } }
}
