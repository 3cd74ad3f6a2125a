internal import COneDNN
public import FlapCore
internal import Synchronization

/// y = x · Wᵀ through oneDNN (`dnnl_matmul`), in tiles that a team's threads share out.
///
/// Tiles depend on the matrices' sizes alone and each is computed by one thread, so the bits of y
/// do not depend on the number of threads.
public final class MatrixProduct {
  public let compute: ComputeType
  private let team: ThreadTeam
  private let engine: dnnl_engine_t
  private let streams: [dnnl_stream_t]
  /// Per thread: a tile of weights in the operands' format, and the library's scratch.
  private var weightTiles: [ScratchBuffer]
  private var libraryScratch: [ScratchBuffer]
  private var primitives: [Shape: Primitive] = [:]

  /// Rows of x in one tile.
  static let tileRows = 512
  /// Rows of W in one tile.
  static let tileColumns = 256

  private struct Shape: Hashable {
    let rows: Int
    let columns: Int
    let inner: Int
    let stride: Int
  }

  private struct Primitive {
    let handle: dnnl_primitive_t
    let scratchByteCount: Int
  }

  /// - Parameter largestInner: input channels of the widest map; the scratch follows from it.
  /// - Throws: ``KernelError`` when oneDNN does not support the CPU or the format.
  public init(compute: ComputeType, team: ThreadTeam, largestInner: Int) throws(KernelError) {
    self.compute = compute
    self.team = team
    var engine: dnnl_engine_t?
    try check(dnnl_engine_create(&engine, dnnl_cpu, 0), "dnnl_engine_create")
    self.engine = engine!
    var streams: [dnnl_stream_t] = []
    for _ in 0..<team.threadCount {
      var stream: dnnl_stream_t?
      try check(
        dnnl_stream_create(&stream, engine, UInt32(dnnl_stream_default_flags.rawValue)),
        "dnnl_stream_create")
      streams.append(stream!)
    }
    self.streams = streams
    let tileBytes = MatrixProduct.weightTileByteCount(compute: compute, largestInner: largestInner)
    weightTiles = (0..<team.threadCount).map { _ in ScratchBuffer(byteCount: tileBytes) }
    libraryScratch = (0..<team.threadCount).map { _ in ScratchBuffer(byteCount: 0) }
  }

  deinit {
    for primitive in primitives.values { dnnl_primitive_destroy(primitive.handle) }
    for stream in streams { dnnl_stream_destroy(stream) }
    dnnl_engine_destroy(engine)
  }

  /// Bytes of the tile of converted weights that each thread holds.
  public static func weightTileByteCount(compute: ComputeType, largestInner: Int) -> Int {
    ScratchBuffer.roundedByteCount(tileColumns * largestInner * compute.operandByteCount)
  }

  /// y[rows, w.rows] = x[rows, w.columns] · Wᵀ + bias, sums in f32.
  ///
  /// - Parameters:
  ///   - x: operands in the format of ``compute``, row-major.
  ///   - bias: f32 [w.rows], or nil.
  /// - Throws: ``KernelError``.
  public func callAsFunction(
    _ x: UnsafeRawPointer, rows: Int, _ w: WeightMatrix, bias: UnsafePointer<Float>? = nil,
    to y: UnsafeMutablePointer<Float>
  ) throws(KernelError) {
    let rowTiles = (rows + MatrixProduct.tileRows - 1) / MatrixProduct.tileRows
    let columnTiles = (w.rows + MatrixProduct.tileColumns - 1) / MatrixProduct.tileColumns
    try preparePrimitives(rows: rows, w)
    let failure = Atomic<Int>(0)
    // One task is a tile of W against all of x, so that converted weights are used many times;
    // with few tiles of W, tiles of x make tasks of their own.
    let splitsRows = columnTiles < 4 * team.threadCount && !needsConversion(w)
    let taskCount = splitsRows ? columnTiles * rowTiles : columnTiles
    team.run(taskCount: taskCount) { task, thread in
      let column = task % columnTiles * MatrixProduct.tileColumns
      let columns = min(MatrixProduct.tileColumns, w.rows - column)
      let tile = operandTile(w, rows: column..<column + columns, thread: thread)
      for rowTile in splitsRows ? task / columnTiles..<task / columnTiles + 1 : 0..<rowTiles {
        let row = rowTile * MatrixProduct.tileRows
        let tileRows = min(MatrixProduct.tileRows, rows - row)
        let status = multiply(
          x + row * w.columns * compute.operandByteCount, tile,
          Shape(rows: tileRows, columns: columns, inner: w.columns, stride: w.rows),
          to: y + row * w.rows + column, thread: thread)
        if status != dnnl_success { failure.store(Int(status.rawValue), ordering: .relaxed) }
        if let bias {
          addBias(bias + column, to: y + row * w.rows + column, tileRows, columns, stride: w.rows)
        }
      }
    }
    let code = failure.load(ordering: .relaxed)
    if code != 0 { throw KernelError(function: "dnnl_primitive_execute", code: code) }
  }

