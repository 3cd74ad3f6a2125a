internal import SystemPackage

/// The tokens with a meaning of their own, and how a conversation is written.
struct SpecialTokens {
  /// Ids by the name of the key: `bos`, `eos`, `unknown`, `padding`.
  private(set) var ids: [(name: String, id: Int)] = []
  private(set) var chatTemplate: String?
  /// `add_bos_token` of `tokenizer_config.json`.
  private(set) var addsBeginning: Bool?

  /// Token texts in `tokenizer_config.json` or `special_tokens_map.json` come first, as in
  /// transformers; ids in `config.json` after them.
  ///
  /// - Parameter tokenIDs: of the tokenizer's tokens.
  init(directory: FilePath, configuration: JSONObject, tokenIDs: [String: Int]) throws {
    let settings = try JSONObject(directory.appending("tokenizer_config.json"))
    let map = try JSONObject(directory.appending("special_tokens_map.json"))
    addsBeginning = settings?.flag("add_bos_token")
    let kinds = [("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")]
    for (source, name) in kinds {
      let text = settings?.token("\(source)_token") ?? map?.token("\(source)_token")
      let key = "\(source)_token_id"
      // Some models name several tokens of the end; llama.cpp finds the others by their texts.
      let number = configuration.number(key) ?? configuration.numbers(key)?.first
      guard let id = text.flatMap({ tokenIDs[$0] }) ?? number, id >= 0 else { continue }
      ids.append((name, id))
    }
    chatTemplate = try SpecialTokens.chatTemplate(directory, settings)
  }

  func id(_ name: String) -> Int? { ids.first { $0.name == name }?.id }

  private static func chatTemplate(
    _ directory: FilePath, _ settings: JSONObject?
  ) throws -> String? {
    if let text = try TextFile.read(directory.appending("chat_template.jinja")) { return text }
    if let text = try JSONObject(directory.appending("chat_template.json"))?.text("chat_template") {
      return text
    }
    if let text = settings?.text("chat_template") { return text }
    let templates = settings?.objects("chat_template") ?? []
    return templates.first { $0.text("name") == "default" }?.text("template")
  }
}
