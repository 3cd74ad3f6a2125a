import Coordination
import FlapCore
import FlapTestKit
import Foundation
import Statistics
import Testing

/// The real machines and the real ledger under seeded schedules of faults: safety at every step,
/// then liveness. `FLAP_SIMULATION_COUNT` sets how many schedules there are.
struct SimulationTests {
  /// Schedules of one test run, over all shares.
  static let count =
    ProcessInfo.processInfo.environment["FLAP_SIMULATION_COUNT"].flatMap { Int($0) } ?? 10_000
  /// Parts that run at the same time.
  static let shareCount = 8

  @Test(
    "whatever fails: every result is kept once, none is lost, the bits are the same",
    arguments: 0..<shareCount)
  func schedules(share: Int) {
    var faultCount = 0
    for seed in stride(from: share, to: SimulationTests.count, by: SimulationTests.shareCount) {
      var cluster = VirtualCluster(seed: UInt64(seed))
      cluster.run(faultyFor: .seconds(60), limit: .seconds(5000))
      faultCount += cluster.faultCount
      #expect(cluster.violations.isEmpty, "seed \(seed)")
      #expect(cluster.isFinished, "seed \(seed)")
      if !cluster.violations.isEmpty { return }
    }
    #expect(faultCount > SimulationTests.count / SimulationTests.shareCount, "faults do happen")
  }

  @Test("without faults nothing is computed twice", arguments: 0..<200)
  func nothingIsComputedTwice(seed: Int) {
    var generator = SeededGenerator(seed: UInt64(seed))
    let job = VirtualCluster.Job(random: &generator)
    var cluster = VirtualCluster(job, seed: UInt64(seed))
    cluster.run(faultyFor: .zero, limit: .seconds(5000))
    #expect(cluster.violations.isEmpty)
    #expect(cluster.lostSumCount == 0)
    let unitCount = CanonicalTree(leafCount: job.leafCount).nodeCount(atLevel: job.unitLevel)
    let mapCount = job.layerCount * Tap.allCases.count
    // Statistics of samples, one by one or together; sums layer by layer, then map by map.
    let denseCount = job.sumsDense ? job.layerCount : 0
    let prunedCount = mapCount - job.firstPrunedStep
    let units =
      unitCount * ((job.asksTogether ? 1 : VirtualWork.kinds.count) + denseCount + prunedCount)
    // At the end of a phase an idle worker may try a straggler's task beside it.
    let speculations = cluster.log.count { if case .speculation = $0 { true } else { false } }
    // A layer has weights; of a map something is measured, and its sums are added up.
    let merges = Tap.allCases.count * denseCount + prunedCount
    let others =
      job.layerCount + mapCount + merges + job.shardCount + VirtualWork.questions.count
    #expect(cluster.computedCount <= units + others + speculations)
  }

  /// What each of these does to a run, and nothing else, is nobody's fault: with the limits that
  /// users get it comes to its end, and no host is left out.
  enum Innocent: CaseIterable { case stall, partitionAll, preempt }

  @Test(
    "stalls, switches and polite preemptions are held against nobody",
    arguments: Innocent.allCases)
  func innocentFaults(kind: Innocent) {
    var faultCount = 0
    for seed in 0..<300 {
      let cluster = run(kind, seed: seed)
      faultCount += cluster.faultCount
      #expect(cluster.violations.isEmpty && cluster.isFinished, "seed \(seed)")
      #expect(blames(in: cluster, kind).isEmpty, "seed \(seed)")
    }
    #expect(faultCount > 50)
  }

  @Test("a coordinator that holds its own stalls against the workers is found")
  func blamedForStall() {
    let found = (0..<50).first {
      !blames(in: run(.stall, seed: $0, bug: .blamesForOwnStall), .stall).isEmpty
    }
    #expect(found != nil)
  }

  private func run(
    _ kind: Innocent, seed: Int, bug: VirtualCluster.PlantedBug? = nil
  ) -> VirtualCluster {
    var generator = SeededGenerator(seed: UInt64(seed))
    var job = VirtualCluster.Job(random: &generator)
    job.workerCount = max(3, job.workerCount)
    job.hostCount = job.workerCount
    var faults = VirtualCluster.Faults()
    var settings = VirtualCluster.settings
    settings.attemptLimit = 4
    switch kind {
    case .stall: faults.stall = 0.1
    case .partitionAll: faults.partitionAll = 0.02
    case .preempt: faults.preempt = 0.3
    }
    var cluster = VirtualCluster(
      job, seed: UInt64(seed), faults: faults, bug: bug, settings: settings)
    cluster.run(faultyFor: .seconds(120), limit: .seconds(5000))
    return cluster
  }

