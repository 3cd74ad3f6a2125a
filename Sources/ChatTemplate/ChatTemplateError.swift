/// Why a template cannot be read or a conversation not be rendered, and where.
public struct ChatTemplateError: Error, Hashable, Sendable {
  public enum Reason: Hashable, Sendable {
    /// It is no Jinja.
    case syntax(String)
    /// It may be Jinja, which this does not know.
    case unsupported(String)
    /// What Jinja refuses while it renders.
    case failed(String)
    /// What the template says by `raise_exception`.
    case raised(String)
    case tooMuchWork
    case tooDeep
    case tooLarge(String, Int)
  }

  public let reason: Reason
  /// In the template, from 1.
  public let line: Int

  init(_ reason: Reason, line: Int) {
    self.reason = reason
    self.line = line
  }

  /// Whether it is the conversation that the template refuses, by its own words.
  public var isRaised: Bool {
    if case .raised = reason { true } else { false }
  }
}

extension ChatTemplateError: CustomStringConvertible {
  public var description: String {
    switch reason {
    case .raised(let message): message
    case .syntax(let what): "line \(line) of the template: \(what)"
    case .unsupported(let what): "line \(line) of the template: \(what) is not understood here"
    case .failed(let what): "line \(line) of the template: \(what)"
    case .tooMuchWork: "line \(line) of the template: it does not come to an end"
    case .tooDeep: "line \(line) of the template: it is nested too deeply"
    case .tooLarge(let what, let limit):
      "line \(line) of the template: its \(what) is above \(limit >> 20) MiB"
    }
  }
}
