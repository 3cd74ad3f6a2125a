internal import Coordination
internal import Statistics
internal import Storage
internal import Synchronization
internal import Wire

/// What workers say of sums, which stay with them.
enum SumAnswer: Sendable {
  case held([HeldSum], TreeNode, SumCollection.Holder)
  case merge(MergeOutcome, TapPlace)
}

extension ClusterSession {
  /// For how many workers work is split that is split once and for all: those that are here, and as
  /// many as were to come.
  func workerCount(expected: Int) -> Int { max(expected, presentWorkers.count) }

  /// Has the workers sum, and add up what was summed.
  ///
  /// - Parameter work: of these two kinds alone.
  /// - Returns: their answers, in the order of arrival.
  mutating func sum(
    _ work: [Work], meter: consuming ProgressMeter, _ ledger: inout RunLedger
  ) throws -> [SumAnswer] {
    let answers = SumAnswers()
    try perform(work, meter: meter, &ledger) { _, delivery in
      switch SumAnswers.answer(to: delivery) {
      case .success(let answer):
        answers.add(answer)
        return .kept
      case .failure(let refusal): return .refused(reason: refusal.reason)
      }
    }
    return answers.all
  }
}

/// Filled by the storing thread.
private final class SumAnswers: Sendable {
  struct Refusal: Error {
    let reason: String
  }

  private let answers: Mutex<[SumAnswer]> = Mutex([])

  func add(_ answer: SumAnswer) { answers.withLock { $0.append(answer) } }

  var all: [SumAnswer] { answers.withLock { $0 } }

  static func answer(to delivery: StoringThread.Delivery) -> Result<SumAnswer, Refusal> {
    guard case .received(_, let digest, let endpoint) = delivery.result,
      case .report(let file) = delivery.received, file.digest == digest
    else { return .failure(Refusal(reason: "its report was damaged on the way")) }
    do {
      let bytes = try file.bytes(in: 0..<file.byteCount)
      switch delivery.work {
      case .sum(let work):
        let sums = try WireCodec.decodeHeldSums(bytes)
        guard
          sums.map({ [$0.place.step, $0.kind.rawValue] })
            == work.expected.map({ [$0.place.step, $0.kind.rawValue] })
        else { return .failure(Refusal(reason: "its sums are others than were asked for")) }
        return .success(
          .held(
            sums, work.unit.node,
            work.folder.map { .folder($0) }
              ?? .worker(delivery.claim.worker, endpoint: endpoint)))
      case .merge(let merge):
        let outcome = try WireCodec.decodeMergeOutcome(bytes)
        let isWhole =
          switch outcome {
          case .merged(let tokenCount, let heldOutTokenCount):
            tokenCount == merge.tokenCount && heldOutTokenCount == merge.heldOutTokenCount
          case .lost: true
          }
        guard isWhole else {
          return .failure(Refusal(reason: "it has added up other samples than there are"))
        }
        return .success(.merge(outcome, merge.place))
      case .measureSamples, .measureWeights, .measureMap, .score, .writeShard:
        preconditionFailure("only sums were asked for")
      }
    } catch {
      return .failure(Refusal(reason: "its report cannot be read: \(error)"))
    }
  }
}
