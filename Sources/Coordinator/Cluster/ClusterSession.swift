internal import Checkpoint
internal import Chronicle
internal import Coordination
internal import FlapCore
internal import Host
internal import Launching
internal import Logging
internal import Statistics
internal import SystemPackage
internal import Transport
internal import Wire

/// The workers of one run, from their start to their end.
///
/// The session owns the socket and the processes; it asks ``CoordinatorMachine`` what to do and
/// does it. A run performs its phases one after another with ``perform(_:meter:_:keep:)``.
struct ClusterSession: ~Copyable {
  private var machine: CoordinatorMachine
  private var entrance: Entrance
  private var fleet: Fleet
  var inbox = ResultInbox()
  /// Only during a phase.
  private var storing: StoringThread?
  /// Signalled when something was stored.
  private let wakeUp: WakeUp
  private let kernelRecord: KernelRecord
  /// What every worker's copy of the model is compared with.
  let reference: ModelReference
  private let log: Logger
  private let interruption: Interruption
  private var watch: RunWatch
  /// Which worker a process is; known once it has said hello.
  private var workersByMember: [Fleet.Member: WorkerID] = [:]
  /// Workers that the machine knows: welcomed, and neither turned away nor gone since.
  private var welcomed: Set<WorkerID> = []
  private var tasks: [TaskID: Work] = [:]
  private let taskRun = UInt32.random(in: .min ... .max)
  private var isCompleted = false
  /// Whether the processes were started: a resumed run may have nothing left for them.
  private var isStarted = false
  private var drain: (deadline: Instant, isOver: Bool)?
  private var failure: RunFailure?
  /// The phase that was begun last; another session may have begun the meter's.
  private var begunPhase: String?
  private var nextWatch = Instant.now
  /// When the last turn of the loop began.
  private var lastTurn: Instant?
  /// The most anonymous memory that any worker was seen to hold.
  private(set) var peakWorkerBytes = 0
  private var tally = WorkTally()
  private let cost: WorkCost

  /// How often the session looks after its processes when nothing else happens.
  private static let watchInterval = Duration.milliseconds(100)
  /// A loop that does not turn for this long stood still: a stopped process, a slow disk.
  private static let stallLimit = Duration.seconds(1)
  /// How long work at hand may take after Ctrl-C.
  private static let drainLimit = Duration.seconds(30)

  /// Listens and looks whether the hosts are fit; workers start when there is work.
  ///
  /// - Parameters:
  ///   - pass: what the workers will run the model over, if they will.
  ///   - kernels: which ones computed what the run has already.
  ///   - logFolder: where the output of each host is kept; nil: nowhere.
  ///   - reference: the model, where something is known of it; nil: only what is read now.
  ///   - chronicle: is told what happens.
  ///   - interruption: of a run that goes on after its session.
  init(
    _ inputs: RunInputs, _ pass: (any ForwardPass)?, _ plan: ClusterPlan, _ console: Console,
    kernels: KernelRecord = .none, logFolder: FilePath? = nil, reference: ModelReference? = nil,
    chronicle: Chronicle, interruption: Interruption = Interruption()
  ) throws {
    let log = console.log
    for warning in plan.warnings { log.warning("\(warning)") }
    let runID = String(UInt64.random(in: .min ... .max), radix: 16)
    let wakeUp = try WakeUp()
    var entrance = try Entrance(plan, runID: runID)
    try entrance.writeConnectFile(plan.options.connectFile)
    log.log(
      level: plan.isLocal ? .debug : .info,
      "listening on \(entrance.endpoint)\(plan.options.isInsecure ? ", INSECURE" : "")")
    var start = WorkerStart(
      plan, model: inputs.directory, digest: inputs.checkpoint.digest,
      workerBytes: pass.map { plan.workerMemory(of: $0).totalBytes })
    var shipping = try Shipping(plan, inputs.checkpoint)
    try start.checkHosts(&entrance, &shipping, interruption, console)
    let fleet = Fleet(try start.commands(&entrance))
    let watch = try RunWatch(plan.options, console, logFolder: logFolder, chronicle)
    var settings = CoordinatorSettings(inputs, pass, plan, runID: runID)
    settings.earlierKernels = kernels.earlier
    settings.welcome.peerSecret = entrance.peerSecret
    machine = CoordinatorMachine(settings: settings)
    kernelRecord = kernels
    cost = WorkCost(inputs.shape)
    self.log = log
    self.interruption = interruption
    self.watch = watch
    self.fleet = fleet
    self.entrance = entrance
    self.wakeUp = wakeUp
    self.reference = reference ?? ModelReference(inputs.checkpoint)
    self.reference.start()
  }

  /// Runs a part of the run and ends the workers at once when it fails, so that none of them
  /// writes into a folder that is being cleared.
  mutating func guarded<Result>(_ body: (inout ClusterSession) throws -> Result) throws -> Result {
    do {
      return try body(&self)
    } catch {
      // Those that this program did not start hear it, too.
      try? handle(.shutdown(.early))
      fleet.closeInputs()
      fleet.killAll()
      throw error
    }
  }

