internal import Glibc
public import SystemPackage

/// A worker process of this machine, started and watched by its coordinator.
///
/// Its standard input is a pipe that the coordinator holds: a worker ends when the pipe closes,
/// so none outlives the coordinator, however that ends. Its output goes where the coordinator's
/// standard error goes.
public struct WorkerProcess: ~Copyable {
  public let processID: Int32
  private let standardInput: FileDescriptor
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

  /// Starts `executable` (posix_spawn).
  ///
  /// - Throws: ``LaunchError`` when the file is missing or cannot be run.
  public init(executable: FilePath, arguments: [String]) throws(LaunchError) {
    do {
      // Both ends close on exec, or a later worker would hold this one's input open.
      let pipe = try FileDescriptor.closingOnExecPipe()
      defer { try? pipe.readEnd.close() }
      processID = try WorkerProcess.spawn(executable, arguments, standardInput: pipe.readEnd)
      standardInput = pipe.writeEnd
    } catch {
      throw LaunchError(executable: executable.string, code: error.rawValue)
    }
  }

  deinit {
    if ending == nil {
      Glibc.kill(processID, SIGKILL)
      var status: Int32 = 0
      while waitpid(processID, &status, 0) == -1 && errno == EINTR {}
    }
    try? standardInput.close()
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

  /// Ends the process at once (SIGKILL).
  public func kill() {
    if ending == nil { Glibc.kill(processID, SIGKILL) }
  }

  private static func spawn(
    _ executable: FilePath, _ arguments: [String], standardInput: FileDescriptor
  ) throws(Errno) -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, standardInput.rawValue, STDIN_FILENO)
    // Standard output belongs to the coordinator's result.
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
    let argv = ([executable.string] + arguments).map { strdup($0) } + [nil]
    defer { for argument in argv { free(argument) } }
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
    let code = posix_spawn(&processID, executable.string, &actions, &attributes, argv, environ)
    guard code == 0 else { throw Errno(rawValue: code) }
    return processID
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
