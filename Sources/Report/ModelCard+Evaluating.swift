extension ModelCard {
  /// The tasks that papers on pruning quote.
  private static let usualTasks =
    "boolq,piqa,hellaswag,winogrande,arc_easy,arc_challenge,openbookqa"

  /// What was measured of questions, and how others measure it.
  var evaluating: String {
    let argument = needsRemoteCode ? ",trust_remote_code=True" : ""
    return """
      ## Evaluate it

      \(answers)With [lm-evaluation-harness](https://github.com/EleutherAI/lm-evaluation-harness), in this \
      folder:

      ```sh
      lm_eval --model hf --model_args pretrained=.\(argument) \\
        --tasks \(ModelCard.usualTasks)
      ```

      """
  }

  private var answers: String {
    guard let taskResults else { return "" }
    let rows = taskResults.tasks.map { task in
      let cells = [
        Markdown.text(task.name), Markdown.count(task.questionCount), task.dense.text,
        task.pruned.text, task.denseNormalized.text, task.prunedNormalized.text,
      ]
      return "| \(cells.joined(separator: " | ")) |\n"
    }
    return """
      | task | questions | acc, dense | acc, pruned | acc\\_norm, dense | acc\\_norm, pruned |
      | --- | ---: | ---: | ---: | ---: | ---: |
      \(rows.joined())
      \(PruningReport.TaskResults.note.replacing("_", with: "\\_")) (questions: SHA-256 \
      `\(taskResults.digest)`).


      """
  }
}
