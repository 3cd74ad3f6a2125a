import Coordination
import Coordinator
import FlapCore
import FlapTestKit
import Statistics
import Testing

/// The time that a run says it still takes, beside the time that it takes: runs that were recorded, and
/// the same tasks on more workers.
struct TimeLeftTests {
  /// Of a task, as it was measured.
  private struct Recorded {
    let work: Work
    let seconds: Double
  }

  /// `--method best --samples 128` of a model with 8 layers, hidden size 384, 6 heads of 64, 1024 neurons
  /// and a vocabulary of 8192, on one worker with one thread: from `task_given` to `task_stored` in
  /// `flap/events.jsonl`, the least of three runs, since the machine had other work.
  private static let shape = ModelShape(
    hiddenSize: 384, headDimension: 64, vocabularySize: 8192, rmsNormEpsilon: 1e-6,
    rotaryEmbedding: RotaryEmbedding(theta: 10000), tiesEmbeddings: false, biases: Biases(),
    layers: Array(
      repeating: LayerShape(headCount: 6, keyValueHeadCount: 6, intermediateSize: 1024), count: 8))
  private static let calibrationSeconds = [1.59, 1.748, 1.511, 1.399]
  private static let normSeconds = [0.005, 0.015, 0.011, 0.024, 0.015, 0.016, 0.015, 0.016]
  /// By map, in the order of the model; each the more, the nearer to the model's beginning.
  private static let lossSeconds = [
    4.771, 9.449, 5.791, 9.015, 4.391, 7.843, 3.847, 6.087, 2.431, 4.908, 2.244, 3.745, 1.871,
    3.161, 1.586, 2.755,
  ]

  /// 4 units of 32 samples and the layers' norms; or, split further, as many units as more workers get.
  private static func calibration(split: Int, _ generator: inout SeededGenerator) -> [Recorded] {
    let samples = 32 / split
    let units = (0..<4 * split).map { index in
      let unit = WorkUnit(
        node: .leaf(index), samplesPerLeaf: [samples], tokensPerSample: 128,
        tokens: Array(repeating: 0, count: samples * 128))
      return Recorded(
        work: .measureSamples([ChannelMoments.kind], unit),
        seconds: calibrationSeconds.randomElement(using: &generator)! / Double(split))
    }
    return units
      + normSeconds.enumerated().map { layer, seconds in
        Recorded(work: .measureWeights([WeightNorms.kind], layer: layer), seconds: seconds)
      }
  }

  private static var losses: [Recorded] {
    let samples = WorkUnit(
      node: .leaf(0), samplesPerLeaf: [16], tokensPerSample: 128,
      tokens: Array(repeating: 0, count: 16 * 128))
    return zip(TapPlace.all(in: 0..<8), lossSeconds).map { place, seconds in
      let levels =
        place.tap == .attentionOutput
        ? Array(1...5) : [64, 128, 256, 384, 512, 640, 768, 896, 960]
      return Recorded(
        work: .measureMap(
          MapWork(
            kinds: [ModuleLosses.kind], place: place, secondMoments: "", levels: levels,
            samples: samples)),
        seconds: seconds)
    }
  }

  @Test(
    "from a tenth of a phase on, the time left is within a factor of 1.5",
    arguments: [1, 16], 0..<8)
  func calibration(workerCount: Int, seed: Int) {
    var generator = SeededGenerator(seed: UInt64(seed))
    let tasks = TimeLeftTests.calibration(
      split: workerCount == 1 ? 1 : 16, &generator)
    expectTrueForecast(of: tasks, workerCount, &generator)
  }

  @Test(
    "and for maps, whose tasks are few and of many sizes", arguments: [1, 3, 16], 0..<8)
  func maps(workerCount: Int, seed: Int) {
    var generator = SeededGenerator(seed: UInt64(seed))
    expectTrueForecast(of: TimeLeftTests.losses, workerCount, &generator)
  }

  /// Runs the tasks on a machine's workers, which tell their steps every second, and compares what is
  /// left by `elapsed · (1 − fraction) / fraction`, which all displays say, with what is.
  private func expectTrueForecast(
    of tasks: [Recorded], _ workerCount: Int, _ generator: inout SeededGenerator
  ) {
    var cluster = TimedCluster(workerCount: workerCount)
    let cost = WorkCost(TimeLeftTests.shape)
    let seconds = tasks.map { $0.seconds * .random(in: 0.9...1.1, using: &generator) }
    cluster.run(
      zip(tasks, seconds).map { TimedCluster.Task(work: $0.work, cost: cost.seconds($0.work), $1) })
    let end = cluster.moments.last!.seconds
    for moment in cluster.moments where moment.seconds >= 0.1 * end {
      let left = end - moment.seconds
      let told = moment.seconds * (1 - moment.fraction) / moment.fraction
      // What is shorter than a heartbeat's second is not told apart.
      #expect(
        max(told, left) <= 1.5 * min(told, left) + 0.5,
        "\(workerCount) workers after \(moment.seconds) s: \(told) s told, \(left) s left")
    }
  }
}

