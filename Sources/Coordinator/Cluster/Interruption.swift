internal import Dispatch
internal import Glibc
internal import Synchronization

/// Ctrl-C and SIGTERM, noticed between two turns of the session's loop. A second one ends the
/// process at once.
final class Interruption: Sendable {
  private let count = Atomic<Int>(0)
  private let sources = Mutex<[any DispatchSourceSignal]>([])

  init() {
    for number in [SIGINT, SIGTERM] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { [weak self] in
        guard let self else { return }
        if self.count.add(1, ordering: .relaxed).oldValue > 0 { _exit(130) }
      }
      source.resume()
      sources.withLock { $0.append(source) }
    }
  }

  deinit { sources.withLock { for source in $0 { source.cancel() } } }

  /// - Throws: ``ClusterError/interrupted`` once a signal has come.
  func check() throws {
    if count.load(ordering: .relaxed) > 0 { throw ClusterError.interrupted }
  }
}
