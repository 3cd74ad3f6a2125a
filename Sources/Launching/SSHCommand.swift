/// Starts workers on other hosts through the system's OpenSSH client.
///
/// No terminal is asked for, no password and no confirmation; a host whose key is unknown is
/// refused, as the user's own ssh would. A dead connection is noticed after 15 s.
public struct SSHCommand: Hashable, Sendable {
  /// The client: a path, or a name that is found through PATH.
  public var program: String
  /// `Name=value` as in ssh_config(5). They come before this type's own, and ssh takes the first
  /// value of an option: the user's win. They win over the line's user and port, too.
  public var options: [String]
  /// A private key.
  public var identityFile: String?

  public init(options: [String] = [], identityFile: String? = nil, program: String = "ssh") {
    self.options = options
    self.identityFile = identityFile
    self.program = program
  }

  private static let ownOptions = [
    "BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3",
  ]

  /// - Parameters:
  ///   - worker: for all hosts; what the host's line says goes before.
  ///   - standardInput: what the worker reads first.
  public func launchCommand(
    host: HostEntry, worker: WorkerCommandLine, standardInput: [UInt8]
  ) -> LaunchCommand {
    let worker = worker.adjusted(to: host)
    return launchCommand(
      host: host, words: [worker.program] + worker.arguments(), standardInput: standardInput)
  }

  /// - Parameter words: a program there and its arguments.
  func launchCommand(host: HostEntry, words: [String], standardInput: [UInt8]) -> LaunchCommand {
    var arguments = ["-T"] + (options + SSHCommand.ownOptions).flatMap { ["-o", $0] }
    if let port = host.port { arguments += ["-p", String(port)] }
    if let identityFile { arguments += ["-i", identityFile] }
    arguments.append((host.user.map { $0 + "@" } ?? "") + host.host)
    arguments += ["--", SSHCommand.remoteCommand(host: host, words)]
    return LaunchCommand(
      label: host.label, executable: program, arguments: arguments, standardInput: standardInput)
  }

  /// ssh hands one string to the user's shell there. `exec`: the shell becomes the worker, which
  /// then sees its input close and gets the signals that sshd sends.
  private static func remoteCommand(host: HostEntry, _ command: [String]) -> String {
    var words = ["exec"]
    if !host.environment.isEmpty {
      words += ["env"] + host.environment.map { "\($0.name)=\($0.value)" }
      // env would take such a program for another variable.
      if command[0].contains("=") { words += ["sh", "-c", #"exec "$0" "$@""#] }
    }
    return ShellQuoting.join(words + command)
  }
}
