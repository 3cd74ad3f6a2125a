internal import Glibc
public import SystemPackage

/// Starts the workers of this machine and starts again those that die.
public struct LocalLauncher: ~Copyable {
  /// A worker process that ended.
  public struct Departure: Hashable, Sendable {
    public let processID: Int32
    public let ending: WorkerProcess.Ending
  }

  /// How often one worker is started again before the machine is thought to be at fault.
  public static let restartsPerWorker = 3

  private let executable: FilePath
  private let arguments: [String]
  private var processes: [Int32: Slot] = [:]
  private var restartsLeft: Int

  /// A reference, so that processes, which have one owner, can stand in a dictionary.
  private final class Slot {
    var process: WorkerProcess
    init(_ process: consuming WorkerProcess) { self.process = process }
  }

  /// - Parameters:
  ///   - executable: `flap-worker`.
  ///   - arguments: the same for each worker.
  public init(executable: FilePath, arguments: [String], count: Int) throws(LaunchError) {
    self.executable = executable
    self.arguments = arguments
    restartsLeft = count * LocalLauncher.restartsPerWorker
    for _ in 0..<count { try start() }
  }

  public var runningCount: Int { processes.count }

  /// The worker program that lies beside the program that runs now.
  public static var defaultExecutable: FilePath? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    guard count > 0 else { return nil }
    let path = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return FilePath(path).removingLastComponent().appending("flap-worker")
  }

  /// The processes that have ended since the last call.
  public mutating func collectDepartures() -> [Departure] {
    var departures: [Departure] = []
    for (processID, slot) in processes {
      guard let ending = slot.process.checkEnding() else { continue }
      processes[processID] = nil
      departures.append(Departure(processID: processID, ending: ending))
    }
    return departures
  }

  /// Starts one more in place of one that died. - Returns: false when that was tried too often.
  public mutating func restart() throws(LaunchError) -> Bool {
    guard restartsLeft > 0 else { return false }
    restartsLeft -= 1
    try start()
    return true
  }

  /// Ends those that are left, at once.
  public mutating func killAll() { processes.removeAll() }

  private mutating func start() throws(LaunchError) {
    let process = try WorkerProcess(executable: executable, arguments: arguments)
    processes[process.processID] = Slot(process)
  }
}
