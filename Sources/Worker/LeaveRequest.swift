internal import Dispatch
internal import Glibc
internal import Synchronization
internal import Transport

/// SIGTERM and Ctrl-C: a preempted machine, an administrator. The thread that talks is woken; a
/// second signal ends the process at once.
final class LeaveRequest {
  private final class Received: Sendable {
    let number = Atomic<Int32>(0)
  }

  private let received = Received()
  private let sources: [any DispatchSourceSignal]

  init(wakeUp: WakeUp) {
    sources = [SIGTERM, SIGINT].map { [received] number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        if received.number.exchange(number, ordering: .relaxed) != 0 { _exit(128 + number) }
        wakeUp.signal()
      }
      source.resume()
      return source
    }
  }

  deinit { for source in sources { source.cancel() } }

  /// Why the worker is to leave, once it is.
  var reason: String? {
    switch received.number.load(ordering: .relaxed) {
    case 0: nil
    case SIGINT: "it was interrupted (SIGINT)"
    default: "it was asked to (SIGTERM)"
    }
  }
}