/// Workers of a machine, in a time of its own.
private struct TimedCluster {
  struct Task {
    let work: Work
    let cost: Double
    let seconds: Double

    init(work: Work, cost: Double, _ seconds: Double) {
      self.work = work
      self.cost = cost
      self.seconds = seconds
    }
  }

  private struct Running {
    let attempt: TaskAttempt
    let began: Double
    let end: Double
  }

  private var machine: CoordinatorMachine
  private var running: [WorkerID: Running] = [:]
  private let workers: [WorkerID]
  private(set) var moments: [(seconds: Double, fraction: Double)] = []

  init(workerCount: Int) {
    machine = CoordinatorMachine(settings: VirtualCluster.settings)
    workers = (0..<workerCount).map { WorkerID(bytes: Array("w\($0)".utf8)) }
    for (index, worker) in workers.enumerated() {
      let hello = Hello(
        softwareVersion: "1", host: "h\(index)",
        processID: index, instance: UInt64(index),
        modelDigest: VirtualCluster.settings.modelDigest, kernelFingerprint: "k", coreCount: 1,
        threadCount: 1, memoryBytes: 1 << 30)
      _ = machine.handle(.received(.hello(hello), from: worker), at: TimedCluster.instant(0))
    }
  }

  private static func instant(_ seconds: Double) -> Instant {
    Instant(nanoseconds: Int64(seconds * 1e9))
  }

  /// Until all of them are done.
  mutating func run(_ tasks: [Task]) {
    let submitted = tasks.enumerated().map {
      CoordinatorMachine.Task(
        id: TaskID(UInt64($0.offset)), work: $0.element.work, cost: $0.element.cost)
    }
    take(machine.handle(.submit(submitted), at: TimedCluster.instant(0)), tasks, at: 0)
    var nextBeat = 0.25
    while let next = running.min(by: { $0.value.end < $1.value.end }) {
      guard next.value.end <= nextBeat else {
        beat(at: nextBeat)
        moments.append((nextBeat, machine.phaseFraction(at: TimedCluster.instant(nextBeat))))
        nextBeat += 0.25
        continue
      }
      finish(next.key, next.value, tasks)
      moments.append(
        (next.value.end, machine.phaseFraction(at: TimedCluster.instant(next.value.end))))
    }
  }

  private mutating func beat(at seconds: Double) {
    for worker in workers {
      let job = running[worker]
      let steps = job.map { Int((seconds - $0.began) / ($0.end - $0.began) * 16) } ?? 0
      let beat = Heartbeat(
        attempt: job?.attempt, completedSteps: steps, totalSteps: 16, residentBytes: 0,
        peakResidentBytes: 0)
      _ = machine.handle(
        .received(.heartbeat(beat), from: worker), at: TimedCluster.instant(seconds))
    }
  }

  private mutating func finish(_ worker: WorkerID, _ job: Running, _ tasks: [Task]) {
    running[worker] = nil
    let now = TimedCluster.instant(job.end)
    let bytes: [UInt8] = [1]
    let messages: [WorkerMessage] = [
      .reportBegin(
        ReportBegin(attempt: job.attempt, byteCount: 1, digest: VirtualWork.digest(of: bytes))),
      .reportChunk(ReportChunk(attempt: job.attempt, offset: 0, bytes: bytes)),
      .reportEnd(job.attempt),
    ]
    for message in messages {
      take(machine.handle(.received(message, from: worker), at: now), tasks, at: job.end)
    }
    take(machine.handle(.stored(job.attempt), at: now), tasks, at: job.end)
  }

  private mutating func take(
    _ effects: [CoordinatorMachine.Effect], _ tasks: [Task], at seconds: Double
  ) {
    for effect in effects {
      switch effect {
      case .send(.cancel(let attempt), let worker):
        // Another was quicker.
        if running[worker]?.attempt == attempt { running[worker] = nil }
      case .send(.assign(let assignment), let worker):
        let task = tasks[Int(assignment.attempt.task.rawValue)]
        running[worker] = Running(
          attempt: assignment.attempt, began: seconds, end: seconds + task.seconds)
      default: break
      }
    }
  }
}
