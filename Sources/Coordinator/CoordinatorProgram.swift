internal import FlapCore

/// Facts about this program.
public enum CoordinatorProgram {
  public static let version = SoftwareVersion.current
}
