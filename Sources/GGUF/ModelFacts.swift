internal import FlapCore
internal import SystemPackage

/// What a GGUF file says of a model beside its sizes, from `config.json`.
struct ModelFacts {
  /// Positions that the model is made for.
  let positionCount: Int
  let name: String?
  let configuration: JSONObject

  /// Refuses what no architecture of llama.cpp computes, before anything else is read.
  init(directory: FilePath) throws {
    let path = directory.appending("config.json")
    guard let fields = try JSONObject(path) else {
      throw GGUFError.wrongField(path: path.string, field: "the file", reason: "is missing")
    }
    configuration = fields
    try ModelFacts.refuseUnsupported(fields)
    let positions = fields.number("max_position_embeddings") ?? 2048
    guard (1...Limits.dimension * 64).contains(positions) else {
      throw GGUFError.wrongField(
        path: path.string, field: "max_position_embeddings", reason: "is no length")
    }
    positionCount = positions
    let parts = fields.text("_name_or_path")?.split(separator: "/")
    name = parts?.last.map(String.init)
  }

  /// The smallest window of a layer, where it is smaller than the positions.
  func slidingWindow(_ shape: ModelShape) -> Int? {
    shape.layers.compactMap(\.attentionWindow).min().flatMap { $0 < positionCount ? $0 : nil }
  }

  private static func refuseUnsupported(_ fields: JSONObject) throws {
    if let quantization = fields.object("quantization_config") {
      let method = quantization.text("quant_method") ?? "quantization_config"
      throw GGUFError.quantized(path: fields.path, method: method)
    }
  }
}
