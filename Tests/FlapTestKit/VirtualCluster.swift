public import Coordination
public import FlapCore

/// A coordinator and its workers, the real machines, over a simulated network, clock and
/// computation. A seed decides every delay and fault; the same seed gives the same run.
///
/// Messages of one connection stay in order, as on TCP; a worker that is killed takes what it
/// had sent and not yet delivered with it, or not, as the seed has it.
public struct VirtualCluster {
  /// What may go wrong, as probabilities per step of the simulation.
  public struct Faults: Sendable {
    public var kill = 0.0
    /// The worker stops beating and computing, and may come back.
    public var pause = 0.0
    public var failTask = 0.0
    public var damageReport = 0.0
    public static let none = Faults()

    public init() {}
  }

  struct Node {
    var machine: WorkerMachine
    var toCoordinator: [WorkerMessage] = []
    var toWorker: [CoordinatorMessage] = []
    /// The computation under way and when it ends.
    var computing: (assignment: Assignment, endsAt: Instant)?
    var pausedUntil: Instant?
    var steps = 0
  }

  public var coordinator: CoordinatorMachine
  public var faults: Faults
  public private(set) var now = Instant(nanoseconds: 0)
  /// Results in the order in which they were handed out for storing.
  public private(set) var stored: [(task: TaskID, result: TaskResult)] = []
  public private(set) var isCompleted = false
  public private(set) var failure: RunFailure?
  public private(set) var log: [LogEvent] = []
  public private(set) var computedCount = 0
  private var nodes: [WorkerID: Node] = [:]
  private var order: [WorkerID] = []
  private var unstored: [TaskID] = []
  private var generator: SeededGenerator
  private var nextWorker = 0

  public init(settings: CoordinatorSettings, seed: UInt64, faults: Faults = .none) {
    coordinator = CoordinatorMachine(settings: settings)
    self.faults = faults
    generator = SeededGenerator(seed: seed)
  }

