import Coordination
import FlapCore
import Statistics
import Wire

/// One message of every kind, and those with more than one form in each of them.
enum Samples {
  static let digest = Digest(bytes: (0..<32).map { UInt8($0) * 8 })!
  static let attempt = TaskAttempt(task: TaskID(.max), attempt: 4)

  /// As many as one message can carry.
  static let checksums = (0..<52_428).map {
    TensorChecksum(tensor: $0, Checksum(high: UInt64.max - UInt64($0), low: UInt64($0) << 40))
  }

  static let workerMessages: [WorkerMessage] = [
    .hello(
      Hello(
        softwareVersion: "1.0.0", host: "knoten-ä", processID: 4711, instance: .max,
        modelDigest: digest,
        kernelFingerprint: "avx512/avx512-bf16/bf16", coreCount: 64, threadCount: 32,
        memoryBytes: 1 << 40, modelDirectory: "/models/Größe")),
    .heartbeat(
      Heartbeat(
        attempt: attempt, completedSteps: 3, totalSteps: 7, residentBytes: 1 << 33,
        peakResidentBytes: 1 << 34)),
    .heartbeat(
      Heartbeat(
        attempt: nil, completedSteps: 0, totalSteps: 0, residentBytes: 0, peakResidentBytes: 0)),
    .accepted(TaskAttempt(task: TaskID(0), attempt: 1)),
    .reportBegin(ReportBegin(attempt: attempt, byteCount: 1 << 31, digest: digest)),
    .reportBegin(
      ReportBegin(attempt: attempt, byteCount: 1, digest: digest, checksums: checksums)),
    .reportBegin(
      ReportBegin(
        attempt: attempt, byteCount: 1, digest: digest, endpoint: "tcp://[fe80::1%eth0]:4711")),
    .reportChunk(ReportChunk(attempt: attempt, offset: 1 << 20, bytes: [1, 0, 255])),
    .reportChunk(
      ReportChunk(
        attempt: attempt, offset: 0, bytes: [UInt8](repeating: 9, count: Limits.chunkBytes))),
    .reportEnd(attempt),
    .shardCommitted(
      ShardCommitted(
        attempt: attempt, fileName: "model-00001-of-00002.safetensors", byteCount: 5 << 30,
        digest: digest)),
    .taskFailed(TaskFailure(attempt: attempt, failureClass: .transient, reason: "disk full")),
    .taskFailed(TaskFailure(attempt: attempt, failureClass: .permanent, reason: "")),
    .taskFailed(
      TaskFailure(
        attempt: attempt, failureClass: .permanent, reason: "not finite",
        checksums: Array(checksums.prefix(1)))),
    .shardCommitted(
      ShardCommitted(
        attempt: attempt, fileName: "s", byteCount: 1, digest: digest, checksums: checksums)),
    .bye(reason: "standard input was closed"),
  ]

