internal import Dispatch
internal import Glibc
internal import Synchronization

/// Ctrl-C and SIGTERM: a person, an administrator, a machine that is preempted. They are noticed
/// between two steps of what is going on, so that nothing half-written stays. A second one ends the
/// process at once; when this is gone, the first does what it did before.
public final class Interruption {
  private final class Received: Sendable {
    let number = Atomic<Int32>(0)
  }

  private static let numbers = [SIGINT, SIGTERM]

  private let received = Received()
  private let sources: [any DispatchSourceSignal]
  /// What the signals did before (signal(2)).
  private let earlier: [__sighandler_t?]

  /// - Parameter notify: called from another thread when the signal comes.
  public init(_ notify: @escaping @Sendable () -> Void = {}) {
    // Else it would end the process before anybody could notice.
    earlier = Interruption.numbers.map { Glibc.signal($0, SIG_IGN) }
    sources = Interruption.numbers.map { [received] number in
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        if received.number.exchange(number, ordering: .relaxed) != 0 {
          _exit(Interruption.exitCode(number))
        }
        notify()
      }
      source.resume()
      return source
    }
  }

  deinit {
    for source in sources { source.cancel() }
    for (number, handler) in zip(Interruption.numbers, earlier) { Glibc.signal(number, handler) }
    // Dispatch blocks a signal in the thread that it came to.
    Interruption.unblock()
  }

  /// From now on a signal ends this process with its code, as long as there is nothing to be finished:
  /// a program that reads and checks its input.
  public static func endProcess() {
    for number in numbers { Glibc.signal(number) { _exit(Interruption.exitCode($0)) } }
    // Who started it may have blocked them for itself.
    unblock()
  }

  private static func unblock() {
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in numbers { sigaddset(&signals, number) }
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  /// Of a process that a signal has ended, as shells have it: 130 after Ctrl-C, 143 after SIGTERM.
  public static func exitCode(_ signal: Int32) -> Int32 { 128 + signal }

  public static func name(_ signal: Int32) -> String { signal == SIGINT ? "SIGINT" : "SIGTERM" }

  /// The signal that has come; nil: none has.
  public var signal: Int32? {
    let number = received.number.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// Its name.
  public var signalName: String? { signal.map(Interruption.name) }

  /// Whether a signal has come.
  public var isRequested: Bool { signal != nil }
}
