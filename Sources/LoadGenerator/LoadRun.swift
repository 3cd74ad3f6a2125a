internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Glibc
internal import Host
internal import Storage
internal import Transport

/// Many workers, played by one thread, from their connections to the coordinator's goodbye.
public struct LoadRun {
  /// A result that is delivered when its time has come.
  private struct Delivery {
    let due: Instant
    let worker: Int
    let assignment: Assignment
  }

  private let options: LoadOptions
  private let modelDigest: Digest
  private var factory: ReportFactory
  private var workers: [SyntheticWorker] = []
  /// In the order in which they are due; those before `nextDelivery` are done.
  private var deliveries: [Delivery] = []
  private var nextDelivery = 0
  private var tally = Tally()

  /// - Throws: what is wrong with the model.
  public init(_ options: LoadOptions) throws {
    self.options = options
    let checkpoint = try Checkpoint(directory: options.modelDirectory)
    try checkpoint.validate()
    modelDigest = checkpoint.digest
    factory = ReportFactory(shape: checkpoint.configuration.shape)
  }

  /// Plays until every worker was told to leave.
  ///
  /// - Throws: ``LoadError`` or a `TransportError`.
  public mutating func run() throws -> LoadSummary {
    Host.raiseDescriptorLimit()
    let start = Instant.now
    try connect()
    while tally.endedCount < workers.count {
      for worker in try wait() { try takeTurn(worker) }
      try deliver()
    }
    if tally.lostCount == workers.count { throw LoadError.allLost(reason: tally.lastLoss) }
    return LoadSummary(
      connections: workers.count, reports: tally.reportCount, normReports: tally.normCount,
      sumReports: tally.sumCount,
      reportBytes: factory.momentsByteCount, sentBytes: tally.sentBytes,
      lostWorkers: tally.lostCount, seconds: (Instant.now - start).seconds,
      reportSeconds: tally.reportTime.seconds)
  }

  private mutating func connect() throws {
    let bytes = try SmallFile.read(options.connectFile, limit: ConnectionTicket.byteLimit)
    let ticket = try ConnectionTicket(text: String(decoding: bytes, as: UTF8.self))
    let context = try MessagingContext(socketLimit: options.connectionCount + 16)
    let run = String(UInt32.random(in: .min ... .max), radix: 16)
    for number in 0..<options.connectionCount {
      workers.append(
        try SyntheticWorker(
          name: "load-\(run)-\(number)", modelDigest: modelDigest, ticket: ticket,
          context: context
        ) { _ in })
    }
  }

  // MARK: One turn

  /// How long a heartbeat may be late.
  private static let sweepInterval = Duration.milliseconds(50)

  /// Waits (poll(2)) until something happens or is due.
  /// - Returns: the workers that have something to do.
  private mutating func wait() throws -> [Int] {
    var items = workers.map {
      pollfd(fd: $0.hasEnded ? -1 : $0.descriptor, events: Int16(POLLIN), revents: 0)
    }
    var limit = LoadRun.sweepInterval
    if nextDelivery < deliveries.count {
      limit = max(.zero, min(limit, deliveries[nextDelivery].due - .now))
    }
    // Rounded up, so that what is waited for is due.
    let milliseconds = Int32((limit.nanoseconds + 999_999) / 1_000_000)
    if poll(&items, nfds_t(items.count), milliseconds) < 0, errno != EINTR {
      throw LoadError.cannotWait(code: errno)
    }
    let now = Instant.now
    return workers.indices.filter { index in
      items[index].revents != 0 || workers[index].nextTimer.map { $0 <= now } ?? false
    }
  }

  private mutating func takeTurn(_ worker: Int) throws {
    var happenings: [SyntheticWorker.Happening] = []
    try workers[worker].takeTurn { happenings.append($0) }
    note(happenings, of: worker)
  }

  private mutating func deliver() throws {
    while nextDelivery < deliveries.count, deliveries[nextDelivery].due <= .now {
      let delivery = deliveries[nextDelivery]
      nextDelivery += 1
      let report = factory.report(on: delivery.assignment.work)
      var happenings: [SyntheticWorker.Happening] = []
      try workers[delivery.worker].finish(delivery.assignment.attempt, with: report) {
        happenings.append($0)
      }
      note(happenings, of: delivery.worker)
    }
  }

  private mutating func note(_ happenings: [SyntheticWorker.Happening], of worker: Int) {
    for happening in happenings {
      tally.note(happening)
      guard case .assigned(let assignment) = happening else { continue }
      deliveries.append(
        Delivery(due: .now + options.reportDelay, worker: worker, assignment: assignment))
    }
  }
}
