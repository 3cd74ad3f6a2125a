/// A worker process, named by the routing identity under which its messages arrive.
///
/// A worker picks it at random when it starts, so one that is started again is another worker:
/// a message of an earlier incarnation cannot be taken for one of the later.
public struct WorkerID: Hashable, Sendable, CustomStringConvertible {
  /// 1…255 bytes, the first of them not zero (ZeroMQ's rule for routing identities).
  public let bytes: [UInt8]

  public init(bytes: [UInt8]) { self.bytes = bytes }

  public var description: String { String(decoding: bytes, as: UTF8.self) }
}

/// A piece of work of a run; numbered from 0 in the order in which the run submits them.
///
/// A coordinator that starts again numbers from elsewhere (``init(run:number:)``): what workers of
/// its earlier life still say is about tasks that it does not know.
public struct TaskID: Hashable, Sendable, Comparable, CustomStringConvertible {
  public let rawValue: UInt64

  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// - Parameter run: chosen at random by each coordinator process.
  public init(run: UInt32, number: Int) { rawValue = UInt64(run) << 32 + UInt64(number) }

  /// Its number within the coordinator process.
  public var description: String { "\(UInt32(truncatingIfNeeded: rawValue))" }

  public static func < (left: TaskID, right: TaskID) -> Bool { left.rawValue < right.rawValue }
}

/// One try at a task. Attempts of a task are numbered from 1.
public struct TaskAttempt: Hashable, Sendable, CustomStringConvertible {
  public let task: TaskID
  public let attempt: Int

  public init(task: TaskID, attempt: Int) {
    self.task = task
    self.attempt = attempt
  }

  /// "12.2", as every line of a log about it says.
  public var description: String { "\(task).\(attempt)" }

  /// Keeps apart the temporary files of attempts, also of different lives of a coordinator.
  public var fileSuffix: String { "\(task.rawValue)-\(attempt)" }
}
