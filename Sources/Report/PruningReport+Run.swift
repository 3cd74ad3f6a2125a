extension PruningReport {
  /// What was so in this run alone.
  public struct Run: Sendable {
    /// The command and its arguments, each quoted for a shell.
    public var command: [String]
    public var version: String
    /// Which kernels computed, as workers announce them.
    public var kernels: String
    /// Format of the matrix products; nil where there were none.
    public var compute: String?
    /// The end of the run: date and time with zone, for people.
    public var finishedAt: String
    public var seconds: Double
    /// The most anonymous memory that any worker was seen to hold.
    public var peakWorkerBytes: Int
    /// Whether the run went on with what an earlier one had left.
    public var isResumed: Bool
    public var phases: [Phase]
    public var workers: [Worker]
    public var events: [Event]

    public init(
      command: [String], version: String, kernels: String, compute: String?, finishedAt: String,
      seconds: Double, peakWorkerBytes: Int, isResumed: Bool, phases: [Phase], workers: [Worker],
      events: [Event]
    ) {
      self.command = command
      self.version = version
      self.kernels = kernels
      self.compute = compute
      self.finishedAt = finishedAt
      self.seconds = seconds
      self.peakWorkerBytes = peakWorkerBytes
      self.isResumed = isResumed
      self.phases = phases
      self.workers = workers
      self.events = events
    }
  }

  /// A part of a run that workers did.
  public struct Phase: Sendable {
    public var name: String
    public var taskCount: Int
    public var seconds: Double

    public init(name: String, taskCount: Int, seconds: Double) {
      self.name = name
      self.taskCount = taskCount
      self.seconds = seconds
    }
  }

  /// What one worker did.
  public struct Worker: Sendable {
    public var host: String
    public var threadCount: Int
    /// Results of its that count.
    public var resultCount: Int
    /// Tasks that it was given and whose results do not count: it was lost, failed, or was slower.
    public var uncountedCount: Int
    /// Tokens of the samples that it ran the model over.
    public var tokenCount: Int
    /// From the assignment of those samples to their results.
    public var tokenSeconds: Double

    public init(
      host: String, threadCount: Int, resultCount: Int, uncountedCount: Int, tokenCount: Int,
      tokenSeconds: Double
    ) {
      self.host = host
      self.threadCount = threadCount
      self.resultCount = resultCount
      self.uncountedCount = uncountedCount
      self.tokenCount = tokenCount
      self.tokenSeconds = tokenSeconds
    }

    /// nil before the first result.
    var tokensPerSecond: Double? {
      tokenSeconds > 0 && tokenCount > 0 ? Double(tokenCount) / tokenSeconds : nil
    }
  }

  /// How often something happened.
  public struct Event: Sendable {
    public var name: String
    public var count: Int

    public init(name: String, count: Int) {
      self.name = name
      self.count = count
    }
  }
}
