internal import Checkpoint
public import FlapCore
internal import Pruning
public import Storage
public import SystemPackage

/// Writing one shard: dense weights pass by, what stays is copied.
extension PrunedCheckpoint {
  /// Bytes gathered before they are handed to the file.
  private static let gatherBytes = 1 << 20

  /// Writes shard `index` to where its bytes are to go.
  ///
  /// - Parameter onStep: called ``stepCount(shard:)`` times; what it throws ends the writing.
  /// - Returns: the file, complete.
  /// - Throws: ``StorageError``, ``CheckpointError``.
  public func writeShard<File: ByteOutput & ~Copyable>(
    _ index: Int, to file: consuming File, onStep: () throws -> Void
  ) throws -> File {
    let writer = try SafetensorsWriter(to: file, tensors: layout.shards.shards[index].tensors)
    var sink = ShardSink(writer)
    for tensor in layout.shards.shards[index].tensors {
      try write(tensor, to: &sink, onStep)
    }
    try onStep()
    return sink.finish()
  }

  /// Writes shard `index` into a folder, beside its place.
  ///
  /// - Parameters:
  ///   - attempt: keeps apart workers that try at the same time.
  ///   - onStep: called ``stepCount(shard:)`` times; what it throws ends the writing, and nothing
  ///     stays.
  /// - Returns: the file, which waits to be put in its place, and what is in it.
  /// - Throws: ``StorageError``, ``CheckpointError``.
  public func writeShard(
    _ index: Int, into directory: FilePath, attempt: String, onStep: () throws -> Void
  ) throws -> (WaitingFile, CommittedFile) {
    let path = directory.appending(layout.shards.shards[index].fileName)
    let file = try AtomicFile(destination: path, attempt: attempt)
    let written = try writeShard(index, to: file, onStep: onStep).setAside()
    return (WaitingFile(destination: path, attempt: attempt), written)
  }

  /// A step is some tens of megabytes, so that a large tensor on a slow disk is not taken for a
  /// standstill.
  public func stepCount(shard index: Int) -> Int {
    layout.shards.shards[index].tensors.reduce(0) { $0 + $1.byteCount } / shardStepBytes + 1
  }

  private func write<File: ByteOutput & ~Copyable>(
    _ tensor: TensorDeclaration, to sink: inout ShardSink<File>, _ onStep: () throws -> Void
  ) throws {
    let source = layout.sources[tensor.name] ?? tensor.name
    switch layout.recipes[tensor.name] {
    case nil: preconditionFailure("every tensor of the layout has a recipe")
    case .copy: try sink.append(denseTensor(source).bytes, onStep)
    case .keep(let rows, let columns):
      let view = try denseTensor(source)
      for run in rows {
        guard let columns else {
          try sink.append(view.rows(run).bytes, onStep)
          continue
        }
        try writeColumns(columns, of: view.rows(run), to: &sink, onStep)
      }
    case .fed(let layer, let tap, let expert, let columns):
      let view = try denseTensor(source)
      guard let fit = try fits?.fit(layer: layer, tap, expert: expert) else {
        return try writeColumns(columns, of: view, to: &sink, onStep)
      }
      try sink.append(fit.weight.bytes, onStep)
    case .bias(let layer, let tap, let expert):
      try storedBias(layer: layer, tap, expert).bytes.withUnsafeBytes {
        try sink.append($0, onStep)
      }
    case .mean(let layer, let place):
      try tensor.elementType.encode(expertMeans[layer][place]).withUnsafeBytes {
        try sink.append($0, onStep)
      }
    case .zeros:
      try [UInt8](repeating: 0, count: tensor.byteCount).withUnsafeBytes {
        try sink.append($0, onStep)
      }
    }
  }

  /// A tensor that is read whole.
  private func denseTensor(_ name: String) throws -> TensorView {
    let view = try dense.tensor(name, shape: layout.denseShapes[name, default: []])
    dense.checksum(name)
    return view
  }

  private func writeColumns<File: ByteOutput & ~Copyable>(
    _ runs: [Range<Int>], of view: TensorView, to sink: inout ShardSink<File>,
    _ onStep: () throws -> Void
  ) throws {
    let size = view.elementType.byteCount
    let rowBytes = view.shape[1] * size
    var gathered: [UInt8] = []
    gathered.reserveCapacity(PrunedCheckpoint.gatherBytes + rowBytes)
    for row in 0..<view.shape[0] {
      for run in runs {
        let start = row * rowBytes
        gathered.append(
          contentsOf: view.bytes[start + run.lowerBound * size..<start + run.upperBound * size])
      }
      if gathered.count >= PrunedCheckpoint.gatherBytes {
        try gathered.withUnsafeBytes { try sink.append($0, onStep) }
        gathered.removeAll(keepingCapacity: true)
      }
    }
    try gathered.withUnsafeBytes { try sink.append($0, onStep) }
  }
}

/// Biases, also for who runs the pruned model without writing it.
extension PrunedCheckpoint {
  /// The bias of a map that a tap feeds as a shard holds it, f32 [hidden]; nil where there is none.
  ///
  /// - Parameter expert: whose map it is; nil: the layer's own.
  public func biasValues(layer: Int, _ tap: Tap, expert: Int? = nil) throws -> [Float]? {
    let name = "\(module(layer, tap, expert)).bias"
    guard layout.isCompensated || layout.denseShapes[name] != nil else { return nil }
    let (type, bytes) = try storedBias(layer: layer, tap, expert)
    return type.decode(bytes)
  }

