/// What is wrong with a checkpoint, where, and what to do.
public enum CheckpointError: Error, Hashable, Sendable {
  case malformed(path: String, SafetensorsError)
  case noWeights(directory: String)
  case malformedIndex(path: String, reason: String)
  case missingShard(path: String, index: String)
  case notInShard(tensor: String, shard: String)
  case missingTensor(String, directory: String)
  case wrongShape(tensor: String, found: [Int], expected: [Int], path: String)
  case notTied(path: String)
  case wrongType(tensor: String, type: String, path: String)
  case notTokenIDs(path: String, reason: String)
  case tokenOutsideVocabulary(path: String, sample: Int, position: Int, token: Int32, size: Int)
}

extension CheckpointError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .malformed(let path, let error):
      "\(path) is not a whole safetensors file: \(error): copy or download it again"
    case .noWeights(let directory):
      "\(directory) holds neither model.safetensors nor model.safetensors.index.json: name the "
        + "folder of a Hugging Face checkpoint with safetensors weights"
    case .malformedIndex(let path, let reason):
      "\(path) is not an index of shards: \(reason): copy or download it again"
    case .missingShard(let path, let index):
      "\(path) is missing, though \(index) names it: copy or download it"
    case .notInShard(let tensor, let shard):
      "\(shard) does not hold \(tensor), though the index says so: copy or download both again"
    case .missingTensor(let tensor, let directory):
      "the checkpoint in \(directory) has no tensor \(tensor), which its config.json asks for"
    case .wrongShape(let tensor, let found, let expected, let path):
      "\(tensor) in \(path) has the shape \(found), where config.json asks for \(expected)"
    case .notTied(let path):
      "config.json says tie_word_embeddings, but lm_head.weight in \(path) is not the embedding: "
        + "transformers 4.57 computes with the embedding, 5 with lm_head.weight; set "
        + "tie_word_embeddings to false to keep it, or leave it out of the file"
    case .wrongType(let tensor, let type, let path):
      type == "F64"
        ? "\(tensor) in \(path) has the type F64, numbers of 64 bits: weights are BF16, F16 or F32; "
          + "save the model in one of these, in Python with model.float().save_pretrained(folder)"
        : "\(tensor) in \(path) has the type \(type), which is that of quantized weights: they cannot "
          + "be pruned, take the model in BF16, F16 or F32"
    case .notTokenIDs(let path, let reason):
      "\(path) is no .npy of token ids [samples, tokens]: \(reason)"
    case .tokenOutsideVocabulary(let path, let sample, let position, let token, let size):
      "\(path): token id \(token) (sample \(sample), position \(position)) is outside the "
        + "vocabulary of \(size): tokenize with this model's tokenizer"
    }
  }
}
