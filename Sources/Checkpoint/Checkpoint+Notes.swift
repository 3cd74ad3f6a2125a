internal import FlapCore

/// What of a checkpoint is not used, and what its two readers would use differently.
extension Checkpoint {
  /// Lines for whoever begins a run: of the configuration, and of tensors that nothing asks for.
  public var notes: [String] {
    let unused = unusedTensorNames
    guard !unused.isEmpty else { return configuration.notes }
    let count = unused.count == 1 ? "a tensor" : "\(unused.count) tensors"
    return configuration.notes + [
      "the checkpoint has \(count) that its config.json does not ask for, neither used nor written: "
        + ConfigurationNotes.list(unused)
    ]
  }

  private var unusedTensorNames: [String] {
    let used = Set(configuration.shape.tensors.map { storedName(of: $0.name) })
    return tensorNames.filter { name in
      // Old files hold the frequencies of the rotary embedding, which follow from the configuration,
      // and some the embedding twice.
      !used.contains(name) && !name.hasSuffix(".rotary_emb.inv_freq") && name != Checkpoint.head
    }
  }

  private static let head = "lm_head.weight"

  /// A tied output projection that is in the file all the same has to be the embedding: versions of
  /// transformers differ in which of the two they take.
  ///
  /// - Throws: ``CheckpointError/notTied(path:)``.
  public func checkTiedEmbeddings() throws(CheckpointError) {
    let shape = configuration.shape
    guard shape.tiesEmbeddings, contains(Checkpoint.head) else { return }
    let embedding = try tensor(shape.embedding.name, shape: shape.embedding.shape)
    let head = try tensor(Checkpoint.head, shape: shape.embedding.shape)
    guard
      embedding.elementType == head.elementType,
      checksum(embedding.name) == checksum(Checkpoint.head)
    else { throw .notTied(path: path(of: Checkpoint.head) ?? "") }
  }
}
