internal import FlapCore
internal import Host

/// Facts about this program.
public enum CoordinatorProgram {
  public static let version = SoftwareVersion.current

  /// From now on Ctrl-C and SIGTERM end this process with the exit codes that shells know, 130 and 143,
  /// while no run has anything to finish.
  public static func endOnSignals() { Interruption.endProcess() }

  /// - Throws: what is wrong with the arguments of this process, whatever they are for.
  public static func checkArguments() throws { try Host.checkArguments() }
}
