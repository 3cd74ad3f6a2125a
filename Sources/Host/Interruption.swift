internal import Dispatch
internal import Glibc
internal import Synchronization

/// Ctrl-C and SIGTERM: a person, an administrator, a machine that is preempted. They are noticed
/// between two steps of what is going on, so that nothing half-written stays. A second one ends the
/// process at once; so does the first when this is gone.
public final class Interruption {
  private final class Received: Sendable {
    let number = Atomic<Int32>(0)
  }

  private static let numbers = [SIGINT, SIGTERM]

  private let received = Received()
  private let sources: [any DispatchSourceSignal]

  /// - Parameter notify: called from another thread when the signal comes.
  public init(_ notify: @escaping @Sendable () -> Void = {}) {
    sources = Interruption.numbers.map { [received] number in
      // Else it would end the process before anybody could notice.
      Glibc.signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        if received.number.exchange(number, ordering: .relaxed) != 0 { _exit(128 + number) }
        notify()
      }
      source.resume()
      return source
    }
  }

  deinit {
    for source in sources { source.cancel() }
    // Dispatch blocks a signal in the thread that it came to.
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in Interruption.numbers {
      Glibc.signal(number, SIG_DFL)
      sigaddset(&signals, number)
    }
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  /// The name of the signal that has come; nil: none has.
  public var signalName: String? {
    switch received.number.load(ordering: .relaxed) {
    case 0: nil
    case SIGINT: "SIGINT"
    default: "SIGTERM"
    }
  }

  /// Whether a signal has come.
  public var isRequested: Bool { signalName != nil }
}
