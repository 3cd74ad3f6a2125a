/// A command of this machine that starts a worker, here or elsewhere.
public struct LaunchCommand: Hashable, Sendable {
  /// The host, as people read it.
  public var label: String
  /// A path, or a name that is found through PATH.
  public var executable: String
  public var arguments: [String]
  /// Added to what this process has.
  public var environment: [String: String]
  /// Written first; then the pipe is held open, for a worker ends when it closes. It may hold keys,
  /// so no description of the command shows it.
  public var standardInput: [UInt8]

  public init(
    label: String, executable: String, arguments: [String], environment: [String: String] = [:],
    standardInput: [UInt8] = []
  ) {
    self.label = label
    self.executable = executable
    self.arguments = arguments
    self.environment = environment
    self.standardInput = standardInput
  }
}

extension LaunchCommand: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The command as one would type it.
  public var description: String {
    let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    let prefix = variables.isEmpty ? [] : ["env"] + variables
    return ShellQuoting.join(prefix + [executable] + arguments)
  }

  public var debugDescription: String { "\(label): \(description)" }

  public var customMirror: Mirror {
    Mirror(self, children: ["label": label, "command": description])
  }
}
