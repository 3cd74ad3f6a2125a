import SystemPackage

/// A worker program that could not be started.
public struct LaunchError: Error, Hashable, Sendable, CustomStringConvertible {
  public let executable: String
  /// `errno` of the failed call.
  public let code: Int32

  public var description: String {
    "cannot start \(executable): \(Errno(rawValue: code)); "
      + "build it (swift build -c release) or name it with --worker-program"
  }
}
