import FlapCore

/// What the coordinator knows of a task.
struct TaskRecord: Sendable {
  enum State: Hashable, Sendable {
    case pending
    case running
    /// This attempt's complete result was handed out for storing.
    case storing(TaskAttempt)
    case done(Digest)

    var isInWork: Bool {
      switch self {
      case .running, .storing: true
      case .pending, .done: false
      }
    }

    var doneDigest: Digest? { if case .done(let digest) = self { digest } else { nil } }
  }

  let work: Work
  var state: State = .pending
  /// The digest of the result that is being stored.
  var offered: Digest?
  var attemptCount = 0
  var failureCount = 0
  /// Workers that died or hung while they had the task.
  var lostWorkerCount = 0
  /// Workers that have an attempt of it; two at the end of a phase, else at most one.
  var holders: [WorkerID] = []
}

/// What the coordinator knows of a worker.
struct WorkerRecord: Sendable {
  struct Job: Sendable {
    let attempt: TaskAttempt
    let kind: Work.Kind
    let assignedAt: Instant
    /// When the work last moved: a later step in a heartbeat, or a chunk of the report.
    var lastProgress: Instant
    var completedSteps = 0
    var totalSteps = 0
    /// Heartbeats since the assignment that said the worker is idle.
    var idleBeats = 0
    var report: IncomingReport?

    init(attempt: TaskAttempt, kind: Work.Kind, assignedAt: Instant) {
      self.attempt = attempt
      self.kind = kind
      self.assignedAt = assignedAt
      lastProgress = assignedAt
    }
  }

  let id: WorkerID
  let hello: Hello
  var lastHeard: Instant
  /// nil when idle.
  var job: Job?
  var residentBytes = 0
  var peakResidentBytes = 0
  var completedTaskCount = 0

  init(id: WorkerID, hello: Hello, lastHeard: Instant) {
    self.id = id
    self.hello = hello
    self.lastHeard = lastHeard
  }

  mutating func noteProgress(of attempt: TaskAttempt, _ now: Instant) {
    guard job?.attempt == attempt else { return }
    job!.lastProgress = now
    job!.idleBeats = 0
  }

  /// - Returns: how long the work stood still, when steps were done since the last heartbeat. Not
  ///   the time of one step: a worker does several at once and tells them together.
  mutating func take(_ heartbeat: Heartbeat, _ now: Instant) -> Duration? {
    residentBytes = heartbeat.residentBytes
    peakResidentBytes = max(peakResidentBytes, heartbeat.peakResidentBytes)
    guard job != nil else { return nil }
    guard heartbeat.attempt == job!.attempt else {
      if heartbeat.attempt == nil { job!.idleBeats += 1 }
      return nil
    }
    job!.idleBeats = 0
    job!.totalSteps = heartbeat.totalSteps
    guard heartbeat.completedSteps > job!.completedSteps else { return nil }
    defer { job!.lastProgress = now }
    job!.completedSteps = heartbeat.completedSteps
    return now - job!.lastProgress
  }
}

/// The workers in the order in which they joined, so that the same events give the same effects.
struct WorkerTable: Sendable {
  private var order: [WorkerID] = []
  private var records: [WorkerID: WorkerRecord] = [:]
  private var departed: Set<WorkerID> = []
  private var busyCount = 0

  var all: some Collection<WorkerRecord> { order.lazy.map { [records] in records[$0]! } }
  var isEmpty: Bool { order.isEmpty }
  var count: Int { order.count }
  var idleCount: Int { order.count - busyCount }

  /// - Note: a job is given and taken with ``give(_:to:)`` and ``takeJob(from:)``, which count.
  subscript(id: WorkerID) -> WorkerRecord? {
    get { records[id] }
    _modify { yield &records[id] }
  }

  /// Whether a worker of this name was here and is gone: it cannot come back under it.
  func hasDeparted(_ id: WorkerID) -> Bool { departed.contains(id) }

  mutating func insert(_ worker: WorkerRecord) {
    order.append(worker.id)
    records[worker.id] = worker
  }

  mutating func remove(_ id: WorkerID) -> WorkerRecord? {
    guard let record = records.removeValue(forKey: id) else { return nil }
    order.removeAll { $0 == id }
    departed.insert(id)
    if record.job != nil { busyCount -= 1 }
    return record
  }

  mutating func give(_ job: WorkerRecord.Job, to id: WorkerID) {
    records[id]!.job = job
    busyCount += 1
  }

  mutating func takeJob(from id: WorkerID) -> WorkerRecord.Job? {
    guard let job = records[id]?.job else { return nil }
    records[id]!.job = nil
    records[id]!.completedTaskCount += 1
    busyCount -= 1
    return job
  }
}

/// Which hosts fail.
struct HostTable: Sendable {
  private var failedTasks: [String: Set<TaskID>] = [:]
  private var excluded: Set<String> = []

  func isExcluded(_ host: String) -> Bool { excluded.contains(host) }

  /// - Returns: whether the host is to be left out from now on.
  mutating func note(failureOf task: TaskID, on host: String, limit: Int) -> Bool {
    failedTasks[host, default: []].insert(task)
    return failedTasks[host]!.count >= limit && excluded.insert(host).inserted
  }
}

/// A result that arrives in chunks.
struct IncomingReport: Sendable {
  enum Stage: Hashable, Sendable {
    /// The worker has no credit yet: others come first.
    case waiting
    case receiving
    case complete
  }

  let begin: ReportBegin
  var stage = Stage.waiting
  private(set) var receivedBytes = 0
  /// Set when the result was given out for storing.
  var isHandedOver = false
  private let shard: ShardCommitted?

  init(_ begin: ReportBegin) {
    self.begin = begin
    shard = nil
  }

  /// A shard that the worker wrote itself: nothing is to be sent.
  init(complete begin: ReportBegin, _ shard: ShardCommitted) {
    self.begin = begin
    self.shard = shard
    stage = .complete
  }

  var isWhole: Bool { receivedBytes == begin.byteCount }

  var result: TaskResult {
    shard.map(TaskResult.written) ?? .received(byteCount: begin.byteCount, begin.digest)
  }

  /// - Returns: the chunks that are to come.
  mutating func admit(chunkBytes: Int) -> Int {
    stage = .receiving
    return (begin.byteCount + chunkBytes - 1) / chunkBytes
  }

  /// - Returns: false when the chunk is not the next one, or more than was announced.
  mutating func take(offset: Int, byteCount: Int) -> Bool {
    guard stage == .receiving, offset == receivedBytes, byteCount > 0,
      byteCount <= begin.byteCount - receivedBytes
    else { return false }
    receivedBytes += byteCount
    return true
  }
}
