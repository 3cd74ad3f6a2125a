public import ArgumentParser
internal import Logging
internal import Storage
internal import SystemPackage

/// Questions that are put to a model.
public struct TaskOptions: ParsableArguments, Sendable {
  @Option(
    name: .customLong("tasks"), parsing: .upToNextOption,
    help: """
      Files of multiple-choice questions (.jsonl, also .gz), answered by log-likelihood as \
      lm-evaluation-harness does it. A line each: {"task", "id", "context", "choices", "gold"}; \
      deploy/tasks.py writes them from the harness' own tasks.
      """, completion: .file(), transform: { FilePath($0) })
  var files: [FilePath] = []

  @Option(
    help: "A file to write: every question's log-likelihoods, one line of JSON each.",
    completion: .file(), transform: { FilePath($0) })
  var answers: FilePath?

  public init() {}

  public func validate() throws {
    guard !files.isEmpty || answers == nil else {
      throw ValidationError("--answers goes with --tasks")
    }
  }

  public var isEmpty: Bool { files.isEmpty }

  /// nil where there are no questions.
  func pass(
    _ inputs: RunInputs, _ forward: ForwardOptions, _ cluster: ClusterPlan, _ console: Console
  ) throws -> QuestionPass? {
    guard !isEmpty else { return nil }
    if let answers {
      try OutputFile.check(answers, inputs: [inputs.directory] + files, option: "--answers")
    }
    return try QuestionPass(TaskFiles(files), inputs, forward, cluster, console)
  }

  /// Writes the file of answers, where one is asked for.
  ///
  /// - Parameters:
  ///   - answers: of each model.
  ///   - names: what the models are called.
  func write(_ answers: [[QuestionPass.Answered]], names: [String]) throws {
    guard let path = self.answers else { return }
    let lines = try zip(names, answers).flatMap { name, answers in
      try answers.map { try Console.encode(TaskAnswer($0, of: name), pretty: false) + [0x0A] }
    }
    try AtomicFile.write(Array(lines.joined()), to: path)
  }
}
