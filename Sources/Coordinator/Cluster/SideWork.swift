internal import Kernels
internal import Synchronization
internal import Transport

/// Something that is done on a thread of its own.
final class SideWork<Value: Sendable>: Sendable {
  private let outcome = Mutex<Result<Value, any Error>?>(nil)

  /// - Parameter wakeUp: is signalled at the end.
  init(_ wakeUp: WakeUp, _ body: @escaping @Sendable () throws -> Value) {
    SystemThread.start(name: "aside", stackBytes: 8 << 20) { [self] in
      let made = Result { try body() }
      outcome.withLock { $0 = made }
      wakeUp.signal()
    }
  }

  /// nil until it is done.
  var result: Result<Value, any Error>? { outcome.withLock { $0 } }
}
