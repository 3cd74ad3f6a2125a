internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Logging
internal import Questions
internal import Statistics
internal import TextData

/// Questions that are put to a model: how their texts are put together, and the terms on which workers
/// take part.
struct QuestionPass: ForwardPass {
  let shape: ModelShape
  let compute: ComputeType
  let questions: [Question]
  /// Of all questions' lines.
  let digest: Digest
  let leavesPerUnit: Int
  private let layout: ScoringLayout

  /// Assumed where `config.json` does not say, as lm-evaluation-harness does.
  private static let usualPositionCount = 2048

  /// - Throws: ``UsageError`` with file and line of a question that cannot be asked.
  init(
    _ files: TaskFiles, _ inputs: RunInputs, _ options: ForwardOptions, _ cluster: ClusterPlan,
    _ console: Console
  ) throws {
    shape = inputs.shape
    compute = ComputeType(options.compute)
    questions = files.questions
    digest = files.digest
    layout = ScoringLayout(
      try QuestionPass.texts(files, inputs, console.log), tokensPerLeaf: options.tokensPerLeaf)
    let level = UnitPlanning.level(
      leafCount: layout.leaves.count, workerCount: cluster.workerCount,
      lanesPerWorker: cluster.lanesPerWorker, leavesPerUnit: options.leavesPerUnit)
    leavesPerUnit = min(1 << level, layout.leaves.count)
    try cluster.checkMemory(of: self)
  }

  private static func texts(
    _ files: TaskFiles, _ inputs: RunInputs, _ log: Logger
  ) throws -> [[ScoredText]] {
    let tokenizer = try inputs.tokenizer()
    let positionCount =
      inputs.checkpoint.configuration.positionCount ?? QuestionPass.usualPositionCount
    var encoder = PairEncoder(
      tokenizer,
      prefix: try TokenizerFolder.beginningOrEnd(inputs.directory).map {
        PrefixToken(id: $0.id, text: $0.text)
      }, positionCount: positionCount)
    var cutCount = 0
    let texts = try files.questions.enumerated().map { index, question in
      var isCut = false
      defer { cutCount += isCut ? 1 : 0 }
      return try question.requests.map { request in
        do throws(PairDefect) {
          let pair = try encoder.encode(request)
          isCut = isCut || pair.isTruncated
          return ScoredText(input: pair.input, continuation: pair.continuation)
        } catch {
          throw UsageError("\(files.place(ofQuestion: index)) \(error)")
        }
      }
    }
    if cutCount > 0 {
      log.warning(
        """
        \(cutCount) of \(files.questions.count) questions are longer than the \(positionCount) tokens \
        that the model takes (max_position_embeddings): the beginnings of their contexts are left out
        """)
    }
    return texts
  }

  var tokensPerSample: Int { layout.tokensPerText }

  var samplesPerLeaf: Int { layout.textsPerLeaf }

  /// That go through the model.
  var tokenCount: Int { layout.leaves.reduce(0) { $0 + $1.tokenCount } }

  var reportByteCount: Int {
    work(by: nil).map { SpanScore.byteCount(spanCount: $0.spans.reduce(0) { n, _ in n + 1 }) }
      .max() ?? 0
  }

  /// The tasks.
  func work(by plan: Digest?) -> [ScoreWork] {
    stride(from: 0, to: layout.leaves.count, by: leavesPerUnit).enumerated().map { number, first in
      ScoreWork(
        number: number, Array(layout.leaves[first...].prefix(leavesPerUnit)), plan: plan)
    }
  }

  /// What the model makes of each question.
  ///
  /// - Parameter scores: of every task, in their order.
  func answers(_ scores: [[SpanScore]]) -> [Answered] {
    var spans: [[SpanScore]] = []
    for (work, scores) in zip(work(by: nil), scores) {
      var next = 0
      for leaf in work.leaves {
        let count = leaf.groups.reduce(0) { $0 + $1.spans.count }
        spans.append(Array(scores[next..<next + count]))
        next += count
      }
    }
    let texts = layout.scores(spans)
    var next = 0
    return questions.map { question in
      let scores = texts[next..<next + question.choices.count]
      next += question.choices.count
      return Answered(
        question: question,
        answer: QuestionAnswer(question, logLikelihoods: scores.map(\.logLikelihood)),
        areGreedy: scores.map(\.isGreedy))
    }
  }

  /// A question with a model's answer.
  struct Answered: Sendable {
    let question: Question
    let answer: QuestionAnswer
    /// Of each choice, whether the model would have said just that.
    let areGreedy: [Bool]
  }
}