  /// Has the workers do some work; hands every result to `keep`, on the storing thread and in the
  /// order of arrival. Whether it returns or throws: all that was handed over is stored, or failed to
  /// be.
  ///
  /// - Throws: what `keep` throws, the run's failure, or ``ClusterError/interrupted(signal:)``.
  mutating func perform(
    _ work: [Work], meter: consuming ProgressMeter, _ ledger: inout RunLedger,
    keep: @escaping StoringThread.Keep
  ) throws {
    var meter = meter
    let storing = StoringThread(ledger, reference, wakeUp: wakeUp, keep: keep)
    self.storing = storing
    defer {
      ledger = storing.finish()
      self.storing = nil
    }
    let start = Instant.now
    let submitted = work.enumerated().map {
      CoordinatorMachine.Task(
        id: TaskID(run: taskRun, number: tasks.count + $0.offset), work: $0.element,
        cost: cost.seconds($0.element))
    }
    for task in submitted { tasks[task.id] = task.work }
    if !work.isEmpty, !isStarted {
      isStarted = true
      try fleet.start()
    }
    isCompleted = false
    if meter.isFirst || begunPhase != meter.label {
      begunPhase = meter.label
      watch.begin(meter, taskCount: work.count)
    }
    try handle(.submit(submitted))
    while !isCompleted {
      try takeTurn()
      watch.update(
        machine, phase: meter.label, fraction: meter.whole(machine.phaseFraction(at: .now)))
      meter.show(
        fraction: machine.phaseFraction(at: .now), workers: machine.views(at: .now),
        machine.counters)
    }
    if meter.isLast { watch.end(meter, seconds: meter.elapsedSeconds) }
    tally.notePhase(meter.label, taskCount: work.count, from: start, to: .now)
    meter.finish()
  }

  /// Workers that take part now.
  var presentWorkers: Set<WorkerID> { machine.presentWorkers }

  /// Reads what of the model was not read yet, and answers workers meanwhile: that may take minutes,
  /// and they are not to think that the run is gone.
  ///
  /// - Returns: the model's full digest.
  /// - Throws: ``ModelError`` when the model is not the one that the run began with, or
  ///   ``ClusterError/interrupted(signal:)``.
  mutating func finishReference() throws -> Digest {
    let reading = reference.finish(wakeUp)
    while true {
      if let result = reading.result { return try result.get() }
      try takeTurn()
    }
  }

  /// Who did what so far.
  var account: WorkAccount { WorkAccount(tally, machine.counters, kernels: machine.kernels) }

  /// Tells every worker, also those that join later, what to write.
  mutating func broadcast(_ plan: PlanBroadcast) throws {
    try handle(.plan(plan))
  }

  /// Tells the workers to leave and waits for them; those that do not go are ended.
  mutating func end() throws {
    try handle(.shutdown(.complete))
    watch.note(.workersDismissed)
    // Those that have not joined yet hear nothing else.
    fleet.closeInputs()
    let deadline = Instant.now + .seconds(5)
    while fleet.runningCount > 0, .now < deadline {
      for case .output(let member, let line) in fleet.poll() {
        watch.tell(line, of: fleet.label(member))
      }
      _ = try Poller.wait(for: entrance.socket, descriptors: [], timeout: .milliseconds(10))
      while try entrance.socket.receive() != nil {}
    }
    fleet.killAll()
  }

  // MARK: One turn of the loop

  private mutating func takeTurn() throws {
    _ = try Poller.wait(
      for: entrance.socket, descriptors: fleet.descriptors + [wakeUp.descriptor],
      timeout: untilTimer())
    try noticeStall()
    try takeAnswers()
    try noticeInterruption()
    while let message = try entrance.socket.receive() {
      if let event = event(for: message) { try handle(event) }
      if failure != nil { break }
    }
    if nextWatch <= .now {
      nextWatch = .now + ClusterSession.watchInterval
      try watchProcesses()
      for refusal in entrance.takeRefusals() {
        log.warning("\(refusal)")
        watch.note(.connectionRefused, reason: refusal)
      }
      watch.tellRefusals()
      try entrance.checkLock()
    }
    if let due = machine.nextTimer, due <= .now { try handle(.timer) }
    peakWorkerBytes = max(peakWorkerBytes, machine.peakResidentBytes)
    if let failure { throw failure }
  }

  /// What became of the results that were handed over.
  private mutating func takeAnswers() throws {
    wakeUp.drain()
    for answer in storing?.takeAnswers() ?? [] {
      switch answer {
      case .kept(let delivery):
        tally.noteResult(of: delivery.attempt, delivery.work, at: .now)
        try handle(.stored(delivery.attempt))
      case .refused(let delivery, let reason):
        try handle(.refused(delivery.attempt, reason: reason))
      case .damaged(let worker, let damage): try handle(.damaged(worker, damage))
      case .verified(let failure, let worker): try handle(.verified(failure, worker))
      case .failed(let error): throw error
      }
    }
  }

