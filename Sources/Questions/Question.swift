/// A multiple-choice question as lm-evaluation-harness asks it: whichever continuation the model finds
/// most likely is its answer.
public struct Question: Hashable, Sendable {
  /// A text and what the model is to continue it with.
  public struct Request: Hashable, Sendable {
    public let context: String
    /// With the delimiter that stands before it.
    public let continuation: String

    public init(context: String, continuation: String) {
      self.context = context
      self.continuation = continuation
    }
  }

  public let task: String
  /// Within the task.
  public let id: String
  /// One for each choice.
  public let requests: [Request]
  /// What the choices differ in: continuations without their delimiter, or contexts. By their lengths
  /// log-likelihoods are normalized.
  public let choices: [String]
  /// Indices of the right choices.
  public let gold: Set<Int>

  public init(
    task: String, id: String, requests: [Request], choices: [String], gold: Set<Int>
  ) {
    precondition(requests.count == choices.count, "a request for each choice")
    self.task = task
    self.id = id
    self.requests = requests
    self.choices = choices
    self.gold = gold
  }
}
