internal import Dispatch
internal import Glibc
internal import Synchronization

/// Ctrl-C and SIGTERM, noticed between two turns of the session's loop. A second one ends the
/// process at once.
final class Interruption {
  private final class Counter: Sendable {
    let signals = Atomic<Int>(0)
  }

  private let counter = Counter()
  private let sources: [any DispatchSourceSignal]

  init() {
    sources = [SIGINT, SIGTERM].map { [counter] number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        if counter.signals.add(1, ordering: .relaxed).oldValue > 0 { _exit(130) }
      }
      source.resume()
      return source
    }
  }

  deinit { for source in sources { source.cancel() } }

  /// Whether a signal has come.
  var isRequested: Bool { counter.signals.load(ordering: .relaxed) > 0 }
}
