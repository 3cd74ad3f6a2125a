/// The processes that a coordinator has started: each stands for a worker, or for those of a host.
/// One that dies is started again, a few times, each time after a longer pause.
public struct Fleet: ~Copyable {
  /// Which of the commands, in their order.
  public typealias Member = Int

  public enum Event: Hashable, Sendable {
    case output(Member, line: String)
    case ended(Member, WorkerProcess.Ending)
    /// It was started again in place of the one that ended.
    case restarted(Member)
    /// It failed ``restartsPerMember`` times in a row; it is tried on all the same, ever slower.
    case failed(Member, WorkerProcess.Ending)
    /// No member runs, and each has failed so often, or in a way that no restart mends.
    case hopeless(lastEnding: WorkerProcess.Ending)
  }

  /// How often a member is started again without joining before its machine is thought to be at
  /// fault.
  public static let restartsPerMember = 3
  /// Before the second restart in a row, then twice as long each time, up to the longest; the
  /// first is at once.
  public static let restartPause = Duration.seconds(1)
  public static let longestRestartPause = Duration.seconds(60)
  /// The exit codes of a worker that was told to leave, and of one that would be refused again.
  public static let finalExitCodes: [Int32] = [0, 3]

  private struct Place: ~Copyable {
    let command: LaunchCommand
    var process: WorkerProcess?
    /// Ends in a row without a worker that joined.
    var failureCount = 0
    /// Not to be started again.
    var isOver = false
    var restartDue: ContinuousClock.Instant?

    init(_ command: LaunchCommand) { self.command = command }
  }

  /// A reference, so that processes, which have one owner, can stand in an array.
  private final class Slot {
    var place: Place
    init(_ command: LaunchCommand) { place = Place(command) }
  }

  private let slots: [Slot]
  private let restartLimit: Int

  /// - Parameter restartsPerMember: 0 for commands that run once.
  public init(_ commands: [LaunchCommand], restartsPerMember: Int = Fleet.restartsPerMember) {
    slots = commands.map { Slot($0) }
    restartLimit = restartsPerMember
  }

  public var count: Int { slots.count }

  public func label(_ member: Member) -> String { slots[member].place.command.label }

  /// Members that run, or will run again.
  public var activeCount: Int {
    slots.count { $0.place.process != nil || $0.place.restartDue != nil }
  }

  public var runningCount: Int { slots.count { $0.place.process != nil } }

  /// Those of the processes' outputs.
  public var descriptors: [Int32] { slots.compactMap { $0.place.process?.outputDescriptor } }

  /// Its worker has joined the run: what failed before does not count any more.
  public mutating func noteJoined(_ member: Member) { slots[member].place.failureCount = 0 }

  public func processID(of member: Member) -> Int32? { slots[member].place.process?.processID }

  /// Starts every command.
  public mutating func start() throws(LaunchError) {
    for slot in slots { slot.place.process = try WorkerProcess(slot.place.command) }
  }

  /// What has happened since the last call; starts again what is due.
  public mutating func poll() -> [Event] {
    var events: [Event] = []
    for (member, slot) in slots.enumerated() {
      if slot.place.process != nil { look(at: member, slot, &events) }
      if let due = slot.place.restartDue, due <= .now { restart(member, slot, &events) }
    }
    return events
  }

  /// Asks every worker to end; none is started again.
  public mutating func closeInputs() {
    for slot in slots {
      slot.place.process?.closeInput()
      slot.place.restartDue = nil
      slot.place.isOver = true
    }
  }

  /// Ends those that are left, at once.
  public mutating func killAll() {
    for slot in slots {
      slot.place.process = nil
      slot.place.restartDue = nil
    }
  }

  public mutating func kill(_ member: Member) { slots[member].place.process?.kill() }

  // MARK: One member

  private func look(at member: Member, _ slot: Slot, _ events: inout [Event]) {
    let ending = slot.place.process!.checkEnding()
    events += slot.place.process!.readLines().map { .output(member, line: $0) }
    guard let ending else { return }
    slot.place.process = nil
    events.append(.ended(member, ending))
    schedule(slot, after: ending, member, &events)
  }

  private func schedule(
    _ slot: Slot, after ending: WorkerProcess.Ending, _ member: Member, _ events: inout [Event]
  ) {
    slot.place.failureCount += 1
    let failures = slot.place.failureCount
    if ending.isFinal || restartLimit == 0 { slot.place.isOver = true }
    if !slot.place.isOver {
      let pause = Fleet.restartPause * (1 << min(failures, 10)) / 4
      slot.place.restartDue = .now + (failures == 1 ? .zero : min(pause, Fleet.longestRestartPause))
      if failures == restartLimit + 1 { events.append(.failed(member, ending)) }
    }
    if isHopeless { events.append(.hopeless(lastEnding: ending)) }
  }

  private var isHopeless: Bool {
    slots.allSatisfy { slot in
      slot.place.process == nil
        && (slot.place.isOver || slot.place.failureCount > restartLimit)
    }
  }

  private func restart(_ member: Member, _ slot: Slot, _ events: inout [Event]) {
    slot.place.restartDue = nil
    do {
      slot.place.process = try WorkerProcess(slot.place.command)
      events.append(.restarted(member))
    } catch {
      // It could be started before: memory or processes are short for a while.
      schedule(slot, after: .exited(code: 127), member, &events)
    }
  }
}

extension WorkerProcess.Ending {
  fileprivate var isFinal: Bool { Fleet.finalExitCodes.contains { self == .exited(code: $0) } }
}
