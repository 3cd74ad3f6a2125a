internal import FlapCore
internal import Report

/// The result of `--tasks` at the end of a run.
struct ComparedTasksSummary: Codable {
  /// SHA-256 of the questions.
  let digest: String
  let dense: TaskSummary
  let pruned: TaskSummary

  var table: String { TaskSummary.table([("dense", dense), ("pruned", pruned)]) }
}

extension PruningReport.TaskResults {
  /// - Returns: nil where the digest is none.
  init?(_ summary: ComparedTasksSummary) {
    guard let digest = Digest(hexadecimal: summary.digest) else { return nil }
    self.init(
      tasks: zip(summary.dense.entries, summary.pruned.entries).map { dense, pruned in
        Task(
          name: dense.task, questionCount: dense.questions,
          dense: Accuracy(dense.acc, dense.accStderr),
          pruned: Accuracy(pruned.acc, pruned.accStderr),
          denseNormalized: Accuracy(dense.accNorm, dense.accNormStderr),
          prunedNormalized: Accuracy(pruned.accNorm, pruned.accNormStderr))
      }, digest: digest)
  }
}
