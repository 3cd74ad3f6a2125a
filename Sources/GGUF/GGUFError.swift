/// Why a checkpoint cannot become a GGUF file, and what to do.
public enum GGUFError: Error, Hashable, Sendable {
  /// No architecture of llama.cpp computes this model.
  case noTarget(directory: String, reason: String)
  case quantized(path: String, method: String)
  case wrongField(path: String, field: String, reason: String)
  case noTokenizer(directory: String)
  case tokenizer(path: String, reason: String)
  case vocabularyTooLarge(path: String, tokenCount: Int, rowCount: Int)
  case beyondFloat16(tensor: String, value: Float)
}

extension GGUFError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .noTarget(let directory, let reason):
      "\(directory) cannot become GGUF: \(reason): use the checkpoint with transformers or vLLM"
    case .quantized(let path, let method):
      "\(path): the weights are quantized (\(method)): give the checkpoint in BF16, F16 or F32 and "
        + "quantize the GGUF file with llama.cpp"
    case .wrongField(let path, let field, let reason): "\(path): \(field) \(reason)"
    case .noTokenizer(let directory):
      "\(directory) has neither tokenizer.json nor tokenizer.model, and a GGUF file holds its "
        + "tokenizer: copy it from the original model"
    case .tokenizer(let path, let reason):
      "\(path): llama.cpp cannot tokenize like this: \(reason)"
    case .vocabularyTooLarge(let path, let tokenCount, let rowCount):
      "\(path) has \(tokenCount) tokens, more than the \(rowCount) rows of the embedding: use the "
        + "tokenizer that belongs to the model"
    case .beyondFloat16(let tensor, let value):
      "\(tensor) holds \(value), which f16 cannot hold: choose --type bf16 or f32"
    }
  }
}
