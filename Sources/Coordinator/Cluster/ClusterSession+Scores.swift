internal import Coordination
internal import FlapCore
internal import Statistics
internal import Storage
internal import Synchronization

extension ClusterSession {
  /// Has the workers find how likely the choices of questions are.
  ///
  /// - Parameter plan: by which they leave parts of the model out; nil: nothing.
  mutating func answer(
    _ pass: QuestionPass, by plan: PlanBroadcast? = nil, meter: ProgressMeter
  ) throws -> [QuestionPass.Answered] {
    if let plan { try broadcast(plan) }
    // Like perplexities they are kept in memory: the ledger stays empty.
    var ledger = try RunLedger(
      storage: MemoryLedgerStorage(), tree: nil, shape: pass.shape,
      digest: { Digest(hashing: $0) })
    let work = pass.work(by: plan?.digest)
    let scores = ReceivedScores()
    try perform(work.map(Work.score), meter: meter, &ledger) { _, delivery in
      scores.keep(delivery)
    }
    return pass.answers(scores.of(work))
  }
}

/// Filled by the storing thread.
private final class ReceivedScores: Sendable {
  /// By the numbers of their tasks.
  private let scores: Mutex<[Int: [SpanScore]]> = Mutex([:])

  func keep(_ delivery: StoringThread.Delivery) -> RunLedger.Verdict {
    guard case .score(let work) = delivery.work else {
      preconditionFailure("only questions were put")
    }
    guard case .received(_, let digest, _) = delivery.result,
      case .report(let file) = delivery.received, file.digest == digest,
      let bytes = try? file.bytes(in: 0..<file.byteCount)
    else { return .refused(reason: "its report was damaged on the way") }
    let count = work.spans.reduce(0) { count, _ in count + 1 }
    guard let values = SpanScore.decode(bytes, spanCount: count) else {
      return .refused(reason: "its report holds other scores than were asked for")
    }
    scores.withLock { $0[work.number] = values }
    return .kept
  }

  /// - Precondition: the phase is over.
  func of(_ work: [ScoreWork]) -> [[SpanScore]] {
    scores.withLock { scores in
      work.map { work in
        guard let values = scores[work.number] else {
          preconditionFailure("a phase is over when all of its work is done")
        }
        return values
      }
    }
  }
}
