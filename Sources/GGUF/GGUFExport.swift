public import Checkpoint
public import FlapCore
public import Storage
public import SystemPackage

/// A checkpoint, dense or pruned, as a GGUF file for llama.cpp, tokenizer included.
///
/// Layers of equal sizes give the architecture `llama`, also with Mixtral's experts, others `deci`, the
/// one of llama.cpp with sizes per layer. Both add every bias that a pruned checkpoint has. Families that
/// compute otherwise than LLaMA have an architecture of their own, with layers of one size
/// (`Architecture.swift`).
public struct GGUFExport: Sendable {
  /// Of the matrices; vectors are F32.
  public let elementType: ElementType
  /// What a user of the file should know.
  public let notes: [String]
  /// `general.architecture`.
  public let architecture: String
  public let metadata: [(key: String, value: MetadataValue)]
  public var tensors: [TensorInfo] { entries.map(\.info) }
  let entries: [Entry]
  private let checkpoint: Checkpoint

  /// One tensor of the file and where it comes from.
  struct Entry: Sendable {
    enum Content: Sendable {
      /// Some rows of a tensor of the checkpoint.
      case tensor(ModelTensor, rows: Range<Int>, RowOrder)
      /// Whole tensors, one after another.
      case stack([ModelTensor])
      /// A norm's weight w as 1 + w, which is what it multiplies by in some families.
      case onePlus(ModelTensor)
      case numbers([Float])
    }

    let info: TensorInfo
    let content: Content
  }

  /// Opens a checkpoint and checks all that could keep it from becoming a GGUF file but the values
  /// of its weights.
  ///
  /// - Parameter elementType: BF16, F16 or F32; nil: the type of the embedding.
  /// - Throws: ``GGUFError``, `TokenizerError`, `ConfigurationError`, `CheckpointError`,
  ///   `StorageError`.
  public init(directory: FilePath, elementType: ElementType? = nil) throws {
    let facts = try ModelFacts(directory: directory)
    checkpoint = try Checkpoint(directory: directory)
    let shape = checkpoint.configuration.shape
    let target = try Architecture(checkpoint.configuration, directory)
    try checkpoint.validate()
    try checkpoint.checkTiedEmbeddings()
    let embedding = try checkpoint.tensor(shape.embedding.name, shape: shape.embedding.shape)
    self.elementType = elementType ?? embedding.elementType
    architecture = target.name
    entries = try GGUFExport.entries(shape, self.elementType, target, directory)
    let vocabulary = try Vocabulary(
      directory: directory, rowCount: shape.vocabularySize, configuration: facts.configuration)
    metadata =
      GGUFExport.metadata(shape, facts, self.elementType, target) + vocabulary.metadata
    notes = vocabulary.notes + GGUFExport.notes(shape, facts, target)
  }

  /// Refuses what pruning would leave of a model and llama.cpp does not compute, before it is made.
  ///
  /// - Parameters:
  ///   - isUniform: whether all layers are to have the same sizes.
  ///   - keepsHeads: whether attention loses nothing.
  ///   - compensates: whether removed channels leave biases behind.
  public static func check(
    pruning dense: ModelConfiguration, in directory: FilePath, isUniform: Bool, keepsHeads: Bool,
    compensates: Bool
  ) throws {
    let target = try Architecture(dense, directory)
    guard isUniform || target.takesUnequalLayers else {
      throw GGUFError.noTarget(directory: directory.string, reason: target.sizesReason)
    }
    guard keepsHeads || !target.keepsHeads else {
      throw GGUFError.noTarget(directory: directory.string, reason: target.headsReason)
    }
    guard !compensates || target.takesBiases else {
      throw GGUFError.noTarget(directory: directory.string, reason: target.biasesReason)
    }
  }

  /// What of the checkpoint is not used.
  public var checkpointNotes: [String] { checkpoint.notes }

  /// Bytes of the tensors.
  public var byteCount: Int { entries.reduce(0) { $0 + $1.info.byteCount } }

  /// Writes the file; it appears under its name only when it is complete.
  ///
  /// - Parameter onTensor: called after each tensor with its bytes; what it throws ends the
  ///   writing, and nothing stays.
  /// - Throws: `StorageError`, `CheckpointError`, ``GGUFError/beyondFloat16(tensor:value:)``.
  public func write(
    to path: FilePath, onTensor: (_ byteCount: Int) throws -> Void = { _ in }
  ) throws -> CommittedFile {
    var writer = try GGUFWriter(destination: path, metadata: metadata, tensors: tensors)
    var stream = TensorStream()
    for entry in entries {
      switch entry.content {
      case .tensor(let source, let rows, let order):
        let view = try checkpoint.tensor(source.name, shape: source.shape).rows(rows)
        try stream.copy(view, as: entry.info.elementType, order, to: &writer)
      case .stack(let sources):
        for source in sources {
          let view = try checkpoint.tensor(source.name, shape: source.shape)
          try stream.copy(view, as: entry.info.elementType, .asStored, to: &writer)
        }
      case .onePlus(let source):
        let view = try checkpoint.tensor(source.name, shape: source.shape)
        try view.float32Values().map { 1 + $0 }.withUnsafeBytes { try writer.append($0) }
      case .numbers(let numbers):
        try numbers.withUnsafeBytes { try writer.append($0) }
      }
      try onTensor(entry.info.byteCount)
    }
    return try writer.commit()
  }

  private static func notes(
    _ shape: ModelShape, _ facts: ModelFacts, _ target: Architecture
  ) -> [String] {
    var notes: [String] = []
    if let window = facts.slidingWindow(shape), !target.hasWindows {
      notes.append(
        "the model attends over windows of \(window) tokens, which llama.cpp does not do for this "
          + "architecture: context_length is \(window), up to which it makes no difference")
    }
    if case .longRope(let long) = shape.rotaryEmbedding.scaling {
      let context = long.originalContextLength
      notes.append(
        "longrope: llama.cpp takes the long factors in a context (-c) of more than \(context) tokens"
          + ", however short the text is; transformers goes by the text")
    }
    let blockWidth = 32
    let odd = shape.layers.filter { $0.intermediateSize % blockWidth != 0 }.count
    if odd > 0 {
      notes.append(
        "\(odd) of \(shape.layers.count) layers keep neurons that are no multiple of \(blockWidth):"
          + " llama-quantize leaves their ffn_down in F16; older ones want --tensor-type "
          + "ffn_down=f16 for Q8_0 and Q4_0 (prune with --round-to 32, or 256 for K-quants)")
    }
    return notes
  }
}

extension ModelShape {
  /// Whether all layers have the same sizes.
  var isUniform: Bool { layers.allSatisfy { $0 == layers[0] } }
}
