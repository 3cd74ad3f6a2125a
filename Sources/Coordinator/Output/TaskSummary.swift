internal import Foundation
internal import Questions

/// How well one model answers the questions of some tasks.
struct TaskSummary: Codable {
  /// The figures of one task, as lm-evaluation-harness calls them; `*_stderr` are missing of a single
  /// question.
  struct Entry: Codable {
    let task: String
    let questions: Int
    let acc: Double
    let accStderr: Double?
    let accNorm: Double
    let accNormStderr: Double?
    let accBytes: Double
    let accBytesStderr: Double?

    fileprivate init(
      _ task: String, questions: Int, _ acc: Accuracy, _ accNorm: Accuracy, _ accBytes: Accuracy
    ) {
      self.task = task
      self.questions = questions
      (self.acc, accStderr) = (acc.value, acc.standardError)
      (self.accNorm, accNormStderr) = (accNorm.value, accNorm.standardError)
      (self.accBytes, accBytesStderr) = (accBytes.value, accBytes.standardError)
    }

    fileprivate var row: String {
      Format.column("\(questions)", 11) + Entry.column(acc, accStderr)
        + Entry.column(accNorm, accNormStderr) + Entry.column(accBytes, accBytesStderr)
    }

    private static func column(_ value: Double, _ error: Double?) -> String {
      Format.column(
        String(format: "%.4f", value) + (error.map { String(format: " ± %.4f", $0) } ?? ""), 18)
    }
  }

  let tasks: [Entry]
  /// Over the tasks, each counted alike; nil where there is one.
  let mean: Entry?

  /// With the mean behind them.
  var entries: [Entry] { tasks + [mean].compactMap { $0 } }

  init(_ answers: [QuestionPass.Answered]) {
    let scores = TaskScore.scores(answers.map(\.question), answers.map(\.answer))
    tasks = scores.map {
      Entry(
        $0.task, questions: $0.questionCount, $0.accuracy, $0.normalizedByCharacters,
        $0.normalizedByBytes)
    }
    mean =
      scores.count < 2
      ? nil
      : Entry(
        "mean", questions: answers.count, Accuracy(meanOf: scores.map(\.accuracy)),
        Accuracy(meanOf: scores.map(\.normalizedByCharacters)),
        Accuracy(meanOf: scores.map(\.normalizedByBytes)))
  }

  /// - Parameter models: each with its name; one without a name gets no column for it.
  static func table(_ models: [(name: String, summary: TaskSummary)]) -> String {
    let entries = models.flatMap(\.summary.entries)
    let taskWidth = entries.reduce("task".count) { max($0, $1.task.count) }
    let nameWidth = models.reduce(0) { max($0, $1.name.isEmpty ? 0 : $1.name.count + 2) }
    var lines = [
      Format.leading("", nameWidth) + Format.leading("task", taskWidth)
        + Format.column("questions", 11)
        + ["acc", "acc_norm", "acc_bytes"].map { Format.column($0, 18) }.joined()
    ]
    for (name, summary) in models {
      for (index, entry) in summary.entries.enumerated() {
        lines.append(
          Format.leading(index == 0 ? name : "", nameWidth)
            + Format.leading(entry.task, taskWidth) + entry.row)
      }
    }
    return lines.joined(separator: "\n")
  }
}

/// A line of `--answers`.
struct TaskAnswer: Encodable {
  let model: String
  let task: String
  let id: String
  /// Indices of the right choices.
  let gold: [Int]
  /// Of each choice.
  let logLikelihoods: [Double]
  let areGreedy: [Bool]
  /// Indices of the choices that are taken: as they are, by characters and by bytes.
  let chosen: Int
  let chosenByCharacters: Int
  let chosenByBytes: Int

  init(_ answered: QuestionPass.Answered, of model: String) {
    self.model = model
    task = answered.question.task
    id = answered.question.id
    gold = answered.question.gold.sorted()
    logLikelihoods = answered.answer.logLikelihoods
    areGreedy = answered.areGreedy
    chosen = answered.answer.chosen
    chosenByCharacters = answered.answer.chosenByCharacters
    chosenByBytes = answered.answer.chosenByBytes
  }
}
