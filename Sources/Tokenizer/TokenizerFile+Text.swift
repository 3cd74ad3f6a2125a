extension TokenizerFile {
  /// The steps of `normalizer`.
  func normalizers() throws(TokenizerError) -> [TextNormalizer] { try normalizers(normalizer) }

  private func normalizers(_ value: JSONValue) throws(TokenizerError) -> [TextNormalizer] {
    if value == .null { return [] }
    switch value.typeName {
    case "Sequence":
      guard let steps = value["normalizers"]?.array else {
        throw malformed("normalizer", "Sequence has no steps")
      }
      var result: [TextNormalizer] = []
      for step in steps {
        // A sequence in a sequence is not written by the library.
        guard step.typeName != "Sequence" else {
          throw unsupported("normalizer", "nested Sequence")
        }
        result += try normalizers(step)
      }
      return result
    case "NFC": return [.composition(CanonicalComposition())]
    case "Prepend":
      guard let prefix = value["prepend"]?.string else {
        throw malformed("normalizer", "Prepend has no text")
      }
      return [.prepend(Array(prefix.utf8))]
    case "Replace":
      guard let content = value["content"]?.string else {
        throw malformed("normalizer", "Replace has no content")
      }
      guard let pattern = value["pattern"]?["String"]?.string, !pattern.isEmpty else {
        let expression = value["pattern"]?["Regex"]?.string
        throw unsupported("normalizer", "Replace of \(expression ?? "nothing")")
      }
      return [.replace(Array(pattern.utf8), with: Array(content.utf8))]
    case let type: throw unsupported("normalizer", type)
    }
  }

  func makePreTokenizer() throws(TokenizerError) -> PreTokenizer {
    if preTokenizer == .null { return .none }
    var steps = [preTokenizer]
    if preTokenizer.typeName == "Sequence" {
      guard let inner = preTokenizer["pretokenizers"]?.array else {
        throw malformed("pre_tokenizer", "Sequence has no steps")
      }
      steps = inner
    }
    if steps.isEmpty { return .none }
    if steps.count == 1, steps[0].typeName == "Metaspace" {
      return .metaspace(try metaspace(steps[0]))
    }
    return .byteLevel(try byteLevelSplit(steps))
  }

  private func metaspace(_ value: JSONValue) throws(TokenizerError) -> Metaspace {
    guard let replacement = value["replacement"]?.string, replacement.unicodeScalars.count == 1,
      replacement != " "
    else { throw malformed("pre_tokenizer", "Metaspace has no replacement") }
    let name = value["prepend_scheme"]?.string ?? "always"
    guard var scheme = Metaspace.PrependScheme(rawValue: name) else {
      throw unsupported("pre_tokenizer", "Metaspace with prepend_scheme \(name)")
    }
    if value["add_prefix_space"]?.bool == false { scheme = .never }
    return Metaspace(
      replacement: Array(replacement.utf8), prependScheme: scheme,
      splits: value["split"]?.bool ?? true)
  }

  /// Digits and a split by a known pattern, where they are, and ByteLevel at the end.
  private func byteLevelSplit(_ steps: [JSONValue]) throws(TokenizerError) -> ByteLevelSplit {
    var split = ByteLevelSplit()
    for (index, step) in steps.enumerated() {
      let isLast = index == steps.count - 1
      switch step.typeName {
      case "ByteLevel" where isLast:
        split.addsPrefixSpace = step["add_prefix_space"]?.bool ?? true
        guard !split.addsPrefixSpace || steps.count == 1 else {
          throw unsupported("pre_tokenizer", "ByteLevel with add_prefix_space after another step")
        }
        if step["use_regex"]?.bool ?? true {
          guard split.pattern == nil else {
            throw unsupported("pre_tokenizer", "ByteLevel with use_regex after Split")
          }
          split.pattern = .gpt2
        }
      case "Digits" where !isLast && index == 0:
        guard step["individual_digits"]?.bool ?? false else {
          throw unsupported("pre_tokenizer", "Digits without individual_digits")
        }
        split.isolatesDigits = true
      case "Split" where !isLast && split.pattern == nil:
        split.pattern = try pattern(step)
      case let type: throw unsupported("pre_tokenizer", isLast ? type : "\(type) as step \(index)")
      }
    }
    return split
  }

  private func pattern(_ step: JSONValue) throws(TokenizerError) -> WordPattern {
    guard step["behavior"] == .string("Isolated"), step["invert"]?.bool != true else {
      throw unsupported("pre_tokenizer", "Split that is not Isolated")
    }
    guard let text = step["pattern"]?["Regex"]?.string, let pattern = WordPattern(pattern: text)
    else {
      let text = step["pattern"]?["Regex"]?.string ?? step["pattern"]?["String"]?.string
      throw unsupported("pre_tokenizer", "Split by \(text ?? "nothing")")
    }
    return pattern
  }

  func makePostProcessor() throws(TokenizerError) -> PostProcessor {
    try makePostProcessor(postProcessor)
  }

  private func makePostProcessor(_ value: JSONValue) throws(TokenizerError) -> PostProcessor {
    if value == .null { return PostProcessor() }
    switch value.typeName {
    // It changes offsets only.
    case "ByteLevel": return PostProcessor()
    case "TemplateProcessing": return try template(value)
    case "Sequence":
      var result = PostProcessor()
      for step in value["processors"]?.array ?? [] {
        guard step.typeName != "Sequence" else {
          throw unsupported("post_processor", "nested Sequence")
        }
        let inner = try makePostProcessor(step)
        result.prefix = inner.prefix + result.prefix
        result.suffix += inner.suffix
      }
      return result
    case let type: throw unsupported("post_processor", type)
    }
  }

  private func template(_ value: JSONValue) throws(TokenizerError) -> PostProcessor {
    var result = PostProcessor()
    var hasText = false
    for part in value["single"]?.array ?? [] {
      if part["Sequence"]?["id"]?.string == "A", !hasText {
        hasText = true
        continue
      }
      guard let name = part["SpecialToken"]?["id"]?.string,
        let ids = value["special_tokens"]?[name]?["ids"]?.array
      else { throw malformed("post_processor", "has a template that cannot be followed") }
      for id in ids {
        guard let id = id.id else { throw malformed("post_processor", "holds an id that is none") }
        if hasText { result.suffix.append(id) } else { result.prefix.append(id) }
      }
    }
    guard hasText else { throw malformed("post_processor", "has a template without the text") }
    return result
  }
}
