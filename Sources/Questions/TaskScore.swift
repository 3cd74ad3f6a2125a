internal import Glibc

/// A share of right answers and how sure it is.
public struct Accuracy: Hashable, Sendable {
  public let value: Double
  /// Standard deviation of the sample over √n, as lm-evaluation-harness has it: of n answers
  /// √(p(1 − p) / (n − 1)). nil for one answer.
  public let standardError: Double?

  /// - Precondition: 0 ≤ right ≤ count, 0 < count.
  public init(right: Int, of count: Int) {
    precondition((0...count).contains(right) && count > 0)
    value = Double(right) / Double(count)
    standardError = count > 1 ? sqrt(value * (1 - value) / Double(count - 1)) : nil
  }

  /// The mean over tasks, each counted alike.
  ///
  /// - Precondition: there are some.
  public init(meanOf tasks: [Accuracy]) {
    precondition(!tasks.isEmpty)
    let count = Double(tasks.count)
    value = tasks.reduce(0) { $0 + $1.value } / count
    let errors = tasks.compactMap(\.standardError)
    standardError =
      errors.count == tasks.count ? sqrt(errors.reduce(0) { $0 + $1 * $1 }) / count : nil
  }
}

/// How well a model answers the questions of a task.
public struct TaskScore: Hashable, Sendable {
  public let task: String
  public let questionCount: Int
  public let accuracy: Accuracy
  /// By log-likelihood per character, and per byte, of the choice: `acc_norm` and `acc_bytes`.
  public let normalizedByCharacters: Accuracy
  public let normalizedByBytes: Accuracy

  /// - Precondition: there are questions, all of the task.
  public init(task: String, _ answers: [(question: Question, answer: QuestionAnswer)]) {
    self.task = task
    questionCount = answers.count
    func accuracy(_ chosen: (QuestionAnswer) -> Int) -> Accuracy {
      Accuracy(
        right: answers.count { $0.question.gold.contains(chosen($0.answer)) }, of: answers.count)
    }
    self.accuracy = accuracy(\.chosen)
    normalizedByCharacters = accuracy(\.chosenByCharacters)
    normalizedByBytes = accuracy(\.chosenByBytes)
  }

  /// One for each task, in the order in which tasks come first.
  ///
  /// - Parameter answers: one for each question.
  public static func scores(_ questions: [Question], _ answers: [QuestionAnswer]) -> [TaskScore] {
    precondition(questions.count == answers.count)
    var names: [String] = []
    var byTask: [String: [(question: Question, answer: QuestionAnswer)]] = [:]
    for (question, answer) in zip(questions, answers) {
      if byTask[question.task] == nil { names.append(question.task) }
      byTask[question.task, default: []].append((question, answer))
    }
    return names.map { TaskScore(task: $0, byTask[$0]!) }
  }
}
