import FlapCore
import Statistics

/// The coordinator's side of a run, without socket, clock or disk: events go in, effects come out.
///
/// The machine knows which workers there are, which tasks wait, run and are done, and who is
/// owed an answer. It holds no result and does not know what one means: bytes that arrive are
/// handed on as ``Effect/append(_:_:)``, a complete result as ``Effect/store(_:_:_:)``, and a worker
/// is acknowledged only when the shell says ``Event/stored(_:)``, that is, when it is safe.
///
/// A result counts once per task: the first that is complete and true to its digest. A second
/// one with the same digest is acknowledged and dropped; one with another digest means that two
/// machines computed different bits, and is told loudly.
public struct CoordinatorMachine: Sendable {
  public enum Event: Sendable {
    /// More tasks for the workers, to be done in any order: the next phase of the run.
    case submit([Task])
    /// What later `writeShard` and `evaluate` tasks refer to; sent to every worker, the late ones
    /// too, in place of the plan before it.
    case plan(PlanBroadcast)
    case received(WorkerMessage, from: WorkerID)
    /// A message that could not be decoded.
    case receivedGarbage(from: WorkerID, reason: String)
    /// The result handed out for storing is safe.
    case stored(TaskAttempt)
    /// The result handed out for storing is not what its digest says, or cannot be a result.
    case refused(TaskAttempt, reason: String)
    /// The worker's copy of the model differs from the coordinator's. A result that was handed out is
    /// refused after it.
    case damaged(WorkerID, TensorDamage)
    /// The worker that failed has the model that it should have, as far as it has read it.
    case verified(TaskFailure, WorkerID)
    /// The worker's process is known to have ended.
    case lost(WorkerID, reason: String)
    /// Time has passed; nothing else happened.
    case timer
    /// For this long nobody handed anything to the machine: the process stood still. What the
    /// workers said meanwhile comes after this.
    case stalled(Duration)
    /// The run is to end early: what is in work is finished and stored, nothing else is begun.
    case drain
    /// The run is over or given up: every worker is told to leave.
    case shutdown(RunEnd)
  }

  public enum Effect: Hashable, Sendable {
    case send(CoordinatorMessage, to: WorkerID)
    /// The next bytes of the attempt's result.
    case append(TaskAttempt, [UInt8])
    /// What was received of the attempt's result is not wanted.
    case discard(TaskAttempt)
    /// Check what the worker claims of its model, check a complete result against its digest and make
    /// it safe, then answer with ``Event/stored(_:)`` or ``Event/refused(_:reason:)``.
    case store(TaskAttempt, TaskResult, ModelClaim)
    /// Check what a worker that failed claims of its model, then answer with
    /// ``Event/verified(_:_:)`` or ``Event/damaged(_:_:)``.
    case verify(TaskFailure, ModelClaim)
    /// A result is about to be stored that was computed by kernels of which there was none yet.
    case computed(by: String)
    /// The worker was given up: end its process, if that can be done, so that another may start.
    case removed(WorkerID)
    /// Every submitted task is done and stored.
    case completed
    /// The run was to end early, and nothing is in work any more.
    case drained
    /// The run cannot go on.
    case failed(RunFailure)
    case log(LogEvent)
  }

  public struct Task: Hashable, Sendable {
    public let id: TaskID
    public let work: Work
    /// How long it takes beside others, in any unit: for those who watch. Nothing is decided by it.
    public let cost: Double

    public init(id: TaskID, work: Work, cost: Double = 1) {
      self.id = id
      self.work = work
      self.cost = cost
    }
  }

  public let settings: CoordinatorSettings
  var workers = WorkerTable()
  var hosts = HostTable()
  var tasks = TaskTable()
  var phase = PhaseAccount(taskCount: 0, earlierCost: 0, began: Instant(nanoseconds: 0))
  var paces = PaceBook()
  var budget: ReceiveBudget
  var plan: PlanBroadcast?
  var lastSerial: UInt64 = 0
  /// Which worker keeps samples from one task to the next.
  var samplesAtHand: [TreeNode: WorkerID] = [:]
  /// When the last event came.
  var clock = Instant(nanoseconds: 0)
  /// Of the workers whose results are kept, in the order of their first ones.
  public internal(set) var kernels: [String]
  /// Since when no worker is there although there is work.
  var aloneSince: Instant?
  var mode = RunMode.working
  /// What happened so far, for those who watch.
  public internal(set) var counters = RunCounters()

  public init(settings: CoordinatorSettings) {
    self.settings = settings
    kernels = settings.earlierKernels
    budget = ReceiveBudget(byteCount: settings.receiveBudgetBytes)
  }

  /// Takes one event and returns what is to be done about it, in order.
  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    var effects: [Effect] = []
    clock = now
    switch event {
    case .submit(let tasks): submit(tasks, now, &effects)
    case .plan(let plan): adopt(plan, &effects)
    case .received(let message, let worker): receive(message, from: worker, now, &effects)
    case .receivedGarbage(let worker, let reason):
      remove(worker, .misbehaved(reason), now, &effects)
    case .stored(let attempt): acknowledge(attempt, now, &effects)
    case .refused(let attempt, let reason): refuse(attempt, because: reason, now, &effects)
    case .damaged(let worker, let damage): turnAway(worker, damage, &effects)
    case .verified(let failure, let worker):
      if workers.find(worker) != nil { acceptFailure(failure, from: worker, &effects) }
    case .lost(let worker, let reason): remove(worker, .died(reason), now, &effects)
    case .timer: checkLeases(now, &effects)
    case .stalled(let pause): overlook(pause)
    case .drain: drain(&effects)
    case .shutdown(let end): shutDown(end, &effects)
    }
    assignTasks(now, &effects)
    grantCredits(now, &effects)
    watchLoneliness(now, &effects)
    noteDrained(&effects)
    return effects
  }

  // MARK: Run

  private mutating func submit(
    _ submitted: [Task], _ now: Instant, _ effects: inout [Effect]
  ) {
    phase = PhaseAccount(taskCount: submitted.count, earlierCost: tasks.cost, began: now)
    for task in submitted { tasks.submit(task) }
    if submitted.isEmpty && tasks.unfinishedCount == 0 { effects.append(.completed) }
  }

  private mutating func adopt(_ plan: PlanBroadcast, _ effects: inout [Effect]) {
    self.plan = plan
    for worker in workers.all { effects.append(.send(.plan(plan), to: worker.id)) }
  }

  private mutating func drain(_ effects: inout [Effect]) {
    guard mode == .working else { return }
    mode = .draining
    for worker in workers.all { effects.append(.send(.drain, to: worker.id)) }
  }

  private mutating func noteDrained(_ effects: inout [Effect]) {
    guard mode == .draining, tasks.unfinishedCount > 0, tasks.inWorkCount == 0 else { return }
    mode = .over(.early)
    effects.append(.drained)
  }

  private mutating func shutDown(_ end: RunEnd, _ effects: inout [Effect]) {
    mode = .over(end)
    for worker in workers.all { effects.append(.send(.shutdown(end), to: worker.id)) }
  }

  mutating func fail(_ failure: RunFailure, _ effects: inout [Effect]) {
    guard !mode.isOver else { return }
    mode = .over(.early)
    effects.append(.failed(failure))
  }
}
