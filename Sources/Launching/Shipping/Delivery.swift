public import FlapCore

/// The copying of a consignment, as its host tells it: what is to be sent, and what came of it.
public struct Delivery: Sendable {
  public enum Step: Hashable, Sendable {
    /// Nothing was asked for yet.
    case listening
    /// The bytes that are still to go.
    case sending(Range<Int>)
    /// The host checks what it has.
    case sent
    case over(DeliveryOutcome)
  }

  public private(set) var step = Step.listening
  /// Bytes that were there before.
  public private(set) var skippedByteCount = 0
  public private(set) var sentByteCount = 0
  private var states: [DeliveryOutcome.FileState] = []
  private var freeBytes: Int?
  private var lastLine = ""
  private let byteCount: Int

  public init(byteCount: Int) { self.byteCount = byteCount }

  public var outcome: DeliveryOutcome? {
    if case .over(let outcome) = step { outcome } else { nil }
  }

  public mutating func note(line: String) {
    guard outcome == nil else { return }
    guard let answer = ReceiverAnswer(line) else {
      let line = PlainText.line(line)
      if !line.isEmpty { lastLine = line }
      return
    }
    switch answer {
    case .waits: break
    case .room(let kibibytes): freeBytes = kibibytes.map { $0 &* 1024 }
    case .file(let count, let partial, let digest):
      states.append(.init(byteCount: count, partialByteCount: partial, digest: digest))
    case .send(let offset):
      guard step == .listening, offset <= byteCount else { return fail(with: .misunderstood) }
      skippedByteCount = offset
      step = .sending(offset..<byteCount)
      if offset == byteCount { step = .sent }
    case .done(let path, let wasThere):
      if wasThere { skippedByteCount = byteCount }
      step = .over(
        .done(path: path, wasThere: wasThere, .init(files: states, freeBytes: freeBytes)))
    case .failed(let failure):
      fail(with: .told(failure))
    }
  }

  /// So many more bytes are on their way.
  public mutating func note(sentCount: Int) {
    guard case .sending(let range) = step else { return }
    sentByteCount += sentCount
    let rest = (range.lowerBound + sentCount)..<range.upperBound
    step = rest.isEmpty ? .sent : .sending(rest)
  }

  public mutating func note(_ ending: WorkerProcess.Ending) {
    guard outcome == nil else { return }
    fail(with: .ended(ending))
  }

  /// Nothing has moved for so long.
  public mutating func noteSilence(seconds: Int) { fail(with: .silent(seconds: seconds)) }

  /// A file here cannot be read to its end.
  public mutating func noteUnreadable(_ path: String) { fail(with: .unreadable(path)) }

  private mutating func fail(with reason: DeliveryFailure.Reason) {
    step = .over(.failed(DeliveryFailure(reason: reason, lastLine: lastLine)))
  }
}

/// What came of a delivery.
public enum DeliveryOutcome: Hashable, Sendable {
  /// What a folder has of a file.
  public struct FileState: Hashable, Sendable {
    /// nil: it is not there.
    public let byteCount: Int?
    /// Of a copy that was begun.
    public let partialByteCount: Int
    /// Where it is shorter than it should be.
    public let digest: Digest?
  }

  /// What a survey tells.
  public struct Survey: Hashable, Sendable {
    /// In the order of the question.
    public let files: [FileState]
    /// nil where the host cannot tell.
    public let freeBytes: Int?
  }

  /// - Parameters:
  ///   - path: where it lies there.
  ///   - wasThere: nothing was to be sent.
  case done(path: String, wasThere: Bool, Survey)
  case failed(DeliveryFailure)
}
