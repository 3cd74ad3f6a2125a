internal import Synchronization

/// Decides which clients may join the CURVE servers of one context: the handler of ZeroMQ's
/// Authentication Protocol (RFC 27), on a thread of its own.
///
/// A client gets in when it proves that it owns a key on the list; everything else is refused.
/// Whom ZeroMQ turns away before it asks for a decision is counted among the refused.
/// All methods may be called from any thread.
public final class Authenticator: Sendable {
  /// Refusals that are kept for ``takeRefusals()``.
  public static let keptRefusalCount = 16

  /// ZeroMQ looks for the handler in the context of the socket that asks.
  let context: MessagingContext
  let ledger: AuthenticationLedger
  private let thread: Mutex<AuthenticationThread?>

  /// Starts with `keys` allowed.
  ///
  /// - Throws: ``TransportError`` when the context has an authenticator already, or the system
  ///   refuses a thread.
  public init(context: MessagingContext, allowing keys: Set<CurveKey> = []) throws(TransportError) {
    self.context = context
    ledger = AuthenticationLedger(allowing: keys)
    thread = Mutex(try AuthenticationThread(context: context, ledger: ledger))
  }

  deinit { stop() }

  /// Ends the thread: from here on every handshake fails, whatever the key. Connections that
  /// were made stay.
  public func stop() {
    thread.withLock { thread in
      thread?.end()
      thread = nil
    }
  }

  /// What ended the thread, other than ``stop()``: nobody can join any more. nil while it runs.
  public var failure: TransportError? { ledger.failure }

  // MARK: The list

  /// Replaces the list of clients that may join from now on; who has joined stays.
  public func allow(_ keys: Set<CurveKey>) { ledger.allow(keys) }

  /// Lets one more client join. One that tried before must connect anew: ZeroMQ tries no further
  /// after a refusal.
  public func allow(_ key: CurveKey) { ledger.allow(key) }

  /// Takes a client off the list: it cannot join again. A connection it has stays until it ends.
  public func revoke(_ key: CurveKey) { ledger.revoke(key) }

  // MARK: Refusals

  /// Refusals since the start.
  public var refusalCount: Int { ledger.refusalCount }

  /// The last refusals since the last call, oldest first, at most ``keptRefusalCount``.
  public func takeRefusals() -> [Refusal] { ledger.take().refusals }

  /// Counts a message that a server socket drops for want of a proven key.
  func recordUnidentifiedMessage(from address: String) {
    ledger.record(Refusal(address: address, reason: .unidentifiedMessage))
  }
}