  // MARK: Tiles

  private func needsConversion(_ w: WeightMatrix) -> Bool { w.elementType != compute.elementType }

  /// Rows of W in the operands' format: where they lie, or converted.
  private func operandTile(_ w: WeightMatrix, rows: Range<Int>, thread: Int) -> UnsafeRawPointer {
    guard needsConversion(w) else { return w.row(rows.lowerBound) }
    let tile = weightTiles[thread]
    let count = rows.count * w.columns
    switch compute {
    case .float32: w.copyRows(rows, to: tile.floats())
    case .bfloat16:
      // Through f32 in pieces that fit on the stack; both steps are exact or round once.
      withUnsafeTemporaryAllocation(of: Float.self, capacity: 4096) { piece in
        for start in stride(from: 0, to: count, by: 4096) {
          let length = min(4096, count - start)
          Conversion.toFloat32(
            w.row(rows.lowerBound) + start * w.elementType.byteCount, w.elementType,
            count: length, to: piece.baseAddress!)
          Conversion.toOperand(
            piece.baseAddress!, count: length, .bfloat16, to: tile.bytes + start * 2)
        }
      }
    }
    return UnsafeRawPointer(tile.bytes)
  }

  private func multiply(
    _ x: UnsafeRawPointer, _ w: UnsafeRawPointer, _ shape: Shape,
    to y: UnsafeMutablePointer<Float>, thread: Int
  ) -> dnnl_status_t {
    flap_matmul_execute(
      primitives[shape]!.handle, engine, streams[thread], x, w, y, libraryScratch[thread].bytes)
  }

  private func addBias(
    _ bias: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, _ rows: Int, _ columns: Int,
    stride: Int
  ) {
    for row in 0..<rows { Elementwise.add(bias, to: y + row * stride, count: columns) }
  }

  // MARK: Primitives

  /// Makes the primitives of a product before threads share it.
  private func preparePrimitives(rows: Int, _ w: WeightMatrix) throws(KernelError) {
    for rowCount in MatrixProduct.tileSizes(of: rows, tile: MatrixProduct.tileRows) {
      for columnCount in MatrixProduct.tileSizes(of: w.rows, tile: MatrixProduct.tileColumns) {
        try prepare(
          Shape(rows: rowCount, columns: columnCount, inner: w.columns, stride: w.rows))
      }
    }
  }

  private static func tileSizes(of count: Int, tile: Int) -> Set<Int> {
    var sizes: Set<Int> = []
    if count >= tile { sizes.insert(tile) }
    if count % tile != 0 { sizes.insert(count % tile) }
    return sizes
  }

  private func prepare(_ shape: Shape) throws(KernelError) {
    guard primitives[shape] == nil else { return }
    var handle: dnnl_primitive_t?
    var scratchByteCount = 0
    try check(
      flap_matmul_create(
        &handle, &scratchByteCount, engine, compute == .bfloat16 ? 1 : 0, Int64(shape.rows),
        Int64(shape.columns), Int64(shape.inner), Int64(shape.inner), Int64(shape.inner),
        Int64(shape.stride)), "dnnl_matmul")
    primitives[shape] = Primitive(handle: handle!, scratchByteCount: scratchByteCount)
    if scratchByteCount > libraryScratch[0].byteCount {
      libraryScratch = libraryScratch.map { _ in ScratchBuffer(byteCount: scratchByteCount) }
    }
  }
}

private func check(_ status: dnnl_status_t, _ function: String) throws(KernelError) {
  guard status == dnnl_success else {
    throw KernelError(function: function, code: Int(status.rawValue))
  }
}
