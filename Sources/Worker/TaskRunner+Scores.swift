internal import Coordination
internal import FlapCore
internal import Host
internal import Measurement
internal import Storage
internal import SystemPackage
internal import Transformer

/// How likely continuations of texts are.
extension TaskRunner {
  func score(_ work: ScoreWork) throws -> ComputeOutcome {
    let model = try measurement().model
    let leaves = work.leaves.map(\.queried)
    guard leaves.count <= model.limits.leavesPerMicroBatch,
      work.leaves.allSatisfy({ model.limits.admits(sampleLengths: $0.groups.flatMap(\.lengths)) }),
      leaves.allSatisfy({ $0.leaf.rowCount <= model.limits.rowsPerLeaf })
    else { throw PlanError.otherTexts }
    model.pruning = try pruning(work.plan)
    defer { model.pruning = nil }
    let measurement = ScoreMeasurement(model)
    progress.expect(steps: measurement.stepCount(leafCount: leaves.count))
    let scores = try measurement.run(leaves) { try progress.step() }
    var report = try SpoolWriter(in: Host.temporaryFolder)
    let spans = zip(work.leaves, scores).flatMap { $0.spanScores($1) }
    try report.write(SpanScore.encode(spans))
    return .result(try report.finish())
  }
}

extension ScoreLeaf {
  /// With a query for each token of a span, in the order of the spans.
  fileprivate var queried: QueriedLeaf {
    var queries: [TokenQuery] = []
    var first = 0
    for group in groups {
      let beginning = group.beginning.count
      // Where each branch lies among the leaf's tokens.
      var branches = [first + beginning]
      for branch in group.branches { branches.append(branches[branches.count - 1] + branch.count) }
      for span in group.spans {
        for (index, token) in span.tokens.enumerated() {
          let position = span.position + index
          let place =
            position < beginning ? first + position : branches[span.text] + position - beginning
          queries.append(TokenQuery(token, after: place))
        }
      }
      first += group.tokenCount
    }
    let samples = groups.map { SampleGroup(beginning: $0.beginning, branches: $0.branches) }
    return QueriedLeaf(Leaf(samples), queries)
  }

  /// - Parameter scores: of the queries.
  fileprivate func spanScores(_ scores: [TokenScore]) -> [SpanScore] {
    var next = 0
    return groups.flatMap(\.spans).map { span in
      let tokens = scores[next..<next + span.tokens.count]
      next += span.tokens.count
      return SpanScore(
        logLikelihood: tokens.reduce(0) { $0 + $1.logProbability },
        isGreedy: tokens.allSatisfy(\.isLargest))
    }
  }
}
