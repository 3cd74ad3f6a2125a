public import Foundation
internal import Storage
public import SystemPackage

/// What a run came to so far: its events, one taken after another.
///
/// Whatever an event says, taking it cannot fail: a file of events may be cut or come from others.
public struct RunStory: Codable, Hashable, Sendable {
  /// What was asked for, and where the coordinator ran last.
  public struct Start: Codable, Hashable, Sendable {
    public var time: Date
    public var version: String?
    public var command: [String]?
    public var options: [String: String]?
    /// Of the coordinator.
    public var host: String?
    public var process: Int?
    /// Coordinators so far: 1, and one more for each resumption.
    public var lives: Int
  }

  public struct Phase: Codable, Hashable, Sendable {
    public var name: String
    public var unit: String
    public var units: Double
    public var tasks: Int
    /// Tasks whose results are safe.
    public var done: Int
    public var begun: Date
    /// At ``observed``.
    public var fraction: Double
    public var observed: Date
    /// nil while it lasts.
    public var seconds: Double?
  }

  public struct Worker: Codable, Hashable, Sendable {
    public var worker: String
    public var host: String
    public var process: Int?
    public var threads: Int?
    public var attempt: String?
    /// What it works at; nil when idle.
    public var task: String?
    /// Of the task, 0…1, when last seen.
    public var fraction: Double?
    public var done: Int
    /// Anonymous memory, when last seen.
    public var bytes: Int?
    /// Since its last sign of life.
    public var silence: Double?

    public init(worker: String, host: String, process: Int?, done: Int = 0) {
      self.worker = worker
      self.host = host
      self.process = process
      self.done = done
    }
  }

  /// Something that did not go as it should.
  public struct Mishap: Codable, Hashable, Sendable {
    public var time: Date
    public var event: RunEvent.Kind
    public var host: String?
    public var worker: String?
    public var attempt: String?
    public var work: String?
    public var reason: String?
  }

  public struct Counts: Codable, Hashable, Sendable {
    public var joined = 0
    public var lost = 0
    public var refused = 0
    /// Attempts at tasks that came to nothing, so that these went to another worker.
    public var retried = 0
    public var triedTwice = 0
    /// Results that are safe.
    public var stored = 0
  }

  public struct Ending: Codable, Hashable, Sendable {
    public var event: RunEvent.Kind
    public var time: Date
    public var reason: String?
  }

  public private(set) var start: Start?
  public private(set) var phase: Phase?
  /// Phases that have ended, the latest last.
  public private(set) var phases: [Phase] = []
  /// Those that are there, by their names.
  public private(set) var workers: [String: Worker] = [:]
  public private(set) var leftOut: [Mishap] = []
  /// Losses, failures and refusals, the latest last.
  public private(set) var mishaps: [Mishap] = []
  public private(set) var counts = Counts()
  public private(set) var isDraining = false
  public private(set) var ending: Ending?
  /// When anything was last heard of the run.
  public private(set) var latest: Date?
  /// Which worker has an attempt.
  private var holders: [String: String] = [:]

  /// Most mishaps, hosts left out and ended phases that are remembered, each.
  public static let memory = 50

  public init() {}

  /// The workers, those of a host together.
  public var sortedWorkers: [Worker] {
    workers.values.sorted {
      ($0.host, $0.process ?? 0, $0.worker) < ($1.host, $1.process ?? 0, $1.worker)
    }
  }

  /// The worker that has an attempt in its hands.
  public func holder(of attempt: String) -> Worker? { holders[attempt].flatMap { workers[$0] } }

  public mutating func take(_ event: RunEvent) {
    defer { latest = max(latest ?? event.time, event.time) }
    switch event.kind {
    case .started, .resumed: begin(event)
    case .continued: if let story = event.story { self = story }
    case .phaseBegun: phase = Phase(event)
    case .phaseEnded:
      guard var ended = phase else { return }
      (ended.fraction, ended.done, ended.observed) = (1, ended.tasks, event.time)
      ended.seconds = event.seconds ?? 0
      RunStory.remember(ended, in: &phases)
      phase = nil
    case .progress: takeProgress(event)
    case .workerJoined:
      guard let id = event.worker else { return }
      workers[id] = Worker(worker: id, host: event.host ?? "?", process: event.process)
      counts.joined &+= 1
    case .workerLost:
      counts.lost &+= 1
      remove(event)
      RunStory.remember(Mishap(event), in: &mishaps)
    case .workerLeft: remove(event)
    case .workerRefused, .connectionRefused:
      counts.refused &+= 1
      RunStory.remember(Mishap(event), in: &mishaps)
    case .hostLeftOut:
      leftOut.removeAll { $0.host == event.host }
      RunStory.remember(Mishap(event), in: &leftOut)
    case .workerEnded, .warning, .resultsDiffer:
      RunStory.remember(Mishap(event), in: &mishaps)
    case .workerRestarted: break
    case .workersDismissed: dismissWorkers()
    case .taskGiven, .taskTriedTwice, .taskFailed, .taskRequeued, .taskStored, .taskSuperseded:
      takeTask(event)
    case .draining: isDraining = true
    case .interrupted, .failed, .finished:
      ending = Ending(event: event.kind, time: event.time, reason: event.reason)
      dismissWorkers()
    }
  }

