/// One step of the `normalizer` of `tokenizer.json`.
enum TextNormalizer: Sendable {
  case composition(CanonicalComposition)
  /// Puts something before a text that is not empty.
  case prepend([UInt8])
  /// Replaces every occurrence, from the left.
  case replace([UInt8], with: [UInt8])

  func append(_ text: UTF8Text, to output: inout [UInt8]) {
    switch self {
    case .composition(let composition): composition.append(text, to: &output)
    case .prepend(let prefix):
      guard !text.isEmpty else { return }
      output.append(contentsOf: prefix)
      output.append(contentsOf: text)
    case .replace(let pattern, let content): replace(pattern, content, text, &output)
    }
  }

  private func replace(
    _ pattern: [UInt8], _ content: [UInt8], _ text: UTF8Text, _ output: inout [UInt8]
  ) {
    var done = 0
    var position = 0
    while position + pattern.count <= text.count {
      guard text[position] == pattern[0],
        pattern.count == 1 || text[position..<position + pattern.count].elementsEqual(pattern)
      else {
        position += 1
        continue
      }
      output.append(contentsOf: text[done..<position] as UTF8Text)
      output.append(contentsOf: content)
      position += pattern.count
      done = position
    }
    output.append(contentsOf: text[done..<text.count] as UTF8Text)
  }
}

extension [TextNormalizer] {
  /// Applies all steps, one after another.
  func append(_ text: UTF8Text, to output: inout [UInt8]) {
    guard let first else {
      output.append(contentsOf: text)
      return
    }
    guard count > 1 else { return first.append(text, to: &output) }
    var current: [UInt8] = []
    first.append(text, to: &current)
    for step in self[1..<(count - 1)] {
      var following: [UInt8] = []
      current.withUnsafeBufferPointer { step.append($0, to: &following) }
      current = following
    }
    current.withUnsafeBufferPointer { self[count - 1].append($0, to: &output) }
  }
}
