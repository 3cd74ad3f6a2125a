internal import FlapCore
internal import Host

/// Facts about this program.
public enum CoordinatorProgram {
  public static let version = SoftwareVersion.current

  /// - Throws: what is wrong with the arguments of this process, whatever they are for.
  public static func checkArguments() throws { try Host.checkArguments() }
}
