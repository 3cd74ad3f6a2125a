/// The coordinator's side of a run, without socket, clock or disk: events go in, effects come out.
///
/// The machine knows which workers there are, which tasks wait, run and are done, and who is
/// owed an answer. It does not know what a task's result means: a complete result is handed out
/// as ``Effect/store(_:_:)`` and acknowledged to the worker only when the shell says
/// ``Event/stored(_:)``, that is, when it is safe.
///
/// A result counts once per task: the first that is complete and true to its digest. A second
/// one with the same digest is acknowledged and dropped; one with another digest means that two
/// machines computed different bits, and is told loudly.
public struct CoordinatorMachine: Sendable {
  public enum Event: Sendable {
    /// More tasks for the workers, to be done in any order.
    case submit([Task])
    /// What later `writeShard` tasks refer to; sent to every worker, the late ones too.
    case plan(PlanBroadcast)
    case received(WorkerMessage, from: WorkerID)
    /// A message that could not be decoded.
    case receivedGarbage(from: WorkerID, reason: String)
    /// The result handed out for storing is safe.
    case stored(TaskID)
    /// The worker's process is known to have ended.
    case lost(WorkerID, reason: String)
    /// Time has passed; nothing else happened.
    case timer
    /// The run is over or given up: every worker is told to leave.
    case shutdown
  }

  public enum Effect: Hashable, Sendable {
    case send(CoordinatorMessage, to: WorkerID)
    /// Merge or record a result, then answer with ``Event/stored(_:)``.
    case store(TaskID, TaskResult)
    /// Every submitted task is done and stored.
    case completed
    /// The run cannot go on.
    case failed(RunFailure)
    case log(LogEvent)
  }

  public struct Task: Hashable, Sendable {
    public let id: TaskID
    public let work: Work

    public init(id: TaskID, work: Work) {
      self.id = id
      self.work = work
    }
  }

  public let settings: CoordinatorSettings
  var workers = WorkerTable()
  var tasks: [TaskID: TaskRecord] = [:]
  /// Tasks that wait for a worker; the next one is at the front.
  var pending: [TaskID] = []
  var unfinishedCount = 0
  var plan: PlanBroadcast?
  /// Set once; nothing is assigned afterwards.
  var isOver = false

  public init(settings: CoordinatorSettings) { self.settings = settings }

  /// Takes one event and returns what is to be done about it, in order.
  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    var effects: [Effect] = []
    switch event {
    case .submit(let tasks): submit(tasks, &effects)
    case .plan(let plan): adopt(plan, &effects)
    case .received(let message, let worker): receive(message, from: worker, now, &effects)
    case .receivedGarbage(let worker, let reason):
      remove(worker, .misbehaved(reason), tellingIt: true, &effects)
    case .stored(let task): acknowledge(task, &effects)
    case .lost(let worker, let reason):
      remove(worker, .died(reason), tellingIt: false, &effects)
    case .timer: checkLeases(now, &effects)
    case .shutdown: shutDown(&effects)
    }
    assignWaitingTasks(now, &effects)
    return effects
  }

  /// When ``Event/timer`` is due next: the earliest moment at which a lease can end.
  public var nextTimer: Instant? {
    workers.all.lazy.map { min($0.lastHeard + settings.deadAfter, deadlineOfProgress($0)) }.min()
  }

  private func deadlineOfProgress(_ worker: WorkerRecord) -> Instant {
    guard case .working(let job) = worker.state else {
      return worker.lastHeard + settings.deadAfter
    }
    return job.lastProgress + settings.hungAfter
  }

  // MARK: Run

  private mutating func submit(_ submitted: [Task], _ effects: inout [Effect]) {
    for task in submitted {
      precondition(tasks[task.id] == nil, "a task is submitted once")
      tasks[task.id] = TaskRecord(work: task.work)
      pending.append(task.id)
    }
    unfinishedCount += submitted.count
    if submitted.isEmpty && unfinishedCount == 0 { effects.append(.completed) }
  }

  private mutating func adopt(_ plan: PlanBroadcast, _ effects: inout [Effect]) {
    self.plan = plan
    for worker in workers.all { effects.append(.send(.plan(plan), to: worker.id)) }
  }

  private mutating func shutDown(_ effects: inout [Effect]) {
    isOver = true
    for worker in workers.all { effects.append(.send(.shutdown, to: worker.id)) }
  }

  mutating func fail(_ failure: RunFailure, _ effects: inout [Effect]) {
    guard !isOver else { return }
    isOver = true
    effects.append(.failed(failure))
  }

  private mutating func assignWaitingTasks(_ now: Instant, _ effects: inout [Effect]) {
    guard !isOver, !pending.isEmpty else { return }
    for worker in workers.all where worker.state == .idle {
      guard !pending.isEmpty else { return }
      assign(pending.removeFirst(), to: worker.id, now, &effects)
    }
  }

  private mutating func assign(
    _ id: TaskID, to worker: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    tasks[id]!.attemptCount += 1
    tasks[id]!.state = .running
    let attempt = TaskAttempt(task: id, attempt: tasks[id]!.attemptCount)
    workers[worker]!.state = .working(.init(attempt: attempt, lastProgress: now))
    effects.append(.send(.assign(Assignment(attempt: attempt, work: tasks[id]!.work)), to: worker))
  }
}
