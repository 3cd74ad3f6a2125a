import FlapCore
import Pruning
import Report

/// A small model, pruned by hand.
enum Sample {
  static let shape = ModelShape(
    hiddenSize: 8, headDimension: 4, vocabularySize: 16, rmsNormEpsilon: 1e-5,
    rotaryEmbedding: RotaryEmbedding(theta: 10000), tiesEmbeddings: false, biases: Biases(),
    layers: [
      LayerShape(headCount: 4, keyValueHeadCount: 2, intermediateSize: 5),
      LayerShape(headCount: 4, keyValueHeadCount: 2, intermediateSize: 5),
    ])

  static let plan = PruningPlan(layers: [
    .init(keptGroups: [true, false], keptNeurons: [true, true, false, true, true]),
    .init(keptGroups: [true, true], keptNeurons: [false, true, false, true, false]),
  ])

  static let scores = {
    var scores = UnitScores(
      standardizing: [
        LayerScores(
          attentionOutput: (0..<16).map { Double(16 - $0) }, mlpDown: [3, 5, 1, 4, 9]),
        LayerScores(attentionOutput: (0..<16).map(Double.init), mlpDown: [0, 7, 1, 8, 2]),
      ], shape: shape)
    scores.neurons[0][4] = 40
    return scores
  }()

  static let digest = Digest(hexadecimal: String(repeating: "ab", count: 32))!

  static let data = PruningReport.DataSet(
    name: "tokens.npy", digest: digest, sampleCount: 4, tokenCount: 512)

  static let evaluation = PruningReport.Evaluation(
    data: data, predictedTokenCount: 508, densePerplexity: 2.5, prunedPerplexity: 3.125)

  static let taskResults = PruningReport.TaskResults(
    tasks: [
      .init(
        name: "arc_easy", questionCount: 1200, dense: .init(0.5, 0.01), pruned: .init(0.25, nil),
        denseNormalized: .init(0.75, 0.01), prunedNormalized: .init(0.125, nil))
    ], digest: digest)

  /// Losses of one group, of one and of three neurons; the error of neurons doubles with each.
  static let losses = shape.layers.map { _ in
    PerTap(
      attentionOutput: LossCurve(errors: [0, 1], measured: [.init(kept: 1, loss: 0.25)]),
      mlpDown: LossCurve(
        errors: [0, 2, 4, 8, 16],
        measured: [.init(kept: 1, loss: 0.8), .init(kept: 3, loss: 0.2)]))
  }

  static func report(
    name: String = "Tiny", command: [String] = ["flap-coord", "--ratio", "0.3"],
    evaluation: PruningReport.Evaluation? = nil, threshold: Double? = -0.25,
    metric: String = "WIFV", structure: String = "AL-AM", errors: [PerTap<[Double]>]? = nil,
    losses: [PerTap<LossCurve>]? = nil, compensation: CompensationMethod = .bias,
    isSequential: Bool = false
  ) -> PruningReport {
    PruningReport(
      model: .init(name: name, digest: digest, shape: shape, byteCount: 4096), plan: plan,
      search: .init(
        metric: metric, structure: structure, ratioAsked: 0.3,
        reached: ReachedRatio(of: plan, for: shape, compensating: true), threshold: threshold,
        unitsKeptByMinimum: 1),
      scores: scores, errors: errors, losses: losses, compensation: compensation,
      isSequential: isSequential, calibration: data, evaluation: evaluation,
      files: [
        .init(name: "model.safetensors", byteCount: 3000, digest: digest),
        .init(name: "flap/plan.safetensors", byteCount: 500, digest: digest),
      ],
      run: .init(
        command: command, version: "0.1.0", kernels: "avx2/f32", compute: "f32",
        finishedAt: "2026-01-02 03:04:05Z", seconds: 61.4, peakWorkerBytes: 1 << 20,
        isResumed: false, phases: [.init(name: "calibration", taskCount: 3, seconds: 2)],
        workers: [
          .init(
            host: name, threadCount: 2, resultCount: 3, uncountedCount: 1, tokenCount: 512,
            tokenSeconds: 2)
        ], events: [.init(name: "workers joined", count: 1)]))
  }

  static func card(
    baseModel: String? = nil, source: String = "", calibration: ModelCard.Calibration? = nil,
    evaluation: PruningReport.Evaluation? = nil, needsRemoteCode: Bool = true,
    ggufFile: String? = nil, metric: String = "WIFV", structure: String = "AL-AM",
    compensation: CompensationMethod = .bias, isSequential: Bool = false,
    predictedLoss: Double? = nil, ridges: [FittedRidge] = [],
    taskResults: PruningReport.TaskResults? = nil, speed: SpeedMeasurement? = nil
  ) -> String {
    var card = ModelCard(
      modelName: "Tiny_1", baseModel: baseModel, source: SourceCard(markdown: source),
      modelDigest: digest, shape: shape, plan: plan, metric: metric, structure: structure,
      ratioAsked: 0.3, compensation: compensation, isSequential: isSequential,
      predictedLoss: predictedLoss, calibration: calibration, evaluation: evaluation,
      needsRemoteCode: needsRemoteCode, ggufFile: ggufFile, version: "0.1.0")
    card.ridges = ridges
    card.taskResults = taskResults
    card.speed = speed
    return card.markdown()
  }
}
