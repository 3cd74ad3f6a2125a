public import FlapCore

extension PruningReport {
  /// How well the dense and the pruned model answer questions.
  public struct TaskResults: Sendable {
    /// A share of right answers.
    public struct Accuracy: Sendable {
      public var value: Double
      /// nil where it is not known.
      public var standardError: Double?

      public init(_ value: Double, _ standardError: Double?) {
        self.value = value
        self.standardError = standardError
      }
    }

    public struct Task: Sendable {
      public var name: String
      public var questionCount: Int
      public var dense: Accuracy
      public var pruned: Accuracy
      /// By log-likelihood per character.
      public var denseNormalized: Accuracy
      public var prunedNormalized: Accuracy

      public init(
        name: String, questionCount: Int, dense: Accuracy, pruned: Accuracy,
        denseNormalized: Accuracy, prunedNormalized: Accuracy
      ) {
        self.name = name
        self.questionCount = questionCount
        self.dense = dense
        self.pruned = pruned
        self.denseNormalized = denseNormalized
        self.prunedNormalized = prunedNormalized
      }
    }

    /// Where there are several, their mean comes last.
    public var tasks: [Task]
    /// SHA-256 of the questions.
    public var digest: Digest

    public init(tasks: [Task], digest: Digest) {
      self.tasks = tasks
      self.digest = digest
    }
  }
}

extension PruningReport.TaskResults.Accuracy {
  /// "0.5150 ± 0.0354".
  var text: String {
    NumberText.plain(value, digits: 4)
      + (standardError.map { " ± " + NumberText.plain($0, digits: 4) } ?? "")
  }
}

extension PruningReport.TaskResults {
  /// What the figures are, but for the digest.
  static let note =
    "acc: share of questions whose right choice has the greatest log-likelihood; acc_norm: the "
    + "greatest per character; both with standard errors, as lm-evaluation-harness counts them"
}

extension PruningReport {
  /// nil where no questions were put.
  var tasksHTML: String? {
    guard let taskResults else { return nil }
    return table(
      "Right answers of the dense and the pruned model",
      ["Task", "Questions", "acc, dense", "acc, pruned", "acc_norm, dense", "acc_norm, pruned"],
      taskResults.tasks.map { task in
        [
          Markup.escape(task.name), NumberText.exact(task.questionCount), task.dense.text,
          task.pruned.text, task.denseNormalized.text, task.prunedNormalized.text,
        ]
      }, hidesCaption: true)
      + Markup.element(
        "p", ["class": "note"],
        "\(TaskResults.note). Questions: SHA-256 "
          + "<code class=\"digest\">\(taskResults.digest.hexadecimal)</code>.")
  }
}
