internal import CSpawn
internal import FlapCore
internal import Glibc
internal import SystemPackage

/// A process that the coordinator has started and watches: a worker of this machine, or the ssh or
/// srun that stands for workers elsewhere.
///
/// Its standard input is a pipe that the coordinator holds: a worker ends when the pipe closes,
/// so none outlives the coordinator, however that ends. Its output, both streams, comes line by
/// line from ``readLines()``.
public struct WorkerProcess: ~Copyable {
  public let processID: Int32
  /// Ready to read when there is output; nil after its end.
  public private(set) var outputDescriptor: Int32?
  private var standardInput: FileDescriptor?
  private let output: FileDescriptor
  private var lines = LineBuffer()
  /// Set when the process was seen to end.
  public private(set) var ending: Ending?

  public enum Ending: Hashable, Sendable, CustomStringConvertible {
    case exited(code: Int32)
    case killed(signal: Int32)

    public var description: String {
      switch self {
      case .exited(let code): "exited with code \(code)"
      case .killed(let signal): "killed by signal \(signal)"
      }
    }
  }

  /// Starts the command (posix_spawnp).
  ///
  /// - Throws: ``LaunchError`` when the program is missing or cannot be run.
  public init(_ command: LaunchCommand) throws(LaunchError) {
    do {
      // All ends close on exec, or a later worker would hold this one's input open.
      let input = try FileDescriptor.closingOnExecPipe()
      let output = try FileDescriptor.closingOnExecPipe()
      defer {
        try? input.readEnd.close()
        try? output.writeEnd.close()
      }
      processID = try WorkerProcess.spawn(
        command, standardInput: input.readEnd, output: output.writeEnd)
      standardInput = input.writeEnd
      self.output = output.readEnd
      outputDescriptor = output.readEnd.rawValue
      _ = fcntl(output.readEnd.rawValue, F_SETFL, O_NONBLOCK)
      // What stands first is far smaller than a pipe's buffer: it is written whole. A process that
      // is gone already is noticed as such.
      _ = fcntl(input.writeEnd.rawValue, F_SETFL, O_NONBLOCK)
      write(command.standardInput[...])
    } catch {
      throw LaunchError(executable: command.executable, code: error.rawValue)
    }
  }

  deinit {
    if ending == nil {
      Glibc.kill(processID, SIGKILL)
      // One that is stuck in the kernel (a dead file server) may take long to go: not waited for.
      for _ in 0..<100 {
        var status: Int32 = 0
        if waitpid(processID, &status, WNOHANG) != 0 { break }
        usleep(5000)
      }
    }
    try? standardInput?.close()
    try? output.close()
  }

  /// Looks whether the process has ended (waitpid with WNOHANG).
  public mutating func checkEnding() -> Ending? {
    guard ending == nil else { return ending }
    var status: Int32 = 0
    guard waitpid(processID, &status, WNOHANG) == processID else { return nil }
    let signal = status & 0x7f
    ending = signal == 0 ? .exited(code: (status >> 8) & 0xff) : .killed(signal: signal)
    return ending
  }

  /// The lines that have come since the last call; does not wait.
  public mutating func readLines() -> [String] {
    var bytes = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = read(output.rawValue, &bytes, bytes.count)
      if count > 0 { lines.append(bytes[..<count]) }
      // From here on it would always be ready.
      if count == 0 { outputDescriptor = nil }
      if count < bytes.count, !(count < 0 && errno == EINTR) { break }
    }
    if ending != nil { lines.finish() }
    return lines.take()
  }

  /// Ready to write when ``write(_:)`` would take something; nil once it is closed.
  public var inputDescriptor: Int32? { standardInput?.rawValue }

  /// Writes to the standard input as much as goes without waiting.
  ///
  /// - Returns: how many bytes; 0 also where nobody reads any more.
  @discardableResult
  public func write(_ bytes: ArraySlice<UInt8>) -> Int {
    guard let standardInput else { return 0 }
    // A pipe without a reader raises SIGPIPE in the thread that writes: kept from it, then taken
    // back, so that the process as a whole goes on as it was.
    var pipeSignal = sigset_t()
    var before = sigset_t()
    sigemptyset(&pipeSignal)
    sigaddset(&pipeSignal, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &pipeSignal, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    let count = bytes.withUnsafeBytes {
      Glibc.write(standardInput.rawValue, $0.baseAddress, $0.count)
    }
    if count < 0, errno == EPIPE {
      var noTime = timespec()
      sigtimedwait(&pipeSignal, nil, &noTime)
    }
    return max(0, count)
  }

  /// Asks the worker to end: its standard input closes.
  public mutating func closeInput() {
    try? standardInput?.close()
    standardInput = nil
  }

  /// Ends the process at once (SIGKILL).
  public func kill() {
    if ending == nil { Glibc.kill(processID, SIGKILL) }
  }

  private static func spawn(
    _ command: LaunchCommand, standardInput: FileDescriptor, output: FileDescriptor
  ) throws(Errno) -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, standardInput.rawValue, STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, output.rawValue, STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, output.rawValue, STDERR_FILENO)
    // Libraries open sockets and files, too: nothing else of this process is for its workers.
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)
    let argv = ([command.executable] + command.arguments).map { strdup($0) } + [nil]
    let variables = environment(adding: command.environment).map { strdup($0) } + [nil]
    defer { for text in argv + variables { free(text) } }
    // A Ctrl-C at the terminal is for the coordinator: it decides when its workers end.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setpgroup(&attributes, 0)
    var noSignals = sigset_t()
    sigemptyset(&noSignals)
    posix_spawnattr_setsigmask(&attributes, &noSignals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
    var processID: Int32 = 0
    let code = posix_spawnp(
      &processID, command.executable, &actions, &attributes, argv, variables)
    guard code == 0 else { throw Errno(rawValue: code) }
    return processID
  }

  private static func environment(adding added: [String: String]) -> [String] {
    var all: [String] = []
    var entry = environ
    while let variable = entry.pointee {
      let text = String(cString: variable)
      if added[String(text.prefix { $0 != "=" })] == nil { all.append(text) }
      entry += 1
    }
    return all + added.map { "\($0.key)=\($0.value)" }
  }
}

/// Bytes that become lines, fit for a terminal whatever was printed. A line that is too long comes in
/// pieces.
package struct LineBuffer {
  package static let lineBytes = 16 << 10
  private var partial: [UInt8] = []
  private var complete: [String] = []

  package init() {}

  package mutating func append(_ bytes: ArraySlice<UInt8>) {
    for byte in bytes {
      if byte == UInt8(ascii: "\n") || partial.count >= LineBuffer.lineBytes { end() }
      if byte != UInt8(ascii: "\n"), byte != UInt8(ascii: "\r") { partial.append(byte) }
    }
  }

  /// What is left is a line, too.
  package mutating func finish() {
    if !partial.isEmpty { end() }
  }

  package mutating func take() -> [String] {
    defer { complete = [] }
    return complete
  }

  private mutating func end() {
    complete.append(PlainText.outputLine(partial))
    partial.removeAll(keepingCapacity: true)
  }
}

extension FileDescriptor {
  fileprivate static func closingOnExecPipe() throws(Errno) -> (
    readEnd: FileDescriptor, writeEnd: FileDescriptor
  ) {
    do {
      let pipe = try FileDescriptor.pipe()
      for end in [pipe.readEnd, pipe.writeEnd] {
        _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC)
      }
      return pipe
    } catch {
      throw error as? Errno ?? .ioError
    }
  }
}
