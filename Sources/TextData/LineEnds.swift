/// Line ends as Python's text mode reads them: CR LF and CR are LF.
///
/// A model that has never seen a CR has no use for one: with those of a file from Windows its
/// perplexity is half as high again.
enum LineEnds {
  /// - Returns: the text, and how many of its line ends were another kind.
  static func unified(_ text: [UInt8]) -> (text: [UInt8], changedCount: Int) {
    let (lineFeed, carriageReturn) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))
    guard let first = text.firstIndex(of: carriageReturn) else { return (text, 0) }
    var count = 0
    let unified = [UInt8](unsafeUninitializedCapacity: text.count) { buffer, written in
      _ = buffer.initialize(fromContentsOf: text[..<first])
      written = first
      for index in first..<text.count {
        let byte = text[index]
        // The LF of a CR LF is written already.
        if byte == lineFeed, index > first, text[index - 1] == carriageReturn { continue }
        if byte == carriageReturn { count += 1 }
        buffer.initializeElement(at: written, to: byte == carriageReturn ? lineFeed : byte)
        written += 1
      }
    }
    return (unified, count)
  }
}
