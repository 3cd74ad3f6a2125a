public import FlapCore

/// What a receiving script says of itself, one line `flap-ship WORD …` each.
public enum ReceiverAnswer: Hashable, Sendable {
  /// Another one writes there; it waits.
  case waits
  /// Send what comes from this byte on.
  case send(from: Int)
  /// A file of the model: its bytes (nil: none), those of a copy begun, and the SHA-256 of one that
  /// is shorter than it should be.
  case file(byteCount: Int?, partialByteCount: Int, digest: Digest?)
  /// KiB that are free; nil where the host cannot tell.
  case room(kibibytes: Int?)
  /// All is in its place: the path, and whether it was before.
  case done(path: String, wasThere: Bool)
  case failed(Failure)

  public enum Failure: Hashable, Sendable {
    case machine(String)
    case tool(String)
    case folder(String)
    case noExecution(String)
    case room(freeKiB: Int, neededKiB: Int, folder: String)
    case write(String)
    case short(String)
    case damaged(String)
    case run(said: String)
  }

  public static let prefix = "flap-ship "
  public static let lineByteLimit = 8192

  /// - Returns: nil for what is no answer: the host's own greetings, messages of its tools.
  public init?(_ line: String) {
    guard line.hasPrefix(ReceiverAnswer.prefix), line.utf8.count <= ReceiverAnswer.lineByteLimit
    else { return nil }
    let text = line.dropFirst(ReceiverAnswer.prefix.count)
    let words = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    guard let answer = ReceiverAnswer(word: words[0], words.count > 1 ? words[1] : "") else {
      return nil
    }
    self = answer
  }

  private init?(word: Substring, _ rest: Substring) {
    switch word {
    case "wait" where rest.isEmpty: self = .waits
    case "send":
      guard let offset = WholeNumber.parse(rest.utf8) else { return nil }
      self = .send(from: offset)
    case "room":
      guard rest.isEmpty || WholeNumber.parse(rest.utf8) != nil else { return nil }
      self = .room(kibibytes: WholeNumber.parse(rest.utf8))
    case "file":
      let fields = rest.split(separator: " ", omittingEmptySubsequences: false)
      guard fields.count == 3, let partial = WholeNumber.parse(fields[1].utf8) else { return nil }
      let count = WholeNumber.parse(fields[0].utf8)
      let digest = Digest(hexadecimal: String(fields[2]))
      guard count != nil || fields[0] == "-", digest != nil || fields[2] == "-",
        count != nil || digest == nil
      else { return nil }
      self = .file(byteCount: count, partialByteCount: partial, digest: digest)
    case "done", "there":
      guard rest.hasPrefix("/"), !rest.unicodeScalars.contains(where: PlainText.isUnprintable)
      else { return nil }
      self = .done(path: String(rest), wasThere: word == "there")
    case "fail":
      guard let failure = Failure(rest) else { return nil }
      self = .failed(failure)
    default: return nil
    }
  }
}

extension ReceiverAnswer.Failure {
  fileprivate init?(_ text: Substring) {
    let words = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    guard words.count == 2 else { return nil }
    let rest = PlainText.line(String(words[1]))
    switch words[0] {
    case "machine": self = .machine(rest)
    case "tool": self = .tool(rest)
    case "folder": self = .folder(rest)
    case "noexec": self = .noExecution(rest)
    case "write": self = .write(rest)
    case "short": self = .short(rest)
    case "damaged": self = .damaged(rest)
    case "run": self = .run(said: rest)
    case "room":
      let fields = rest.split(separator: " ", maxSplits: 2)
      guard fields.count == 3, let free = WholeNumber.parse(fields[0].utf8),
        let needed = WholeNumber.parse(fields[1].utf8)
      else { return nil }
      self = .room(freeKiB: free, neededKiB: needed, folder: String(fields[2]))
    default: return nil
    }
  }
}
