internal import ChatTemplate
internal import FlapCore
internal import Storage
internal import SystemPackage
internal import Tokenizer

/// The files of a checkpoint that tell how it writes conversations.
struct ChatFormatFiles {
  let folder: FilePath

  /// - Parameter override: a file with another template.
  /// - Throws: ``TextDataError`` or a `StorageError`.
  func contents(_ override: FilePath?) throws -> ChatFormat.Contents {
    let config = try object("tokenizer_config.json") ?? TemplateValue.Members()
    let sources =
      try override.map { try [Source(file: $0)] } ?? sources(config)
    guard let usual = sources.first(where: { $0.name == "default" }) else {
      guard !sources.isEmpty else {
        throw TextDataError.noChatTemplate(place: "", folder: folder.string)
      }
      throw TextDataError.noDefaultChatTemplate(
        folder: folder.string, names: sources.map(\.name).sorted())
    }
    return ChatFormat.Contents(
      path: usual.path, template: try usual.template(),
      toolTemplate: try sources.first { $0.name == "tool_use" }?.template(),
      tokens: try specialTokens(config))
  }

  // MARK: - Templates

  private struct Source {
    var name = "default"
    let path: String
    let bytes: [UInt8]

    init(name: String, path: String, bytes: [UInt8]) {
      (self.name, self.path, self.bytes) = (name, path, bytes)
    }

    init(file: FilePath, name: String = "default") throws {
      let bytes = try SmallFile.read(file, limit: Limits.jsonFileBytes)
      guard String(validating: bytes, as: UTF8.self) != nil else {
        throw TextDataError.unreadableChatTemplate(path: file.string, reason: "it is not UTF-8")
      }
      self.init(name: name, path: file.string, bytes: bytes)
    }

    func template() throws -> ChatTemplate {
      do {
        return try ChatTemplate(bytes)
      } catch {
        throw TextDataError.unreadableChatTemplate(path: path, reason: error.oneLine)
      }
    }
  }

  private func sources(_ config: TemplateValue.Members) throws -> [Source] {
    var sources: [Source] = []
    let file = folder.appending("chat_template.jinja")
    if SmallFile.exists(file) { sources.append(try Source(file: file)) }
    sources += try self.sources(in: "additional_chat_templates")
    guard sources.isEmpty else { return sources }
    for name in ["tokenizer_config.json", "chat_template.json"] {
      guard let members = name == "tokenizer_config.json" ? config : try object(name) else {
        continue
      }
      sources = try self.sources(in: members, folder.appending(name).string)
      guard sources.isEmpty else { return sources }
    }
    // As the folder of more templates was called once; transformers has forgotten it.
    return try self.sources(in: "chat_templates")
  }

  /// Every `NAME.jinja` of a folder, if there is one.
  private func sources(in name: String) throws -> [Source] {
    let folder = folder.appending(name)
    let names = (try? Folder.entries(of: folder)) ?? []
    return try names.filter { $0.hasSuffix(".jinja") }.map {
      try Source(file: folder.appending($0), name: String($0.dropLast(6)))
    }
  }

  /// `chat_template`: one text, or a list of objects with `name` and `template`.
  private func sources(
    in config: TemplateValue.Members, _ path: String
  ) throws(TextDataError) -> [Source] {
    switch config["chat_template"] {
    case nil, .null?: return []
    case .text(let bytes)?: return [Source(name: "default", path: path, bytes: bytes)]
    case .list(let entries)?:
      var sources: [Source] = []
      for entry in entries {
        guard let members = entry.members, case .text(let name)? = members["name"],
          case .text(let bytes)? = members["template"]
        else { throw .unreadableChatTemplate(path: path, reason: "a template without a name") }
        sources.append(
          Source(name: String(decoding: name, as: UTF8.self), path: path, bytes: bytes))
      }
      return sources
    default:
      throw .unreadableChatTemplate(path: path, reason: "chat_template is neither text nor list")
    }
  }

  /// - Returns: nil where there is no such file.
  private func object(_ name: String) throws -> TemplateValue.Members? {
    let path = folder.appending(name)
    guard SmallFile.exists(path) else { return nil }
    let bytes = try SmallFile.read(path, limit: Limits.jsonFileBytes)
    let value = try bytes.withUnsafeBytes { bytes throws(TokenizerError) in
      var reader = JSONReader(bytes, path: path.string, form: .python)
      let value = try TemplateValue(&reader)
      try reader.atEnd()
      return value
    }
    return value.members
  }

  // MARK: - Special tokens

  private static let tokenNames = [
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
  ]

  /// As `special_tokens_map` of transformers' tokenizer: those of `tokenizer_config.json`, of
  /// `special_tokens_map.json` where the former is of the time before `added_tokens_decoder`, and of
  /// the class where both say nothing.
  private func specialTokens(
    _ config: TemplateValue.Members
  ) throws -> [(name: String, value: TemplateValue)] {
    var map = TemplateValue.Members()
    if config["added_tokens_decoder"] == nil { map = try object("special_tokens_map.json") ?? map }
    let usual = try classTokens(config)
    var tokens: [(name: String, value: TemplateValue)] = []
    for name in ChatFormatFiles.tokenNames {
      let value = map[name] ?? config[name] ?? usual[name].map { .text($0) }
      guard let text = value.flatMap(ChatFormatFiles.text), !text.isEmpty else { continue }
      tokens.append((name, .text(text)))
    }
    let additional = map["additional_special_tokens"] ?? config["additional_special_tokens"]
    if case .list(let elements)? = additional, !elements.isEmpty {
      let texts = elements.compactMap(ChatFormatFiles.text).map(TemplateValue.text)
      tokens.append(("additional_special_tokens", .list(texts)))
    }
    if let extra = config["extra_special_tokens"]?.members {
      for (name, value) in zip(extra.keys, extra.values) {
        guard let text = ChatFormatFiles.text(value) else { continue }
        tokens.append((String(decoding: name, as: UTF8.self), .text(text)))
      }
    }
    return tokens
  }

  /// A token's text: itself, or the `content` of an object.
  private static func text(_ value: TemplateValue) -> [UInt8]? {
    switch value {
    case .text(let text): text
    case .object(let members): members["content"].flatMap(text)
    default: nil
    }
  }

  /// What the tokenizer's class has where its files say nothing.
  private func classTokens(_ config: TemplateValue.Members) throws -> [String: String] {
    var name = config["tokenizer_class"]
    if name == nil || name == .null { name = try object("config.json")?["model_type"] }
    guard case .text(let bytes)? = name else { return [:] }
    switch String(decoding: bytes, as: UTF8.self) {
    case "LlamaTokenizer", "LlamaTokenizerFast", "llama", "mistral", "mixtral":
      return ["bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"]
    case "Qwen2Tokenizer", "Qwen2TokenizerFast", "qwen2", "qwen3":
      let end = "<|endoftext|>"
      return ["eos_token": end, "unk_token": end, "pad_token": end]
    default: return [:]
    }
  }
}
