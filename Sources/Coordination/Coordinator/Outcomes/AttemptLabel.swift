/// An attempt as every line about it names it: "[12.2] calibration of work unit 2/5".
///
/// Who searches a log for the number between the brackets finds what became of the attempt.
public struct AttemptLabel: Hashable, Sendable, CustomStringConvertible {
  public let attempt: TaskAttempt
  /// What the work is, for people.
  public let work: String

  public init(_ attempt: TaskAttempt, _ work: String) {
    self.attempt = attempt
    self.work = work
  }

  public var description: String { "[\(attempt)] \(work)" }
}
