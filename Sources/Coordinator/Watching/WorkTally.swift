internal import Coordination
internal import Report

/// Who did what in a run, and how long it took: for the report.
///
/// A fact of this one run: nothing that is computed depends on it.
struct WorkTally {
  private(set) var phases: [PruningReport.Phase] = []
  private var hellos: [WorkerID: Hello] = [:]
  /// In the order of their first tasks.
  private var order: [WorkerID] = []
  private var records: [WorkerID: PruningReport.Worker] = [:]
  private var assigned: [TaskAttempt: (worker: WorkerID, at: Instant)] = [:]

  var workers: [PruningReport.Worker] {
    order.map { id in
      var record = records[id]!
      record.uncountedCount -= record.resultCount
      return record
    }
  }

  mutating func note(_ hello: Hello, from worker: WorkerID) { hellos[worker] = hello }

  mutating func noteAssignment(of attempt: TaskAttempt, to worker: WorkerID, at now: Instant) {
    if records[worker] == nil {
      order.append(worker)
      records[worker] = PruningReport.Worker(
        host: hellos[worker]?.host ?? "\(worker)", threadCount: hellos[worker]?.threadCount ?? 0,
        resultCount: 0, uncountedCount: 0, tokenCount: 0, tokenSeconds: 0)
    }
    // Every task counts here until ``workers`` takes off those whose results count.
    records[worker]!.uncountedCount += 1
    assigned[attempt] = (worker, now)
  }

  /// The attempt's result is safe.
  mutating func noteResult(of attempt: TaskAttempt, _ work: Work, at now: Instant) {
    guard let (worker, start) = assigned.removeValue(forKey: attempt) else { return }
    records[worker]!.resultCount += 1
    switch work {
    case .measureSamples(_, let unit, _): records[worker]!.tokenCount += unit.tokens.count
    case .score(let score): records[worker]!.tokenCount += score.tokenCount
    default: return
    }
    records[worker]!.tokenSeconds += (now - start) / .seconds(1)
  }

  /// A phase that comes several times in a row counts once.
  mutating func notePhase(_ name: String, taskCount: Int, from start: Instant, to end: Instant) {
    if let last = phases.last, last.name == name {
      phases[phases.count - 1].taskCount += taskCount
      phases[phases.count - 1].seconds += (end - start) / .seconds(1)
      return
    }
    phases.append(
      PruningReport.Phase(
        name: name, taskCount: taskCount, seconds: (end - start) / .seconds(1)))
  }
}

/// What a ``WorkTally`` came to, for the report.
struct WorkAccount {
  var phases: [PruningReport.Phase] = []
  private(set) var workers: [PruningReport.Worker] = []
  private(set) var events: [PruningReport.Event] = []
  /// Of the workers whose results are kept, also from before a resumption.
  private(set) var kernels: [String] = []

  init() {}

  init(_ tally: WorkTally, _ counters: RunCounters, kernels: [String]) {
    self.kernels = kernels
    phases = tally.phases
    workers = tally.workers
    events = counters.events
  }
}

extension RunCounters {
  fileprivate var events: [PruningReport.Event] {
    [
      .init(name: "workers joined", count: joins),
      .init(name: "workers lost", count: losses),
      .init(name: "tasks retried on another worker", count: retries),
      .init(name: "speculative executions of a task", count: speculations),
      .init(name: "duplicate results", count: duplicates),
    ]
  }
}
