import CKernels
import FlapTestKit
import Testing

/// Rows to tiles, against the definition of the tiles.
struct ProductPackingTests {
  /// Element types of a source.
  enum Source: CaseIterable {
    case bfloat16, float16, float32

    /// The kernels' name of it.
    var element: flap_element {
      switch self {
      case .bfloat16: FLAP_ELEMENT_BF16
      case .float16: FLAP_ELEMENT_F16
      case .float32: FLAP_ELEMENT_F32
      }
    }

    /// One element's bytes.
    func encode(_ value: Float) -> [UInt8] {
      switch self {
      case .bfloat16: bytes(UInt16(value.bitPattern >> 16))
      case .float16: bytes(Float16(value).bitPattern)
      case .float32: bytes(value.bitPattern)
      }
    }

    private func bytes<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
      (0..<Integer.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
  }

  static let shapes = [(1, 1), (16, 32), (16, 96), (16, 100), (7, 64), (15, 45)]

  @Test(
    "Column tiles from every type, at any address, with a gap between rows", arguments: shapes,
    Source.allCases)
  func group(shape: (outputs: Int, inner: Int), source: Source) {
    let (outputs, inner) = shape
    let rowStride = inner + 3
    // Exact in all three types.
    let values = (0..<outputs * rowStride).map { Float(($0 * 37) % 251 - 125) / 64 }
    // One byte before it: no element is aligned.
    var encoded: [UInt8] = [0]
    for value in values { encoded += source.encode(value) }
    for format in ProductFormat.allCases {
      let tiles = Tiles(format.tileCount(inner: inner))
      encoded.withUnsafeBytes { bytes in
        flap_pack_group(
          format.value, source.element, bytes.baseAddress! + 1, rowStride, outputs, inner,
          tiles.start)
      }
      expect(tiles, format, isRows: false) { output, channel in
        output < outputs && channel < inner ? values[output * rowStride + channel] : 0
      }
    }
  }

  @Test("Row tiles", arguments: shapes, ProductFormat.allCases)
  func rows(shape: (rows: Int, channels: Int), format: ProductFormat) {
    let (rows, channels) = shape
    let stride = channels + 5
    let values = (0..<rows * stride).map { Float(($0 * 37) % 251 - 125) / 64 }
    let tiles = Tiles(format.tileCount(inner: channels))
    flap_pack_rows(format.value, values, stride, rows, channels, tiles.start)
    expect(tiles, format, isRows: true) { row, channel in
      row < rows && channel < channels ? values[row * stride + channel] : 0
    }
  }

  /// Every unit of the tiles is made of `value(row or output, channel)`.
  private func expect(
    _ tiles: Tiles, _ format: ProductFormat, isRows: Bool, value: (Int, Int) -> Float
  ) {
    var wrong = 0
    for tile in 0..<tiles.tileCount {
      for line in 0..<16 {
        for unit in 0..<16 {
          let got = isRows ? tiles.unit(tile, line, unit) : tiles.unit(tile, unit, line)
          let expected =
            switch format {
            case .float32: value(line, tile * 16 + unit).bitPattern
            case .bfloat16:
              value(line, tile * 32 + 2 * unit).bitPattern >> 16
                | value(line, tile * 32 + 2 * unit + 1).bitPattern & 0xffff_0000
            }
          wrong += got == expected ? 0 : 1
        }
      }
    }
    #expect(wrong == 0)
  }

  @Test("f32 rounds to the nearest bf16, ties to even; NaN stays NaN")
  func rounding() {
    // Bits of f32 and of its bf16.
    let cases: [(UInt32, UInt16)] = [
      (0x3f80_8000, 0x3f80), (0x3f81_8000, 0x3f82), (0x3f80_8001, 0x3f81), (0x3f80_7fff, 0x3f80),
      (0xbf81_8000, 0xbf82), (0x7f7f_ffff, 0x7f80), (0x7f80_0000, 0x7f80), (0xff80_0000, 0xff80),
      (0x0000_8000, 0x0000), (0x0001_8000, 0x0002), (0x8000_0000, 0x8000),
    ]
    var values = cases.map { Float(bitPattern: $0.0) }
    values += [Float(bitPattern: 0x7f80_0001), Float(bitPattern: 0xffff_ffff)]
    for isRows in [false, true] {
      let tiles = Tiles(1)
      if isRows {
        flap_pack_rows(FLAP_BF16, values, values.count, 1, values.count, tiles.start)
      } else {
        flap_pack_group(
          FLAP_BF16, FLAP_ELEMENT_F32, values, values.count, 1, values.count, tiles.start)
      }
      func half(_ channel: Int) -> UInt16 {
        let unit =
          isRows ? tiles.unit(0, 0, channel / 2) : tiles.unit(0, channel / 2, 0)
        return UInt16(truncatingIfNeeded: unit >> (channel % 2 == 0 ? 0 : 16))
      }
      for (channel, (_, expected)) in cases.enumerated() { #expect(half(channel) == expected) }
      for channel in cases.count..<values.count {
        #expect(half(channel) & 0x7fff > 0x7f80)
      }
    }
  }

  @Test("Every f16 widens to its f32")
  func widening() {
    let halves = (0...UInt16.max).map { $0 }
    let tiles = Tiles(halves.count / 16)
    flap_pack_group(
      FLAP_F32, FLAP_ELEMENT_F16, halves, halves.count, 1, halves.count, tiles.start)
    var wrong = 0
    for (channel, half) in halves.enumerated() {
      let got = Float(bitPattern: tiles.unit(channel / 16, channel % 16, 0))
      let expected = Float(Float16(bitPattern: half))
      wrong += got.bitPattern == expected.bitPattern || got.isNaN && expected.isNaN ? 0 : 1
    }
    #expect(wrong == 0)
  }
}
