import FlapCore

/// A job's result, from its announcement to the handing over.
///
/// What a worker says of it may be late, said twice or nonsense, so nothing here traps.
extension Job {
  /// What a message about a result is at this stage of the job.
  enum Verdict: Hashable, Sendable {
    case accepted
    /// About another attempt, or said twice: nothing to be done.
    case untimely
    /// No honest worker says it: why.
    case broken(String)
  }

  /// - Parameter limit: of the bytes that such a result can have.
  mutating func announce(_ begin: ReportBegin, limit: Int, _ now: Instant) -> Verdict {
    guard begin.attempt == attempt, stage == .working else { return .untimely }
    guard begin.byteCount > 0, begin.byteCount <= limit else {
      return .broken("a report of \(begin.byteCount) bytes where at most \(limit) are possible")
    }
    noteProgress(of: attempt, now)
    stage = .announced(begin)
    checksums = begin.checksums
    return .accepted
  }

  /// The result may come now.
  /// - Returns: the chunks that are to come; nil when no result waits.
  mutating func admit(chunkBytes: Int, _ now: Instant) -> Int? {
    guard case .announced(let begin) = stage else { return nil }
    lastProgress = now
    stage = .receiving(begin, receivedBytes: 0)
    return (begin.byteCount + chunkBytes - 1) / chunkBytes
  }

  /// Chunks come in order, each of them once.
  mutating func take(_ chunk: ReportChunk, _ now: Instant) -> Verdict {
    guard chunk.attempt == attempt else { return .untimely }
    switch stage {
    case .working, .complete, .handedOver: return .untimely
    case .announced, .receiving: break
    }
    guard case .receiving(let begin, let receivedBytes) = stage, chunk.offset == receivedBytes,
      !chunk.bytes.isEmpty, chunk.bytes.count <= begin.byteCount - receivedBytes
    else {
      return .broken("a report chunk at offset \(chunk.offset) that does not follow the last one")
    }
    noteProgress(of: attempt, now)
    stage = .receiving(begin, receivedBytes: receivedBytes + chunk.bytes.count)
    return .accepted
  }

  /// All chunks were sent.
  mutating func end(_ attempt: TaskAttempt, _ now: Instant) -> Verdict {
    guard attempt == self.attempt, case .receiving(let begin, let receivedBytes) = stage else {
      return .untimely
    }
    guard receivedBytes == begin.byteCount else {
      return .broken("a report that ended after \(receivedBytes) of \(begin.byteCount) bytes")
    }
    lastProgress = now
    stage = .complete(
      .received(byteCount: begin.byteCount, begin.digest, endpoint: begin.endpoint))
    return .accepted
  }

  /// A shard that the worker wrote itself: nothing is to be sent.
  mutating func take(_ shard: ShardCommitted) -> Verdict {
    guard shard.attempt == attempt, kind == .writeShard, stage == .working else {
      return .untimely
    }
    stage = .complete(.written(shard))
    checksums = shard.checksums
    return .accepted
  }

  /// - Returns: the result that is to be stored; nil when there is no complete one that waits.
  mutating func handOver() -> TaskResult? {
    guard case .complete(let result) = stage else { return nil }
    stage = .handedOver(result)
    return result
  }

  // MARK: State

  /// Of the result that was announced or is there.
  var resultDigest: Digest? {
    switch stage {
    case .working: nil
    case .announced(let begin), .receiving(let begin, _): begin.digest
    case .complete(let result), .handedOver(let result): result.digest
    }
  }

  /// Whether bytes of it have come that nobody was given: storing takes them, all others go.
  var hasUnclaimedBytes: Bool {
    switch stage {
    case .working, .announced, .handedOver, .complete(.written): false
    case .receiving(_, let receivedBytes): receivedBytes > 0
    case .complete(.received): true
    }
  }
}