  /// What workers said while nobody listened is still to come: until then nobody is late.
  private mutating func noticeStall() throws {
    let now = Instant.now
    defer { lastTurn = now }
    guard let lastTurn, now - lastTurn >= ClusterSession.stallLimit else { return }
    try handle(.stalled(now - lastTurn))
  }

  private func untilTimer() -> Duration {
    guard let due = machine.nextTimer else { return ClusterSession.watchInterval }
    return min(max(.zero, due - .now), ClusterSession.watchInterval)
  }

  /// The first Ctrl-C lets work at hand be finished; a second one ends the process where it is.
  private mutating func noticeInterruption() throws {
    guard let signal = interruption.signal else { return }
    guard let drain else {
      log.notice("interrupted: draining, running tasks are finished; Ctrl-C again stops at once")
      drain = (.now + ClusterSession.drainLimit, false)
      watch.note(.draining)
      return try handle(.drain)
    }
    if drain.isOver || drain.deadline <= .now { throw ClusterError.interrupted(signal: signal) }
  }

  /// - Returns: nil for what nobody can read of somebody whom the machine does not know.
  private mutating func event(for message: Message) -> CoordinatorMachine.Event? {
    let worker = WorkerID(bytes: message.routingID)
    do {
      let decoded = try WireCodec.decodeWorkerMessage(message.frames)
      if case .hello(let hello) = decoded {
        tally.note(hello, from: worker)
        if let member = entrance.member(of: message) {
          workersByMember[member] = worker
          fleet.noteJoined(member)
        }
      }
      if case .bye = decoded { welcomed.remove(worker) }
      return .received(decoded, from: worker)
    } catch {
      guard welcomed.contains(worker) else {
        entrance.noteUnreadable(message, because: "\(error)")
        return nil
      }
      return .receivedGarbage(from: worker, reason: "\(error)")
    }
  }

  private mutating func watchProcesses() throws {
    for event in fleet.poll() {
      switch event {
      case .output(let member, let line): watch.tell(line, of: fleet.label(member))
      case .ended(let member, let ending):
        let label = fleet.label(member)
        if let worker = workersByMember.removeValue(forKey: member) {
          try handle(.lost(worker, reason: "\(label) \(ending)"))
        } else if drain == nil {
          log.warning("\(label): \(ending) before joining")
          watch.note(.workerEnded, host: label, reason: "\(ending) before joining")
        }
      case .restarted(let member):
        log.notice("\(fleet.label(member)): restarted")
        watch.note(.workerRestarted, host: fleet.label(member))
      case .failed(let member, let ending):
        log.warning(
          "\(fleet.label(member)): \(ending), restart limit reached; retrying with back-off")
      case .hopeless(let ending):
        guard !isCompleted, drain == nil else { continue }
        if machine.workerCount == 0 {
          throw ClusterError.noWorkersLeft(lastEnding: "\(ending)")
        }
      }
    }
  }

  private mutating func handle(_ event: CoordinatorMachine.Event) throws {
    for effect in machine.handle(event, at: .now) {
      switch effect {
      case .send(let message, let worker):
        if case .assign(let assignment) = message {
          tally.noteAssignment(of: assignment.attempt, to: worker, at: .now)
        }
        try send(message, to: worker)
      case .append(let attempt, let bytes):
        try inbox.append(bytes, to: attempt, of: work(of: attempt))
      case .discard(let attempt): inbox.discard(attempt)
      case .store(let attempt, let result, let claim):
        guard let storing else {
          preconditionFailure("results come while a phase lasts")
        }
        let delivery = StoringThread.Delivery(
          attempt: attempt, work: work(of: attempt), result: result,
          received: try inbox.take(attempt), claim: claim)
        storing.store(delivery)
      case .verify(let failure, let claim): storing?.verify(failure, claim)
      case .computed(let kernels):
        storing?.keep { [kernelRecord] in try kernelRecord.keep(kernels) }
      case .removed(let worker): endProcess(of: worker)
      case .completed: isCompleted = true
      case .drained: drain?.isOver = true
      case .failed(let failure): self.failure = failure
      case .log(let event): watch.note(event)
      }
    }
  }

  private func work(of attempt: TaskAttempt) -> Work {
    guard let work = tasks[attempt.task] else {
      preconditionFailure("the machine speaks of tasks that were submitted")
    }
    return work
  }

  /// A worker that was given up may be stopped or stuck: only when its process is gone is there
  /// room for another.
  private mutating func endProcess(of worker: WorkerID) {
    guard let member = workersByMember.first(where: { $0.value == worker })?.key else { return }
    fleet.kill(member)
  }

  private mutating func send(_ message: CoordinatorMessage, to worker: WorkerID) throws {
    switch message {
    case .welcome: welcomed.insert(worker)
    case .reject: welcomed.remove(worker)
    default: break
    }
    // One that cannot be reached is found dead by its lease.
    if try entrance.socket.send(WireCodec.encode(message), to: worker.bytes) != .sent {
      log.debug("worker \(worker) is unreachable")
    }
  }
}
