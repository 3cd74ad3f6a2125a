import Coordination
import FlapCore
import FlapTestKit
import Statistics
import Testing

/// The real machines under seeded schedules: safety at every step, then liveness.
struct SimulationTests {
  static let seeds = 0..<200

  @Test("every task is stored once, with the right bits, whatever dies", arguments: [0, 1, 2])
  func everyTaskIsStoredOnce(faultLevel: Int) {
    for seed in SimulationTests.seeds {
      var generator = SeededGenerator(seed: UInt64(seed) &+ 77)
      let taskCount = Int.random(in: 1...12, using: &generator)
      let workerCount = Int.random(in: 1...5, using: &generator)
      var faults = VirtualCluster.Faults()
      if faultLevel >= 1 {
        faults.kill = 0.01
        faults.pause = 0.01
      }
      if faultLevel >= 2 {
        faults.failTask = 0.05
        faults.damageReport = 0.05
      }
      var settings = CoordinatorSettings.forTests
      // The limits end a run on purpose; here the question is what the run does until then.
      settings.attemptLimit = 1000
      settings.lostWorkerLimit = 1000
      var cluster = VirtualCluster(settings: settings, seed: UInt64(seed), faults: faults)
      cluster.submit((0..<taskCount).map { .init(id: TaskID(UInt64($0)), work: .numbered($0)) })
      for _ in 0..<workerCount { cluster.addWorker() }

      var steps = 0
      while !cluster.isCompleted && steps < 20_000 {
        if cluster.workerCount < workerCount && generator.chance(0.2) { cluster.addWorker() }
        // Safety first; then the faults stop and the run must come to its end.
        if steps == 2_000 { cluster.faults = .none }
        let violations = cluster.step()
        #expect(violations.isEmpty, "seed \(seed), step \(steps)")
        steps += 1
      }
      #expect(cluster.isCompleted, "seed \(seed) did not end")
      #expect(cluster.failure == nil, "seed \(seed)")
      #expect(
        cluster.stored.map(\.task).sorted() == (0..<taskCount).map { TaskID(UInt64($0)) },
        "seed \(seed)")
      for (task, result) in cluster.stored {
        guard case .report(let bytes) = result else { continue }
        let expected = VirtualCluster.digest(of: VirtualCluster.result(of: task))
        #expect(VirtualCluster.digest(of: bytes) == expected, "seed \(seed)")
      }
      if faultLevel == 0 {
        #expect(cluster.computedCount == taskCount, "seed \(seed): nothing is computed twice")
      }
    }
  }

  @Test("phases follow one another with the same workers")
  func phases() {
    var cluster = VirtualCluster(settings: .forTests, seed: 1)
    for _ in 0..<3 { cluster.addWorker() }
    for phase in 0..<3 {
      cluster.submit(
        (0..<5).map { .init(id: TaskID(UInt64(phase * 5 + $0)), work: .writeShard(index: $0)) })
      var steps = 0
      while !cluster.isCompleted && steps < 5000 {
        #expect(cluster.step().isEmpty)
        steps += 1
      }
      #expect(cluster.stored.count == 5 * (phase + 1))
    }
  }
}

extension CoordinatorSettings {
  static var forTests: CoordinatorSettings {
    CoordinatorSettings(
      welcome: Welcome(
        runID: "run", compute: .float32, tokensPerSample: 4, samplesPerLeaf: 2, leavesPerBlock: 1,
        heartbeatInterval: .seconds(1), lease: .seconds(30)),
      modelDigest: VirtualCluster.digest(of: [1]), maximumReportBytes: 4 << 20,
      digest: { VirtualCluster.digest(of: $0) })
  }
}

extension Work {
  static func numbered(_ index: Int) -> Work {
    .evaluate(
      TokenBlock(
        node: TreeNode(level: 0, index: index), samplesPerLeaf: [1], tokensPerSample: 1,
        tokens: [0]))
  }
}