  static let coordinatorMessages: [CoordinatorMessage] = [
    .welcome(
      Welcome(
        runID: "run", compute: .bfloat16, tokensPerSample: 2048, samplesPerLeaf: 1,
        leavesPerUnit: 16, heartbeatInterval: .milliseconds(1500), lease: .seconds(10))),
    .welcome(
      Welcome(
        runID: "run", compute: .float32, tokensPerSample: 1, samplesPerLeaf: 1, leavesPerUnit: 1,
        heartbeatInterval: .seconds(1), lease: .seconds(10), peerSecret: Array(0..<32))),
    .reject(Rejection(reason: "another model", isFinal: true)),
    .leaseRenewed,
    assign(.measureSamples([ChannelMoments.kind], smallUnit)),
    assign(.measureSamples([LossSum.kind, StatisticKind("unheard-of")], largeUnit)),
    assign(.measureSamples([LossSum.kind], largeUnit, plan: digest)),
    assign(.measureWeights([WeightNorms.kind], layer: 0)),
    assign(.measureWeights([WeightNorms.kind], layer: 79)),
    assign(
      .measureMap(
        MapWork(
          kinds: [RemovalCurve.kind], place: TapPlace(layer: 3, .attentionOutput),
          secondMoments: "/out/flap/sums"))),
    assign(
      .measureMap(
        MapWork(
          kinds: [RemovalCurve.kind, ModuleLosses.kind], place: TapPlace(layer: 79, .mlpDown),
          secondMoments: "/out/flap/sums", levels: [1, 7, 11_007], samples: smallUnit))),
    assign(
      .score(
        ScoreWork(
          number: 0,
          [ScoreLeaf([ScoreGroup(beginning: [1], spans: [ScoreSpan(ofText: 0, after: 0, [2])])])]))),
    assign(
      .score(
        ScoreWork(
          number: 1 << 40,
          [
            ScoreLeaf([
              ScoreGroup(
                beginning: [3, 1], branches: [[4, 1, 5], []],
                spans: [
                  ScoreSpan(ofText: 0, after: 1, [4, 1, 5, 9]),
                  ScoreSpan(ofText: 1, after: 0, [1, 2_000_000]),
                ]),
              ScoreGroup(
                beginning: [], branches: [[6]], spans: [ScoreSpan(ofText: 0, after: 0, [5])]),
            ]),
            ScoreLeaf([
              ScoreGroup(beginning: [5], spans: [ScoreSpan(ofText: 0, after: 0, [8])])
            ]),
          ], plan: digest))),
    assign(.sum(SumWork(.dense(layers: 3..<5), scaledUnit, round: 7, folder: nil))),
    assign(
      .sum(
        SumWork(
          .pruned(TapPlace(layer: 1, .mlpDown), plan: digest), scaledUnit, round: 0,
          folder: "/out/Größe/sums"))),
    assign(
      .merge(
        SumMerge(
          TapPlace(layer: 1, .mlpDown), of: .pruned(plan: digest), exponents: [], [], tokenCount: 1,
          heldOutTokenCount: 0, to: "/out/a"))),
    assign(
      .merge(
        SumMerge(
          TapPlace(layer: 0, .attentionOutput), of: .dense(data: digest), exponents: [-60, 0, 60],
          [
            SumMerge.Source(.kept, digest, at: .worker(endpoint: "tcp://10.0.0.1:4711")),
            SumMerge.Source(.heldOut, digest, at: .file("/out/Größe/0-0-1-2-3")),
            SumMerge.Source(.targets, digest, at: .worker(endpoint: "")),
            SumMerge.Source(.kept, digest, at: .worker(endpoint: "tcp://10.0.0.1:4711")),
          ], tokenCount: 1 << 40, heldOutTokenCount: 7, to: "/out/b"))),
    assign(.writeShard(index: 0)),
    .credit(attempt, chunks: 8),
    .reportAcknowledged(attempt),
    .cancel(attempt),
    .plan(plan(payload: [1])),
    .plan(plan(payload: (0..<(5 << 19)).map { UInt8(truncatingIfNeeded: $0 &* 31) })),
    .drain,
    .shutdown(.complete), .shutdown(.early),
  ]

  static let peerRequests = [
    PeerRequest(digest: digest, offset: 0, byteCount: 1),
    PeerRequest(digest: digest, offset: 1 << 53, byteCount: Limits.chunkBytes),
  ]

  static let peerReplies = [
    PeerReply(digest: digest, offset: 0, bytes: [7]),
    PeerReply(
      digest: digest, offset: 1 << 40,
      bytes: (0..<Limits.chunkBytes).map { UInt8(truncatingIfNeeded: $0 &* 31) }),
    PeerReply(digest: digest, offset: 1 << 53, bytes: nil),
  ]

  private static func assign(_ work: Work) -> CoordinatorMessage {
    .assign(Assignment(attempt: attempt, work: work, serial: 7))
  }

  static let smallUnit = WorkUnit(
    node: TreeNode(level: 2, index: 5), samplesPerLeaf: [2, 2, 1], tokensPerSample: 3,
    tokens: (0..<15).map { Int32($0) * 140_000_000 })

  /// Of two and a half raw frames, cut within a sample.
  static let largeUnit = WorkUnit(
    node: TreeNode(level: 8, index: 0), samplesPerLeaf: Array(repeating: 5, count: 256),
    tokensPerSample: 512, tokens: (0..<655_360).map { Int32($0) })

  static let scaledUnit = WorkUnit(
    node: .leaf(3), samplesPerLeaf: [1], tokensPerSample: 2, tokens: [4, 5],
    scales: ChannelScales(exponents: [
      PerTap(attentionOutput: [-60, 0, 60], mlpDown: [7]),
      PerTap(attentionOutput: [], mlpDown: [1, -1]),
    ]))

  static func plan(payload: [UInt8]) -> PlanBroadcast {
    PlanBroadcast(
      outputDirectory: "/out/Größe", maximumShardBytes: 5 << 30, isUniform: true,
      secondMoments: "/out/flap/second moments",
      targetMoments: "/out/flap/sequential", digest: digest, payload: payload)
  }

  /// Two layers of different widths, the first with grouped queries.
  static let shape = ModelShape(
    hiddenSize: 8, headDimension: 2, vocabularySize: 32, rmsNormEpsilon: 1e-5,
    rotaryEmbedding: RotaryEmbedding(theta: 10_000), tiesEmbeddings: false, biases: Biases(),
    layers: [
      LayerShape(headCount: 4, keyValueHeadCount: 2, intermediateSize: 11),
      LayerShape(headCount: 3, keyValueHeadCount: 3, intermediateSize: 16),
    ])
}
