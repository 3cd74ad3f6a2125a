internal import CBenchmark
internal import Checkpoint
public import FlapCore
public import SystemPackage

/// A layer's matrix products through oneDNN and nothing else: a ceiling for whoever uses it.
public struct LibraryContestant: Contestant {
  /// A product whose weights live as long as it does.
  private final class Product {
    let shape: ProductShape
    private var handle: OpaquePointer?

    init(_ shape: ProductShape, rows: Int, compute: ComputeType, isPacked: Bool)
      throws(BenchmarkError)
    {
      self.shape = shape
      let code = flap_bench_product_create(
        &handle, compute.format, isPacked, Int64(rows), Int64(shape.inner), Int64(shape.outputs))
      try check(code)
    }

    deinit { flap_bench_product_destroy(handle) }

    func run(_ x: UnsafeMutableRawPointer, to y: UnsafeMutableRawPointer) throws(BenchmarkError) {
      try check(flap_bench_product_run(handle, x, y))
    }

    private func check(_ code: Int32) throws(BenchmarkError) {
      guard code == 0 else {
        throw .libraryFailed(code: Int(code), shape: "\(shape.inner) → \(shape.outputs)")
      }
    }
  }

  private let products: [Product]
  private let rowCount: Int
  private let operands: ProductOperands

  /// - Parameters:
  ///   - rowCount: tokens that go through a product together.
  ///   - isPacked: weights in the layout that oneDNN asks for, brought there before the clock runs.
  public init(
    modelDirectory: FilePath, rowCount: Int, compute: ComputeType, isPacked: Bool
  ) throws {
    let shape = try Checkpoint(directory: modelDirectory).configuration.shape
    let shapes = shape.products(layer: 0)
    products = try shapes.map {
      try Product($0, rows: rowCount, compute: compute, isPacked: isPacked)
    }
    self.rowCount = rowCount
    operands = ProductOperands(shapes, rowCount: rowCount, compute: compute)
  }

  public var details: [String: String] {
    ["onednn": String(cString: flap_bench_library_version())]
  }

  public mutating func runUnit() throws -> Work {
    for product in products { try product.run(operands.x, to: operands.y) }
    return Work(
      productOperations: products.reduce(0) { $0 + $1.shape.operations(rows: rowCount) })
  }
}

/// The rows that go into products and come out of them, large enough for each.
final class ProductOperands {
  /// [rows, widest inner], noise.
  let x: UnsafeMutableRawPointer
  /// [rows, most outputs], f32 or less.
  let y: UnsafeMutableRawPointer

  init(_ shapes: [ProductShape], rowCount: Int, compute: ComputeType) {
    let inner = shapes.map(\.inner).max() ?? 0
    let outputs = shapes.map(\.outputs).max() ?? 0
    x = .allocate(byteCount: rowCount * inner * 4, alignment: 4096)
    y = .allocate(byteCount: rowCount * outputs * 4, alignment: 4096)
    flap_bench_fill(x, rowCount * inner, compute.format, 7)
  }

  deinit {
    x.deallocate()
    y.deallocate()
  }
}
