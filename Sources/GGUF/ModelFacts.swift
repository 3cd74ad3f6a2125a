internal import FlapCore
internal import SystemPackage

/// What a GGUF file says of a model beside its sizes, from `config.json`.
struct ModelFacts {
  /// Tokens that the model attends over.
  let contextLength: Int
  /// Where the model attends over fewer tokens than it has positions for.
  let slidingWindow: Int?
  let name: String?
  let configuration: JSONObject

  /// Refuses what no architecture of llama.cpp computes, before anything else is read.
  init(directory: FilePath) throws {
    let path = directory.appending("config.json")
    guard let fields = try JSONObject(path) else {
      throw GGUFError.wrongField(path: path.string, field: "the file", reason: "is missing")
    }
    configuration = fields
    try ModelFacts.refuseUnsupported(fields, directory)
    let positions = fields.number("max_position_embeddings") ?? 2048
    guard (1...Limits.dimension * 64).contains(positions) else {
      throw GGUFError.wrongField(
        path: path.string, field: "max_position_embeddings", reason: "is no length")
    }
    // Qwen2 names a window that it does not use; Mistral has no switch for it.
    let isQwen = fields.text("model_type")?.contains("qwen") ?? false
    let usesWindow = fields.flag("use_sliding_window") ?? !isQwen
    let window = usesWindow ? fields.number("sliding_window").flatMap { $0 > 0 ? $0 : nil } : nil
    slidingWindow = window.flatMap { $0 < positions ? $0 : nil }
    contextLength = slidingWindow ?? positions
    let parts = fields.text("_name_or_path")?.split(separator: "/")
    name = parts?.last.map(String.init)
  }

  private static func refuseUnsupported(_ fields: JSONObject, _ directory: FilePath) throws {
    if let quantization = fields.object("quantization_config") {
      let method = quantization.text("quant_method") ?? "quantization_config"
      throw GGUFError.quantized(path: fields.path, method: method)
    }
    if let type = fields.text("model_type"), type.contains("qwen3") {
      throw GGUFError.noTarget(directory: directory.string, reason: noNormsReason)
    }
  }

  static let noNormsReason =
    "llama.cpp has no architecture with sizes per layer that norms queries and keys, as Qwen3 does"
}
