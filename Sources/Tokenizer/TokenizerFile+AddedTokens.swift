extension TokenizerFile {
  struct AddedTokenSets {
    /// Looked for in the text as it is, and after the normalizer.
    var plain: [AddedTokens.Token] = []
    var normalized: [AddedTokens.Token] = []
    var largestID: Int32 = -1
  }

  func addedTokenSets(_ normalizers: [TextNormalizer]) throws(TokenizerError) -> AddedTokenSets {
    var sets = AddedTokenSets()
    var ids: [String: Int32] = [:]
    var entries: [(token: AddedTokens.Token, isNormalized: Bool, isSpecial: Bool)] = []
    for value in addedTokens {
      guard let content = value["content"]?.string, let id = value["id"]?.id else {
        throw malformed("added_tokens", "holds a token without content or id")
      }
      if content.isEmpty { continue }
      // The library takes the vocabulary's word for an id over the list's.
      let known = ids[content] ?? model.vocabulary.value(of: Array(content.utf8))
      guard known == nil || known == id else {
        throw malformed("added_tokens", "and the vocabulary differ about the id \(id)")
      }
      guard ids.updateValue(id, forKey: content) == nil else { continue }
      let isSpecial = value["special"]?.bool ?? false
      let token = AddedTokens.Token(
        content: Array(content.utf8), id: id, stripsLeft: value["lstrip"]?.bool ?? false,
        stripsRight: value["rstrip"]?.bool ?? false,
        isSingleWord: value["single_word"]?.bool ?? false)
      entries.append((token, value["normalized"]?.bool ?? !isSpecial, isSpecial))
      sets.largestID = max(sets.largestID, id)
    }
    // Of equal contents the first one counts, and special ones come first.
    for entry in entries.filter(\.isSpecial) + entries.filter({ !$0.isSpecial }) {
      guard entry.isNormalized else {
        sets.plain.append(entry.token)
        continue
      }
      var token = entry.token
      token.content = []
      entry.token.content.withUnsafeBufferPointer {
        normalizers.append($0, to: &token.content)
      }
      if !token.content.isEmpty { sets.normalized.append(token) }
    }
    return sets
  }
}