  private func blames(in cluster: VirtualCluster, _ kind: Innocent) -> [LogEvent] {
    cluster.log.indices.filter { index in
      switch cluster.log[index] {
      case .workerLost: kind != .partitionAll
      // The first of several losses with one cause may leave its host out until the second comes.
      case .hostExcluded(let exclusion): !isPardoned(exclusion.host, in: cluster.log[index...])
      default: false
      }
    }.map { cluster.log[$0] }
  }

  /// Whether a host gets tasks again.
  private func isPardoned(_ host: String, in log: ArraySlice<LogEvent>) -> Bool {
    log.contains { if case .taskAssigned(_, _, host) = $0 { true } else { false } }
  }

  @Test(
    "a planted bug is found",
    arguments: [
      VirtualCluster.PlantedBug.mergesTwice, .mergesBeforeDigest, .acknowledgesBeforeDisk,
      .storesBeforeVerifying, .losesMaps, .skipsMap, .mergesEarly, .leavesLostOut,
      .takesOlderSums, .addsGarbage, .losesFiles,
    ])
  func plantedBug(bug: VirtualCluster.PlantedBug) {
    let found = (0..<500).first { seed in
      var cluster = VirtualCluster(seed: UInt64(seed), bug: bug)
      cluster.run(faultyFor: .seconds(60), limit: .seconds(5000))
      return !cluster.violations.isEmpty
    }
    #expect(found != nil)
  }
}

extension VirtualCluster {
  /// A job and faults that the seed decides: in most schedules some kinds of fault are left out.
  init(seed: UInt64, bug: PlantedBug? = nil) {
    var generator = SeededGenerator(seed: seed &+ 0xF1A9)
    let job = Job(random: &generator)
    var faults = Faults()
    func rate(_ most: Double) -> Double {
      generator.chance(0.4) ? Double.random(in: 0...most, using: &generator) : 0
    }
    faults.kill = rate(0.2)
    faults.pause = rate(0.1)
    faults.hang = rate(0.1)
    faults.partition = rate(0.1)
    faults.partitionAll = rate(0.03)
    faults.preempt = rate(0.1)
    faults.stall = rate(0.03)
    faults.crashCoordinator = rate(0.1)
    faults.fillDisk = rate(0.05)
    faults.failTask = rate(0.3)
    faults.drop = rate(0.05)
    faults.duplicate = rate(0.1)
    faults.reorder = rate(0.05)
    faults.truncate = rate(0.03)
    faults.corrupt = rate(0.1)
    faults.damagedModel = rate(0.5)
    faults.losePeer = rate(0.05)
    faults.garbleSum = rate(0.05)
    faults.deaf = rate(0.5)
    self.init(job, seed: seed, faults: faults, bug: bug)
  }
}

extension VirtualCluster.Job {
  init(random generator: inout SeededGenerator) {
    self.init()
    leafCount = Int.random(in: 1...20, using: &generator)
    unitLevel = Int.random(in: 0...3, using: &generator)
    unitLevel = min(unitLevel, CanonicalTree(leafCount: leafCount).rootLevel)
    layerCount = Int.random(in: 1...3, using: &generator)
    shardCount = Int.random(in: 0...3, using: &generator)
    workerCount = Int.random(in: 1...5, using: &generator)
    hostCount = Int.random(in: 1...workerCount, using: &generator)
    gathers = generator.chance(0.5)
    asksTogether = generator.chance(0.5)
    sharesSums = generator.chance(0.2)
    sumsDense = generator.chance(0.4)
    if generator.chance(0.6) {
      firstPrunedStep = Int.random(in: 0..<Tap.allCases.count * layerCount, using: &generator)
    }
  }
}

extension Work {
  static func numbered(_ index: Int) -> Work {
    .measureSamples([FirstName.kind], VirtualWork.unit(.leaf(index), leafCount: index + 1))
  }
}