  /// A stand-in for SHA-256, quick in debug builds: FNV-1a over the length and some of the bytes.
  public static func digest(of bytes: [UInt8]) -> Digest {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ UInt64(bytes.count)
    let stride = bytes.count / 16 + 1
    for byte in Swift.stride(from: 0, to: bytes.count, by: stride).map({ bytes[$0] }) {
      hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
    }
    let words = (0..<4).map { (hash &+ UInt64($0)) &* 0x9E37_79B9_7F4A_7C15 }
    return Digest(
      bytes: words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } })!
  }

  /// The result that every honest worker computes for a task.
  public static func result(of task: TaskID) -> [UInt8] {
    var generator = SeededGenerator(seed: task.rawValue)
    // One in eight takes several chunks.
    let count = Int.random(in: 1...100, using: &generator) * (task.rawValue % 8 == 1 ? 30_000 : 1)
    return Array(repeating: UInt8(truncatingIfNeeded: generator.next()), count: count)
  }

  public var workerCount: Int { order.count }

  public mutating func addWorker(modelDigest: Digest? = nil) {
    let id = WorkerID(bytes: Array("w\(nextWorker)".utf8))
    nextWorker += 1
    let hello = Hello(
      softwareVersion: "1", host: "host", processID: nextWorker,
      modelDigest: modelDigest ?? coordinator.settings.modelDigest, kernelFingerprint: "k",
      coreCount: 1, threadCount: 1, memoryBytes: 1 << 30)
    nodes[id] = Node(machine: WorkerMachine(hello: hello))
    order.append(id)
    worker(id, .started)
  }

  public mutating func submit(_ tasks: [CoordinatorMachine.Task]) {
    isCompleted = false
    tell(.submit(tasks))
  }

  /// Takes one random step. - Returns: broken invariants; none when all is well.
  public mutating func step() -> [String] {
    now = now + .milliseconds(Int.random(in: 1...200, using: &generator))
    injectFaults()
    for id in order { step(id) }
    if !unstored.isEmpty, generator.chance(0.7) { tell(.stored(unstored.removeFirst())) }
    if let due = coordinator.nextTimer, due <= now { tell(.timer) }
    return coordinator.violations()
  }

  // MARK: One step of one node

  private mutating func step(_ id: WorkerID) {
    if let pausedUntil = nodes[id]?.pausedUntil {
      guard pausedUntil <= now else { return }
      nodes[id]!.pausedUntil = nil
    }
    for _ in 0..<Int.random(in: 0...4, using: &generator) {
      guard let message = nodes[id]?.toWorker.first else { break }
      nodes[id]!.toWorker.removeFirst()
      worker(id, .received(message))
    }
    for _ in 0..<Int.random(in: 0...4, using: &generator) {
      guard let message = nodes[id]?.toCoordinator.first else { break }
      nodes[id]!.toCoordinator.removeFirst()
      tell(.received(message, from: id))
    }
    if let computing = nodes[id]?.computing, computing.endsAt <= now {
      nodes[id]!.computing = nil
      computedCount += 1
      let outcome = outcome(of: computing.assignment)
      worker(id, .finished(computing.assignment.attempt, outcome, WorkerStatus()))
    }
    guard nodes[id] != nil, let due = nodes[id]!.machine.nextTimer, due <= now else { return }
    nodes[id]!.steps += 1
    let status = WorkerStatus(completedSteps: nodes[id]!.steps, totalSteps: nodes[id]!.steps + 1)
    worker(id, .timer(status))
  }

  private mutating func outcome(of assignment: Assignment) -> WorkerMachine.Outcome {
    if generator.chance(faults.failTask) { return .failed(.transient, reason: "planted") }
    let bytes = VirtualCluster.result(of: assignment.attempt.task)
    if generator.chance(faults.damageReport) {
      return .report(bytes, VirtualCluster.digest(of: bytes + [0]))
    }
    return .report(bytes, VirtualCluster.digest(of: bytes))
  }

  private mutating func injectFaults() {
    guard let id = order.randomElement(using: &generator) else { return }
    if generator.chance(faults.kill) {
      // What was sent before death may still arrive.
      let last = nodes[id]!.toCoordinator
      forget(id)
      for message in last.prefix(Int.random(in: 0...last.count, using: &generator)) {
        tell(.received(message, from: id))
      }
      if generator.chance(0.5) { tell(.lost(id, reason: "killed")) }
    } else if generator.chance(faults.pause) {
      nodes[id]!.pausedUntil = now + .seconds(Int.random(in: 1...30, using: &generator))
    }
  }

  private mutating func forget(_ id: WorkerID) {
    nodes[id] = nil
    order.removeAll { $0 == id }
  }

  // MARK: Effects

  private mutating func tell(_ event: CoordinatorMachine.Event) {
    for effect in coordinator.handle(event, at: now) {
      switch effect {
      case .send(let message, let id): nodes[id]?.toWorker.append(message)
      case .store(let task, let result):
        stored.append((task, result))
        unstored.append(task)
      case .completed: isCompleted = true
      case .failed(let failure): self.failure = failure
      case .log(let event): log.append(event)
      }
    }
  }

  private mutating func worker(_ id: WorkerID, _ event: WorkerMachine.Event) {
    guard nodes[id] != nil else { return }
    for effect in nodes[id]!.machine.handle(event, at: now) {
      switch effect {
      case .send(let message): nodes[id]!.toCoordinator.append(message)
      case .configure, .adopt: break
      case .begin(let assignment):
        let milliseconds = Int.random(in: 10...3000, using: &generator)
        nodes[id]!.steps = 0
        nodes[id]!.computing = (assignment, now + .milliseconds(milliseconds))
      case .abandon: nodes[id]!.computing = nil
      case .exit:
        let last = nodes[id]!.toCoordinator
        forget(id)
        for message in last { tell(.received(message, from: id)) }
        return
      }
    }
  }
}
