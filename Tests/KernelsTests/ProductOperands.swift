import CKernels
import Testing

/// What a tile holds.
enum ProductFormat: CaseIterable {
  case bfloat16, float32

  /// The kernels' name of it.
  var value: flap_format { self == .bfloat16 ? FLAP_BF16 : FLAP_F32 }
  var tileChannels: Int { self == .bfloat16 ? 32 : 16 }
  func tileCount(inner: Int) -> Int { (inner + tileChannels - 1) / tileChannels }
}

/// An engine of the products that this CPU has.
struct ProductEngine: CustomTestStringConvertible {
  let name: String
  let format: ProductFormat
  var testDescription: String { "\(format) \(name)" }

  static func all(_ format: ProductFormat) -> [ProductEngine] {
    var engines: [ProductEngine] = []
    while let name = flap_product_engine_at(format.value, engines.count) {
      engines.append(ProductEngine(name: String(cString: name), format: format))
    }
    return engines
  }
  static let all = ProductFormat.allCases.flatMap { all($0) }
}

/// Memory of tiles, filled with NaN until it is written.
final class Tiles {
  let start: UnsafeMutableRawPointer
  let tileCount: Int

  init(_ tileCount: Int) {
    self.tileCount = tileCount
    start = .allocate(byteCount: max(1, tileCount) * 1024, alignment: 64)
    start.initializeMemory(as: UInt8.self, repeating: 0xff, count: max(1, tileCount) * 1024)
  }
  deinit { start.deallocate() }

  /// The unit at `row`, `column` of a tile.
  func unit(_ tile: Int, _ row: Int, _ column: Int) -> UInt32 {
    start.load(fromByteOffset: tile * 1024 + row * 64 + column * 4, as: UInt32.self)
  }
}

/// x `[rows, inner]` and W `[outputs, inner]` in tiles, with gaps between panels and groups.
struct ProductOperands {
  let format: ProductFormat
  let panels, groups, tiles: Int
  let panelStride, groupStride: Int
  let x, w: Tiles

  init(_ format: ProductFormat, x: [Float], w: [Float], inner: Int) {
    let rows = x.count / inner
    let outputs = w.count / inner
    self.format = format
    panels = (rows + 15) / 16
    groups = (outputs + 15) / 16
    tiles = format.tileCount(inner: inner)
    panelStride = tiles + 1
    groupStride = tiles + 3
    self.x = Tiles(panels * panelStride)
    self.w = Tiles(groups * groupStride)
    x.withUnsafeBufferPointer { x in
      for panel in 0..<panels {
        flap_pack_rows(
          format.value, x.baseAddress! + 16 * panel * inner, inner, min(16, rows - 16 * panel),
          inner, self.x.start + panel * panelStride * 1024)
      }
    }
    w.withUnsafeBufferPointer { w in
      for group in 0..<groups {
        flap_pack_group(
          format.value, FLAP_ELEMENT_F32, w.baseAddress! + 16 * group * inner, inner,
          min(16, outputs - 16 * group), inner, self.w.start + group * groupStride * 1024)
      }
    }
  }

  /// y += x · Wᵀ (or =) over a part of the operands; y `[16 · panels, yStride]`.
  func multiply(
    on engine: ProductEngine, into y: inout [Float], yStride: Int, accumulate: Bool,
    panels: Range<Int>? = nil, groups: Range<Int>? = nil, tiles: Range<Int>? = nil
  ) {
    let panels = panels ?? 0..<self.panels
    let groups = groups ?? 0..<self.groups
    let tiles = tiles ?? 0..<self.tiles
    y.withUnsafeMutableBufferPointer { y in
      let part = flap_product(
        format: format.value,
        x: x.start + (panels.lowerBound * panelStride + tiles.lowerBound) * 1024,
        panel_stride: panelStride,
        panels: panels.count,
        w: w.start + (groups.lowerBound * groupStride + tiles.lowerBound) * 1024,
        group_stride: groupStride,
        groups: groups.count,
        inner_tiles: tiles.count,
        y: y.baseAddress! + 16 * (panels.lowerBound * yStride + groups.lowerBound),
        y_stride: yStride,
        accumulate: accumulate)
      #expect(flap_multiply_on(engine.name, part))
    }
  }

  /// The whole product, y `[16 · panels, 16 · groups]`.
  func whole(to y: UnsafeMutablePointer<Float>) -> flap_product {
    flap_product(
      format: format.value, x: x.start, panel_stride: panelStride, panels: panels, w: w.start,
      group_stride: groupStride, groups: groups, inner_tiles: tiles, y: y, y_stride: 16 * groups,
      accumulate: false)
  }

  /// The whole product.
  func product(on engine: ProductEngine) -> [Float] {
    var y = [Float](repeating: .nan, count: 16 * panels * 16 * groups)
    multiply(on: engine, into: &y, yStride: 16 * groups, accumulate: false)
    return y
  }
}
