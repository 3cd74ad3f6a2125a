/// Why something cannot be measured.
public enum BenchmarkError: Error, Hashable, Sendable, CustomStringConvertible {
  case unknownCommand(String)
  /// The file has fewer tokens than a work unit.
  case tooFewTokens(path: String, found: Int, needed: Int)
  /// oneDNN refused a product.
  case libraryFailed(code: Int, shape: String)

  public var description: String {
    switch self {
    case .unknownCommand(let line): "\"\(line)\" is no command: write \"turn SECONDS\""
    case .tooFewTokens(let path, let found, let needed):
      "\(path) holds \(found) tokens and a work unit has \(needed): give more, or smaller samples"
    case .libraryFailed(let code, let shape):
      "oneDNN refused the product \(shape) with status \(code): try --compute f32"
    }
  }
}
