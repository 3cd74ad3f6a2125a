import FlapCore

/// What the coordinator knows of a task.
struct TaskRecord: Sendable {
  enum State: Hashable, Sendable {
    case pending
    case running
    /// A complete result with this digest was handed out for storing.
    case storing(Digest)
    case done(Digest)
  }

  let work: Work
  var state: State = .pending
  var attemptCount = 0
  /// Workers that died or hung while they had the task.
  var lostWorkerCount = 0
}

/// What the coordinator knows of a worker.
struct WorkerRecord: Sendable {
  enum State: Equatable, Sendable {
    case idle
    case working(Job)
  }

  struct Job: Equatable, Sendable {
    let attempt: TaskAttempt
    /// When the work last moved: a later step in a heartbeat, or a chunk of the report.
    var lastProgress: Instant
    var completedSteps = 0
    var totalSteps = 0
    var report: ReportAssembly?
  }

  let id: WorkerID
  let hello: Hello
  var lastHeard: Instant
  var state: State = .idle
  var peakResidentBytes = 0

  init(id: WorkerID, hello: Hello, lastHeard: Instant) {
    self.id = id
    self.hello = hello
    self.lastHeard = lastHeard
  }

  var currentAttempt: TaskAttempt? {
    if case .working(let job) = state { job.attempt } else { nil }
  }

  /// The job, if it is this attempt; nil for what an earlier attempt still says.
  func job(for attempt: TaskAttempt) -> Job? {
    if case .working(let job) = state, job.attempt == attempt { job } else { nil }
  }

  mutating func noteProgress(of attempt: TaskAttempt, _ now: Instant) {
    guard var job = job(for: attempt) else { return }
    job.lastProgress = now
    state = .working(job)
  }

  mutating func take(_ heartbeat: Heartbeat, _ now: Instant) {
    peakResidentBytes = max(peakResidentBytes, heartbeat.peakResidentBytes)
    guard let attempt = heartbeat.attempt, var job = job(for: attempt) else { return }
    if heartbeat.completedSteps > job.completedSteps { job.lastProgress = now }
    job.completedSteps = heartbeat.completedSteps
    job.totalSteps = heartbeat.totalSteps
    state = .working(job)
  }
}

/// The workers in the order in which they joined, so that the same events give the same effects.
struct WorkerTable: Sendable {
  private(set) var all: [WorkerRecord] = []

  subscript(id: WorkerID) -> WorkerRecord? {
    get { all.first { $0.id == id } }
    set {
      guard let index = all.firstIndex(where: { $0.id == id }), let newValue else { return }
      all[index] = newValue
    }
  }

  mutating func insert(_ worker: WorkerRecord) { all.append(worker) }

  mutating func remove(_ id: WorkerID) -> WorkerRecord? {
    guard let index = all.firstIndex(where: { $0.id == id }) else { return nil }
    return all.remove(at: index)
  }
}

/// A report that arrives in chunks.
struct ReportAssembly: Equatable, Sendable {
  let begin: ReportBegin
  private(set) var bytes: [UInt8] = []

  init(_ begin: ReportBegin) { self.begin = begin }

  var isComplete: Bool { bytes.count == begin.byteCount }

  /// - Returns: false when the chunk is not the next one, or more than was announced.
  mutating func append(_ chunk: ReportChunk) -> Bool {
    guard chunk.offset == bytes.count, !chunk.bytes.isEmpty,
      chunk.bytes.count <= begin.byteCount - bytes.count
    else { return false }
    bytes.append(contentsOf: chunk.bytes)
    return true
  }
}