  private mutating func dismissWorkers() {
    workers = [:]
    holders = [:]
  }

  /// Who was at work for an earlier coordinator is so no more.
  private mutating func begin(_ event: RunEvent) {
    let lives = (start?.lives ?? 0).addingReportingOverflow(1).partialValue
    start = Start(
      time: event.time, version: event.version, command: event.command, options: event.options,
      host: event.host, process: event.process, lives: lives)
    phase = nil
    dismissWorkers()
    leftOut = []
    isDraining = false
    ending = nil
  }

  private mutating func remove(_ event: RunEvent) {
    guard let id = event.worker, let worker = workers.removeValue(forKey: id) else { return }
    if let attempt = worker.attempt { holders[attempt] = nil }
  }

  private mutating func takeTask(_ event: RunEvent) {
    guard let attempt = event.attempt else { return }
    switch event.kind {
    case .taskGiven:
      guard let id = event.worker, workers[id] != nil else { return }
      holders[attempt] = id
      workers[id]?.attempt = attempt
      workers[id]?.task = event.work
      workers[id]?.fraction = nil
    case .taskTriedTwice: counts.triedTwice &+= 1
    case .taskStored:
      counts.stored &+= 1
      phase?.noteStored(at: event.time)
      release(attempt, asDone: true)
    case .taskRequeued:
      counts.retried &+= 1
      release(attempt, asDone: false)
    case .taskFailed:
      RunStory.remember(Mishap(event), in: &mishaps)
      release(attempt, asDone: false)
    default: release(attempt, asDone: false)
    }
  }

  private mutating func release(_ attempt: String, asDone isDone: Bool) {
    guard let id = holders.removeValue(forKey: attempt), workers[id]?.attempt == attempt else {
      return
    }
    workers[id]?.attempt = nil
    workers[id]?.task = nil
    workers[id]?.fraction = nil
    if isDone { workers[id]?.done &+= 1 }
  }

  private mutating func takeProgress(_ event: RunEvent) {
    if phase != nil, let fraction = event.fraction {
      phase?.fraction = fraction
      phase?.observed = event.time
      if let done = event.done { phase?.done = done }
    }
    guard let seen = event.workers else { return }
    workers = Dictionary(seen.map { ($0.worker, $0) }, uniquingKeysWith: { $1 })
    holders = Dictionary(
      seen.compactMap { worker in worker.attempt.map { ($0, worker.worker) } },
      uniquingKeysWith: { $1 })
  }

  private static func remember<Item>(_ item: Item, in items: inout [Item]) {
    if items.count >= memory { items.removeFirst(items.count - memory + 1) }
    items.append(item)
  }
}

extension RunStory.Phase {
  fileprivate init?(_ event: RunEvent) {
    guard let name = event.phase else { return nil }
    self.init(
      name: name, unit: event.unit ?? "", units: event.units ?? 0, tasks: event.tasks ?? 0,
      done: 0, begun: event.time, fraction: 0, observed: event.time)
  }

  /// A task that is stored is done, whenever the phase was last looked at.
  fileprivate mutating func noteStored(at time: Date) {
    done &+= 1
    let share = Double(done) / Double(max(1, tasks))
    if share > fraction { (fraction, observed) = (share, time) }
  }

  /// At the moment when it was last looked at.
  public var progress: PhaseProgress {
    PhaseProgress(
      total: units, fraction: fraction, elapsedSeconds: observed.timeIntervalSince(begun))
  }
}

extension RunStory.Mishap {
  fileprivate init(_ event: RunEvent) {
    self.init(
      time: event.time, event: event.kind, host: event.host, worker: event.worker,
      attempt: event.attempt, work: event.work, reason: event.reason)
  }
}

extension RunStory {
  /// What the events of a run's folder tell; nothing where there are none.
  ///
  /// They are only read: the run may be writing them.
  public init(eventsIn folder: FilePath) {
    self.init()
    let path = folder.appending(Chronicle.fileName)
    // Between the end of a full file and the next one a run may have been killed.
    let file = SmallFile.exists(path) ? path : EventFile.previous(of: path)
    guard let bytes = try? SmallFile.read(file, limit: EventFile.byteLimit) else { return }
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      if let event = RunEvent(line: line) { take(event) }
    }
  }
}
