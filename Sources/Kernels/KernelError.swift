/// A failed call of oneDNN.
public struct KernelError: Error, Hashable, Sendable, CustomStringConvertible {
  public let function: String
  /// `dnnl_status_t`.
  public let code: Int

  public var description: String {
    let reason =
      switch code {
      case 1: "out of memory"
      case 3: "not supported by this CPU: try --compute f32"
      default: "status \(code)"
      }
    return "oneDNN's \(function) failed: \(reason)"
  }
}
