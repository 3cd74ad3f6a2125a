internal import FlapCore
internal import Storage
internal import Synchronization

/// The sums that a worker holds until somebody has added them up, each in a file without a name.
///
/// The thread that computes puts them in; others are given them at the same time.
final class SumStore: Sendable {
  private struct Held {
    let file: SpooledFile
    let round: Int
  }

  private let sums: Mutex<[Digest: Held]> = Mutex([:])
  /// Endpoints of workers that did not answer, in this round.
  private let gone: Mutex<Set<String>> = Mutex([])

  func put(_ file: SpooledFile, round: Int) {
    // The same bytes may be another round's, too.
    sums.withLock { sums in
      let latest = max(round, sums[file.digest]?.round ?? round)
      sums[file.digest] = Held(file: file, round: latest)
    }
  }

  func find(_ digest: Digest) -> SpooledFile? { sums.withLock { $0[digest]?.file } }

  /// Drops what is of a round before this one.
  func forget(before round: Int) {
    sums.withLock { sums in sums = sums.filter { $0.value.round >= round } }
    gone.withLock { $0 = [] }
  }

  /// Who did not answer once is not asked again before the next sum: each time may take as long as
  /// a task that hangs.
  func isGone(_ endpoint: String) -> Bool { gone.withLock { $0.contains(endpoint) } }

  func noteGone(_ endpoint: String) { gone.withLock { _ = $0.insert(endpoint) } }

  func forgetAll() { sums.withLock { $0 = [:] } }
}