  /// What takes the places of a layer's experts as a shard holds it, f32 [hidden] by their numbers.
  public func meanValues(layer: Int) -> [Int: [Float]] {
    let removed = layout.plan.layers[layer].removedExperts
    var means: [Int: [Float]] = [:]
    for tensor in layout.shards.shards.flatMap(\.tensors) {
      guard case .mean(layer, let place) = layout.recipes[tensor.name] else { continue }
      let type = tensor.elementType
      means[removed[place]] = type.decode(type.encode(expertMeans[layer][place]))
    }
    return means
  }

  /// The weight of a map that a tap feeds as a shard holds it, where it is not the checkpoint's own;
  /// nil where it is.
  ///
  /// - Parameter expert: whose map it is; nil: the layer's own.
  public func fittedWeight(layer: Int, _ tap: Tap, expert: Int? = nil) throws -> FittedWeight? {
    guard let fit = try fits?.fit(layer: layer, tap, expert: expert) else { return nil }
    // Read whole: its checksum goes with the first result that depends on it.
    _ = try denseTensor("\(module(layer, tap, expert)).weight")
    return fit.weight
  }

  /// b_i = dense bias_i + Σ over removed channels of W_ij · mean_j; f64 until it is stored.
  private func storedBias(
    layer: Int, _ tap: Tap, _ expert: Int?
  ) throws -> (type: ElementType, bytes: [UInt8]) {
    let module = module(layer, tap, expert)
    let hasBias = layout.denseShapes["\(module).bias"] != nil
    let dense = hasBias ? try denseTensor("\(module).bias") : nil
    let existing = dense?.float64Values()
    let weight = try denseTensor("\(module).weight")
    let type = dense?.elementType ?? weight.elementType
    if let fit = try fits?.fit(layer: layer, tap, expert: expert) {
      return (type, type.encode(fit.bias))
    }
    var compensation = layout.isCompensated ? compensations[layer][tap] : nil
    if expert != nil {
      compensation = compensation?.part(shape.channels(layer: layer, tap: tap, expert: expert))
    }
    let biases = (0..<weight.shape[0]).map { row in
      guard let compensation else { return existing?[row] ?? 0 }
      return weight.rows(row..<row + 1).float32Values().withUnsafeBufferPointer {
        compensation.bias(row: $0, existing: existing?[row] ?? 0)
      }
    }
    return (type, type.encode(biases))
  }

  private var shape: ModelShape { dense.configuration.shape }

  private func module(_ layer: Int, _ tap: Tap, _ expert: Int?) -> String {
    shape.moduleName(layer: layer, tap: tap, expert: expert)
  }
}

extension ElementType {
  /// Numbers in this format, little-endian, rounded to nearest even (by way of f32).
  func encode(_ values: [Double]) -> [UInt8] {
    switch self {
    case .bfloat16: values.flatMap { Array(littleEndian: Float($0).bfloat16Bits) }
    case .float16: values.flatMap { Array(littleEndian: Float16($0).bitPattern) }
    case .float32: values.flatMap { Array(littleEndian: Float($0).bitPattern) }
    case .float64: values.flatMap { Array(littleEndian: $0.bitPattern) }
    default: preconditionFailure("no type of weights")
    }
  }

  /// Numbers of this format, little-endian.
  fileprivate func decode(_ bytes: [UInt8]) -> [Float] {
    bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / byteCount).map { index in
        func bits<Bits: FixedWidthInteger>(_: Bits.Type) -> Bits {
          Bits(
            littleEndian: bytes.loadUnaligned(fromByteOffset: index * byteCount, as: Bits.self))
        }
        return switch self {
        case .bfloat16: Float(bfloat16Bits: bits(UInt16.self))
        case .float16: Float(Float16(bitPattern: bits(UInt16.self)))
        case .float32: Float(bitPattern: bits(UInt32.self))
        case .float64: Float(Double(bitPattern: bits(UInt64.self)))
        default: preconditionFailure("no type of weights")
        }
      }
    }
  }
}

extension [UInt8] {
  init(littleEndian value: some FixedWidthInteger) {
    self = Swift.withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}

private let shardStepBytes = 64 << 20

/// The file of a shard, and how far it is.
private struct ShardSink<File: ByteOutput & ~Copyable>: ~Copyable {
  private var writer: SafetensorsWriter<File>
  private var byteCount = 0

  init(_ writer: consuming SafetensorsWriter<File>) { self.writer = writer }

  mutating func append(_ bytes: UnsafeRawBufferPointer, _ onStep: () throws -> Void) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = rest.prefix(shardStepBytes - byteCount % shardStepBytes)
      try writer.append(UnsafeRawBufferPointer(rebasing: piece))
      byteCount += piece.count
      if byteCount % shardStepBytes == 0 { try onStep() }
      rest = rest.dropFirst(piece.count)
    }
  }

  consuming func finish() -> File { writer.finish() }
}
