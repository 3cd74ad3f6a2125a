extension Host {
  /// - Throws: ``UnreadableArgument``.
  public static func checkArguments() throws(UnreadableArgument) {
    for index in 0..<Int(CommandLine.argc) {
      guard let argument = CommandLine.unsafeArgv[index] else { continue }
      guard String(validatingCString: argument) != nil else {
        throw UnreadableArgument(text: String(cString: argument))
      }
    }
  }
}

/// An argument of this process that is no UTF-8. Swift repairs such a one, and a repaired path is
/// another path.
public struct UnreadableArgument: Error, Hashable, Sendable, CustomStringConvertible {
  /// With replacement characters.
  public let text: String

  public var description: String {
    "the argument \(text) is not UTF-8: rename the file or folder, or make a link to it"
  }
}
