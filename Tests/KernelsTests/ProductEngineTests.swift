import CKernels
import FlapTestKit
import Testing

/// Every engine that this CPU has, and the emulated one, over ragged shapes.
struct ProductEngineTests {
  @Test("y = x · Wᵀ and y += x · Wᵀ against f64", arguments: ProductEngine.all, [false, true])
  func sums(engine: ProductEngine, accumulate: Bool) {
    for sample in ProductSample.samples {
      let operands = sample.operands(engine.format)
      let yStride = 16 * operands.groups + 5
      let before = (0..<16 * operands.panels * yStride).map { Float($0 % 7) / 3 - 1 }
      var y = before
      operands.multiply(on: engine, into: &y, yStride: yStride, accumulate: accumulate)
      var wrong = 0
      for row in 0..<16 * operands.panels {
        for column in 0..<yStride {
          let start = Double(before[row * yStride + column])
          let got = Double(y[row * yStride + column])
          guard column < 16 * operands.groups else {
            wrong += got == start ? 0 : 1
            continue
          }
          var expected = accumulate ? start : 0
          var magnitude = expected.magnitude
          if row < sample.rows && column < sample.outputs {
            expected += sample.y[row * sample.outputs + column]
            magnitude += sample.magnitude[row * sample.outputs + column]
          }
          // The bound of any order of summation in f32: one rounding for each of inner + 2
          // additions. A term lost would be about inner⁻¹ of the magnitude, far more.
          wrong += abs(got - expected) <= Double(sample.inner + 2) * 0x1p-24 * magnitude ? 0 : 1
        }
      }
      #expect(wrong == 0, "\(sample.rows) × \(sample.outputs) × \(sample.inner)")
    }
  }

  @Test("The same bits however a product is cut into calls", arguments: ProductEngine.all)
  func cuts(engine: ProductEngine) {
    var generator = SeededGenerator(seed: 5)
    func cuts(_ count: Int) -> [Range<Int>] {
      var (ranges, start) = ([Range<Int>](), 0)
      while start < count {
        let end = min(count, start + Int.random(in: 1...9, using: &generator))
        ranges.append(start..<end)
        start = end
      }
      return ranges
    }
    for sample in ProductSample.samples {
      let operands = sample.operands(engine.format)
      let whole = operands.product(on: engine)
      var parts = [Float](repeating: .nan, count: whole.count)
      for panels in cuts(operands.panels) {
        for groups in cuts(operands.groups) {
          for tiles in cuts(operands.tiles) {
            operands.multiply(
              on: engine, into: &parts, yStride: 16 * operands.groups,
              accumulate: tiles.lowerBound > 0, panels: panels, groups: groups, tiles: tiles)
          }
        }
      }
      #expect(parts.map(\.bitPattern) == whole.map(\.bitPattern))
    }
  }

  @Test("Threads at the same time get the same bits", arguments: ProductEngine.all)
  func threads(engine: ProductEngine) async {
    let sample = ProductSample.samples[5]
    let expected = sample.operands(engine.format).product(on: engine)
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask { sample.operands(engine.format).product(on: engine) == expected }
      }
      for await isEqual in group { #expect(isEqual) }
    }
  }

  @Test("NaN and infinity reach their row or column and no other", arguments: ProductEngine.all)
  func specials(engine: ProductEngine) {
    let (rows, outputs, inner) = (20, 21, 50)
    var x = [Float](repeating: 0.5, count: rows * inner)
    var w = [Float](repeating: -0.25, count: outputs * inner)
    x[3 * inner + 49] = .nan
    x[17 * inner + 1] = .infinity
    w[4 * inner + 48] = .infinity
    w[20 * inner + 2] = -.infinity
    let operands = ProductOperands(engine.format, x: x, w: w, inner: inner)
    let y = operands.product(on: engine)
    for row in 0..<rows {
      for output in 0..<outputs {
        let got = y[row * 16 * operands.groups + output]
        switch (row, output) {
        case (3, _), (17, 4): #expect(got.isNaN, "\(row), \(output)")
        case (17, _), (_, 20): #expect(got == -.infinity, "\(row), \(output)")
        case (_, 4): #expect(got == .infinity, "\(row), \(output)")
        default: #expect(got == Float(inner) * -0.125, "\(row), \(output)")
        }
      }
    }
  }

  @Test("bf16 on an f32 engine: the bits of that engine on the widened operands")
  func widened() {
    let engines = ProductEngine.all(.float32)
    #expect(!engines.isEmpty)
    for engine in engines {
      let bfloat16 = ProductEngine(name: engine.name, format: .bfloat16)
      for sample in ProductSample.samples {
        let y = sample.operands(.bfloat16).product(on: bfloat16)
        let expected = sample.operands(.float32).product(on: engine)
        #expect(y.map(\.bitPattern) == expected.map(\.bitPattern), "\(engine.name)")
      }
    }
  }

  @Test("The instructions of bf16 take denormals for zero")
  func denormals() {
    for engine in ProductEngine.all(.bfloat16)
    where engine.name.hasPrefix("amx") || engine.name == "avx512-bf16" {
      // 2⁻¹²⁷ · 2¹²⁷ would be 1; 2⁻¹⁰⁰ · 2⁻³⁰ would be 2⁻¹³⁰.
      let x: [Float] = [0x1p-127, 0x1p-100]
      let w: [Float] = [0x1p127, 0x1p-30]
      let y = ProductOperands(.bfloat16, x: x, w: w, inner: 2).product(on: engine)
      #expect(y[0] == 0, "\(engine.name)")
    }
  }

  @Test("No tiles: zeros, or y as it was; no engine by that name: nothing")
  func nothing() {
    for engine in ProductEngine.all {
      let operands = ProductSample.samples[0].operands(engine.format)
      var y = [Float](repeating: 3, count: 256)
      operands.multiply(on: engine, into: &y, yStride: 16, accumulate: true, tiles: 0..<0)
      #expect(y.allSatisfy { $0 == 3 })
      operands.multiply(on: engine, into: &y, yStride: 16, accumulate: false, tiles: 0..<0)
      #expect(y.allSatisfy { $0 == 0 })
      y[0] = 3
      let done = y.withUnsafeMutableBufferPointer {
        flap_multiply_on("abacus", operands.whole(to: $0.baseAddress!))
      }
      #expect(!done && y[0] == 3)
    }
  }

  @Test("flap_multiply runs the first engine", arguments: ProductFormat.allCases)
  func bestEngine(format: ProductFormat) {
    let best = ProductEngine.all(format)[0]
    #expect(String(cString: flap_product_engine(format.value)) == best.name)
    let operands = ProductSample.samples[2].operands(format)
    var y = [Float](repeating: .nan, count: 256 * operands.panels * operands.groups)
    y.withUnsafeMutableBufferPointer { flap_multiply(operands.whole(to: $0.baseAddress!)) }
    #expect(y == operands.product(on: best))
  }
}
